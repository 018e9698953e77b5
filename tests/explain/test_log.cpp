// SPDX-License-Identifier: Apache-2.0
// Reading log lines: every form of the message, every decoration, torn and hostile input.
#include "bounce/explain.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace {

struct found {
    bounce_status status;
    bounce_log_record record;
    std::string device;
};

found parse(std::string text) {
    size_t length = text.size();
    bounce_log_clean(text.data(), &length);
    found f;
    f.status = bounce_log_next(text.data(), length, 0, &f.record);
    f.device.assign(f.record.device.text, f.record.device.length);
    return f;
}

const std::string message = "swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used "
                            "17 (slots)";

TEST(Log, ReadsEveryNumber) {
    found f = parse("nvme 0000:00:01.0: " + message);
    ASSERT_EQ(f.status, BOUNCE_OK);
    EXPECT_EQ(f.record.kind, BOUNCE_LOG_FULL);
    EXPECT_EQ(f.device, "nvme 0000:00:01.0");
    EXPECT_EQ(f.record.has, BOUNCE_LOG_HAS_SIZE | BOUNCE_LOG_HAS_TOTAL | BOUNCE_LOG_HAS_USED);
    EXPECT_EQ(f.record.size, 4096u);
    EXPECT_EQ(f.record.total, 32768u);
    EXPECT_EQ(f.record.used, 17u);
    EXPECT_FALSE(f.record.cut);
}

TEST(Log, DeviceBehindEveryDecoration) {
    const char *before[] = {
        "",
        "[    1.234567] ",
        "[    1.234567][  T123] ",
        "[    0.000000] [      T0] ",
        "[   12.345678] (2)[123:kworker]",
        "<4>[   1.234] ",
        "<4>",
        "4,1234,5678901,-;",
        "[Fri Nov 22 10:00:00 2024] ",
        "Nov 22 10:00:00 host kernel: ",
        "Nov 22 10:00:00 host kernel: [    1.234567] ",
        "Nov 22 10:00:00 host kernel[0]: [    1.234567] ",
        "Nov  2 10:00:00 host ",
        "2024-11-22T10:00:00.123456+01:00 host kernel: ",
        "2024-11-22T10:00:00,123456+01:00 ",
        "2024-11-22 10:00:00 ",
        "2024-11-22T10:00:00Z stdout F ",
        "<4>1 2024-11-22T10:00:00Z host kernel - - - ",
        "Fri Nov 22 10:00:00 2024 kern.warn kernel: [  123.456] ",
        "kern  :warn  : [    1.234567] ",
        "kern  :warn  : ",
        "[2025-08-08 12:17:06.722] [    1.2] ",
        "\x1b[32m[    1.234567] \x1b[0m\x1b[33m",
        "^[[33m",
        "#033[33m",
        "\xff\xfe\x01\x7f",
        "$ \x07\x08",
        "> > ",
        " => ",
        "{\"_HOSTNAME\":\"h\",\"MESSAGE\":\"",
        "\t",
    };
    const char *devices[] = {"nvme 0000:00:01.0", "udl 2-1.2:1.0", "vc4-drm gpu",
                             "virtio_ccw 0.0.0000", "cdns-usb3 cdns-usb3.1"};
    for (const char *decoration : before)
        for (const char *device : devices) {
            found f = parse(std::string(decoration) + device + ": " + message + "\r");
            EXPECT_EQ(f.status, BOUNCE_OK) << decoration;
            EXPECT_EQ(f.device, device) << decoration;
            EXPECT_EQ(f.record.used, 17u);
        }
}

TEST(Log, ColourInsideAndUtf16) {
    found f = parse("\x1b[33mnvme 0000:00:01.0: \x1b[0m\x1b[1mswiotlb buffer is full\x1b[0m (sz: 8 "
                    "bytes), total 0 (slots), used 0 (slots)");
    EXPECT_EQ(f.device, "nvme 0000:00:01.0");
    EXPECT_EQ(f.record.size, 8u);
    std::string wide = "\xff\xfe";
    for (char c : "nvme 0000:00:01.0: " + message)
        wide += {c, '\0'};
    f = parse(wide);
    EXPECT_EQ(f.device, "nvme 0000:00:01.0");
    EXPECT_EQ(f.record.total, 32768u);
}

TEST(Log, NoDevice) {
    EXPECT_EQ(parse("[ 1.2] (NULL device *): " + message).device, "(NULL device *)");
    EXPECT_EQ(parse("(SNP guest, device not shown): " + message).device,
              "(SNP guest, device not shown)");
    EXPECT_EQ(parse(message).device, "");
    EXPECT_EQ(parse("0000:00:01.0: " + message).device, "0000:00:01.0");
}

