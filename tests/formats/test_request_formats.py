# SPDX-License-Identifier: Apache-2.0
"""Traces of requests: what is read of each fixture, and the quirks of each format."""

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, refused, result, rows  # noqa: E402

pytestmark = needs_binary
HERE = Path(__file__).resolve().parent / "requests"

# file: format, records, other events, span in ns, requests, reads, sizes, unmatched, devices
EXPECTED = {
    "disk.blkparse": ("blkparse", 25, 12, 1_400_000, 6, 2, (36, 4096, 131072), 1,
                      ["8:0", "8:16"]),
    "block.ftrace": ("ftrace", 5, 1, 10_000, 2, 1, (4096, 131072, 131072), 0, ["259:0"]),
    "block.perf": ("perf", 5, 1, 11_099, 2, 1, (4096, 131072, 131072), 0, ["8:0"]),
    "old.usbmon": ("usbmon", 4, 0, 300_000, 2, 1, (4, 512, 512), 0, ["usb"]),
    "vm.cloudphysics.csv": ("cloudphysics", 3, 1, 10**9, 2, 1, (512, 4096, 4096), 0, ["vscsi"]),
    "disk.lttng": ("lttng", 8, 2, 23_000, 3, 2, (36, 4096, 131072), 0, ["8:0", "260:0"]),
    "le.blktrace": ("blktrace", 13, 6, 4000, 3, 2, (36, 8192, 131072), 1, ["8:0"]),
    "be.blktrace": ("blktrace", 13, 6, 4000, 3, 2, (36, 8192, 131072), 1, ["8:0"]),
    "stick.usbmon": ("usbmon", 18, 1, 23_296_000, 8, 6, (4, 512, 61440), 1,
                     ["usb1", "usb2", "usb3"]),
    "le.pcap": ("pcap", 3, 0, 750_000_000, 3, 3, (60, 1514, 9000), 0, ["net"]),
    "be.pcap": ("pcap", 3, 0, 750_000_000, 3, 3, (60, 1514, 9000), 0, ["net"]),
    "ns.pcap": ("pcap", 3, 0, 999_750_000, 3, 3, (60, 1514, 9000), 0, ["net"]),
    "sll.pcap": ("pcap", 2, 0, 5000, 2, 1, (100, 200, 200), 0, ["net"]),
    "sll2.pcap": ("pcap", 2, 0, 5000, 2, 1, (100, 65212, 65212), 0, ["net"]),
    "usb.pcap": ("pcap", 3, 1, 20_000, 2, 1, (31, 4096, 4096), 0, ["usb1"]),
    "usbmon.pcap": ("pcap", 4, 0, 30_000, 2, 1, (31, 65536, 65536), 0, ["usb2"]),
    "le.pcapng": ("pcap", 3, 0, 2500, 3, 3, (60, 1514, 20000), 0, ["net"]),
    "be.pcapng": ("pcap", 3, 0, 2500, 3, 3, (60, 1514, 20000), 0, ["net"]),
    "v1.vscsi": ("vscsi", 5, 2, 400_000, 3, 1, (4096, 4096, 65536), 0, ["vscsi"]),
    "v2.vscsi": ("vscsi", 5, 2, 400_000, 3, 1, (4096, 4096, 65536), 0, ["vscsi"]),
    "v2.iolog": ("fio", 10, 7, 506_000, 3, 1, (512, 4096, 65536), 0, ["/tmp/a"]),
    "v3.iolog": ("fio", 7, 4, 969_000, 3, 1, (4096, 8192, 131072), 0,
                 ["/dev/sdx", "/dev/sdy"]),
    "msr.csv": ("msr", 3, 0, 2_332_061_600, 3, 2, (4096, 32768, 65536), 0, ["hm:0", "usr:1"]),
    "msr-header.csv": ("msr", 2, 1, 1_332_052_600, 1, 1, (32768, 32768, 32768), 0, ["hm:0"]),
    "financial.spc": ("spc", 4, 0, 26_682_000, 4, 2, (3072, 3584, 4096), 0, ["0", "1"]),
    "alibaba.csv": ("alibaba", 3, 0, 66_000, 3, 1, (4096, 16384, 360448), 0, ["419", "725"]),
    "tencent.csv": ("tencent", 3, 0, 10**9, 3, 2, (4096, 65536, 196608), 0,
                    ["1063", "1071", "1576"]),
    "systor.csv": ("systor", 4, 1, 3_200_000, 3, 2, (4096, 8192, 65536), 0, ["0", "4"]),
    "homes.fiu": ("fiu", 3, 0, 200_000, 3, 1, (4096, 8192, 32768), 0, ["6:0", "8:1"]),
    "postmark.disksim": ("disksim", 4, 0, 386_811_000, 4, 2, (4096, 253952, 4194304), 0,
                         ["0", "1"]),
    "tpcc.mqsim": ("mqsim", 3, 0, 431_000, 3, 1, (8192, 8192, 1137664), 0, ["4", "3", "13"]),
    "scsi.hfplayer.csv": ("hfplayer", 4, 1, 99_750, 2, 1, (4096, 49152, 49152), 0, ["1"]),
    "scsi-pairs.hfplayer.csv": ("hfplayer", 5, 0, 20_500, 2, 1, (4096, 262144, 262144), 0,
                                ["lun"]),
    "pairs.csv": ("csv", 6, 2, 61_994, 2, 0, (131072, 131072, 131072), 0, ["device"]),
    "requests.csv": ("csv", 5, 1, 3500, 2, 1, (4096, 131072, 131072), 0, ["nvme0"]),
    "responses.csv": ("csv", 3, 0, 200_000_000, 3, 1, (512, 4096, 524288), 0, ["device"]),
}  # fmt: skip

