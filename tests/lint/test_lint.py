# SPDX-License-Identifier: Apache-2.0
"""`bouncesim lint`: every kind of finding from a trace that has just that, and none elsewhere."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import TESTS, WORKLOADS, bouncesim, needs_binary, output, refused  # noqa: E402
from samples import HEADER, OPS, POOL, bounced, ftrace, line, mapped, unmapped  # noqa: E402

pytestmark = needs_binary


def lint(text, status=0, *args):
    return json.loads(output("lint", "-", "--json", "-", *args, status=status, stdin=text.encode()))


def kinds(got):
    return {f["finding"]: f["count"] for f in got["findings"]}


def page(time, number, orig=None, **more):
    orig = 0x1000000 + number * 0x10000 if orig is None else orig
    tlb = POOL + number * 4096
    return bounced(time, orig, 4096) + mapped(time, orig, tlb, 4096, **more)


def line_of(text, what):
    """Number of the last line that has it."""
    return max(n for n, t in enumerate(text.splitlines(), 1) if what in t)


def test_clean():
    got = lint(ftrace(64))
    assert got["schema"] == "bouncesim-lint/1"
    assert (got["errors"], got["warnings"], got["notes"], got["findings"]) == (0, 0, 0, [])
    lint(OPS.replace("M 12", "M 12"), 0)


@pytest.mark.parametrize("trace", ["vblk4096", "nvme512", "nvmedyn512", "e1000-1024"])
def test_recordings_have_no_errors(trace):
    got = json.loads(output("lint", TESTS / f"data/{trace}.ftrace.xz", "--json", "-"))
    assert (got["errors"], got["warnings"]) == (0, 0)


def test_a_ring_is_no_leak():
    """vnet2048 ends with its receive ring mapped: 234 buffers in 234 slots."""
    got = json.loads(output("lint", WORKLOADS / "vnet2048.ftrace.xz", "--json", "-"))
    assert kinds(got) == {"never_ended": 234}
    assert [(d["count"], d["slots"], d["grows"]) for d in got["never_ended"]] == [(234, 234, False)]


def test_leak_grows():
    """Every eighth buffer is never unmapped; a ring of 16 beside it is."""
    text = HEADER + "".join(page(1.0, i, dev="ring") for i in range(16)).replace(
        "dev_name: 0000:00:02.0", "dev_name: ring"
    )
    for i in range(400):
        at = 1.0 + (i + 1) / 100
        slot = 100 + i
        text += page(at, slot)
        if i % 8:
            text += unmapped(at + 0.001, POOL + slot * 4096, 4096)
    got = lint(text, 3)
    assert kinds(got) == {"leak_grows": 50, "never_ended": 16}
    by_device = {d["device"]: d for d in got["never_ended"]}
    leak = by_device["0000:00:02.0"]
    assert leak["grows"] and (leak["count"], leak["slots"]) == (50, 100)
    assert leak["oldest"][0]["age_ns"] == leak["oldest_ns"] > 3_900_000_000
    first = leak["oldest"][0]
    assert f":{first['line']}" in first["where"]
    assert "swiotlb_bounced" in text.splitlines()[first["line"] - 1]
    assert not by_device["ring"]["grows"]


def test_unmapped_twice_and_mapped_before():
    text = HEADER + page(1.0, 0) + unmapped(1.1, POOL, 4096) + unmapped(1.2, POOL, 4096)
    text += page(1.3, 1) + unmapped(1.4, POOL + 4096, 4096) + unmapped(1.5, POOL + 0x80000, 4096)
    got = lint(text, 3)
    assert kinds(got) == {"unmapped_twice": 1, "mapped_before": 1}
    twice = got["findings"][0]
    assert twice["severity"] == "error"
    assert twice["examples"][0]["line"] == line_of(text, "1.200000")
    assert twice["examples"][0]["addr"] == f"{POOL:x}"
    before = got["findings"][1]
    assert before["severity"] == "note"
    assert before["examples"][0]["line"] == line_of(text, "1.500000")


def test_held_buffers_are_notes():
    """A live machine's recording: unmaps of what was mapped before."""
    text = HEADER + page(1.0, 0) + page(1.0, 9)
    text += unmapped(1.1, POOL + 4096, 4096) + unmapped(1.1, POOL + 8192, 4096)
    text += unmapped(1.2, POOL, 4096) + unmapped(1.2, POOL + 9 * 4096, 4096)
    assert kinds(lint(text)) == {"mapped_before": 2}


def test_mapped_twice():
    """The address is given out again and nothing ever unmaps the first: one unmap is lost."""
    text = HEADER + page(1.0, 0) + page(1.1, 0, orig=0x5000000)
    for i in range(600):
        text += page(1.2, 4) + unmapped(1.2, POOL + 4 * 4096, 4096)
    text += unmapped(1.3, POOL, 4096)
    got = lint(text, 3)
    assert kinds(got) == {"mapped_twice": 1}