TEST(Log, SizesOfAllKinds) {
    auto size = [](const std::string &number) {
        return parse("d 1: swiotlb buffer is full (sz: " + number + " bytes)");
    };
    EXPECT_EQ(size("4294967294").record.size, 4294967294u);
    EXPECT_EQ(size("18446744073709551615").record.size, UINT64_MAX);
    EXPECT_EQ(size("18446744073709551616").status, BOUNCE_MALFORMED);
    EXPECT_EQ(size("99999999999999999999999999").status, BOUNCE_MALFORMED);
    EXPECT_EQ(size("%zd").status, BOUNCE_MALFORMED);
    EXPECT_EQ(size("").status, BOUNCE_MALFORMED);
    found f = size("-22");
    EXPECT_EQ(f.record.size, 22u);
    EXPECT_TRUE(f.record.has & BOUNCE_LOG_NEGATIVE);
    EXPECT_EQ(parse("d 1: swiotlb buffer is full (sz:1048583 bytes)").record.size, 1048583u);
}

TEST(Log, OldFormHasNoTotals) {
    found f = parse("rtl8821ae 0000:02:00.0: swiotlb buffer is full (sz: 9100 bytes)");
    EXPECT_EQ(f.status, BOUNCE_OK);
    EXPECT_EQ(f.record.has, unsigned{BOUNCE_LOG_HAS_SIZE});
    EXPECT_FALSE(f.record.cut);
}

TEST(Log, OlderMessages) {
    found f = parse("[ 1.2] DMA: Out of SW-IOMMU space for 4224 bytes at device 0000:0b:00.0");
    EXPECT_EQ(f.record.kind, BOUNCE_LOG_OUT_OF_SPACE);
    EXPECT_EQ(f.record.size, 4224u);
    EXPECT_EQ(f.device, "0000:0b:00.0");
    f = parse("[ 1.2] PCI-DMA: Out of SW-IOMMU space for 65536 bytes at device ?");
    EXPECT_EQ(f.record.size, 65536u);
    f = parse("qxl 0000:00:03.0: DMA: Out of SW-IOMMU space for 299008 bytes");
    EXPECT_EQ(f.device, "qxl 0000:00:03.0");
    f = parse("[ 1.2] nouveau 0000:01:00.0: swiotlb: coherent allocation failed, size=2097152");
    EXPECT_EQ(f.record.kind, BOUNCE_LOG_COHERENT);
    EXPECT_EQ(f.device, "nouveau 0000:01:00.0");
    EXPECT_EQ(f.record.size, 2097152u);
    f = parse("swiotlb: coherent allocation failed for device 0000:07:00.0 size=2097152");
    EXPECT_EQ(f.device, "0000:07:00.0");
    f = parse("nvme 0000:00:01.0: Can not allocate SWIOTLB buffer earlier and can't now provide "
              "you with the DMA bounce buffer");
    EXPECT_EQ(f.record.kind, BOUNCE_LOG_NO_POOL);
    EXPECT_EQ(f.device, "nvme 0000:00:01.0");
    f = parse("Kernel panic - not syncing: Can not allocate SWIOTLB buffer earlier and can't now "
              "provide you with the DMA bounce buffer");
    EXPECT_EQ(f.status, BOUNCE_OK);
    EXPECT_EQ(f.device, "");
    EXPECT_EQ(parse("PCI-DMA: Out of IOMMU space for 4096 bytes").status, BOUNCE_END); // GART
}

TEST(Log, Suppressed) {
    found f = parse("[ 1148.744205] swiotlb_tbl_map_single: 67451 callbacks suppressed");
    EXPECT_EQ(f.record.kind, BOUNCE_LOG_SUPPRESSED);
    EXPECT_EQ(f.record.count, 67451u);
    EXPECT_EQ(f.device, "swiotlb_tbl_map_single");
    EXPECT_EQ(parse("callbacks suppressed").status, BOUNCE_MALFORMED);
}

