# SPDX-License-Identifier: Apache-2.0
"""`bouncesim convert`: another format, the same answers; parts of a trace that are traces again."""

import json
import re
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import (  # noqa: E402
    TESTS,
    WORKLOADS,
    needs_binary,
    output,
    refused,
    result,
    rows,
    unxz,
)
from samples import OPS, POOL, bounced, ftrace, mapped, unmapped  # noqa: E402

pytestmark = needs_binary
SHARED = TESTS.parents[1] / "shared"
TRACES = sorted(WORKLOADS.glob("*.ftrace.xz")) + sorted((TESTS / "data").glob("*.ftrace.xz"))
FIXTURES = sorted(
    path
    for folder in (TESTS / "formats", TESTS / "formats/requests")
    for path in folder.iterdir()
    if path.suffix not in (".py", ".cpp", ".hpp", ".md") and path.is_file()
) + [TESTS / f"golden/{name}.ops.xz" for name in ("coco-1", "restricted-1", "tiny-1")]


def convert(source, target, *options, text=True):
    got = output("convert", source, target, *options)
    assert target.exists()
    return got if text else target


def everything(trace, *options):
    """What `run` says of it but for the name and format of the file, and its rows."""
    with tempfile.NamedTemporaryFile("r") as table:
        got = result("run", trace, "--mappings", table.name, *options)
        text = Path(table.name).read_text()
    for key in "format", "files":
        got["trace"].pop(key, None)
    return got, text


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.name)
def test_recordings_give_the_same_answers(trace, tmp_path):
    native = tmp_path / "t.bnc"
    summary = convert(trace, native)
    assert everything(native) == everything(trace)
    assert everything(native, "--order", "recorded") == everything(trace, "--order", "recorded")
    what_if = ["--swiotlb", "256,2"]
    assert everything(native, *what_if) == everything(trace, *what_if)
    assert len(unxz(trace)) >= 8 * native.stat().st_size
    assert "native" in summary and f"{native.stat().st_size:,} bytes" in summary


@pytest.mark.skipif(not (SHARED / "traces").is_dir(), reason="no ../shared: not that machine")
@pytest.mark.parametrize("name", ["vnet2048", "vblk1024"])
def test_shared_traces(name, tmp_path):
    trace = SHARED / f"traces/{name}.ftrace.xz"
    native = convert(trace, tmp_path / "t.bnc", text=False)
    assert everything(native) == everything(trace)
    assert len(unxz(trace)) >= 8 * native.stat().st_size


@pytest.mark.skipif(not (SHARED / "samples/recorded").is_dir(), reason="no ../shared")
@pytest.mark.parametrize("name", ["nvme-blktrace-run.ftrace.xz", "usb-run.ftrace.xz"])
def test_live_recordings(name, tmp_path):
    trace = SHARED / "samples/recorded" / name
    assert everything(convert(trace, tmp_path / "t.bnc", text=False)) == everything(trace)


ARCHIVES = sorted((TESTS / "data").glob("*.tar.xz"))


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name)
def test_archives_keep_what_they_tell(archive, tmp_path):
    native = convert(archive, tmp_path / "t.bnc", text=False)
    direct, told = everything(archive), everything(native)
    assert told == direct
    assert direct[0]["recording"]["kernel"] and direct[0]["recorded"]["nslabs_begin"]
    # So does the file that is made of that one, and through a pipe.
    again = convert(native, tmp_path / "again.bnc", text=False)
    assert everything(again) == direct
    piped = result("run", "-", stdin=native.read_bytes())
    assert piped["recording"] == direct[0]["recording"]
    assert piped["config"] == direct[0]["config"]
    assert "the recorded kernel" in convert(archive, tmp_path / "t.csv")


def test_a_part_of_an_archive_has_no_counts_of_the_whole(tmp_path):
    native = convert(ARCHIVES[0], tmp_path / "t.bnc", "--from", "10ms", text=False)
    whole, part = result("run", ARCHIVES[0]), result("run", native)
    assert part["recording"] == whole["recording"]
    assert part["recorded"]["nslabs_begin"] == whole["recorded"]["nslabs_begin"]
    assert "used_hiwater" in whole["recorded"] and "used_hiwater" not in part["recorded"]
    assert "used_begin" not in part["recorded"]


