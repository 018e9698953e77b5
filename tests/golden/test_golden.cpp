// SPDX-License-Identifier: Apache-2.0
// The library against what real kernels answered, every line of it.
#include "streams.hpp"

#include "bounce/swiotlb.h"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace {

struct kernel_row {
    const char *name;
    bool restricted; // answers for the restricted pool exist
};

const kernel_row kernels[] = {
    {"linux-6.12", true},
    {"linux-6.12-dynamic", false},
    {"linux-6.1", true},
};

template <typename... T> std::string line(const char *format, T... values) {
    char text[160];
    std::snprintf(text, sizeof(text), format, values...);
    return text;
}

struct mapping {
    std::uint64_t address = 0;
    std::uint32_t dev = 0, dir = 0;
    bool live = false;
};

// Puts operations through the library and writes down its answers as the golden files do.
class player {
  public:
    player(const golden::stream &stream, const bounce_kernel *kernel)
        : stream_(stream), live_(stream.ids), mem_(nullptr, bounce_swiotlb_destroy) {
        bounce_boot boot = {stream.slots, stream.areas, true, false};
        bounce_swiotlb_config config = {};
        bounce_swiotlb *made = nullptr;
        bounce_error error = {};
        config.kernel = kernel;
        config.cpus = stream.cpus;
        config.start = stream.start;
        bounce_boot_round(&boot, stream.cpus, &config.nslabs, &config.nareas);
        EXPECT_EQ(bounce_swiotlb_create(&config, &made, &error), BOUNCE_OK) << error.text;
        mem_.reset(made);
        for (const golden::device &d : stream.devices) {
            bounce_device device;
            bounce_device_init(&device, "golden");
            device.min_align_mask = static_cast<std::uint32_t>(d.min_align_mask);
            device.seg_boundary = d.seg_boundary;
            device.dma_mask = d.dma_mask;
            devices_.push_back(device);
        }
    }

    std::vector<std::string> play() {
        for (std::size_t i = 0; i < stream_.operations.size(); i++)
            if (!apply(stream_.operations[i])) {
                answers_.push_back(line("LOCKUP %zu", i));
                break;
            }
        return std::move(answers_);
    }

  private:
    const bounce_swiotlb_counts &counts() const {
        return *bounce_swiotlb_get_counts(mem_.get());
    }

    bool map(const golden::operation &op) {
        bounce_map_request request = {&devices_[op.dev], op.orig, op.size, op.align, op.cpu};
        bounce_map_result result;
        if (op.kind == 'A')
            bounce_swiotlb_alloc(mem_.get(), &request, &result);
        else
            bounce_swiotlb_map(mem_.get(), &request, &result);
        if (result.outcome == BOUNCE_MAP_LOCKUP)
            return false;
        bool ok = result.outcome == BOUNCE_MAP_OK;
        live_[op.id] = {result.tlb_addr, op.dev, op.dir, ok};
        answers_.push_back(line("%" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %u", op.id,
                                ok ? line("%" PRIx64, result.tlb_addr).c_str() : "FULL",
                                counts().used, counts().used_hiwater, result.probes, result.locks));
        return true;
    }

    void unmap(const golden::operation &op) {
        mapping &m = live_[op.id];
        if (m.live) {
            EXPECT_GT(bounce_swiotlb_unmap(mem_.get(), &devices_[m.dev], m.address), 0u);
        }
        m.live = false;
        answers_.push_back(line("u %" PRIu64 " %" PRIu64, op.id, counts().used));
    }

    void sync(const golden::operation &op) {
        const mapping &m = live_[op.id];
        bounce_copy copy = {0, 0};
        bool copies = m.dir == BOUNCE_BIDIRECTIONAL ||
                      m.dir == (op.for_cpu ? BOUNCE_FROM_DEVICE : BOUNCE_TO_DEVICE);
        if (m.live && copies)
            copy =
                bounce_swiotlb_sync(mem_.get(), &devices_[m.dev], m.address + op.offset, op.size);
        answers_.push_back(copy.bytes ? line("s %" PRIu64 " %" PRIx64 " %" PRIu64, op.id,
                                             copy.orig_addr, copy.bytes)
                                      : line("s %" PRIu64 " none", op.id));
    }

    // False: the kernel's search would not have ended.
    bool apply(const golden::operation &op) {
        switch (op.kind) {
        case 'M':
        case 'A':
            return map(op);
        case 'U':
            unmap(op);
            break;
        case 'S':
            sync(op);
            break;
        case 'W':
            if (bounce_swiotlb_run_worker(mem_.get()))
                answers_.push_back(line("w %" PRIu64, counts().nslabs));
            break;
        default:
            break;
        }
        return true;
    }

    const golden::stream &stream_;
    std::vector<mapping> live_;
    std::vector<bounce_device> devices_;
    std::vector<std::string> answers_;
    std::unique_ptr<bounce_swiotlb, void (*)(bounce_swiotlb *)> mem_;
};

using parameters = std::tuple<std::size_t, std::string>; // kernel row, profile

class Golden : public testing::TestWithParam<parameters> {};

TEST_P(Golden, EveryAnswer) {
    const kernel_row &row = kernels[std::get<0>(GetParam())];
    const std::string &profile = std::get<1>(GetParam());
    const bounce_kernel *kernel = bounce_kernel_find(row.name);
    if (!kernel)
        GTEST_SKIP() << "this build does not know the kernel " << row.name;

    golden::stream stream = golden::read_stream(golden::path_of(profile + ".ops.xz"));
    ASSERT_GT(stream.operations.size(), 1000u);
    std::vector<std::string> answers = player(stream, kernel).play();

    std::istringstream expected(golden::read_xz(golden::path_of(profile + "." + row.name + ".xz")));
    std::size_t at = 0;
    for (std::string wanted; std::getline(expected, wanted); at++) {
        ASSERT_LT(at, answers.size()) << "no answer where the kernel's is " << wanted;
        ASSERT_EQ(answers[at], wanted) << "answer " << at + 1 << " of " << profile;
    }
    EXPECT_EQ(at, answers.size()) << "more answers than the kernel gave";
}

std::vector<parameters> rows() {
    std::vector<parameters> all;
    for (std::size_t k = 0; k < std::size(kernels); k++)
        for (const std::string &profile : golden::profiles)
            if (kernels[k].restricted || profile != "restricted-1")
                all.emplace_back(k, profile);
    return all;
}

INSTANTIATE_TEST_SUITE_P(, Golden, testing::ValuesIn(rows()), [](const auto &row) {
    std::string name =
        std::string(kernels[std::get<0>(row.param)].name) + "_" + std::get<1>(row.param);
    for (char &c : name)
        if (!isalnum(static_cast<unsigned char>(c)))
            c = '_';
    return name;
});

} // namespace