TEST(Log, EveryCutIsSafeAndSaysSo) {
    const std::string whole = "[    1.2] nvme 0000:00:01.0: " + message;
    const size_t size_known = whole.find(" bytes");
    const size_t words = whole.find("swiotlb");
    for (size_t n = 0; n < whole.size(); n++) {
        found f = parse(whole.substr(0, n));
        if (f.status == BOUNCE_OK) {
            EXPECT_GT(n, size_known);
            EXPECT_EQ(f.record.size, 4096u) << n;
            if (f.record.has & BOUNCE_LOG_HAS_USED) {
                EXPECT_EQ(f.record.used, 17u) << n;
            } else if (n != whole.find("),") + 1) { // there it is a line of an old kernel
                EXPECT_TRUE(f.record.cut) << n;
            }
        } else {
            EXPECT_LE(n, size_known);
            if (n >= words + 22) {
                EXPECT_EQ(f.status, BOUNCE_MALFORMED) << n;
            }
        }
    }
}

TEST(Log, BootLines) {
    bounce_log_boot boot = {};
    auto line = [&](const std::string &text) {
        return bounce_log_boot_line(text.data(), text.size(), 2048, &boot);
    };
    EXPECT_TRUE(line("[    0.0] software IO TLB: area num 8."));
    EXPECT_EQ(boot.nareas, 8u);
    EXPECT_TRUE(line("software IO TLB: mapped [mem 0x00000000dc000000-0x00000000e0000000] (64MB)"));
    EXPECT_EQ(boot.nslabs, 32768u);
    EXPECT_EQ(boot.start, 0xdc000000u);
    EXPECT_TRUE(line("Kernel command line: root=/dev/sda swiotlb=65536,6,force iommu=soft"));
    EXPECT_EQ(boot.nareas, 8u);
    EXPECT_TRUE(boot.iommu_off);
    EXPECT_FALSE(boot.noforce);
    EXPECT_TRUE(line("Command line: swiotlb=noforce"));
    EXPECT_TRUE(boot.noforce);
    EXPECT_TRUE(line("software IO TLB: No low mem"));
    EXPECT_TRUE(boot.no_memory);
    EXPECT_TRUE(line("[    0.0] Linux version 6.12.0 (builder@host)"));
    EXPECT_EQ(boot.nareas, 0u);
    EXPECT_FALSE(boot.no_memory);
    EXPECT_TRUE(line("software IO TLB [mem 0xd6323000-0xda323000] (64MB) mapped at [ffff8800]"));
    EXPECT_EQ(boot.nslabs, 32768u);
    EXPECT_TRUE(line("software IO TLB at phys 0x20000000 - 0x24000000"));
    EXPECT_EQ(boot.start, 0x20000000u);
    EXPECT_FALSE(line("software IO TLB: area num x"));
    EXPECT_FALSE(line("software IO TLB: mapped [mem 0x2-0x1] (0MB)"));
    EXPECT_FALSE(line("Kernel command line: root=/dev/sda"));
    EXPECT_FALSE(line("prog: something about Linux version 5"));
}

struct stream_run {
    std::vector<std::string> devices, lines;
    std::vector<bounce_explain_cause> causes;
    std::vector<uint64_t> numbers;
    bounce_log_stream stream;

    explicit stream_run(const std::string &log, size_t step = SIZE_MAX) {
        bounce_explain_options options;
        bounce_explain_options_init(&options);
        auto take = [](void *self, const bounce_log_event *e) {
            auto &run = *static_cast<stream_run *>(self);
            run.devices.emplace_back(e->record->device.text, e->record->device.length);
            run.lines.emplace_back(e->line.text, e->line.length);
            run.causes.push_back(e->result->cause);
            run.numbers.push_back(e->number);
        };
        EXPECT_EQ(bounce_log_stream_init(&stream, &options, take, this), BOUNCE_OK);
        for (size_t at = 0; at < log.size(); at += std::min(step, log.size() - at))
            bounce_log_stream_feed(&stream, log.data() + at, std::min(step, log.size() - at));
        bounce_log_stream_end(&stream);
    }
};

TEST(Stream, PiecesOfAnySizeGiveTheSame) {
    std::string log = "Linux version 6\nnoise\n[ 1.2] a 1: " + message +
                      "\r\n\n<4>b 2: " + message + " [ 1.3] c 3: " + message;
    for (size_t step : {1u, 2u, 7u, 64u, 100000u}) {
        auto run = std::make_unique<stream_run>(log, step);
        EXPECT_EQ(run->devices, (std::vector<std::string>{"a 1", "b 2", "c 3"}));
        EXPECT_EQ(run->numbers, (std::vector<uint64_t>{3, 5, 5}));
        EXPECT_EQ(run->stream.lines, 5u);
    }
}

