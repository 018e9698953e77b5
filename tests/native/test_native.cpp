// SPDX-License-Identifier: Apache-2.0
// What is written is what is read; what is not what was written is refused.
#include "native_file.hpp"

#include <cctype>
#include <filesystem>
#include <map>
#include <random>

namespace {

using native_file::chunk;
using native_file::content;

// Every fixture of every format, as its reader gives it.
std::map<std::string, reading::outcome> fixtures() {
    std::map<std::string, reading::outcome> all;
    for (const char *folder : {"/formats", "/formats/requests"})
        for (const auto &entry :
             std::filesystem::directory_iterator(TESTS_DIR + std::string(folder))) {
            std::string end = entry.path().extension();
            if (!entry.is_regular_file() || end == ".py" || end == ".cpp" || end == ".hpp" ||
                end == ".md")
                continue;
            reading::outcome out = reading::read(reading::file(entry.path()));
            if (out.status == BOUNCE_END && out.number)
                all[entry.path().filename()] = out;
        }
    all["operations.ops"] = reading::read(
        "P 512 4 1 7bc00000\nD 0 7ff ffffffff ffffffff\nM 1 0 0 100000000 4096 fff 2\n"
        "S 1 10 512 C\nU 1\nA 2 3 0 4096\nW\nM 77 3 0 ffffffff00000000 9000000000000000000 0 0\n");
    return all;
}

TEST(Native, ChecksumIsThatOfOthers) {
    crc32c crc;
    crc32c_init(&crc);
    EXPECT_EQ(crc32c_add(&crc, 0, "123456789", 9), 0xe3069283u);
    EXPECT_EQ(crc32c_add(&crc, crc32c_add(&crc, 0, "1234567", 7), "89", 2), 0xe3069283u);
    EXPECT_EQ(crc32c_add(&crc, 0, "", 0), 0u);
}

TEST(Native, EveryFixtureComesBack) {
    ASSERT_GT(fixtures().size(), 30u);
    for (const auto &[name, read] : fixtures()) {
        SCOPED_TRACE(name);
        for (std::size_t piece : {1 << 16, 1, 13}) {
            reading::outcome back = reading::read(native_file::convert(read), {}, piece);
            ASSERT_EQ(back.status, BOUNCE_END) << back.error.text;
            EXPECT_EQ(back.format, "native");
            native_file::expect_same(read.events, back.events);
            EXPECT_EQ(std::memcmp(&read.counts, &back.counts, sizeof(read.counts)), 0);
            native_file::expect_same(read.recorded, back.recorded);
            EXPECT_EQ(std::memcmp(&read.requests, &back.requests, sizeof(read.requests)), 0);
            ASSERT_EQ(read.devices.size(), back.devices.size());
            for (std::size_t i = 0; i < read.devices.size(); i++) {
                EXPECT_STREQ(read.devices[i].name, back.devices[i].name);
                EXPECT_EQ(read.devices[i].dma_mask, back.devices[i].dma_mask);
                EXPECT_EQ(read.devices[i].seg_boundary, back.devices[i].seg_boundary);
                EXPECT_EQ(read.devices[i].min_align_mask, back.devices[i].min_align_mask);
            }
        }
    }
}

std::vector<bounce_device> some_devices(std::size_t count) {
    std::vector<bounce_device> devices(count);
    for (std::size_t i = 0; i < count; i++) {
        bounce_device_init(&devices[i], ("0000:00:" + std::to_string(i) + ".0").c_str());
        devices[i].dma_mask = i % 2 ? UINT32_MAX : UINT64_MAX;
        devices[i].min_align_mask = i % 3 ? 0 : 0xfff;
    }
    return devices;
}

// Events as unlike each other as the rules allow, values at their limits among them.
content random_content(unsigned seed, std::size_t count, std::size_t ndevices, unsigned handles) {
    std::mt19937_64 random(seed);
    content out;
    out.recorded.timed = true;
    out.recorded.cpus = 8192;
    out.devices = some_devices(ndevices);
    std::vector<bool> live(handles);
    auto number = [&](std::uint64_t most) {
        switch (random() % 4) {
        case 0:
            return most - random() % 2;
        case 1:
            return random() % 4;
        default:
            return random() >> random() % 64 & most;
        }
    };
    std::uint64_t time = 0;
    for (std::size_t i = 0; i < count; i++) {
        bounce_event e = {};
        e.list = BOUNCE_NO_LIST;
        e.handle = static_cast<std::uint32_t>(random() % handles);
        time = random() % 50 ? (time + random() % 5000) & INT64_MAX : number(INT64_MAX);
        e.time_ns = time;
        e.id = number(UINT64_MAX);
        e.device = static_cast<std::uint16_t>(random() % ndevices);
        e.cpu = static_cast<std::uint16_t>(random() % 3 ? random() % 4 : random() % 8192);
        e.dir = random() % 4;
        e.attrs = random() % 4;
        if (random() % 3) {
            e.seq = number(UINT64_MAX);
            e.bound_seq = random() % 2 ? e.seq + random() % 70 : number(UINT64_MAX);
        }
        if (random() % 1000 == 0) {
            e.kind = random() % 2 ? BOUNCE_EVENT_RESTART : BOUNCE_EVENT_WORKER;
            if (e.kind == BOUNCE_EVENT_RESTART)
                live.assign(handles, false);
        } else if (!live[e.handle]) {
            e.kind = random() % 5 ? BOUNCE_EVENT_MAP : BOUNCE_EVENT_ALLOC;
            e.recorded = static_cast<std::uint8_t>(random() % 6);
            e.size = std::max<std::uint64_t>(1, number(INT64_MAX));
            e.tlb_addr = number(UINT64_MAX - e.size);
            e.orig_addr = number(UINT64_MAX);
            e.offset = number(UINT64_MAX);
            e.alloc_align_mask = (1u << random() % 32) - 1;
            e.segments = static_cast<std::uint16_t>(number(UINT16_MAX));
            live[e.handle] = e.recorded != BOUNCE_RECORDED_FULL;
            if (e.kind == BOUNCE_EVENT_MAP && random() % 3 == 0) {
                e.flags = BOUNCE_EVENT_IN_LIST | BOUNCE_EVENT_LIST_FIRST |
                          (random() % 2 ? BOUNCE_EVENT_LIST_LAST : 0);
                e.list = e.handle;
            }
        } else if (random() % 2) {
            e.kind = random() % 2 ? BOUNCE_EVENT_SYNC_FOR_CPU : BOUNCE_EVENT_SYNC_FOR_DEVICE;
            e.size = number(INT64_MAX);
            e.offset = number(INT64_MAX);
        } else {
            e.kind = BOUNCE_EVENT_UNMAP;
            e.size = number(INT64_MAX);
            live[e.handle] = false;
        }
        out.events.push_back(e);
    }
    return out;
}

TEST(Native, AnyEventsComeBack) {
    for (unsigned seed = 1; seed <= 12; seed++) {
        SCOPED_TRACE(seed);
        content what = random_content(seed, seed % 3 ? 3000 : 40000, seed % 4 ? 5 : 3000,
                                      seed % 5 ? 50 : native_file::handles);
        std::string file = native_file::write(what);
        reading::outcome back = reading::read(file, {}, 1 << 16, 1 << 20);
        ASSERT_EQ(back.status, BOUNCE_END) << back.error.text;
        native_file::expect_same(what.events, back.events);
    }
}

TEST(Native, StateIsToldWhereItChanged) {
    std::string out;
    bounce_output output = {&out, native_file::append};
    bounce_native_source source = {nullptr, "csv", "tests", nullptr};
    bounce_native_writer *writer = nullptr;
    bounce_trace_counts counts = {};
    bounce_recorded_config recorded = {};
    std::vector<bounce_device> devices = some_devices(4096);
    ASSERT_EQ(bounce_native_create(&output, &source, &writer, nullptr), BOUNCE_OK);
    for (std::uint32_t i = 1; i <= 4; i++) {
        recorded.cpus = i;
        devices[0].dma_mask = i;
        ASSERT_EQ(bounce_native_set(writer, &recorded, devices.data(), i == 4 ? 4096 : i, nullptr),
                  BOUNCE_OK);
        bounce_event e = {};
        e.kind = BOUNCE_EVENT_MAP;
        e.list = BOUNCE_NO_LIST;
        e.size = 4096;
        e.handle = i;
        e.device = static_cast<std::uint16_t>(i == 4 ? 4095 : i - 1);
        ASSERT_EQ(bounce_native_write(writer, &e, 1, nullptr), BOUNCE_OK);
    }
    ASSERT_EQ(bounce_native_finish(writer, &counts, nullptr), BOUNCE_OK);
    bounce_native_destroy(writer);

    reading::bytes bytes{out};
    bounce_input input = {&bytes, reading::bytes::read};
    bounce_trace_options options = {};
    bounce_trace *trace = nullptr;
    ASSERT_EQ(bounce_trace_open(&input, &options, &trace, nullptr), BOUNCE_OK);
    for (std::uint32_t i = 1; i <= 4; i++) {
        std::size_t got = 0, ndevices = 0;
        bounce_event e;
        EXPECT_EQ(bounce_trace_recorded(trace)->cpus, i == 1 ? 1 : i - 1);
        ASSERT_EQ(bounce_trace_next(trace, &e, 1, &got, nullptr), BOUNCE_OK);
        EXPECT_EQ(bounce_trace_recorded(trace)->cpus, i);
        EXPECT_EQ(bounce_trace_devices(trace, &ndevices)[0].dma_mask, i);
        EXPECT_EQ(ndevices, i == 4 ? 4096u : i);
    }
    bounce_trace_close(trace);
}

// Like a recording of a network card: what a block costs, and that the index leads to it.
content steady(std::size_t count) {
    content out;
    out.recorded.timed = true;
    out.devices = some_devices(1);
    for (std::size_t i = 0; i < count; i++) {
        bounce_event e = {};
        std::uint32_t ring = static_cast<std::uint32_t>(i / 2 % 256);
        e.kind = i % 2 ? BOUNCE_EVENT_UNMAP : BOUNCE_EVENT_MAP;
        e.time_ns = 1000 * i;
        e.id = i / 2;
        e.handle = 4096 + ring;
        e.list = BOUNCE_NO_LIST;
        e.size = 2048;
        e.seq = i + 1;
        e.bound_seq = i % 2 ? i : i + 2;
        if (i % 2 == 0) {
            e.orig_addr = 0x100000000 + 4096 * (i % 5000);
            e.tlb_addr = 0x7bc00000 + 2048 * ring;
            e.recorded = BOUNCE_RECORDED_ADDRESS;
        }
        out.events.push_back(e);
    }
    out.counts.records = count;
    return out;
}

TEST(Native, BlocksAreFoundByTheIndex) {
    content what = steady(100000);
    std::string file = native_file::write(what);
    EXPECT_LT(file.size(), what.events.size() * 8);
    ASSERT_EQ(file.substr(file.size() - 8), "BNC end\n");
    std::vector<chunk> all = native_file::chunks(file);
    EXPECT_EQ(native_file::u32(file, file.size() - 16), // the summary begins with CONF
              std::find_if(all.rbegin(), all.rend(), [](auto &c) { return c.type == "CONF"; })->at);
    std::size_t blocks = 0, first = 0;
    const chunk *index = nullptr;
    for (const chunk &c : all)
        if (c.type == "INDX")
            index = &c;
    ASSERT_NE(index, nullptr);
    for (const chunk &c : all) {
        if (c.type != "EVNT")
            continue;
        std::size_t entry = index->at + 12 + 24 * blocks++;
        EXPECT_EQ(native_file::u32(file, entry), c.at);
        EXPECT_EQ(native_file::u32(file, entry + 8), first);
        EXPECT_EQ(native_file::u32(file, entry + 16), 1000 * first);
        first += native_file::u32(file, c.at + 12);
    }
    EXPECT_EQ(index->length, 24 * blocks);
    EXPECT_EQ(first, what.events.size());
    EXPECT_EQ(blocks, (what.events.size() + 16383) / 16384);
}

// What no reader makes of anything is not written either.
TEST(Native, ImpossibleEventsAreRefused) {
    content good;
    good.devices = some_devices(1);
    bounce_event map = {}, unmap = {};
    map.kind = BOUNCE_EVENT_MAP;
    map.size = 4096;
    map.list = unmap.list = BOUNCE_NO_LIST;
    unmap.kind = BOUNCE_EVENT_UNMAP;
    auto refusal = [&](std::vector<bounce_event> events) {
        content what = good;
        what.events = events;
        std::string text;
        native_file::write(what, &text);
        return text;
    };
    auto with = [](bounce_event e, auto change) {
        change(e);
        return e;
    };
    EXPECT_EQ(refusal({map, unmap}), "");
    EXPECT_NE(refusal({unmap}), "");
    EXPECT_NE(refusal({map, map}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.device = 1; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.cpu = 8192; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.size = 0; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.handle = native_file::handles; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.kind = 99; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.dir = 4; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.list = 0; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.flags = BOUNCE_EVENT_LIST_LAST; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.kind = BOUNCE_EVENT_ISSUE; })}), "");
    EXPECT_NE(refusal({with(map, [](auto &e) { e.alloc_align_mask = 2; })}), "");
    EXPECT_NE(refusal({map, with(unmap, [](auto &e) { e.flags = BOUNCE_EVENT_UNMATCHED; })}), "");

    // A list takes no more entries once one of its own has ended: engines chain them.
    auto entry = [&](std::uint32_t handle, bool first) {
        return with(map, [&](auto &e) {
            e.handle = handle;
            e.list = 1;
            e.flags = BOUNCE_EVENT_IN_LIST | (first ? BOUNCE_EVENT_LIST_FIRST : 0);
        });
    };
    auto end = [&](std::uint32_t handle) {
        return with(unmap, [&](auto &e) { e.handle = handle; });
    };
    EXPECT_EQ(refusal({entry(1, true), entry(2, false), end(1), end(2)}), "");
    EXPECT_NE(refusal({entry(2, false)}), "");
    EXPECT_NE(refusal({entry(1, true), end(1), entry(2, false)}), "");
    EXPECT_NE(refusal({entry(1, true), entry(2, false), end(2), entry(2, false)}), "");
    EXPECT_EQ(
        refusal({entry(1, true), entry(2, false), end(1), entry(1, true), end(2), entry(3, false)}),
        "");
}

