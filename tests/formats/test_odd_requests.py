# SPDX-License-Identifier: Apache-2.0
"""Traces of requests as people have them: lines that are no records, headers in the middle, copies
that went through a spreadsheet, names with blanks."""

import json
import os
import random
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, refused, result, rows  # noqa: E402

pytestmark = needs_binary
HERE = Path(__file__).resolve().parent / "requests"

BLKPARSE = (
    "  8,0    1        1     0.000000000   697  D   W 104 + 8 [my app]\n"
    "  8,0    1        2     0.000100000     0  C   W 104 + 8 [0]\n"
)
SUMMARY = (
    "my app (697)\n Reads Queued:           0,        0KiB\t Writes Queued:           1\n"
    " Dispatch wait:          0        \t Dispatch wait:           0\nkworker/1:1H (77, ...)\n"
    "\nCPU1 (sda):\n Read depth:             0        \t Write depth:             1\n\n"
    "Total (sda):\n IO unplugs:             0\nThroughput (R/W): 0KiB/s / 40KiB/s\n"
    "Events (sda): 2 entries\nSkips: 0 forward (0 -   0.0%)\n"
)
SPC = "0,20941264,8192,W,0.551706\n"
MSR = "128166372003061629,usr,0,Read,7014609920,24576,41286\n"


def read(path, text, *args):
    path.write_text(text)
    return result("run", path, *args)


def test_blkparse_counts_lines_that_are_no_records(tmp_path):
    path = tmp_path / "t"
    text = "# by hand\n\nInput file sda.blktrace.0 added\n" + BLKPARSE + SUMMARY
    got = read(path, text + BLKPARSE.replace("0.0", "1.0") + SUMMARY)["trace"]
    assert (got["requests"]["count"], got["skipped"]["malformed"]) == (2, 0)
    got = read(path, BLKPARSE + "a line of another program\n,0 1\n" + MSR + SUMMARY)["trace"]
    assert (got["requests"]["count"], got["skipped"]["malformed"]) == (1, 3)
    found = output("lint", path, status=3)
    assert all(f"{path}:{line}: " in found for line in (3, 4, 5))
    cut = read(path, BLKPARSE + "  8")["trace"]["skipped"]
    assert (cut["cut_records"], cut["malformed"]) == (1, 0)


def test_blkparse_is_not_read_on_into_a_binary_file(tmp_path):
    text, binary = tmp_path / "text", tmp_path / "binary"
    text.write_text(BLKPARSE * 1000)
    binary.write_bytes((HERE / "le.blktrace").read_bytes() + b"\n")
    refused("run", text, binary, words=["binary:1: not a line that blkparse"])


def test_blkparse_commands_end_those_of_their_direction(tmp_path):
    """A command without data has no beginning here: its end is that of no other one."""
    text = (
        "  8,0    1        1     0.000000000   697  D   R 96 (12 00 00 ..) [a]\n"
        "  8,0    1        2     0.000100000   697  D   N 0 (00 ..) [a]\n"
        "  8,0    1        3     0.000200000     0  C   N (00 ..) [0]\n"
        "  8,0    1        4     0.000900000     0  C   R (12 00 00 ..) [0]\n"
    )
    got = read(tmp_path / "t", text)
    assert (got["trace"]["requests"]["count"], got["trace"]["unmatched_unmaps"]) == (1, 0)
    assert json.loads(output("info", tmp_path / "t", "--json", "-"))["lifetimes"]["max_ns"] == 900_000


def test_blkparse_layouts_of_other_options(tmp_path):
    """-f prints what it is told, messages apart."""
    path = tmp_path / "t"
    path.write_text("  8,0    0        0     0.000000000     0  m   N cfq\nD 104 8 W\nC 104 8 W\n")
    refused("run", path, words=["1 records and 2 lines that cannot be read", "default layout"])


@pytest.mark.parametrize(
    "form,good,bad",
    [
        ("spc", SPC, "0,20939840,8192,X,0.554041\n"),
        ("msr", MSR, MSR.replace("Read", "Erase")),
        ("alibaba", "419,W,8192,16384,1577808000000626\n", "419,W,-1,16384,1577808000000626\n"),
        ("mqsim", "48513000 4 14704640 16 0\n", "48513000 4 14704640 x 0\n"),
        ("disksim", "48513.5 4 14704640 16 0\n", "48513.5 4 14704640 x 0\n"),
        ("usbmon", "f0 4294961000 S Bo:2:003:2 -115 31 =\n", "f0 4294961001 C Bo:2:003:2 0\n"),
    ],
)
def test_a_bad_line_near_the_beginning_is_named(tmp_path, form, good, bad):
    path = tmp_path / "t"
    path.write_text(good + bad + good)
    refused("run", path, words=[f"{path}:2: not a "])
    got = result("run", path, "--skip-malformed")["trace"]
    assert (got["format"], got["records"], got["skipped"]["malformed"]) == (form, 2, 1)
    assert f"{path}:2: " in output("lint", path, status=3)


