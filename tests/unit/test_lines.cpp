// SPDX-License-Identifier: Apache-2.0
// Text as lines, whatever pieces it comes in.
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "trace/lines.h"
}

#include <gtest/gtest.h>

namespace {

struct feeder {
    std::string text;
    std::size_t at = 0;
    std::size_t piece = 1 << 20; // most bytes a read
    bool fail_at_end = false;

    static bounce_status read(void *context, void *buffer, std::size_t capacity, std::size_t *got,
                              bounce_error *error) {
        auto *f = static_cast<feeder *>(context);
        *got = std::min({capacity, f->piece, f->text.size() - f->at});
        if (*got == 0 && f->fail_at_end)
            return bounce_refuse(error, BOUNCE_IO, 0, "the disk is gone");
        std::memcpy(buffer, f->text.data() + f->at, *got);
        f->at += *got;
        return BOUNCE_OK;
    }
};

struct read_line {
    std::string text;
    std::uint64_t number;
    bool cut;
};

std::vector<read_line> read_all(feeder &f, bounce_status *status, bool peek = false) {
    struct lines lines;
    std::vector<read_line> all;
    bounce_input input = {&f, feeder::read};
    bounce_error error = {};
    EXPECT_EQ(lines_open(&lines, &input), BOUNCE_OK);
    const char *text = nullptr;
    std::size_t length = 0;
    if (peek) {
        EXPECT_EQ(lines_peek(&lines, &text, &length, &error), BOUNCE_OK);
        EXPECT_EQ(std::string(text, length), f.text.substr(0, length));
    }
    while ((*status = lines_next(&lines, &text, &length, &error)) == BOUNCE_OK)
        all.push_back({std::string(text, length), lines.number, lines.cut});
    lines_close(&lines);
    return all;
}

std::vector<read_line> read_text(const std::string &text, std::size_t piece, bool peek = false) {
    feeder f;
    f.text = text;
    f.piece = piece;
    bounce_status status = BOUNCE_OK;
    std::vector<read_line> all = read_all(f, &status, peek);
    EXPECT_EQ(status, BOUNCE_END);
    return all;
}

TEST(Lines, NewlinesCarriageReturnsAndTheEnd) {
    for (std::size_t piece : {1u, 2u, 3u, 1000u}) {
        EXPECT_TRUE(read_text("", piece).empty());
        std::vector<read_line> got = read_text("one\r\n\n\r\ntwo\rhalf\nlast", piece);
        ASSERT_EQ(got.size(), 5u);
        EXPECT_EQ(got[0].text, "one");
        EXPECT_EQ(got[1].text, "");
        EXPECT_EQ(got[2].text, "");
        EXPECT_EQ(got[3].text, "two\rhalf") << "a carriage return alone is text";
        EXPECT_EQ(got[4].text, "last");
        for (std::size_t i = 0; i < got.size(); i++) {
            EXPECT_EQ(got[i].number, i + 1);
            EXPECT_EQ(got[i].cut, i == 4);
        }
        EXPECT_FALSE(read_text("a\n", piece)[0].cut);
        EXPECT_EQ(read_text("a\n", piece).size(), 1u);
    }
}

TEST(Lines, NulBytesAreKept) {
    std::string text = std::string("a\0b", 3) + "\n" + std::string(1, '\0');
    std::vector<read_line> got = read_text(text, 2);
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].text, std::string("a\0b", 3));
    EXPECT_EQ(got[1].text, std::string(1, '\0'));
}

TEST(Lines, ALineThatJustFits) {
    for (std::size_t piece : {4096u, 1u << 20}) {
        std::string text(LINES_BUFFER - 1, 'x');
        std::vector<read_line> got = read_text("ab\n" + text + "\nafter\n", piece);
        ASSERT_EQ(got.size(), 3u);
        EXPECT_EQ(got[1].text, text);
        EXPECT_EQ(got[2].text, "after");
    }
}

TEST(Lines, ALongerOneIsRefusedWithItsNumber) {
    feeder f;
    f.text = "ab\n" + std::string(LINES_BUFFER + 10, 'x') + "\n";
    bounce_status status = BOUNCE_OK;
    EXPECT_EQ(read_all(f, &status).size(), 1u);
    EXPECT_EQ(status, BOUNCE_MALFORMED);
}

TEST(Lines, TheInputsErrorIsPassedOn) {
    feeder f;
    f.text = "a\nb\n";
    f.fail_at_end = true;
    bounce_status status = BOUNCE_OK;
    EXPECT_EQ(read_all(f, &status).size(), 2u);
    EXPECT_EQ(status, BOUNCE_IO);
}

TEST(Lines, AnyTextInAnyPieces) {
    std::mt19937_64 random(5);
    for (int round = 0; round < 60; round++) {
        std::vector<std::string> wanted;
        std::string text;
        for (std::uint64_t n = random() % 300; n > 0; n--) {
            std::uint64_t length = random() % 20 ? random() % 200 : random() % 60000;
            wanted.emplace_back(length, static_cast<char>('a' + random() % 26));
            text += wanted.back() + "\n";
        }
        std::vector<read_line> got = read_text(text, 1 + random() % 70000, round % 2);
        ASSERT_EQ(got.size(), wanted.size());
        for (std::size_t i = 0; i < got.size(); i++)
            ASSERT_EQ(got[i].text, wanted[i]);
    }
}

} // namespace
