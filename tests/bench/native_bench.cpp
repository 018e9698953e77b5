// SPDX-License-Identifier: Apache-2.0
// What reading and writing the native format costs an event. The recordings are those of the
// project, repeated in memory until there are enough events; the clock sees decoding alone.
//
//   native_bench     items/s is events a second, bytes/s of the native file
#include "../native/native_file.hpp"

#include <benchmark/benchmark.h>
#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace {

constexpr std::size_t wanted_events = 4000000;

std::string unpacked(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    boost::iostreams::filtering_istream in;
    std::ostringstream out;
    in.push(boost::iostreams::lzma_decompressor());
    in.push(file);
    boost::iostreams::copy(in, out);
    return out.str();
}

// Its events again and again, later each time; what is still mapped at the end stays out of it.
native_file::content repeated(const std::string &name) {
    reading::outcome read =
        reading::read(unpacked(TESTS_DIR + ("/data/" + name + ".ftrace.xz")), {}, 1 << 16, 1 << 24);
    if (read.status != BOUNCE_END || read.events.empty())
        throw std::runtime_error(name + ": " + read.error.text);
    native_file::content out{read.recorded, read.counts, read.devices, {}};
    std::uint64_t span = read.events.back().time_ns + 1000, id = 0, seq = read.events.back().seq;
    for (const bounce_event &event : read.events)
        id = std::max(id, event.id == UINT64_MAX ? 0 : event.id + 1);
    for (std::uint64_t n = 0; out.events.size() < wanted_events; n++) {
        for (bounce_event event : read.events) {
            event.time_ns += n * span;
            event.id += n * id;
            event.seq += event.seq ? n * seq : 0;
            event.bound_seq += event.bound_seq ? n * seq : 0;
            out.events.push_back(event);
        }
        bounce_event restart = {};
        restart.kind = BOUNCE_EVENT_RESTART;
        restart.list = BOUNCE_NO_LIST;
        restart.time_ns = (n + 1) * span - 1000;
        out.events.push_back(restart);
    }
    return out;
}

struct sample {
    native_file::content content;
    std::string file;
};

const sample &sample_of(const std::string &name) {
    static std::map<std::string, sample> all;
    sample &s = all[name];
    if (s.file.empty()) {
        s.content = repeated(name);
        s.file = native_file::write(s.content);
    }
    return s;
}

struct memory {
    const std::string *text;
    std::size_t at;
};

bounce_status read_memory(void *context, void *buffer, std::size_t capacity, std::size_t *got,
                          bounce_error *) {
    auto *self = static_cast<memory *>(context);
    *got = std::min(capacity, self->text->size() - self->at);
    std::memcpy(buffer, self->text->data() + self->at, *got);
    self->at += *got;
    return BOUNCE_OK;
}

void Read(benchmark::State &state, const char *name) {
    const sample &s = sample_of(name);
    std::vector<bounce_event> events(4096);
    for (auto _ : state) {
        memory source = {&s.file, 0};
        bounce_input input = {&source, read_memory};
        bounce_trace_options options = {};
        bounce_trace *trace = nullptr;
        bounce_error error = {};
        std::size_t got = 0;
        if (bounce_trace_open(&input, &options, &trace, &error))
            return state.SkipWithError(error.text);
        bounce_status status;
        while (!(status = bounce_trace_next(trace, events.data(), events.size(), &got, &error)))
            benchmark::DoNotOptimize(events.data());
        bounce_trace_close(trace);
        if (status != BOUNCE_END)
            return state.SkipWithError(error.text);
    }
    state.SetItemsProcessed(
        static_cast<std::int64_t>(state.iterations() * s.content.events.size()));
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * s.file.size()));
    state.counters["bytes/event"] =
        static_cast<double>(s.file.size()) / static_cast<double>(s.content.events.size());
}

void Write(benchmark::State &state, const char *name) {
    const sample &s = sample_of(name);
    for (auto _ : state)
        benchmark::DoNotOptimize(native_file::write(s.content).data());
    state.SetItemsProcessed(
        static_cast<std::int64_t>(state.iterations() * s.content.events.size()));
}

BENCHMARK_CAPTURE(Read, e1000, "e1000-1024");
BENCHMARK_CAPTURE(Read, vblk, "vblk4096");
BENCHMARK_CAPTURE(Read, nvme, "nvme512");
BENCHMARK_CAPTURE(Write, vblk, "vblk4096");

} // namespace

BENCHMARK_MAIN();