@pytest.mark.parametrize(
    "name", ["msr-header.csv", "systor.csv", "vm.cloudphysics.csv", "v2.iolog", "v3.iolog"]
)
def test_headers_of_further_files(name):
    once, twice = result("run", HERE / name), result("run", HERE / name, HERE / name)
    assert twice["trace"]["records"] == 2 * once["trace"]["records"]
    assert twice["trace"]["requests"]["count"] == 2 * once["trace"]["requests"]["count"]


def test_iologs_of_two_versions_are_not_mixed():
    refused("run", HERE / "v3.iolog", HERE / "v2.iolog", words=["v2.iolog:1: not a line of a fio"])


def test_msr_responses(tmp_path):
    """Negative and empty ones are those of the row before; spreadsheets write decimals."""
    path = tmp_path / "t"
    start = 128166372003061629
    responses = ["-5", "2000", "", "-2000.5", "1.5E+3", "10.5"]
    text = "".join(
        f"{start + 10**7 * n},usr,0,Read,{2**40 * n},4096,{took}\n"
        for n, took in enumerate(responses)
    )
    path.write_text(text)
    lines = output("convert", path, "-", "--to-format", "csv").splitlines()
    table = rows("\n".join(line for line in lines if not line.startswith("#")))
    took = {row["id"]: int(row["time_ns"]) for row in table if row["op"] == "complete"}
    assert [took[str(n)] - n * 10**9 for n in range(6)] == [
        100_000, 200_000, 200_000, 200_000, 150_000, 1050
    ]  # fmt: skip
    path.write_text(text.replace("-5", "-x"))
    refused("run", path, words=[":1: not a row of an MSR"])


def test_headers_that_copies_of_traces_have(tmp_path):
    assert read(tmp_path / "t", "ASU,LBA,Size,Opcode,Timestamp\n" + SPC)["trace"]["records"] == 1


def test_disksim_flags_are_hexadecimal(tmp_path):
    got = read(tmp_path / "t", "0.0 0 8 8 0x1\n1.0 0 8 8 1b\n2.0 0 8 8 10\n")["trace"]
    assert (got["format"], got["requests"]["reads"]) == ("disksim", 2)


def test_names_with_blanks(tmp_path):
    path = tmp_path / "t"
    got = read(path, "0 7 my own app 800 8 W 8 1 0f\n5 7 app 800 8 R 8 1\n")
    assert (got["trace"]["format"], got["config"]["devices"][0]["name"]) == ("fiu", "8:1")
    assert (got["trace"]["requests"]["count"], got["trace"]["requests"]["reads"]) == (2, 1)
    got = read(path, "fio version 2 iolog\n# a comment\n/a b c open\n/a b c write 0 4096\n")
    assert (got["trace"]["records"], got["trace"]["skipped"]["other_events"]) == (2, 1)
    assert got["config"]["devices"][0]["name"] == "/a:b:c"
    got = read(path, "fio version 3 iolog\n0 /a b add\n5 /a b read 0 4096\n9 /a b sync 0 0\n")
    assert (got["trace"]["requests"]["reads"], got["trace"]["span_ns"]) == (1, 9000)
    for text in "5 /a read 0 4096\n", "/a read 0\n", "add\n", "read 0 4096\n":
        path.write_text("fio version 2 iolog\n" + text)
        refused("run", path, words=[":2: not a line of a fio iolog"])


def test_usbmon_setup_packets_that_were_not_captured(tmp_path):
    text = (
        "ffff88003a4c5c84 100 S Ci:1:001:0 Z __ __ ____ ____ ____ 64 <\n"
        "ffff88003a4c5c84 150 C Ci:1:001:0 0 64 = 00\n"
    )
    got = read(tmp_path / "t", text)["trace"]
    assert (got["requests"]["bytes"], got["unmatched_unmaps"]) == (64, 0)