// ---- files that are not what was written ----

void expect_refused(const std::string &file, const std::string &what, const char *word = "byte ") {
    SCOPED_TRACE(what);
    reading::outcome out = reading::read(file);
    EXPECT_EQ(out.status, BOUNCE_MALFORMED) << out.number;
    EXPECT_NE(std::string(out.error.text).find(word), std::string::npos) << out.error.text;
    EXPECT_EQ(std::string(out.error.text).find('\n'), std::string::npos);
}

TEST(Native, EveryCutIsSeen) {
    std::string file = native_file::write(steady(300));
    for (std::size_t length = 8; length < file.size(); length++)
        expect_refused(file.substr(0, length), "cut at " + std::to_string(length), "ends in");
    expect_refused(file + "x", "a byte more", "more bytes");
    expect_refused(file + file, "twice", "more bytes");
}

TEST(Native, EveryChangedBitIsSeen) {
    std::string file = native_file::write(steady(300));
    for (std::size_t at = 8; at < file.size(); at++) {
        std::string changed = file;
        changed[at] = static_cast<char>(changed[at] ^ 1 << at % 8);
        bool in_offset = at >= file.size() - 16 && at < file.size() - 8;
        if (!in_offset) // where the summary lies is for those who seek
            expect_refused(changed, "byte " + std::to_string(at), "byte ");
    }
}

