# SPDX-License-Identifier: Apache-2.0
"""What is converted gives the same answers: lists of which some entries did not bounce, were mapped
before the recording, failed over hundreds of records, or came apart in interrupts."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, result, rows  # noqa: E402
from test_generated import MAKE, recording  # noqa: E402

pytestmark = needs_binary
generated = pytest.mark.skipif(not MAKE, reason="MAKE_RECORDING does not name the generator")

# What CSV does not carry: of what was left out there are no rows.
UNCOUNTED = {"format", "files", "records", "first_ns", "failed_lists", "elsewhere_maps", "truncated_lists",
             "unmatched_unmaps", "implied_unmaps", "unmatched_syncs", "other_events"}  # fmt: skip


def answers(trace, *options):
    got = result("run", trace, *options)
    counts = got.pop("trace")
    got.pop("host", None)
    return got, {key: value for key, value in counts.items() if key not in UNCOUNTED}


def written(text, folder, *options):
    (folder / "t.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    for suffix in ".bnc", ".csv":
        output("convert", folder / "t.txt", "-o", folder / f"t{suffix}", "-q", *options)
    return folder / "t.txt", folder / "t.bnc", folder / "t.csv"


def record(at, text):
    return f"             fio-100     [000] ...1.     5.{at:06}: {text}\n"


def mixed(at, tlb):
    """A list whose first entry the device reaches, as it is mapped and unmapped."""
    name, first, second = "0000:00:03.0", 0x40000000, 0x140000000
    both = f"phys_addrs={{{first:#x},{second:#x}}} attrs="
    return (
        record(at, f"swiotlb_bounced: dev_name: {name} dma_mask=ffffffff dev_addr={second:x} "
                   "size=4096 NORMAL")
        + record(at + 1, f"dma_map_sg: {name} dir=TO_DEVICE nents=2/2 ents=2/2 "
                         f"dma_addrs={{{first:#x},{tlb:#x}}} sizes={{0x1000,0x1000}} {both}")
        + record(at + 9, f"dma_unmap_sg: {name} dir=TO_DEVICE {both}")
    )  # fmt: skip


def test_a_list_of_which_the_first_entry_did_not_bounce(tmp_path):
    text = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 1/1   #P:1\n#\n"
    text += mixed(1, 0x7C000000) + mixed(100, 0x7C001000)
    trace, native, csv = written(text, tmp_path)
    assert answers(native) == answers(trace) == answers(csv)
    assert answers(trace)[0]["events"]["direct_maps"] == 2
    lists = [row["list"] for row in rows(csv.read_text().split("min_align_mask=0\n")[1])
             if row["op"] == "map"]  # fmt: skip
    assert lists == ["0", "0", "2", "2"]


def test_a_list_that_fails_while_others_begin(tmp_path):
    head = "time_ns,op,id,device,cpu,size,dir,orig_addr,outcome,list,flags\n"
    row = "{},map,{},sda,0,4096,to_device,{:x},{},{},{}\n"
    text = head + row.format(0, 0, 0x100000, "tried", 0, "open")
    for i in range(1, 600):
        text += row.format(i, i, 0x200000 + i * 4096, "ok", i, "")
    text += row.format(600, 600, 0x101000, "full", 0, "last open")
    (tmp_path / "t.csv").write_text(text)
    output("convert", tmp_path / "t.csv", "-o", tmp_path / "again.csv", "-q")
    last = [line for line in (tmp_path / "again.csv").read_text().splitlines() if "full" in line]
    assert [line.split(",")[11] for line in last] == ["0"]


@generated
@pytest.mark.parametrize(
    "seed, settings",
    [
        (4, {"slots": 128, "cpus": 3, "pressure": 2, "live": 500, "flags": 0}),
        (17, {"slots": 256, "cpus": 2, "devices": 3, "grow": 1, "live": 4000, "truncate": 1}),
    ],
)
def test_recordings_that_drown(seed, settings, tmp_path):
    text, _ = recording(seed, records=700, **settings)
    trace, native, csv = written(text, tmp_path)
    for options in [], ["--order", "recorded"]:
        assert answers(native, *options) == answers(trace, *options)
        assert answers(csv, *options) == answers(trace, *options)


@generated
@pytest.mark.parametrize("cut", [["--to", "2231500"], ["--from", "1ms", "--to", "2ms"]])
def test_a_cut_within_lists(cut, tmp_path):
    """Entries that begin behind the end take handles of what has ended there."""
    text, _ = recording(3, records=3000, slots=2048, cpus=6, devices=3, pressure=1)
    whole, native, csv = written(text, tmp_path, *cut)
    assert answers(native) == answers(csv)
    got = answers(native)[0]["events"]
    assert 0 < got["maps"] < answers(whole)[0]["events"]["maps"]
    assert got["unmaps"] <= got["maps"] + got["held_maps"]


@generated
def test_the_order_found_is_a_trace_again(tmp_path):
    """Lists that failed give back entries between other events; what nothing explains ends early."""
    text, truth = recording(9, records=900, slots=128, cpus=8, pressure=3, live=4000)
    _, native, csv = written(text, tmp_path, "--order", "found")
    assert answers(native)[0]["recorded"]["maps_compared"] == truth["maps"]
    assert answers(csv)[0]["recorded"]["maps_compared"] == truth["maps"]