@pytest.mark.parametrize(
    "text,words",
    [
        ("time_ns,op,comment\n1,read,x\n", [":1: a column", "does not have: `comment`"]),
        ("time,op,size\n1,read,5\n", [":1: not a row", "a header with time_ns and op"]),
        ("time_ns;op;size\n1;read;5\n", [":1: columns that are not separated by commas"]),
        ("time_ns,op,size\n-1,read,4096\n", [":2: not what a column time_ns holds: `-1`"]),
        ("time_ns,op,size\n1,read,4k\n", [":2: not what a column size holds: `4k`"]),
        ("time_ns,op,size\n1,append,512\n", [":2: an op other than read, write", "`append`"]),
        ("time_ns,op,size\n1,map,512\n", [":2: an op ", "lacks a column", "`map`"]),
        ("time_ns,op,size\n1,read,5,6\n", [":2: not as many fields", "`1,read,5,6`"]),
        ("time_ns,op,size\n,read,5\n", [":2: a row without a time"]),
        ("time_ns,op,size\n1,read,\x1b[2J\n", [":2: ", "`?[2J`"]),
    ],
)
def test_own_csv_says_which_field(tmp_path, text, words):
    path = tmp_path / "t"
    path.write_text(text)
    refused("run", path, words=[*words, "docs/formats/csv.md", "(--skip-malformed leaves such lines"])


def test_a_header_that_is_refused_leaves_the_one_before(tmp_path):
    path = tmp_path / "t"
    path.write_text("time_us,op,size\n1,read,512\ntime_us,op,pages\n2,read,512\n")
    refused("run", path, words=[":3: a column", "`pages`"])
    got = result("run", path, "--skip-malformed")["trace"]
    assert (got["requests"]["bytes"], got["skipped"]["malformed"]) == (1024, 1)


def test_times_that_say_little(tmp_path):
    """Of whole seconds peaks cannot be told; of whole numbers the unit cannot."""
    text = "".join(f"{1538323200 + n // 3},{n * 8},8,{n % 2},1063\n" for n in range(9))
    path = tmp_path / "t"
    path.write_text(text)
    assert "whole seconds" in output("run", path) and "whole seconds" in output("info", path)
    path.write_text(text.replace("1538323201,", "1538323201.5,"))
    assert "whole seconds" not in output("run", path)
    path.write_text("0 0 8 8 1\n1000 0 16 8 1\n")
    assert "nanoseconds, as MQSim" in output("run", path)
    assert "nanoseconds" not in output("run", path, "--format", "disksim")