TEST(Native, NewerVersions) {
    std::string file = native_file::write(steady(10)), newer = file, minor = file;
    chunk head = native_file::chunks(file)[0];
    newer[head.at + 12]++;
    native_file::seal(newer, head);
    expect_refused(newer, "major", "newer bouncesim");
    minor[head.at + 14]++; // adds what may be passed over
    native_file::seal(minor, head);
    std::string unknown = minor.substr(head.at, 12) + "new";
    unknown.replace(0, 8, std::string("XTRA\3\0\0\0", 8));
    minor.insert(head.at + 12 + head.length, unknown);
    native_file::seal(minor, {"XTRA", head.at + 12 + head.length, 3});
    EXPECT_EQ(reading::read(minor).status, BOUNCE_END);
}

struct text_file {
    std::string bytes;
    bounce_error error = {};
    bounce_native_writer *writer = nullptr;

    text_file() {
        bounce_output output = {&bytes, native_file::append};
        bounce_native_source source = {"a file", "ftrace", "tests", nullptr};
        EXPECT_EQ(bounce_native_create(&output, &source, &writer, &error), BOUNCE_OK);
    }
    text_file(const text_file &) = delete;
    text_file &operator=(const text_file &) = delete;
    ~text_file() {
        bounce_native_destroy(writer);
    }
    bounce_status add(const std::string &name, const std::string &text) {
        return bounce_native_text(writer, name.c_str(), text.data(), text.size(), &error);
    }
    std::string finish() {
        content what = steady(10);
        EXPECT_EQ(bounce_native_set(writer, &what.recorded, what.devices.data(),
                                    what.devices.size(), &error),
                  BOUNCE_OK);
        EXPECT_EQ(bounce_native_write(writer, what.events.data(), what.events.size(), &error),
                  BOUNCE_OK);
        EXPECT_EQ(bounce_native_finish(writer, &what.counts, &error), BOUNCE_OK);
        return bytes;
    }
};

