// SPDX-License-Identifier: Apache-2.0
// The archive reader in one process: what damage does to it, with sanitizers where they are built.
#include "errors.hpp"
#include "line_cut.hpp"
#include "recording.hpp"
#include "tar.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace bouncesim {
namespace {

// A ustar header with a right checksum.
std::string header(const std::string &name, const std::string &size, char type = '0') {
    std::string block(tar_reader::block, '\0');
    block.replace(0, name.size(), name);
    block.replace(124, size.size(), size);
    block.replace(257, 8,
                  std::string("ustar\0"
                              "00",
                              8));
    block[156] = type;
    block.replace(148, 8, 8, ' ');
    unsigned sum = 0;
    for (char c : block)
        sum += static_cast<unsigned char>(c);
    char digits[8];
    std::snprintf(digits, sizeof(digits), "%06o", sum);
    block.replace(148, 7, digits, 7);
    return block;
}

std::string member(const std::string &name, const std::string &text, char type = '0') {
    char size[12];
    std::snprintf(size, sizeof(size), "%011zo", text.size());
    std::string out = header(name, size, type) + text;
    out.resize((out.size() + tar_reader::block - 1) / tar_reader::block * tar_reader::block);
    return out;
}

const std::string end(2 * tar_reader::block, '\0');

// Hands out at most `step` bytes at a time.
tar_reader reader_of(const std::string &bytes, std::size_t &at, std::size_t step) {
    return tar_reader([&bytes, &at, step](char *buffer, std::size_t capacity) {
        std::size_t n = std::min({capacity, step, bytes.size() - at});
        std::copy_n(bytes.data() + at, n, buffer);
        at += n;
        return n;
    });
}

std::string sample() {
    return member("./rec/layout.txt", "bouncesim-recording 1\n") +
           member("x", "25 path=rec/counters.txt\n", 'x') +
           member("short", "STAT begin io_tlb_used 7\n") +
           member("long", std::string("rec/devices.txt\0", 16), 'L') +
           member("short", "pci 0000:00:02.0 nvme 32\n") + member("link", "", '2') +
           member("rec/trace.txt", std::string(700, 'x')) + end;
}

TEST(Tar, MembersInAnyPieces) {
    std::string bytes = sample();
    for (std::size_t step : {1u, 7u, 512u, 1u << 20}) {
        std::size_t at = 0;
        tar_reader tar = reader_of(bytes, at, step);
        std::vector<std::string> names, texts;
        while (tar.next()) {
            names.push_back(tar.name());
            texts.push_back(tar.text(1000));
        }
        EXPECT_EQ(names, (std::vector<std::string>{"layout.txt", "counters.txt", "devices.txt",
                                                   "trace.txt"}));
        EXPECT_EQ(texts[1], "STAT begin io_tlb_used 7\n");
        EXPECT_EQ(texts[3].size(), 700u);
        EXPECT_FALSE(tar.next());
        EXPECT_EQ(at, bytes.size());
    }
}

TEST(Tar, WhatIsNotReadIsPassedOver) {
    std::string bytes = sample();
    std::size_t at = 0, count = 0;
    char buffer[10];
    for (tar_reader tar = reader_of(bytes, at, 100); tar.next(); count++)
        EXPECT_GT(tar.read(buffer, sizeof(buffer)), 0u);
    EXPECT_EQ(count, 4u);
}

TEST(Tar, Refusals) {
    std::string whole = sample(), binary = "\x80" + std::string(10, '\0') + "\x05";
    auto first = [](const std::string &bytes) {
        std::size_t at = 0;
        tar_reader tar = reader_of(bytes, at, 512);
        return tar.next() ? tar.text(100) : "";
    };
    EXPECT_EQ(first(header("a", binary) + std::string("12345") + std::string(507, '\0') + end),
              "12345");
    for (const std::string &bytes :
         {std::string(), whole.substr(0, 100), whole.substr(0, 512), header("a", "9"),
          header("a", "77777777777") + end, header("a", "\x80" + std::string(11, '\xff')) + end,
          header("a", "00000000004", 'S') + end, member("a", "99 path=x\n", 'x') + end,
          member("a", "path=x\n", 'x') + end, member("a", "12 size=12x\n", 'x') + end,
          header("a", "00010000000", 'x') + end, std::string(512, 'x'),
          member("a", std::string(101, 'x')) + end, member("a", "b")})
        EXPECT_THROW(
            {
                std::size_t at = 0;
                tar_reader tar = reader_of(bytes, at, 512);
                while (tar.next())
                    tar.text(100);
            },
            refused_error)
            << bytes.substr(0, 160);
}

// Damaged bytes, cut ends, blocks in another order: read or refused.
TEST(Tar, Mutations) {
    std::mt19937 dice(20261125);
    auto below = [&](std::size_t most) { return dice() % most; };
    std::string whole = sample();
    std::size_t refused = 0, read = 0;
    for (int round = 0; round < 4000; round++) {
        std::string bytes = whole;
        for (std::size_t i = below(4); i; i--)
            bytes[below(bytes.size())] = static_cast<char>(below(256));
        if (below(4) == 0)
            bytes.resize(below(bytes.size() + 1));
        if (below(4) == 0 && bytes.size() >= 1024)
            std::swap_ranges(bytes.begin(), bytes.begin() + 512,
                             bytes.end() - 512 - static_cast<std::ptrdiff_t>(below(2) * 300));
        try {
            std::size_t at = 0;
            recording into;
            for (tar_reader tar = reader_of(bytes, at, 1 + below(600)); tar.next();)
                into.add(tar.name(), tar.text(1u << 12));
            read++;
        } catch (const refused_error &) {
            refused++;
        }
    }
    EXPECT_GT(refused, 500u);
    EXPECT_GT(read, 500u);
}

TEST(Recording, RubbishInEveryFile) {
    std::mt19937 dice(7);
    const std::string words[] = {"STAT",
                                 "begin",
                                 "io_tlb_used",
                                 "18446744073709551616",
                                 "/stats ",
                                 "overrun:",
                                 "oldest event ts:",
                                 "1.5",
                                 "0x",
                                 "software IO TLB: mapped [mem 0x",
                                 "-0x",
                                 "\xff",
                                 "cpus_possible",
                                 "4294967295",
                                 "swiotlb=",
                                 "boot",
                                 "config",
                                 "\n",
                                 "kernel 6.",
                                 "software IO TLB: area num",
                                 "entries:",
                                 ":",
                                 "-1",
                                 "65"};
    for (int round = 0; round < 3000; round++) {
        std::string text;
        for (int i = 0; i < 12; i++)
            text += words[dice() % std::size(words)] + (dice() % 3 ? " " : "");
        recording into;
        for (const char *name : {"machine.txt", "counters.txt", "devices.txt", "dmesg.txt"})
            EXPECT_TRUE(into.add(name, text));
        EXPECT_LE(into.pool().nslabs, std::uint64_t{1} << 40);
        into.kernel_name();
    }
}

TEST(LineCut, WhatIsEarlierBecomesComments) {
    const std::string text = "# head\n  a-1 [000] ..... 1.000000: e: 9.000000: x\n"
                             "  b [x] 2.5-3 [001] ..... 2.000001: e\nno time\n"
                             "  a-1 [000] ..... 1.500000: late\n";
    for (std::size_t step : {1u, 5u, 1000u}) {
        line_cut cut;
        std::string out;
        cut.set(2000001999);
        for (std::size_t at = 0; at < text.size(); at += step)
            cut.pass(text.data() + at, std::min(step, text.size() - at), out);
        cut.pass("", 0, out);
        EXPECT_EQ(out, "# head\n#\n" + text.substr(text.find("  b [x]")));
        EXPECT_EQ(cut.lines(), 1u);
        EXPECT_FALSE(cut.active());
    }
    line_cut cut;
    std::string out, endless(200000, 'x');
    cut.set(1);
    cut.pass(endless.data(), endless.size(), out);
    EXPECT_EQ(out.size(), endless.size()); // no line of a kernel's: nothing is kept back
}

} // namespace
} // namespace bouncesim
