// SPDX-License-Identifier: Apache-2.0
// Hostile input: fixtures cut, with bytes changed, doubled and mixed. Whatever comes, the reader
// ends with events or with a reason, and what it hands out keeps its promises.
#include "promises.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>

namespace {

constexpr int mutations_per_fixture = 300;
constexpr std::uint64_t most_events = 100000; // a fixture of a few KiB cannot ask for more

std::map<std::string, std::string> fixtures() {
    std::map<std::string, std::string> all;
    for (const char *folder : {"/formats", "/formats/requests"})
        for (const auto &entry :
             std::filesystem::directory_iterator(TESTS_DIR + std::string(folder)))
            if (entry.is_regular_file() && entry.path().extension() != ".py" &&
                entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp")
                all[entry.path().filename()] = reading::file(entry.path());
    all["operations.ops"] = "P 512 4 1 7bc00000\nD 0 0 ffffffff ffffffff\n"
                            "M 1 0 0 100000000 4096 0 2\nS 1 0 512 C\nU 1\nA 2 0 0 4096\nW\n";
    return all;
}

std::string mutated(const std::string &original, const std::string &other, std::mt19937 &random) {
    static const std::string telling = "0123456789,. -:+[]()#\n\r\0\xff"
                                       "SCDQRW=";
    std::string text = original;
    auto place = [&] { return text.empty() ? 0 : random() % text.size(); };
    for (unsigned n = 1 + random() % 8; n--;) {
        std::size_t at = place();
        switch (random() % 8) {
        case 0:
            text.resize(at);
            break;
        case 1:
            text.insert(at, 1 + random() % 30, telling[random() % telling.size()]);
            break;
        case 2:
            text.erase(at, 1 + random() % 20);
            break;
        case 3:
            text.insert(at, text.substr(place(), random() % 200));
            break;
        case 4:
            text += other.substr(other.empty() ? 0 : random() % other.size());
            break;
        case 5:
            if (!text.empty())
                text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
            break;
        case 6: // numbers at their limits
            text.replace(at, std::min<std::size_t>(text.size() - at, 1 + random() % 8),
                         random() % 2 ? "18446744073709551615" : "4294967296");
            break;
        default:
            if (!text.empty())
                text[at] = static_cast<char>(random());
        }
        if (text.size() > 1 << 18)
            text.resize(1 << 18);
    }
    return text;
}

void check(const reading::outcome &out, const std::string &what) {
    EXPECT_EQ(reading::broken_promise(out, most_events), "") << what << ": " << out.error.text;
}

TEST(Mutations, EveryFixtureIsRead) {
    for (const auto &[name, text] : fixtures()) {
        if (name == "README.md")
            continue;
        reading::outcome out = reading::read(text);
        EXPECT_EQ(out.status, BOUNCE_END) << name << ": " << out.error.text;
        EXPECT_GT(out.number, 0u) << name;
        check(out, name);
    }
}

TEST(Mutations, InPiecesOfAnySize) {
    for (const auto &[name, text] : fixtures()) {
        reading::outcome whole = reading::read(text);
        for (std::size_t piece : {1, 7, 47}) {
            reading::outcome out = reading::read(text, {}, piece);
            EXPECT_EQ(out.status, whole.status) << name;
            EXPECT_EQ(out.number, whole.number) << name;
            EXPECT_EQ(out.counts.records, whole.counts.records) << name;
        }
    }
}

TEST(Mutations, Cut) {
    for (const auto &[name, text] : fixtures())
        for (std::size_t length = 0;
             length<text.size(); length += text.size()> 600 ? text.size() / 300 : 1) {
            check(reading::read(text.substr(0, length)), name + " cut");
            bounce_trace_options skip = {nullptr, true, 0};
            check(reading::read(text.substr(0, length), skip), name + " cut, skipping");
        }
}

TEST(Mutations, Changed) {
    std::mt19937 random(20260101);
    std::map<std::string, std::string> all = fixtures();
    auto other = all.begin();
    for (const auto &[name, text] : all)
        for (int i = 0; i < mutations_per_fixture; i++) {
            other = std::next(other) == all.end() ? all.begin() : std::next(other);
            std::string changed = mutated(text, other->second, random);
            bounce_trace_options options = {nullptr, i % 3 == 0,
                                            static_cast<std::uint8_t>(i % 4 == 3 ? 2 : 0)};
            check(reading::read(changed, options), name + " mutation " + std::to_string(i));
        }
}

// Any format asked for by name has to cope with what is not its own.
TEST(Mutations, TakenForAnotherFormat) {
    for (const auto &[name, text] : fixtures())
        for (std::size_t i = 0; bounce_format_at(i); i++)
            for (bool skip : {false, true}) {
                reading::outcome out = reading::read(text, {bounce_format_at(i), skip, 0});
                check(out, name + " as " + bounce_format_at(i)->name);
            }
}

TEST(Mutations, Noise) {
    std::mt19937 random(7);
    for (std::size_t i = 0; bounce_format_at(i); i++)
        for (int n = 0; n < 50; n++) {
            std::string noise(random() % 2000, 0);
            for (char &c : noise)
                c = static_cast<char>(n % 2 ? random() : "0123456789, .\n"[random() % 14]);
            check(reading::read(noise, {bounce_format_at(i), n % 3 == 0, 0}), "noise");
        }
}

} // namespace
