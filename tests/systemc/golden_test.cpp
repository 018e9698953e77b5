// SPDX-License-Identifier: Apache-2.0
// The golden operation streams: both engines, same events.
#include "streams.hpp"

#include "bounce/boot.h"
#include "bounce/trace.h"

#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filtering_stream.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <istream>

using namespace bouncesim::models;

namespace {

std::vector<std::string> golden_streams() {
    std::vector<std::string> paths;
    const std::string ending = ".ops.xz";
    if (std::filesystem::is_directory(BOUNCESIM_GOLDEN))
        for (const auto &entry : std::filesystem::directory_iterator(BOUNCESIM_GOLDEN)) {
            std::string path = entry.path().string();
            if (path.size() > ending.size() &&
                path.compare(path.size() - ending.size(), ending.size(), ending) == 0)
                paths.push_back(path);
        }
    std::sort(paths.begin(), paths.end());
    return paths;
}

bounce_status read_stream(void *context, void *buffer, size_t capacity, size_t *got,
                          bounce_error *) {
    auto &in = *static_cast<std::istream *>(context);
    in.read(static_cast<char *>(buffer), static_cast<std::streamsize>(capacity));
    *got = static_cast<size_t>(in.gcount());
    return BOUNCE_OK;
}

stream read_ops(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    boost::iostreams::filtering_istream in;
    in.push(boost::iostreams::lzma_decompressor());
    in.push(file);

    std::istream &bytes = in;
    bounce_input input = {&bytes, read_stream};
    bounce_trace_options options = {};
    bounce_trace *trace;
    bounce_error error = {};
    stream s;
    if (bounce_trace_open(&input, &options, &trace, &error)) {
        ADD_FAILURE() << error.text;
        return s;
    }
    bounce_event events[512];
    std::size_t got;
    while (bounce_trace_next(trace, events, 512, &got, &error) == BOUNCE_OK)
        s.events.insert(s.events.end(), events, events + got);
    const bounce_recorded_config *recorded = bounce_trace_recorded(trace);
    std::size_t devices;
    const bounce_device *table = bounce_trace_devices(trace, &devices);
    s.devices.assign(table, table + devices);
    s.cpus = std::max(recorded->cpus, 1u);
    s.config.pool.cpus = s.cpus;
    s.config.pool.start = recorded->start;
    bounce_boot_round(&recorded->boot, s.cpus, &s.config.pool.nslabs, &s.config.pool.nareas);
    s.config.allocator_calls = recorded->allocator_calls;
    bounce_trace_close(trace);
    return s;
}

class golden : public testing::TestWithParam<std::string> {};

TEST_P(golden, zero_costs_give_the_replay_engines_events) {
    stream s = read_ops(GetParam());
    ASSERT_GT(s.events.size(), 100u);
    outcome replay = run_replay(s), systemc = run_systemc(s, costs::zero());
    EXPECT_TRUE(replay.text == systemc.text);
    EXPECT_EQ(replay.stats.search_probes, systemc.stats.search_probes);
    EXPECT_EQ(replay.stats.events_full, systemc.stats.events_full);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(golden);
INSTANTIATE_TEST_SUITE_P(streams, golden, testing::ValuesIn(golden_streams()),
                         [](const testing::TestParamInfo<std::string> &param) {
                             std::string name =
                                 std::filesystem::path(param.param).filename().string();
                             name = name.substr(0, name.find('.'));
                             for (char &c : name)
                                 c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                             return name;
                         });

} // namespace
