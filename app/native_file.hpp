// SPDX-License-Identifier: Apache-2.0
// A native file that is being written, with errors as exceptions.
#pragma once

#include "errors.hpp"
#include "packed_output.hpp"

#include "bounce/native.h"

#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace bouncesim {

class native_file {
  public:
    // `output` outlives it, and is committed by its owner. Throws run_error.
    native_file(packed_output &output, const bounce_native_source &source) {
        bounce_output out = {&output, write_bytes};
        bounce_native_writer *made = nullptr;
        check(bounce_native_create(&out, &source, &made, &error_));
        writer_.reset(made);
    }
    void set(const bounce_recorded_config &config, const bounce_device *devices,
             std::size_t count) {
        check(bounce_native_set(writer_.get(), &config, devices, count, &error_));
    }
    void tell(const char *name, const std::string &text) {
        check(bounce_native_text(writer_.get(), name, text.data(), text.size(), &error_));
    }
    void write(const bounce_event *events, std::size_t count) {
        check(bounce_native_write(writer_.get(), events, count, &error_));
    }
    void finish(const bounce_trace_counts &counts) {
        check(bounce_native_finish(writer_.get(), &counts, &error_));
    }

  private:
    static bounce_status write_bytes(void *context, const void *bytes, std::size_t length,
                                     bounce_error *error) {
        try {
            static_cast<packed_output *>(context)->write(
                std::string_view(static_cast<const char *>(bytes), length));
            return BOUNCE_OK;
        } catch (const std::exception &e) {
            return bounce_refuse(error, BOUNCE_IO, 0, "%s", e.what());
        }
    }
    void check(bounce_status status) const {
        if (status == BOUNCE_NO_MEMORY)
            throw std::bad_alloc();
        if (status)
            throw run_error(error_.text);
    }

    bounce_error error_ = {};
    std::unique_ptr<bounce_native_writer, void (*)(bounce_native_writer *)> writer_{
        nullptr, bounce_native_destroy};
};

} // namespace bouncesim