def test_overlap():
    """The second mapping begins inside the first, which lives on for long."""
    text = HEADER + bounced(1.0, 0x1000000, 8192) + mapped(1.0, 0x1000000, POOL, 8192)
    text += page(1.1, 1)
    for i in range(600):
        text += page(1.2, 4) + unmapped(1.2, POOL + 4 * 4096, 4096)
    text += unmapped(1.3, POOL + 4096, 4096) + unmapped(1.3, POOL, 8192)
    got = lint(text, 3)
    assert kinds(got) == {"overlap": 1}
    assert got["findings"][0]["examples"][0]["line"] == line_of(text, "1.100000: swiotlb_bounced")


def test_order_of_two_cpus_is_a_note():
    text = HEADER + page(1.0, 0) + page(1.1, 0, orig=0x5000000) + unmapped(1.1, POOL, 4096)
    text += unmapped(1.2, POOL, 4096)
    got = lint(text)
    assert kinds(got) == {"order": 1}


def test_unmap_that_differs():
    text = HEADER + page(1.0, 0) + unmapped(1.1, POOL, 2048)
    text += page(1.2, 1) + unmapped(1.3, POOL + 4096, 4096, dir="TO_DEVICE")
    text += page(1.4, 2) + unmapped(1.5, POOL + 8192, 4096, dev="0000:00:09.0")
    got = lint(text, 3)
    assert kinds(got) == {"unmap_size": 1, "unmap_direction": 1, "unmap_device": 1}
    texts = [f["examples"][0]["text"] for f in got["findings"]]
    assert "2,048 bytes, mapped with 4,096" in texts[0]
    assert "to_device, mapped from_device" in texts[1]
    assert "mapped by 0000:00:02.0" in texts[2]


def sync(time, addr, size):
    return line(
        time, f"dma_sync_single_for_cpu: 0000:00:02.0 dir=FROM_DEVICE dma_addr={addr:x} size={size}"
    )


def test_syncs():
    text = HEADER + page(1.0, 0) + sync(1.1, POOL + 2048, 2048) + sync(1.1, POOL + 2048, 4096)
    text += unmapped(1.2, POOL, 4096) + sync(1.3, POOL, 64) + sync(1.3, POOL + 0x90000, 64)
    got = lint(text, 3)
    assert kinds(got) == {"sync_beyond_end": 1, "sync_after_unmap": 1, "sync_mapped_before": 1}
    assert got["findings"][1]["examples"][0]["line"] == line_of(text, f"dma_addr={POOL:x} size=64")


def test_lists_unmapped_twice():
    """Their unmaps tell the original addresses, and no other."""

    def listed(time, event, entries):
        origs = ",".join(f"0x{0x1000000 + n * 0x10000:x}" for n in entries)
        tlbs = ",".join(f"0x{POOL + n * 4096:x}" for n in entries)
        sizes = ",".join("0x1000" for n in entries)
        text = "0000:00:02.0 dir=FROM_DEVICE "
        if event == "dma_map_sg":
            text += f"nents=2/2 ents=2/2 dma_addrs={{{tlbs}}} sizes={{{sizes}}} "
        return line(time, f"{event}: {text}phys_addrs={{{origs}}} attrs=")

    both = listed(1.1, "dma_map_sg", [0, 1])
    text = HEADER + bounced(1.0, 0x1000000, 4096) + bounced(1.0, 0x1010000, 4096) + both
    text += listed(1.2, "dma_unmap_sg", [0, 1])
    assert kinds(lint(text)) == {}
    got = lint(text + listed(1.3, "dma_unmap_sg", [0, 1]), 3)
    assert kinds(got) == {"unmapped_twice": 2}
    assert kinds(lint(text + listed(1.3, "dma_unmap_sg", [2, 3]))) == {"mapped_before": 2}


def test_losses_and_what_cannot_be_read():
    text = HEADER.replace("100/100", "100/160") + page(1.0, 0) + unmapped(1.1, POOL, 4096)
    text += "CPU:1 [LOST 17 EVENTS]\nwhat is this\n" + page(1.2, 0) + unmapped(1.3, POOL, 4096)
    got = lint(text, 3)
    assert kinds(got) == {"lost_events": 60 + 17, "malformed": 1}
    lost, bad = got["findings"]
    assert [e["line"] for e in lost["examples"]] == [3, line_of(text, "LOST")]
    assert bad["examples"][0]["line"] == line_of(text, "what is this")


def test_time():
    text = ftrace(8, live=True) + ftrace(8, start=1.0)[len(HEADER) :]
    got = lint(text, 3)
    assert kinds(got) == {"restart": 1}
    text = HEADER + page(1.5, 0) + page(1.4, 1) + unmapped(1.6, POOL, 4096)
    assert kinds(lint(text + unmapped(1.6, POOL + 4096, 4096))) == {"time_back": 1}