// Before the first event is read.
std::map<std::string, std::string> texts_of(const std::string &file, std::string *refusal) {
    std::map<std::string, std::string> all;
    reading::bytes source{file};
    bounce_input input = {&source, reading::bytes::read};
    bounce_trace_options options = {};
    bounce_trace *trace = nullptr;
    bounce_error error = {};
    if (bounce_trace_open(&input, &options, &trace, &error) == BOUNCE_OK) {
        const bounce_trace_text *text = nullptr;
        for (std::size_t i = 0; (text = bounce_trace_text_at(trace, i)); i++)
            all[text->name] = std::string(text->text, text->length);
        bounce_trace_close(trace);
    }
    *refusal = error.text;
    return all;
}

TEST(Native, TextsComeBack) {
    text_file file;
    std::string large(500000, 'x'), refusal;
    large[199999] = '\n';
    EXPECT_EQ(file.add("machine.txt", "kernel 5\n"), BOUNCE_OK);
    EXPECT_EQ(file.add("counters.txt", large), BOUNCE_OK);
    EXPECT_EQ(file.add("empty.txt", ""), BOUNCE_OK);
    EXPECT_EQ(file.add("machine.txt", "kernel 6\n"), BOUNCE_OK);
    std::map<std::string, std::string> expected = {
        {"machine.txt", "kernel 6\n"}, {"counters.txt", large}, {"empty.txt", ""}};
    std::string whole = file.finish();
    EXPECT_EQ(texts_of(whole, &refusal), expected) << refusal;
    EXPECT_EQ(reading::read(whole).number, steady(10).events.size());
}