def test_counters_of_a_trace_made_by_hand(tmp_path):
    trace, counters = WORKLOADS / "nvme1024.ftrace.xz", tmp_path / "counters.txt"
    counters.write_text("STAT begin io_tlb_nslabs 1024\nSTAT end io_tlb_used_hiwater 998\n")
    native = convert(trace, tmp_path / "t.bnc", "--counters", counters, text=False)
    assert everything(native) == everything(trace, "--counters", counters)
    assert result("run", native)["recorded"]["used_hiwater"] == 998


@pytest.mark.parametrize("trace", FIXTURES, ids=lambda path: path.name)
def test_every_format_gives_the_same_answers(trace, tmp_path):
    native = tmp_path / "t.bnc"
    output("convert", trace, native, "--quiet")
    assert everything(native) == everything(trace)
    again = convert(native, tmp_path / "again.bnc", text=False)
    # All but the header, which names the source, and the index, whose offsets follow from it.
    blocks = [f.read_bytes().split(b"CONF", 1)[1].split(b"INDX")[0] for f in (native, again)]
    assert blocks[0] == blocks[1]


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_packed_and_piped(packing, tmp_path):
    trace = WORKLOADS / "nvme1024.ftrace.xz"
    plain = convert(trace, tmp_path / "t.bnc", text=False)
    packed = convert(trace, tmp_path / f"t.bnc{packing}", text=False)
    assert packed.stat().st_size < plain.stat().st_size
    assert everything(packed) == everything(plain)
    piped = result("run", "-", stdin=plain.read_bytes())
    assert piped["events"] == result("run", trace)["events"]
    done = output_bytes("convert", trace, "-", "--to-format", "native")
    assert len(done) == plain.stat().st_size