TEST(Stream, WrappedLinesAreJoined) {
    const std::string whole = "nvme 0000:00:01.0: " + message;
    for (size_t space = whole.find(' ', whole.find("swiotlb")); space != std::string::npos;
         space = whole.find(' ', space + 1)) {
        if (space > whole.find("(slots), used") + 8 && space > whole.find("used"))
            break; // after the last number nothing is missing
        std::string log = whole.substr(0, space) + "\n> " + whole.substr(space + 1) + "\nnext\n";
        auto run = std::make_unique<stream_run>(log);
        if (whole.compare(space - 7, 7, " bytes)") == 0)
            continue;
        ASSERT_EQ(run->devices.size(), 1u) << log;
        EXPECT_EQ(run->causes[0], BOUNCE_EXPLAIN_NO_RUN) << log;
        EXPECT_EQ(run->numbers[0], 1u);
    }
}

TEST(Stream, TornLineDoesNotEatTheNext) {
    auto run = std::make_unique<stream_run>("a 1: swiotlb buffer is full (sz: 40\nb 2: " + message +
                                            "\nusing swiotlb\nc 3: " + message + "\n");
    EXPECT_EQ(run->devices, (std::vector<std::string>{"b 2", "c 3"}));
    EXPECT_EQ(run->numbers, (std::vector<uint64_t>{2, 4}));
    EXPECT_EQ(run->stream.malformed, 1u);
}

TEST(Stream, SecondMessageOfTheSameEvent) {
    const std::string full = "ipu3-imgu 0000:00:05.0: swiotlb buffer is full (sz: 4096 bytes)\n";
    const std::string space = "DMA: Out of SW-IOMMU space for 4096 bytes at device 0000:00:05.0\n";
    auto run = std::make_unique<stream_run>(full + space + space + full + "x\n" + space);
    EXPECT_EQ(run->devices.size(), 3u);
    EXPECT_EQ(run->stream.repeats, 2u);
    auto other = std::make_unique<stream_run>(full + "DMA: Out of SW-IOMMU space for 4096 bytes at "
                                                     "device 0000:00:06.0\n");
    EXPECT_EQ(other->devices.size(), 2u);
}

TEST(Stream, SuppressedOfOthersDoNotCount) {
    auto run = std::make_unique<stream_run>(
        "a 1: 3 callbacks suppressed\nswiotlb_tbl_map_single: 26 callbacks suppressed\n"
        "net_ratelimit: 100 callbacks suppressed\na 1: " +
        message + "\nb 2: 1000 callbacks suppressed\n");
    EXPECT_EQ(bounce_log_stream_suppressed(&run->stream), 29u);
}

TEST(Stream, EndlessLineAndRubbish) {
    std::string rubbish;
    std::mt19937 random(1);
    for (int i = 0; i < 300000; i++)
        rubbish += static_cast<char>(random());
    for (char &c : rubbish)
        if (c == '\n')
            c = ' ';
    auto run = std::make_unique<stream_run>(rubbish + "a 1: " + message + "\n" + "b 2: " + message);
    EXPECT_EQ(run->devices, std::vector<std::string>{"b 2"});
    EXPECT_EQ(run->stream.lines_cut, 1u);
}

TEST(Stream, MutatedLinesNeverBreak) {
    std::mt19937 random(7);
    const std::string seeds[] = {
        "[ 1.2] nvme 0000:00:01.0: " + message + "\n",
        "DMA: Out of SW-IOMMU space for 4096 bytes at device 0000:00:05.0\n",
        "swiotlb: coherent allocation failed for device 0000:07:00.0 size=2097152\n",
        "Kernel command line: swiotlb=65536,8,force\n",
        "software IO TLB: mapped [mem 0x00000000dc000000-0x00000000e0000000] (64MB)\n",
        "swiotlb_tbl_map_single: 26 callbacks suppressed\n",
        "\x1b[33mx y: Can not allocate SWIOTLB buffer earlier\n",
    };
    std::string log;
    for (int i = 0; i < 20000; i++) {
        std::string line = seeds[random() % 7];
        for (unsigned n = random() % 4; n > 0; n--) {
            size_t at = random() % line.size();
            switch (random() % 3) {
            case 0:
                line[at] = static_cast<char>(random());
                break;
            case 1:
                line.insert(at, 1, "\n[]():9 ^#"[random() % 10]);
                break;
            default:
                line.erase(at, 1 + random() % 8);
            }
            if (line.empty())
                line = "\n";
        }
        log += line;
    }
    auto run = std::make_unique<stream_run>(log, 4099);
    EXPECT_GT(run->devices.size(), 1000u);
    for (const std::string &device : run->devices)
        EXPECT_LT(device.size(), BOUNCE_LOG_NAME_MAX);
}

} // namespace
