// SPDX-License-Identifier: Apache-2.0
// libFuzzer target for every reader: --format=NAME, auto (the content decides) or pipeline (auto,
// then the pool and the order found and the replay). --list prints the names.
#include "pipeline.hpp"
#include "promises.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

const bounce_format *format;
bool whole_pipeline;

constexpr std::uint64_t most_events = 1u << 22; // inputs have at most a few hundred KiB

[[noreturn]] void list() {
    for (std::size_t i = 0; bounce_format_at(i); i++)
        std::puts(bounce_format_at(i)->name);
    std::puts("auto\npipeline");
    std::exit(0);
}

void choose(const std::string &name) {
    whole_pipeline = name == "pipeline";
    if (whole_pipeline || name == "auto")
        return;
    format = bounce_format_find(name.c_str());
    if (format)
        return;
    std::fprintf(stderr, "fuzz_reader: no format %s; --list shows them\n", name.c_str());
    std::exit(2);
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int *argc, char ***argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

extern "C" int LLVMFuzzerInitialize(int *argc, char ***argv) {
    for (int i = 1; i < *argc; i++) {
        std::string argument = (*argv)[i];
        if (argument == "--list")
            list();
        if (argument.compare(0, 9, "--format=") == 0)
            choose(argument.substr(9));
    }
    // The end of its CPU time (ulimit -t) is no finding: libFuzzer stops in good order.
    std::signal(SIGXCPU, [](int) { std::raise(SIGUSR1); });
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    // The options follow from the input, so that a finding is one file.
    bounce_trace_options options = {};
    options.format = format;
    options.skip_malformed = size % 2;
    options.only = static_cast<std::uint8_t>(size / 2 % 3);
    std::string text(reinterpret_cast<const char *>(data), size);
    reading::outcome out = reading::read(text, options);
    std::string broken = reading::broken_promise(out, most_events);
    if (broken.empty() && whole_pipeline)
        broken = run_pipeline(out);
    if (!broken.empty()) {
        std::fprintf(stderr, "broken promise: %s\n", broken.c_str());
        std::abort();
    }
    return 0;
}