def test_csv_of_mappings():
    rows = "time_ns,op,id,size,dir,tlb_addr\n"
    rows += "0,map,1,4096,to_device,7b100000\n10,map,2,4096,to_device,7b100800\n"
    rows += "20,unmap,1,4096,,\n30,unmap,2,2048,,\n40,unmap,3,,,\n50,sync_for_cpu,2,64,,\n"
    got = lint(rows, 3)
    assert kinds(got) == {
        "overlap": 1, "unmap_size": 1, "unmap_without_map": 1, "sync_without_map": 1
    }  # fmt: skip
    lines = {f["finding"]: f["examples"][0]["line"] for f in got["findings"]}
    assert lines == {"overlap": 3, "unmap_size": 5, "unmap_without_map": 6, "sync_without_map": 7}


def test_requests():
    rows = "time_ns,op,id,size\n0,read,1,4096\n10,read,1,4096\n20,complete,1,\n30,complete,7,\n"
    got = lint(rows, 3)
    assert kinds(got) == {"mapped_twice": 1, "unmap_without_map": 1}
    assert "issued again" in got["findings"][0]["what"]
    # Without completions nothing can be said of what is in flight.
    assert kinds(lint("time_ns,op,size\n0,read,4096\n10,read,4096\n")) == {}


def test_ops():
    text = OPS + "U 0\nU 0\nM 1 0 0 100000000 512 0 1\n"
    got = lint(text, 3)
    assert kinds(got)["unmap_without_map"] == 1
    assert kinds(got)["malformed"] == 1  # an id that is live
    assert [f["examples"][0]["line"] for f in got["findings"][:2]] == [20, 21]


def test_failed_and_lists():
    got = json.loads(output("lint", TESTS / "data/nvme512.ftrace.xz", "--json", "-"))
    assert kinds(got)["failed_map"] == 4837 and kinds(got)["failed_list"] == 132


def test_text_examples_and_files(tmp_path):
    trace = tmp_path / "t.txt"
    text = HEADER
    for i in range(8):
        text += page(1.0 + i, i) + unmapped(1.5 + i, POOL + i * 4096, 2048)
    trace.write_text(text)
    shown = output("lint", trace, status=3)
    assert "error    8  unmap of another size" in shown
    assert f"{trace}:{line_of(text, ' 1.500000')}: 0000:00:02.0" in shown
    assert shown.count("mapped with 4,096") == 3
    assert output("lint", trace, "--examples", "8", status=3).count("mapped with 4,096") == 8
    assert output("lint", trace, "--quiet", status=3) == ""
    assert shown.endswith("1 error, 0 warnings, 0 notes\n")
    two = bouncesim("lint", trace, trace)
    assert two.returncode == 3


def test_refusals(tmp_path):
    refused("lint", words=["no trace given"])
    refused("lint", tmp_path / "none", words=["none"])
    good = tmp_path / "good"
    good.write_text(OPS)
    refused("lint", good, "--examples", "2000", words=["--examples"])


def converted(text, tmp_path, suffix):
    source, target = tmp_path / "t.txt", tmp_path / f"t{suffix}"
    source.write_text(text)
    output("convert", source, target, "--quiet")
    return json.loads(output_any("lint", target, "--json", "-"))


def output_any(*args):
    return bouncesim(*args).stdout.decode()


@pytest.mark.parametrize("suffix", [".bnc", ".csv"])
def test_what_a_conversion_keeps(suffix, tmp_path):
    """An unmap twice, one of a buffer mapped before, an overlap, a sync beyond the end."""
    text = HEADER + page(1.0, 1) + unmapped(1.1, POOL + 4096, 4096)
    text += unmapped(1.2, POOL + 4096, 4096) + unmapped(1.3, POOL + 40 * 4096, 4096)
    text += page(2.0, 2) + page(2.1, 2, orig=0x9000000)
    sync = f"dir=FROM_DEVICE dma_addr={POOL + 8192:x} size=8192 attrs="
    text += line(2.2, f"dma_sync_single_for_cpu: 0000:00:02.0 {sync}")
    direct = kinds(json.loads(output_any("lint", write(tmp_path, text), "--json", "-")))
    assert {"unmapped_twice", "mapped_before", "sync_beyond_end"} <= set(direct)
    assert kinds(converted(text, tmp_path, suffix)) == direct
    # And what it does not: the size that an unmap gave.
    text = HEADER + page(1.0, 1) + unmapped(1.1, POOL + 4096, 2048)
    assert kinds(lint(text, 3)) == {"unmap_size": 1}
    assert kinds(converted(text, tmp_path, suffix)) == {}
    if suffix == ".bnc":
        assert "Lint the original" in output_any("lint", tmp_path / "t.bnc")


def write(tmp_path, text):
    path = tmp_path / "direct.txt"
    path.write_text(text)
    return path