def test_files_of_cpus_through_pipes(tmp_path):
    """They cannot be merged by time."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b""), daemon=True)
    writer.start()
    refused("run", HERE / "le.blktrace", pipe, words=["pipe: ", "merged by time", "blkparse -d"])
    pipe.unlink()


def test_hfplayer_in_small_letters(tmp_path):
    got = read(tmp_path / "t", "#ELAPSED_USECS.D,CMD.S,LBA.I,NBLKS.I\n1,rd_in,1,8\n2,wr_in,1,8\n")
    assert (got["trace"]["requests"]["count"], got["trace"]["requests"]["reads"]) == (2, 1)


@pytest.mark.parametrize(
    "name",
    ["msr.csv", "msr-header.csv", "financial.spc", "alibaba.csv", "tencent.csv", "systor.csv",
     "homes.fiu", "vm.cloudphysics.csv", "tpcc.mqsim", "postmark.disksim", "v2.iolog"],
)  # fmt: skip
def test_comments(tmp_path, name):
    lines = (HERE / name).read_text().splitlines(keepends=True)
    first = 1 if name == "v2.iolog" else 0  # its version comes first
    lines = [*lines[:first], "# by hand, of 2024\n", *lines[first:], "#end\n"]
    got = read(tmp_path / "t", "".join(lines))["trace"]
    whole = result("run", HERE / name)["trace"]
    assert got["records"] == whole["records"] and got["skipped"] == whole["skipped"]
    assert got["requests"] == whole["requests"] and got["format"] == whole["format"]


def test_systor_without_header(tmp_path):
    text = (HERE / "systor.csv").read_text().split("\n", 1)[1]
    got, whole = read(tmp_path / "t", text)["trace"], result("run", HERE / "systor.csv")["trace"]
    assert got["requests"] == whole["requests"] and got["format"] == "systor"


def blkparse(path, events):
    """Text of (time in ns, D or C, sector), all reads of 4 KiB."""
    path.write_text("".join(
        f"  8,0    1        1 {ns // 10**9:5d}.{ns % 10**9:09d}   697  {action}   R {sector} + 8 [x]\n"
        for ns, action, sector in sorted(events)
    ))  # fmt: skip
    return json.loads(output("info", path, "--json", "-"))


def test_lost_completions_shift_no_others(tmp_path):
    """Sectors that are read over and over: without this each lost end would stay for ever, and every
    later end of its sector be taken for that of the read before."""
    draw = random.Random(9)
    events, free, now, lost = [], {}, 0, 0
    for n in range(20000):
        now += draw.randrange(2000, 30000)
        sector = 8 * draw.randrange(200)
        start, took = max(now, free.get(sector, 0) + 10), draw.randrange(20000, 400000)
        free[sector] = start + took
        events.append((start, "D", sector))
        if n % 200 == 150:
            lost += 1
        else:
            events.append((start + took, "C", sector))
    got = blkparse(tmp_path / "t", events)
    assert got["losses"]["implied_unmaps"] in range(lost - 15, lost + 1)
    assert got["concurrency"]["peak"] < 50
    assert got["lifetimes"]["p99_ns"] < 500_000


def test_the_same_sector_in_flight_several_times(tmp_path):
    draw, events = random.Random(2), []
    for reader in range(3):
        now = 1000 * reader
        for _ in range(2000):
            took = draw.randrange(50000, 150000)
            events += [(now, "D", 0), (now + took, "C", 0)]
            now += took + draw.randrange(2000)
    got = blkparse(tmp_path / "t", events)
    assert got["losses"]["implied_unmaps"] == got["losses"]["unmatched_unmaps"] == 0
    assert got["concurrency"]["peak"] == 3


def test_joined_recordings_in_closed_loop(tmp_path):
    """Another boot is no request, waits for no receive ring, and takes the times of its own."""
    if "costs: this build has no SystemC" in output("list", "costs"):
        pytest.skip("this build has no SystemC")
    path, draw, text, now = tmp_path / "t", random.Random(3), "", 2 * 10**9
    for n in range(300):
        now += draw.randrange(1, 10**7)
        for action, ns in ("D", now), ("C", now + 100_000):
            text += (
                f"  8,0    1        1 {ns // 10**9:5d}.{ns % 10**9:09d}   697  {action}   R "
                f"{8 * n} + 8 [x]\n"
            )
    once = read(path, text, "--engine", "systemc")
    twice = read(path, text + text, "--engine", "systemc")
    assert twice["trace"]["time_steps_back"] == 1
    assert (once["platform"]["arrived"], twice["platform"]["arrived"]) == (300, 600)
    assert twice["swiotlb"]["used_hiwater"] == once["swiotlb"]["used_hiwater"]
    spans = [got["timing"]["simulated_ns"] for got in (once, twice)]
    assert 1.99 < spans[1] / spans[0] < 2.01
    capture = bytearray((HERE / "le.pcap").read_bytes())
    early, late = tmp_path / "early", tmp_path / "late"
    early.write_bytes(capture)
    at = 24
    while at < len(capture):
        seconds = int.from_bytes(capture[at : at + 4], "little") + 100
        capture[at : at + 4] = seconds.to_bytes(4, "little")
        at += 16 + int.from_bytes(capture[at + 8 : at + 12], "little")
    late.write_bytes(capture)
    got = result("run", late, early, "--engine", "systemc")
    assert (got["trace"]["time_steps_back"], got["platform"]["arrived"]) == (1, 6)


def test_byte_order_marks_of_further_files(tmp_path):
    names = []
    for n in range(3):
        names.append(tmp_path / f"{n}.csv")
        names[-1].write_bytes(b"\xef\xbb\xbf" + (HERE / "msr-header.csv").read_bytes())
    got, once = result("run", *names)["trace"], result("run", HERE / "msr-header.csv")["trace"]
    assert got["records"] == 3 * once["records"] and got["skipped"]["malformed"] == 0


def test_whole_numbers_with_a_decimal_point(tmp_path):
    """As pandas writes a column in which a cell is empty."""
    path = tmp_path / "t"
    text = "time_ns,op,size,offset,id,response_ns\n0.0,read,4096.0,512.00,1.0,7.0\n5.0,read,512,0,2,\n"
    assert read(path, text)["trace"]["requests"]["bytes"] == 4608
    for size in "4096.5", "4096.", ".0", "4096.0.0", "4096.0x":
        path.write_text(text.replace("4096.0", size))
        refused("run", path, words=[":2: not what a column size holds"])


@pytest.mark.parametrize("suffix", ["bnc", "csv"])
def test_conversions_have_the_same_devices(tmp_path, suffix):
    """A capture stays one of a network card, and what follows a lost completion a request."""
    if "costs: this build has no SystemC" in output("list", "costs"):
        pytest.skip("this build has no SystemC")
    lost = tmp_path / "lost"
    events = [(10**6 * n, "D", 0) for n in range(40)] + [
        (10**6 * n + 5000, "C", 0) for n in range(40) if n != 30
    ]
    assert blkparse(lost, events)["losses"]["implied_unmaps"] == 1
    for trace in lost, HERE / "le.pcap":
        output("convert", trace, tmp_path / f"t.{suffix}", "--quiet")
        whole = result("run", trace, "--engine", "systemc")
        got = result("run", tmp_path / f"t.{suffix}", "--engine", "systemc")
        assert got["platform"]["arrived"] == whole["trace"]["requests"]["count"]
        assert got["swiotlb"] == whole["swiotlb"]
        assert [each["model"] for each in got["platform"]["devices"]] == [
            each["model"] for each in whole["platform"]["devices"]
        ]
