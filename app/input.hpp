// SPDX-License-Identifier: Apache-2.0
// Trace files as one stream of bytes: plain, gzip, xz or zstd, by content; "-" is standard input.
// Of an archive of scripts/record-trace.sh, or of the folder that it unpacks to, it is the trace.
#pragma once

#include "recording.hpp"

#include "bounce/trace.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bouncesim {

// Several files are read one after the other, as parts of one recording.
class trace_input {
  public:
    explicit trace_input(std::vector<std::string> paths);
    trace_input(const trace_input &) = delete;
    trace_input &operator=(const trace_input &) = delete;
    ~trace_input();

    // Valid as long as this object; throws nothing, reports through bounce_error.
    bounce_input as_input();

    // "FILE:LINE: " of a line counted over all files, or "FILE: " when line is 0.
    std::string where(std::uint64_t line) const;

    // What an archive tells beside the trace; NULL for other files. Before the first byte was
    // read: what stands in front of the trace. Throws refused_error.
    const recording *recorded();
    // The same as far as it is known, without reading.
    const recording *recorded_so_far() const;
    // Lines of a recording's trace from before that time are left out. Before the first byte.
    void cut_before(std::uint64_t ns);
    // Lines of the trace left out in front, as some CPUs' events reach less far back.
    std::uint64_t lines_cut() const;

    // Whether the same bytes can be read again: regular files only.
    bool rewindable() const;

    std::uint64_t bytes_read() const;  // of the files, before decompression
    std::uint64_t bytes_total() const; // 0 when unknown

  private:
    struct part;
    static bounce_status read(void *context, void *buffer, std::size_t capacity, std::size_t *got,
                              bounce_error *error);
    std::size_t read_some(char *buffer, std::size_t capacity);
    bounce_status failed(bounce_error *error);

    std::vector<std::string> paths_;
    std::vector<std::uint64_t> lines_; // of each finished part
    std::size_t current_ = 0;
    std::unique_ptr<part> part_;
    std::uint64_t finished_bytes_ = 0;
};

} // namespace bouncesim