TEST(Native, TextsThatNoRecordingHas) {
    text_file file;
    EXPECT_EQ(file.add("", "text"), BOUNCE_INVALID);
    EXPECT_EQ(file.add("../machine.txt", "text"), BOUNCE_INVALID);
    EXPECT_EQ(file.add(std::string(64, 'a'), "text"), BOUNCE_INVALID);
    EXPECT_EQ(file.add("large.txt", std::string((24u << 20) + 1, 'x')), BOUNCE_INVALID);
    for (int i = 0; i < 16; i++)
        EXPECT_EQ(file.add("text" + std::to_string(i), "text"), BOUNCE_OK);
    EXPECT_EQ(file.add("one-more", "text"), BOUNCE_INVALID);
    std::string whole = file.finish(), refusal;
    for (const chunk &c : native_file::chunks(whole)) {
        std::string changed = whole;
        if (c.type != "TEXT")
            continue;
        changed[c.at + 12 + 1 + static_cast<unsigned char>(changed[c.at + 12])] = 1;
        native_file::seal(changed, c);
        texts_of(changed, &refusal);
        EXPECT_NE(refusal.find("byte " + std::to_string(c.at)), std::string::npos) << refusal;
        EXPECT_NE(refusal.find("goes on before it begins"), std::string::npos) << refusal;
        changed[c.at + 12] = static_cast<char>(c.length);
        native_file::seal(changed, c);
        texts_of(changed, &refusal);
        EXPECT_NE(refusal.find("text without a name"), std::string::npos) << refusal;
    }
}

