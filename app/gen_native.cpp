// SPDX-License-Identifier: Apache-2.0
// What `gen` makes, in the native format: times, names, masks, scatter lists, and the pool.
#include "errors.hpp"
#include "gen_output.hpp"
#include "packed_output.hpp"

#include "bounce/boot.h"
#include "bounce/native.h"

#include <new>
#include <vector>

namespace bouncesim {
namespace {

class native_output : public gen_output {
  public:
    native_output(const std::string &target, const std::string &spec_path, const gen_spec &spec)
        : file_(target) {
        bounce_native_source source = {spec_path.c_str(), "gen", "bouncesim " BOUNCESIM_VERSION,
                                       nullptr};
        bounce_output out = {&file_, write_bytes};
        bounce_native_writer *made = nullptr;
        check(bounce_native_create(&out, &source, &made, &error_));
        writer_.reset(made);
        bounce_recorded_config config = {};
        config.cpus = spec.cpus;
        config.timed = true;
        config.forced = config.guessed_force = true;
        config.level = spec.config.requests ? BOUNCE_LEVEL_REQUESTS : BOUNCE_LEVEL_MAPPINGS;
        config.has_completions = spec.config.requests;
        if (!spec.config.requests) { // as in an operation stream; requests leave the pool open
            config.boot.nslabs = spec.nslabs;
            config.boot.nareas = spec.nareas;
            config.start = spec.start ? spec.start : bounce_boot_default_start(spec.nslabs);
            config.has_header = true;
        }
        check(bounce_native_set(writer_.get(), &config, spec.names.data(), spec.names.size(),
                                &error_));
    }
    const char *name() const override {
        return "native";
    }
    void write(const bounce_event *events, std::size_t count) override {
        kept_.assign(events, events + count);
        for (bounce_event &event : kept_) { // the lower handles are those of a reader's own
            event.handle += BOUNCE_HELD_MAX;
            event.list += event.list == BOUNCE_NO_LIST ? 0 : BOUNCE_HELD_MAX;
        }
        records_ += count;
        check(bounce_native_write(writer_.get(), kept_.data(), count, &error_));
    }
    void finish(std::uint64_t span_ns) override {
        bounce_trace_counts counts = {};
        counts.records = records_;
        counts.span_ns = span_ns;
        check(bounce_native_finish(writer_.get(), &counts, &error_));
        file_.commit();
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

    packed_output file_;
    std::vector<bounce_event> kept_;
    std::uint64_t records_ = 0;
    bounce_error error_ = {};
    std::unique_ptr<bounce_native_writer, void (*)(bounce_native_writer *)> writer_{
        nullptr, bounce_native_destroy};
};

} // namespace

std::unique_ptr<gen_output> make_native_output(const std::string &target,
                                               const std::string &spec_path, const gen_spec &spec) {
    return std::make_unique<native_output>(target, spec_path, spec);
}

} // namespace bouncesim