def output_bytes(*args, **options):
    from command import bouncesim

    done = bouncesim(*args, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_header_can_be_read_by_people(tmp_path):
    native = convert(WORKLOADS / "nvme1024.ftrace.xz", tmp_path / "t.bnc", text=False)
    head = native.read_bytes()[:600]
    for words in b"source_format=ftrace\n", b"inferred.nslabs=1024\n", b"time_unit=ns\n":
        assert words in head


# ---- operation streams ----


@pytest.mark.parametrize("name", ["nvme-1", "odd-1", "sync-1", "restricted-1"])
def test_operation_streams_come_back(name, tmp_path):
    stream = TESTS / f"golden/{name}.ops.xz"
    native = convert(stream, tmp_path / "t.bnc", text=False)
    back = convert(native, tmp_path / "t.ops", text=False)
    wanted, got = everything(stream), everything(back)
    strip = lambda text: [  # noqa: E731: times count what the stream has besides, ids may repeat
        line.split(",")[2:] for line in text.splitlines()
    ]
    assert strip(got[1]) == strip(wanted[1])
    for key in "swiotlb", "search", "copy":
        assert got[0].get(key) == wanted[0].get(key)


def test_a_recording_as_operations(tmp_path):
    trace = WORKLOADS / "nvme1024.ftrace.xz"
    text = convert(trace, tmp_path / "t.ops")
    assert "Not in an operation stream" in text and "grew" not in text
    text = convert(TESTS / "data/nvmedyn512.ftrace.xz", tmp_path / "g.ops")
    assert "how the pool grew" in text
    lines = (tmp_path / "t.ops").read_text().splitlines()
    assert lines[0].startswith("P 1024 ") and lines[1].startswith("D 0 fff ")
    got, wanted = result("run", tmp_path / "t.ops"), result("run", trace)
    assert got["config"]["start"] == wanted["config"]["start"]
    assert got["swiotlb"]["used"] == 0
    equal = [
        (a["tlb_addr"], b["tlb_addr"])
        for a, b in zip(
            rows(output("run", tmp_path / "t.ops", "--mappings", "-")),
            rows(output("run", trace, "--mappings", "-")),
        )
    ]
    assert sum(a == b for a, b in equal[:300]) == 300
    refused("convert", TESTS / "formats/requests/msr.csv", tmp_path / "m.ops", words=["requests"])
    assert not (tmp_path / "m.ops").exists()


def test_what_failed_is_given_back_in_operations(tmp_path):
    """A list of two that failed when recorded: both are unmapped again."""
    trace = tmp_path / "t.ftrace"
    trace.write_text(
        ftrace(2)
        + bounced(9, 0x5000, 4096) + bounced(9.1, 0x6000, 4096)
        + bounced(9.2, 0x9000, 4096) + mapped(9.2, 0x9000, POOL, 4096) + unmapped(9.3, POOL, 4096)
    )  # fmt: skip
    ops = convert(trace, tmp_path / "t.ops", "--order", "recorded", text=False).read_text()
    words = [line.split()[:2] for line in ops.splitlines() if line[0] in "MU"]
    assert words[4:8] == [["M", "2"], ["M", "3"], ["U", "2"], ["U", "3"]]
    assert sum(w == "M" for w, _ in words) == sum(w == "U" for w, _ in words)


# ---- CSV ----


@pytest.mark.parametrize("trace", TRACES[::2], ids=lambda path: path.name)
def test_recordings_as_csv(trace, tmp_path):
    csv = convert(trace, tmp_path / "t.csv", text=False)
    again = convert(csv, tmp_path / "again.csv", text=False)  # the windows of the order as well
    assert again.read_bytes() == csv.read_bytes()
    for options in [], ["--swiotlb", "256,2"]:
        got, wanted = everything(csv, *options), everything(trace, *options)
        assert got[1] == wanted[1]
        assert {**got[0], "trace": 0} == {**wanted[0], "trace": 0}


@pytest.mark.parametrize("trace", FIXTURES, ids=lambda path: path.name)
def test_every_format_as_csv(trace, tmp_path):
    csv = tmp_path / "t.csv"
    output("convert", trace, csv, "--quiet")
    got, wanted = everything(csv), everything(trace)
    assert got[1] == wanted[1]
    for key in "swiotlb", "events", "copy", "recorded":
        assert got[0].get(key) == wanted[0].get(key), key
    assert got[0]["trace"].get("requests") == wanted[0]["trace"].get("requests")
    again = convert(csv, tmp_path / "again.csv", text=False)
    assert everything(again)[1] == wanted[1]


@pytest.mark.parametrize("ending", ["bnc", "csv"])
def test_requests_that_a_worker_issued(ending, tmp_path):
    """What found no room and was tried by a worker came earlier; models want to know that."""
    rows = []
    for n in range(200):
        who = "kworker/0:1H" if n % 5 == 4 else "fio"
        for at, event, end in ((n * 20, "issue", who), (n * 20 + 150, "complete", "0")):
            size = "131072 " if event == "issue" else ""
            rows.append((at, f"{who}-77 [000] ..... 1.{at:06d}: block_rq_{event}: 259,0 WS "
                             f"{size}() {n * 256} + 256 none,0,0 [{end}]\n"))
    trace = tmp_path / "t.ftrace"
    trace.write_text("# tracer: nop\n" + "".join(row for _, row in sorted(rows)))
    converted = tmp_path / f"t.{ending}"
    output("convert", trace, converted, "--only", "block", "--quiet")
    options = ("--engine", "systemc", "--swiotlb", "512,1,force", "--scattered", "0")
    if "check-config" not in output("--help"):
        pytest.skip("this build has no SystemC")
    got = result("run", converted, *options)
    wanted = result("run", trace, "--only", "block", *options)
    for key in "platform", "swiotlb", "events", "timing":
        assert got[key] == wanted[key], key
    plain = tmp_path / "plain.ftrace"
    plain.write_text(trace.read_text().replace("kworker/0:1H", "fio"))
    assert result("run", plain, *options)["timing"] != wanted["timing"]


def test_what_turns_up_late_is_no_other_boot(tmp_path):
    """A CPU or a device that comes after seconds is told in the middle of the rows."""
    source = tmp_path / "r.csv"
    events = [
        f"{n * 100_000},write,{n},disk{n // 20_000},{n // 10_000},4096\n"
        f"{n * 100_000 + 250_000},complete,{n},,,\n"
        for n in range(40_000)
    ]
    source.write_text("time_ns,op,id,device,cpu,size\n" + "".join(events))
    csv = convert(source, tmp_path / "t.csv", text=False)
    got, wanted = everything(csv), everything(source)
    assert wanted[0]["trace"]["span_ns"] == 4_000_150_000
    assert got == wanted


def test_rows_that_contradict_themselves(tmp_path):
    """Lists whose entries have ended, ids that come again, outcomes without what they say."""
    path = tmp_path / "t.csv"
    head = "time_ns,op,id,size,orig_addr,tlb_addr,outcome,list,flags\n"
    path.write_text(
        head + "0,map,1,4096,5000,,,1,\n1,map,2,4096,6000,,,1,\n2,unmap,2,,,,,,\n"
        "3,map,2,4096,6000,,,1,\n4,map,3,4096,7000,,full,1,open last\n5,unmap,9,,,,,,\n"
        "6,map,4,4096,6000,,tried,4,open\n7,unmap,4,,,,,,\n8,map,4,4096,6000,,tried,4,open\n"
        "9,map,5,4096,6000,,full,4,open last\n"
    )
    for slots in "128", "512":
        result("run", path, "--swiotlb", slots)
    for row in (
        "0,map,1,4096,5000,,address,,",
        "0,map,1,4096,5000,,sideways,,",
        "0,map,1,4096,5000,,,,open",
        "0,map,1,4096,5000,,,,odd",
        "0,unmap,1,,,,ok,,",
        "0,unmap,,,,,,,unmatched",
        "0,map,,4096,5000,,,,",
    ):
        path.write_text(head + row + "\n")
        refused("run", path, words=["t.csv:2: "])


# ---- cuts ----

# Device and CPU of each of six mappings, mapped at 1, 2, ... s and unmapped 10 s later.
SIX = [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]


@pytest.fixture
def six(tmp_path):
    text = ftrace(0)
    for i, (dev, cpu) in enumerate(SIX):
        orig, tlb = 0x1B37000 + i * 0x1000, POOL + i * 4096
        text += bounced(1 + i, orig, 4096, dev=dev, cpu=cpu)
        text += mapped(1 + i, orig, tlb, 4096, dev=dev, cpu=cpu)
    for i, (dev, _) in enumerate(SIX):
        text += unmapped(11 + i, POOL + i * 4096, 4096, dev=dev, cpu=3)
    path = tmp_path / "six.ftrace"
    path.write_text(text)
    return path


def cut(six, *options):
    native = six.parent / "cut.bnc"
    summary = output("convert", six, native, *options)
    return result("run", native), rows(output("run", native, "--mappings", "-")), summary


def test_cut_by_device(six):
    got, table, summary = cut(six, "--device", "a")
    assert [row["orig_addr"] for row in table] == ["1b37000", "1b39000", "1b3b000"]
    assert got["events"]["maps"] == got["events"]["unmaps"] == 3
    assert got["trace"]["unmatched_unmaps"] == 0
    assert "3 of other devices, 3 unmaps" in summary and "6 of 12 events" in summary
    assert cut(six, "--device", "a,b")[0]["events"]["maps"] == 6
    refused("convert", six, six.parent / "x.bnc", "--device", "a,c", words=["c: not in the trace"])
    assert not (six.parent / "x.bnc").exists()


def test_cut_by_cpu(six):
    got, table, _ = cut(six, "--cpu", "0,2")
    assert [row["cpu"] for row in table] == ["0", "0", "2", "2"]
    assert got["events"]["unmaps"] == 4  # wherever they were unmapped


def test_a_cut_that_leaves_nothing_is_refused(six, tmp_path):
    path = tmp_path / "nothing.bnc"
    for cut in ["--from", "100s"], ["--cpu", "77"]:
        refused("convert", six, path, *cut, words=["nothing of the trace is left"])
        assert not path.exists()


def test_cut_by_time(six):
    got, table, summary = cut(six, "--from", "2s", "--to", "12500ms")
    # Mapped at 2 to 5 s after the first; two more were mapped before, their unmaps are in it.
    assert [row["time_ns"] for row in table] == ["0", "1000000000", "2000000000", "3000000000"]
    assert got["trace"]["unmatched_unmaps"] == 2
    assert got["events"]["held_maps"] == 0  # one address each: not in the pool that is seen
    assert got["events"]["maps"] == 4 and got["events"]["unmaps"] >= 1
    assert got["trace"]["span_ns"] == 10_500_000_000
    assert "2 unmaps are of what was mapped before --from" in summary
    late = cut(six, "--from", "2000000000", "--to", "12.5s")
    assert late[1] == table


def test_a_cut_is_a_recording_that_began_there(tmp_path):
    """The same as the text without the lines before; and no map is lost between two parts. (Not so
    with scatter lists: text does not tell where the entries of one lie that it has not seen.)"""
    trace = TESTS / "data/e1000-1024.ftrace.xz"
    lines = unxz(trace).decode().splitlines(keepends=True)
    stamp = re.compile(r" (\d+)\.(\d{6}): ")
    times = [int("".join(m.groups())) if (m := stamp.search(line)) else None for line in lines]
    first = next(t for t in times if t is not None)
    # Between two events of which the later is a millisecond away: nothing overlaps the cut.
    at = next(
        b for a, b in zip(times[5000:], times[5001:]) if a and b and b - a > 1000
    )
    rest = tmp_path / "rest.ftrace"
    rest.write_text("".join(x for x, t in zip(lines, times) if t is None or t >= at))
    native = convert(trace, tmp_path / "t.bnc", "--from", f"{at - first}us", text=False)
    got, wanted = result("run", native), result("run", rest)
    for key in "events", "swiotlb", "recorded", "copy", "search":
        assert got.get(key) == wanted.get(key), key
    assert got["trace"]["unmatched_unmaps"] == wanted["trace"]["unmatched_unmaps"]
    before = convert(trace, tmp_path / "a.bnc", "--to", f"{at - first}us", text=False)
    maps = [len(rows(output("run", t, "--mappings", "-"))) for t in (before, native, trace)]
    assert maps[0] + maps[1] == maps[2]


def test_requests_are_cut_too(tmp_path):
    source = tmp_path / "r.csv"
    source.write_text(
        "time_ns,op,id,size,device\n0,read,1,4096,x\n10,write,2,4096,y\n20,complete,1,,x\n"
        "30,read,3,512,x\n40,complete,2,,y\n50,complete,3,,x\n"
    )
    native = convert(source, tmp_path / "t.bnc", "--device", "x", text=False)
    assert result("run", native)["trace"]["requests"]["count"] == 2
    text = convert(source, tmp_path / "t.bnc", "--from", "10ns", "--to", "40")
    got = result("run", native)["trace"]
    assert got["requests"]["count"] == 2 and got["requests"]["outstanding"] == 2
    assert "1 begun outside" in text and "3 unmaps, completions" in text


def test_a_list_is_cut_as_a_whole(tmp_path):
    """Entries that follow a first one outside the cut stay outside."""
    trace = tmp_path / "t.ftrace"
    text = ftrace(2, start=1.0) + bounced(5, 0x5000, 4096) + bounced(6, 0x6000, 4096)
    trace.write_text(text + bounced(7, 0x9000, 4096) + mapped(7, 0x9000, POOL, 4096))
    native = convert(trace, tmp_path / "t.bnc", "--from", "4500ms", text=False)
    assert [r["orig_addr"] for r in rows(output("run", native, "--mappings", "-"))] == ["9000"]
    native = convert(trace, tmp_path / "t.bnc", "--to", "4500ms", text=False)
    table = rows(output("run", native, "--mappings", "-"))
    assert [r["orig_addr"] for r in table[2:]] == ["5000", "6000"]


# ---- order ----


def test_order_found(tmp_path):
    trace = WORKLOADS / "nvme1024.ftrace.xz"
    native = convert(trace, tmp_path / "t.bnc", "--order", "found", text=False)
    got, wanted = result("run", native), result("run", trace)
    assert got["recorded"] == wanted["recorded"]
    assert got["swiotlb"] == wanted["swiotlb"]


# ---- what is refused ----


def test_wrong_arguments(six, tmp_path):
    for args, words in (
        ([], ["IN... OUT"]),
        ([six], ["IN... OUT"]),
        (["-o", tmp_path / "x.bnc"], ["no trace"]),
        ([six, tmp_path / "x.txt"], ["x.txt", ".bnc", "--to-format"]),
        ([six, tmp_path / "x"], ["--to-format"]),
        ([six, "-"], ["--to-format"]),
        ([six, tmp_path / "x.bnc", "--to-format", "pcap"], ["pcap"]),
        ([six, tmp_path / "x.bnc", "--from", "1h"], ["--from 1h"]),
        ([six, tmp_path / "x.bnc", "--from", "-1"], ["--from"]),
        ([six, tmp_path / "x.bnc", "--from", ""], ["--from"]),
        ([six, tmp_path / "x.bnc", "--from", "2s", "--to", "1s"], ["--to 1s", "after --from"]),
        ([six, tmp_path / "x.bnc", "--cpu", "0x1"], ["--cpu"]),
        ([six, tmp_path / "x.bnc", "--cpu", "8192"], ["--cpu"]),
        ([six, tmp_path / "x.bnc", "--cpu", ","], ["--cpu"]),
        ([six, tmp_path / "x.bnc", "--order", "best"], ["--order"]),
        ([six, "-", tmp_path / "x.bnc"], ["standard input"]),
        ([tmp_path / "none", tmp_path / "x.bnc"], ["none"]),
    ):
        refused("convert", *args, words=words)
    assert [p.name for p in tmp_path.iterdir()] == ["six.ftrace"]


def test_damaged_files_name_the_place(six, tmp_path):
    native = convert(six, tmp_path / "t.bnc", text=False)
    good = native.read_bytes()
    native.write_bytes(good[:-20])
    refused("run", native, words=["t.bnc: byte ", "ends in the"])
    native.write_bytes(good[:200] + bytes([good[200] ^ 4]) + good[201:])
    refused("run", native, words=["t.bnc: byte ", "checksum"])
    native.write_bytes(good + good)
    refused("run", native, words=[f"byte {len(good)}: more bytes"])
    refused("sweep", native, words=["more bytes"])
    native.write_bytes(good[:8])
    refused("run", native, words=["byte 0: ", "ends in the header"])


def test_outputs_that_cannot_be_written(six, tmp_path):
    for name in "t.bnc", "t.bnc.zst", "t.ops", "t.ops.gz", "t.bnc.xz":
        missing = tmp_path / "missing" / name
        refused("convert", six, missing, status=1, words=[str(missing)])
    refused("convert", six, "/dev/full", "--to-format", "native", status=1, words=["space"])
    refused("convert", six, "/dev/full", "--to-format", "ops", status=1, words=["space"])
    folder = tmp_path / "d.bnc"
    folder.mkdir()
    refused("convert", six, folder, status=1, words=["directory"])
    bad = tmp_path / "bad.ops"
    bad.write_text(OPS + "M 99 0 0\n")
    old = tmp_path / "old.bnc"
    old.write_text("old")
    refused("convert", bad, old, words=["bad.ops:19: "])
    assert old.read_text() == "old"
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["bad.ops", "d.bnc", "old.bnc", "six.ftrace"]


def test_json_of_a_native_file_says_so(six, tmp_path):
    native = convert(six, tmp_path / "t.bnc", text=False)
    assert json.loads(output("run", native, "--json", "-"))["trace"]["format"] == "native"
