// SPDX-License-Identifier: Apache-2.0
// Native files in memory.
#pragma once

#include "../formats/reading.hpp"
extern "C" {
#include "trace/crc32c.h"
}

#include "bounce/native.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace native_file {

inline bounce_status append(void *context, const void *bytes, std::size_t length, bounce_error *) {
    static_cast<std::string *>(context)->append(static_cast<const char *>(bytes), length);
    return BOUNCE_OK;
}

struct content {
    bounce_recorded_config recorded = {};
    bounce_trace_counts counts = {};
    std::vector<bounce_device> devices;
    std::vector<bounce_event> events;
};

// The file, or what the writer says against it.
inline std::string write(const content &what, std::string *refusal = nullptr) {
    std::string out;
    bounce_output output = {&out, append};
    bounce_native_source source = {"a file", "ftrace", "tests", nullptr};
    bounce_native_writer *writer = nullptr;
    bounce_error error = {};
    bounce_status status = bounce_native_create(&output, &source, &writer, &error);
    if (!status)
        status = bounce_native_set(writer, &what.recorded, what.devices.data(), what.devices.size(),
                                   &error);
    if (!status)
        status = bounce_native_write(writer, what.events.data(), what.events.size(), &error);
    if (!status)
        status = bounce_native_finish(writer, &what.counts, &error);
    bounce_native_destroy(writer);
    if (refusal)
        *refusal = error.text;
    else
        EXPECT_EQ(status, BOUNCE_OK) << error.text;
    return out;
}

inline std::string convert(const reading::outcome &read) {
    return write({read.recorded, read.counts, read.devices, read.events});
}

inline bool same(const bounce_event &a, const bounce_event &b) {
    return a.time_ns == b.time_ns && a.id == b.id && a.orig_addr == b.orig_addr &&
           a.tlb_addr == b.tlb_addr && a.size == b.size && a.offset == b.offset && a.seq == b.seq &&
           a.bound_seq == b.bound_seq && a.handle == b.handle && a.list == b.list &&
           a.alloc_align_mask == b.alloc_align_mask && a.device == b.device && a.cpu == b.cpu &&
           a.kind == b.kind && a.dir == b.dir && a.attrs == b.attrs && a.recorded == b.recorded &&
           a.flags == b.flags && a.segments == b.segments;
}

inline void expect_same(const std::vector<bounce_event> &a, const std::vector<bounce_event> &b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); i++)
        ASSERT_TRUE(same(a[i], b[i])) << "event " << i << " of kind " << int(a[i].kind);
}

inline std::uint32_t u32(const std::string &text, std::size_t at) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= std::uint32_t(static_cast<unsigned char>(text[at + i])) << 8 * i;
    return value;
}

inline void expect_same(const bounce_recorded_config &a, const bounce_recorded_config &b) {
    EXPECT_EQ(a.boot.nslabs, b.boot.nslabs);
    EXPECT_EQ(a.boot.nareas, b.boot.nareas);
    EXPECT_EQ(a.boot.force, b.boot.force);
    EXPECT_EQ(a.boot.noforce, b.boot.noforce);
    EXPECT_EQ(a.cpus, b.cpus);
    EXPECT_EQ(a.start, b.start);
    EXPECT_EQ(a.has_header, b.has_header);
    EXPECT_EQ(a.allocator_calls, b.allocator_calls);
    EXPECT_EQ(a.bounces, b.bounces);
    EXPECT_EQ(a.forced, b.forced);
    EXPECT_EQ(a.timed, b.timed);
    EXPECT_EQ(a.level, b.level);
    EXPECT_EQ(a.has_completions, b.has_completions);
    EXPECT_EQ(a.guessed_force, b.guessed_force);
    EXPECT_EQ(a.guessed_dirs, b.guessed_dirs);
    EXPECT_EQ(a.guessed_unit, b.guessed_unit);
    EXPECT_EQ(a.tells_requeues, b.tells_requeues);
    EXPECT_EQ(a.no_mappings, b.no_mappings);
    // A field that was added since and has no row in native_names.c; padding is zero on both sides.
    EXPECT_EQ(std::memcmp(&a, &b, sizeof(a)), 0);
}

constexpr std::uint32_t handles = 1u << 19; // beyond those that exist

struct chunk {
    std::string type;
    std::size_t at; // of its header; the payload is 12 bytes further
    std::size_t length;
};

inline std::vector<chunk> chunks(const std::string &file) {
    std::vector<chunk> all;
    for (std::size_t at = 8; at + 12 <= file.size() - 16;) {
        all.push_back({file.substr(at, 4), at, u32(file, at + 4)});
        at += 12 + all.back().length;
    }
    return all;
}

// Makes the checksum of a chunk that was changed fit again, so that what is behind it is reached.
inline void seal(std::string &file, const chunk &which) {
    crc32c crc;
    crc32c_init(&crc);
    std::uint32_t sum = crc32c_add(&crc, 0, file.data() + which.at, 8);
    sum = crc32c_add(&crc, sum, file.data() + which.at + 12, which.length);
    for (int i = 0; i < 4; i++)
        file[which.at + 8 + i] = static_cast<char>(sum >> 8 * i);
}

} // namespace native_file
