// SPDX-License-Identifier: Apache-2.0
// Pages private or shared, what devices get of them, and what that costs.
#include "encrypted_memory.hpp"
#include "memory.hpp"
#include "modules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>

using namespace bouncesim::models;

namespace {

constexpr uint64_t page = 4096;

struct bench {
    encryption_config config;
    module_test context;
    costs timing;
    sparse_memory bytes;
    encrypted_memory unit;
    memory below;
    bus_initiator device{"device"};

    explicit bench(bounce_guest guest)
        : config(encryption_config::of(guest)), timing(applied(config)), unit("encryption", config),
          below("memory", timing) {
        device.bus.bind(unit.devices);
        unit.memory.bind(below.socket);
        below.set_bytes(&bytes);
        bytes.hold(0, 0, 64 * page);
    }
    static costs applied(const encryption_config &config) {
        costs made;
        made.memory_ps_per_kib = 1000;
        config.apply(made);
        return made;
    }
    uint64_t convert(uint64_t first, uint64_t pages, bool shared) {
        uint64_t time_ps = 0;
        unit.convert(first * page, pages * page, shared, time_ps);
        return time_ps;
    }
};

TEST(encrypted_memory, keeps_the_state_of_every_page) {
    bench b(BOUNCE_GUEST_TDX);
    std::mt19937 random(3);
    std::set<uint64_t> shared;
    for (unsigned n = 0; n < 3000; n++) {
        uint64_t first = random() % 60, pages = 1 + random() % 10, changed = 0;
        bool to_shared = random() % 2;
        for (uint64_t p = first; p < first + pages; p++)
            changed += to_shared ? shared.insert(p).second : shared.erase(p);
        ASSERT_EQ(b.convert(first, pages, to_shared), changed * b.config.page_ps);
        for (uint64_t p = 0; p < 70; p++)
            ASSERT_EQ(b.unit.is_shared(p * page, page), shared.count(p) == 1) << p;
        uint64_t from = random() % 60, count = 1 + random() % 5;
        bool all = true;
        for (uint64_t p = from; p < from + count; p++)
            all &= shared.count(p) == 1;
        ASSERT_EQ(b.unit.is_shared(from * page + 1, count * page - 2), all);
    }
    const encryption_stats &seen = b.unit.stats();
    EXPECT_EQ(seen.pages_shared - seen.pages_private, shared.size());
    EXPECT_DOUBLE_EQ(seen.conversion_ns,
                     static_cast<double>(seen.pages_shared + seen.pages_private) * 1660);
}

TEST(encrypted_memory, shared_pages_are_as_any_memory) {
    for (bounce_guest guest : {BOUNCE_GUEST_SEV_SNP, BOUNCE_GUEST_TDX}) {
        bench b(guest);
        b.convert(2, 2, true);
        unsigned char data[100], back[100];
        std::fill(data, data + 100, 0x37);
        EXPECT_TRUE(b.device.transfer(3 * page - 50, 100, BOUNCE_FROM_DEVICE, data));
        EXPECT_TRUE(b.device.transfer(3 * page - 50, 100, BOUNCE_TO_DEVICE, back));
        EXPECT_TRUE(std::equal(data, data + 100, back));
        EXPECT_EQ(b.unit.stats().faults.count, 0u);
    }
}

TEST(encrypted_memory, tdx_stops_a_device_at_a_private_page) {
    bench b(BOUNCE_GUEST_TDX);
    b.convert(2, 1, true);
    unsigned char data[64] = {1}, seen[64];
    EXPECT_FALSE(b.device.transfer(3 * page - 32, 64, BOUNCE_FROM_DEVICE, data)); // half private
    EXPECT_EQ(b.device.extension().fault, dma_fault::encrypted);
    b.bytes.read(0, 3 * page - 32, seen, 64);
    EXPECT_EQ(std::count(seen, seen + 64, sparse_memory::poison), 64);
    EXPECT_FALSE(b.device.transfer(9 * page, 64, BOUNCE_TO_DEVICE, data));
    EXPECT_EQ(b.unit.stats().private_writes, 1u);
    EXPECT_EQ(b.unit.stats().private_reads, 1u);
    EXPECT_EQ(b.unit.stats().private_bytes, 128u);
    EXPECT_EQ(b.unit.stats().faults.first[1].address, 9 * page);
}

TEST(encrypted_memory, sev_gives_ciphertext_and_takes_what_the_guest_cannot_read) {
    bench b(BOUNCE_GUEST_SEV_SNP);
    b.convert(2, 1, true);
    unsigned char plain[64], seen[64];
    for (unsigned i = 0; i < 64; i++)
        plain[i] = static_cast<unsigned char>(i);
    b.bytes.write(0, 3 * page - 32, plain, 64); // the CPU's view: half of it in a private page
    EXPECT_TRUE(b.device.transfer(3 * page - 32, 64, BOUNCE_TO_DEVICE, seen));
    EXPECT_EQ(b.device.extension().fault, dma_fault::encrypted);
    EXPECT_TRUE(std::equal(plain, plain + 32, seen));
    for (unsigned i = 32; i < 64; i++)
        EXPECT_NE(plain[i], seen[i]) << i;
    std::copy(plain, plain + 64, seen);
    EXPECT_TRUE(b.device.transfer(5 * page, 64, BOUNCE_FROM_DEVICE, seen));
    b.bytes.read(0, 5 * page, seen, 64); // the CPU finds something else
    for (unsigned i = 0; i < 64; i++)
        EXPECT_NE(plain[i], seen[i]) << i;
    EXPECT_TRUE(b.device.transfer(5 * page, 64, BOUNCE_TO_DEVICE, seen)); // the device its own
    EXPECT_TRUE(std::equal(plain, plain + 64, seen));
    EXPECT_EQ(b.unit.stats().faults.count, 3u);
}

TEST(encrypted_memory, costs_what_was_published) {
    encryption_config snp = encryption_config::of(BOUNCE_GUEST_SEV_SNP);
    encryption_config tdx = encryption_config::of(BOUNCE_GUEST_TDX);
    // A pool of 1 GiB: 0.33 and 0.43 s.
    bench a(BOUNCE_GUEST_SEV_SNP), b(BOUNCE_GUEST_TDX);
    EXPECT_NEAR(static_cast<double>(a.convert(0, 262144, true)) / 1e12, 0.33, 0.01);
    EXPECT_NEAR(static_cast<double>(b.convert(0, 262144, true)) / 1e12, 0.43, 0.01);
    EXPECT_EQ(a.unit.doorbell_exit_ps() + a.unit.interrupt_exit_ps(), 3930000u + 3950000u);
    EXPECT_EQ(b.unit.doorbell_exit_ps() + b.unit.interrupt_exit_ps(), 12140000u + 12200000u);
    EXPECT_DOUBLE_EQ(b.unit.stats().exit_ns, 24340);
    // An access: 16 ns more, and the bandwidth that is left.
    costs plain;
    EXPECT_EQ(a.timing.memory_ps, 16000u);
    EXPECT_EQ(a.timing.memory_ps_per_kib, 1000u * 1000000 / 971200);
    EXPECT_EQ(b.timing.memory_ps_per_kib, 1000u * 1000000 / 921400);
    EXPECT_NEAR(static_cast<double>(plain.copy_cold.at(65536)) /
                    static_cast<double>(a.timing.copy_cold.at(65536)),
                0.93, 0.001);
    EXPECT_NEAR(static_cast<double>(plain.copy_hot.at(4096)) /
                    static_cast<double>(b.timing.copy_hot.at(4096)),
                0.957, 0.001);
    EXPECT_EQ(snp.blocks, 0u);
    EXPECT_EQ(tdx.blocks, 1u);
    tdx.make_free();
    EXPECT_EQ(tdx.blocks, 1u);
    EXPECT_EQ(tdx.page_ps + tdx.latency_ps + tdx.doorbell_ps, 0u);
}

TEST(encrypted_memory, the_page_names_every_parameter_and_every_count) {
    std::ifstream file(BOUNCESIM_MODEL_PAGES "/encrypted_memory.md");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const encryption_config snp = encryption_config::of(BOUNCE_GUEST_SEV_SNP);
    const encryption_config tdx = encryption_config::of(BOUNCE_GUEST_TDX);
    for (std::size_t i = 0; const encryption_parameter *row = encryption_parameter_at(i); i++) {
        std::string cell = std::string("| `") + row->key + "` | " +
                           std::to_string(snp.*row->value) + " | " +
                           std::to_string(tdx.*row->value) + " | " + row->unit + " | " +
                           row->meaning + " | " + row->source + " |";
        EXPECT_NE(text.find(cell), std::string::npos) << cell;
        EXPECT_EQ(find_encryption_parameter(row->key), row);
    }
#define BOUNCESIM_CHECK(type, name, unit, meaning)                                                 \
    EXPECT_NE(text.find("| `" #name "` | " unit " | " meaning " |"), std::string::npos) << #name;
    BOUNCESIM_ENCRYPTION_STATS(BOUNCESIM_CHECK)
#undef BOUNCESIM_CHECK
}

} // namespace