ASSUMED = {
    "le.pcap", "be.pcap", "ns.pcap", "sll.pcap", "sll2.pcap", "usb.pcap", "le.pcapng", "be.pcapng",
    "v1.vscsi", "vm.cloudphysics.csv", "v2.iolog", "v3.iolog", "financial.spc", "alibaba.csv",
    "tencent.csv", "homes.fiu", "postmark.disksim", "tpcc.mqsim",
}  # fmt: skip


def read(name, *args):
    return result("run", HERE / name, *args)


def mappings(name, *args):
    return rows(output("run", HERE / name, "--mappings", "-", *args))


def test_every_fixture_is_expected():
    assert {path.name for path in HERE.iterdir()} == set(EXPECTED) | {"mappings.csv"}


@pytest.mark.parametrize("name", EXPECTED)
def test_fixture(name):
    form, records, other, span, count, reads, sizes, unmatched, devices = EXPECTED[name]
    got = read(name)
    trace, requests = got["trace"], got["trace"]["requests"]
    assert (trace["format"], trace["level"]) == (form, "requests")
    assert (trace["records"], trace["skipped"]["other_events"]) == (records, other)
    assert trace["span_ns"] == span
    assert (requests["count"], requests["reads"]) == (count, reads)
    assert (requests["size_min"], requests["size_median"], requests["size_max"]) == sizes
    assert trace["unmatched_unmaps"] == unmatched
    assert trace["skipped"]["malformed"] == trace["time_steps_back"] == trace["late_records"] == 0
    assert [device["name"] for device in got["config"]["devices"]] == devices
    assert requests["service_time_assumed"] == (name in ASSUMED)
    assert requests["mappings"] == got["events"]["maps"]
    assert got["events"]["unmaps"] == got["events"]["maps"]
    assert requests["outstanding"] == got["swiotlb"]["used"] == got["events"]["full"] == 0
    assert got["config"]["force"] is True
    assert got["config"]["nslabs"] == 32768
    assert got == read(name, "--format", form)