TEST(Native, MissingDoubledAndExchangedBlocks) {
    std::string file = native_file::write(steady(40000));
    std::vector<chunk> all = native_file::chunks(file), blocks;
    for (const chunk &c : all)
        if (c.type == "EVNT")
            blocks.push_back(c);
    ASSERT_EQ(blocks.size(), 3u);
    auto bytes = [&](const chunk &c) { return file.substr(c.at, 12 + c.length); };
    for (const chunk &c : all)
        if (c.type == "EVNT" || c.type == "DONE") {
            std::string without = file;
            without.erase(c.at, 12 + c.length);
            expect_refused(without, "without " + c.type);
        }
    std::string doubled = file;
    doubled.insert(blocks[1].at, bytes(blocks[0]));
    expect_refused(doubled, "doubled");
    std::string exchanged = file.substr(0, blocks[0].at) + bytes(blocks[1]) + bytes(blocks[0]) +
                            file.substr(blocks[2].at);
    expect_refused(exchanged, "exchanged");
}

// Whatever the bytes of a chunk are, with a checksum that fits: a reason, or events that keep the
// promises of readers.
TEST(Native, ForgedChunks) {
    std::mt19937 random(4);
    std::vector<std::string> files = {native_file::write(steady(200)),
                                      native_file::write(random_content(3, 200, 5, 20))};
    for (const auto &[name, read] : fixtures())
        files.push_back(native_file::convert(read));
    for (int n = 0; n < 6000; n++) {
        std::string file = files[n % files.size()];
        std::vector<chunk> all = native_file::chunks(file);
        const chunk &c = all[random() % all.size()];
        for (unsigned times = 1 + random() % 4; c.length && times--;) {
            std::size_t at = c.at + 12 + random() % c.length;
            file[at] = static_cast<char>(random() % 3 ? random() : random() % 2 ? 0xff : 0x7f);
        }
        native_file::seal(file, c);
        reading::outcome out = reading::read(file);
        EXPECT_TRUE(out.status == BOUNCE_MALFORMED || out.status == BOUNCE_END);
        for (const char *text = out.error.text; *text; text++)
            EXPECT_FALSE(std::iscntrl(static_cast<unsigned char>(*text)));
        for (const bounce_event &e : out.events) {
            EXPECT_TRUE(e.device < out.devices.size() || e.kind == BOUNCE_EVENT_RESTART ||
                        e.kind == BOUNCE_EVENT_WORKER);
            EXPECT_LT(e.handle, native_file::handles);
            EXPECT_TRUE(e.list == BOUNCE_NO_LIST || e.list < native_file::handles);
            EXPECT_LT(e.cpu, BOUNCE_MAX_CPUS);
        }
    }
}

} // namespace