def test_binary_fixtures_are_what_the_script_makes():
    script = HERE.parent / "make_request_fixtures.py"
    spec = importlib.util.spec_from_file_location("make_request_fixtures", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, content in module.fixtures().items():
        assert (HERE / name).read_bytes() == content, name


def test_both_byte_orders_are_the_same_trace():
    for name in "blktrace", "pcap", "pcapng":
        assert mappings(f"le.{name}") == mappings(f"be.{name}")


def test_blkparse_quirks():
    """Passthrough commands, a flush with data that is requeued, discards and empty requests."""
    got = mappings("disk.blkparse")
    assert [(row["device"], row["size"], row["dir"], row["cpu"]) for row in got] == [
        ("8:0", "8192", "TO_DEVICE", "1"),
        ("8:16", "131072", "FROM_DEVICE", "3"),
        ("8:0", "36", "FROM_DEVICE", "2"),
        ("8:0", "512", "BIDIRECTIONAL", "2"),
        ("8:0", "4096", "TO_DEVICE", "2"),
        ("8:0", "4096", "TO_DEVICE", "2"),
    ]
    assert [row["time_ns"] for row in got][:2] == ["2000", "10000"]


def test_usbmon_quirks():
    """Times wrap, a tag is used again without its end, E ends a transfer."""
    got = read("stick.usbmon")
    assert got["trace"]["implied_unmaps"] == 1
    times = [int(row["time_ns"]) for row in mappings("stick.usbmon")]
    assert times == sorted(times)
    assert [row["size"] for row in mappings("stick.usbmon")] == [
        "4", "31", "61440", "8", "8192", "512", "512", "1024"
    ]  # fmt: skip


def test_fio_version_2_has_no_times():
    got = read("v2.iolog")
    assert got["trace"]["timed"] is False
    assert [row["time_ns"] for row in mappings("v2.iolog")] == ["0", "501000", "505000"]


def test_scatter_lists():
    """vscsi tells how many elements: 65536 bytes in 16, 4096 in 3 of whole sectors."""
    assert [row["size"] for row in mappings("v1.vscsi")] == (
        ["4096"] + ["4096"] * 16 + ["1536", "1536", "1024"]
    )
    assert [row["size"] for row in mappings("requests.csv")] == ["4096"] + ["32768"] * 4


def test_large_frames_lie_in_pages():
    assert [row["size"] for row in mappings("le.pcap")] == ["60", "1514", "4096", "4096", "808"]


def test_large_requests_are_split():
    sizes = [int(row["size"]) for row in mappings("postmark.disksim")]
    assert sizes == [4096, 253952, 4096] + [262144] * 16
    with_mask = mappings("postmark.disksim", "--device", "*:min_align_mask=fff")
    assert max(int(row["size"]) for row in with_mask) == 252 * 1024


def test_service_time():
    got = read("tpcc.mqsim", "--service-time", "500")
    assert got["trace"]["requests"]["service_time_ns"] == 500_000
    assert got["swiotlb"]["used_hiwater"] > read("tpcc.mqsim")["swiotlb"]["used_hiwater"]
    assert read("msr.csv", "--service-time", "1")["trace"]["requests"]["service_time_assumed"]
    refused("run", HERE / "tpcc.mqsim", "--service-time", "1000000001", words=["--service-time"])
    text = output("run", HERE / "tpcc.mqsim")
    assert "100 us a request assumed" in text and "modelled" in text
    assert "assumed" not in output("run", HERE / "msr.csv").split("bouncing")[0].split("pool:")[0]


def test_masks_replace_forced_bouncing():
    device = "--device=*:dma_mask={}".format
    assert read("tpcc.mqsim", device("ffffffff"))["config"]["force"] is False
    assert read("tpcc.mqsim", device("ffffffff"))["events"]["maps"] == 7
    assert read("tpcc.mqsim", device("f" * 16))["events"]["maps"] == 0
    assert read("mappings.csv", device("ffffffff"))["events"]["maps"] == 2


def test_own_csv_of_mappings():
    got = read("mappings.csv")
    assert got["trace"]["level"] == "mappings" and "requests" not in got["trace"]
    assert got["events"]["maps"] == got["events"]["unmaps"] == 2
    assert got["events"]["syncs"] == 1
    assert got["copy"]["bytes_from_device"] == 65536 + 512
    assert [(row["id"], row["orig_addr"], row["cpu"]) for row in mappings("mappings.csv")] == [
        ("1", "100000000", "0"), ("2", "100010000", "1")
    ]  # fmt: skip


def test_own_csv_with_bounce_addresses(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "time_ns,op,id,size,dir,orig_addr,tlb_addr\n"
        "0,map,1,4096,to_device,100000000,7bc00000\n"
        "1,map,2,4096,to_device,100010000,7bc01000\n2,unmap,1,,,,\n"
    )
    got = result("run", path, "--swiotlb", "1024,1", "--pool-start", "7bc00000")
    assert got["recorded"]["addresses_equal"] == got["recorded"]["maps_compared"] == 2


def test_blktrace_of_several_cpus_is_merged(tmp_path):
    content = (HERE / "le.blktrace").read_bytes()
    empty = tmp_path / "t.blktrace.0"
    empty.write_bytes(b"")
    parts = {1: b"", 2: b""}
    at = number = 0
    while at < len(content):  # what the machine would have written, in turns
        end = at + 48 + int.from_bytes(content[at + 46 : at + 48], "little")
        parts[1 + number % 2] += content[at:end]
        at, number = end, number + 1
    files = [empty]
    for cpu, part in parts.items():
        files.append(tmp_path / f"t.blktrace.{cpu}")
        files[-1].write_bytes(part)
    got = result("run", *files)
    whole = read("le.blktrace")
    for key in "records", "span_ns", "requests", "unmatched_unmaps":
        assert got["trace"][key] == whole["trace"][key], key
    assert result("run", *reversed(files))["trace"]["requests"] == got["trace"]["requests"]
    for length in 5, 40:  # in the payload of its last record, or in the record itself
        files[2].write_bytes(parts[2][:-length])
        cut = result("run", *files)
        assert cut["trace"]["skipped"]["cut_records"] == 1
        assert cut["trace"]["records"] == got["trace"]["records"] - 1
    files[2].write_bytes(parts[2][:20])  # nothing stands in front: not a blktrace file, as it seems
    refused("run", *files, words=["t.blktrace.2: byte 0: ", "ends in the record"])
    files[2].write_bytes(b"\0" * 100)
    refused("run", *files, words=["t.blktrace.2: byte 0: not a blktrace record"])
    files[2].write_bytes((HERE / "be.blktrace").read_bytes())
    refused("run", *files, words=["t.blktrace.2: byte 0: another byte order"])


def test_captures_one_after_the_other():
    got = result("run", HERE / "le.pcap", HERE / "be.pcap", HERE / "sll.pcap")
    assert got["trace"]["requests"]["count"] == 8
    assert got["trace"]["time_steps_back"] == 1  # the second begins when the first ends


def test_a_cut_capture_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "t"
    path.write_bytes((HERE / "le.pcap").read_bytes()[:-10])
    got = result("run", path)
    assert (got["trace"]["records"], got["trace"]["skipped"]["cut_records"]) == (2, 1)
    assert "1 record cut by the end of the input" in output("run", path)
    assert "1 record cut by the end of the input" in output("info", path)


@pytest.mark.parametrize(
    "name,number,line,words",
    [
        ("disk.blkparse", 8, "  8,0    1        7     0.000002000   100  D   W 2048 + ",
         ["not a line that blkparse prints"]),
        ("disk.blkparse", 8, "  8,0    1        7     now  100  D   W 2048 + 16 [x]", []),
        ("stick.usbmon", 3, "ffff8800a1b2c300 4294961000 S Bo:2:003:2 -115", ["usbmon"]),
        ("stick.usbmon", 3, "ffff8800a1b2c300 4294967296 S Bo:2:003:2 -115 31 =", []),
        ("msr.csv", 2, "128166372016382155,hm,0,Erase,2822144,4096,4000", ["MSR"]),
        ("msr.csv", 2, "999999999999999999,hm,0,Read,2822144,4096,4000", ["MSR"]),
        ("v3.iolog", 4, "200 /dev/sdx write 0", ["iolog"]),
        ("v2.iolog", 4, "200 /tmp/a write 0 4096", ["iolog"]),
        ("requests.csv", 4, "1,write,131072,nvme0,1,8", ["CSV"]),
        ("requests.csv", 4, "1,append,131072,nvme0,1,8,4", ["CSV"]),
        ("pairs.csv", 3, "35081,X,2,W,1652552,256,0", ["CSV"]),
        ("mappings.csv", 3, "1000,map,,0000:00:02.0,65536,from_device,1,100010000,", ["CSV"]),
        ("mappings.csv", 3, "1000,map,2,0000:00:02.0,65536,sideways,1,100010000,", ["CSV"]),
        ("tpcc.mqsim", 3, "938944.5 13 93230992 2222 1", ["--format disksim"]),
        ("postmark.disksim", 3, "8348.644 1 6397856 -8 0", ["DiskSim"]),
        ("postmark.disksim", 3, "-8348.644 1 6397856 8 0", ["DiskSim"]),
        ("financial.spc", 3, "0,303574,3584,X,0.026682", ["SPC"]),
        ("alibaba.csv", 2, "725,R,59110326272,360448", ["Alibaba"]),
        ("tencent.csv", 2, "1538323200,6338688,8,2,1071", ["Tencent"]),
        ("systor.csv", 3, "1455592917.017100000,,X,0,10657529344,65536", ["Systor"]),
        ("homes.fiu", 2, "89966104206000 2522 kjournald 926858672 16 W 6", ["FIU"]),
        ("scsi.hfplayer.csv", 3, "2,1010.500,RD_IN,1,1,4096,96", ["hfplayer"]),
    ],
)  # fmt: skip
def test_refusals_name_the_line(tmp_path, name, number, line, words):
    path = tmp_path / name
    lines = (HERE / name).read_text().split("\n")
    lines[number - 1] = line
    path.write_text("\n".join(lines))
    form = EXPECTED[name][0] if name in EXPECTED else "csv"
    refused("run", path, "--format", form, words=[f"{path}:{number}: ", *words])
    got = result("run", path, "--format", form, "--skip-malformed")
    assert got["trace"]["skipped"]["malformed"] == 1


@pytest.mark.parametrize("name", ["requests.csv", "disk.blkparse", "msr.csv", "tpcc.mqsim"])
def test_text_that_was_cut_in_a_line(tmp_path, name):
    """A recorder that was killed, a disk that was full: what stands in front is good."""
    path = tmp_path / name
    path.write_text((HERE / name).read_text())
    whole = result("run", path)["trace"]["records"]
    path.write_text(path.read_text().rstrip("\n") + "\n1,2")
    got = result("run", path)["trace"]
    assert got["skipped"]["cut_records"] == 1
    assert got["records"] == whole and got["skipped"]["malformed"] == 0
    path.write_text(path.read_text() + "\n")
    refused("run", path)


@pytest.mark.parametrize("name", ["le.blktrace", "v1.vscsi", "v2.vscsi"])
def test_refusals_name_the_byte(tmp_path, name):
    path = tmp_path / name
    content = (HERE / name).read_bytes()
    path.write_bytes(content[:-3])
    got = result("run", path)
    assert got["trace"]["skipped"]["cut_records"] == 1
    assert "the input ends in a record" in output("lint", path, status=3)
    path.write_bytes(content + bytes(len(content)))
    refused("run", path, words=[f"{path}: byte {len(content)}: not a "])


def test_disksim_and_mqsim_are_told_apart_by_the_decimal_point(tmp_path):
    whole = tmp_path / "t"
    whole.write_text("10 0 8 8 1\n20 0 8 8 1\n")
    assert result("run", whole)["trace"]["format"] == "mqsim"
    got = result("run", whole, "--format", "disksim")
    assert got["trace"]["span_ns"] == 10_000_000
    whole.write_text("10.0 0 8 8 1\n20 0 8 8 1\n")
    assert result("run", whole, "--format", "disksim")["trace"]["span_ns"] == 10_000_000


@pytest.mark.parametrize(
    "content,words",
    [
        (
            b"; a job\n\n[global]\nioengine=libaio\nbs=4k\n[a]\nrw=read\n",
            ["fio job", "write_iolog"],
        ),
        (b"name".ljust(257, b"\0") + b"ustar\x0000" + bytes(300), ["tar archive"]),
        (b"PERFILE2" + bytes(100), ["perf script"]),
        (b"fio version 1 iolog\n", [":1: ", "version 2"]),
        (b"time_ns,op,sise\n1,read,5\n", [":1: ", "header with time_ns and op"]),
        (b"time_ns,op,size\n", ["no records"]),
        (b"time_ns,op,size,id\n1,read,5,1\n2,map,5,2\n", [":3: ", "one of the two"]),
        (b"time_ns,op,id\n1,complete,5\n", ["none of its 1 records"]),
    ],
)
def test_advice(tmp_path, content, words):
    path = tmp_path / "input"
    path.write_bytes(content)
    refused("run", path, words=words)


def test_sweep_and_systemc_take_requests():
    points = result("sweep", HERE / "postmark.disksim", "--sizes", "512,4096")["points"]
    assert [p["events"]["full"] > 0 for p in points] == [True, False]
    if "costs: this build has no SystemC" not in output("list", "costs"):
        got = read("tpcc.mqsim", "--engine", "systemc", "--device-model", "generic")
        assert got["events"]["maps"] == 7


def test_packets_without_a_direction_are_said_to_be():
    assert "taken as received" in output("run", HERE / "le.pcap")
    assert "taken as received" not in output("run", HERE / "sll.pcap")


def test_perf_script_counts_what_was_lost():
    assert read("block.perf")["trace"]["lost_events"] == 7


def test_lttng_past_midnight_and_without_bytes():
    table = mappings("disk.lttng")
    assert [(row["cpu"], row["time_ns"]) for row in table] == [
        ("1", "0"), ("0", "2000"), ("0", "22000")
    ]  # fmt: skip
    assert [row["size"] for row in table] == ["4096", "131072", "36"]


def test_byte_order_marks(tmp_path):
    text = (HERE / "alibaba.csv").read_bytes()
    marked, wide = tmp_path / "marked.csv", tmp_path / "wide.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + text)
    assert result("run", marked)["trace"]["requests"] == read("alibaba.csv")["trace"]["requests"]
    wide.write_bytes(text.decode().encode("utf-16"))
    refused("run", wide, words=["UTF-16", "iconv"])


def test_numbers_with_exponents(tmp_path):
    path = tmp_path / "small.spc"
    path.write_text("0,8,4096,w,0.0\n0,8,4096,r,1e-05\n0,8,4096,r,2.55E-5\n0,8,4096,r,1.5e+0\n")
    times = [int(row["time_ns"]) for row in rows(output("run", path, "--mappings", "-"))]
    assert times == [0, 10_000, 25_500, 1_500_000_000]
    for number in "1e", "1e-", "1e400", "e5", "1e18", "1.5.5e3", "0x1e3":
        path.write_text(f"0,8,4096,w,0.0\n0,8,4096,r,{number}\n")
        refused("run", path, "--format", "spc", words=[":2:"])


def test_disksim_that_begins_with_whole_milliseconds(tmp_path):
    path = tmp_path / "trace.txt"
    path.write_text("0 0 8 8 1\n1 0 16 8 1\n1.5 0 24 8 0\n2 0 32 8 0\n")
    got = result("run", path)["trace"]
    assert (got["format"], got["span_ns"]) == ("disksim", 2_000_000)
    path.write_text("0 0 8 8 1\n1000 0 16 8 1\n")
    assert result("run", path)["trace"]["span_ns"] == 1000
    assert result("run", path, "--format", "disksim")["trace"]["span_ns"] == 1_000_000_000
