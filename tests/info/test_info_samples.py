# SPDX-License-Identifier: Apache-2.0
"""`bouncesim info` on real files of many tools, against the numbers of their collection."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formats"))
from command import needs_binary, output, result  # noqa: E402
from test_samples import EXPECTED, SAMPLES, as_given  # noqa: E402

pytestmark = [
    needs_binary,
    pytest.mark.skipif(
        not (SAMPLES / "INDEX.md").exists(),
        reason=f"no samples in {SAMPLES}; BOUNCESIM_SAMPLES may name their folder",
    ),
]


@pytest.mark.parametrize("name", EXPECTED)
def test_public(name):
    form, records, seconds, sizes = EXPECTED[name]
    got = result("info", SAMPLES / "public" / name)
    trace, totals = got["trace"], got["totals"]
    assert (trace["format"], trace["records"]) == (form, records)
    assert seconds is None or as_given(trace["span_ns"], seconds)
    assert (got["sizes"]["min"], got["sizes"]["median"], got["sizes"]["max"]) == sizes
    assert totals["maps"] == totals["operations"] == sum(d["maps"] for d in got["devices"])
    assert totals["bytes"] == sum(d["bytes"] for d in got["devices"])
    assert got["demand"]["slots_peak"] * 2048 >= got["concurrency"]["bytes_peak"]
    assert got["demand"]["pool_slots"] >= got["demand"]["slots_peak"]
    assert got["losses"].pop("cut_records") == ("mime-upload" in name)  # it ends in a packet
    assert not any(got["losses"].values())


def test_peak_in_flight():
    got = result("info", SAMPLES / "public/opencas-slit-ycsb-a-optane.pairs.csv.xz")
    assert got["concurrency"]["bytes_peak"] == 143_810_560
    assert got["demand"]["slots_peak"] == 143_810_560 // 2048


def test_blktrace_latencies():
    """The collection gives 52.5, 54.3 and 102.5 us as the least, middle and longest D to C."""
    got = result("info", SAMPLES / "public/takeoverjp-nvme-cpu1.blktrace.bin")["lifetimes"]
    assert abs(got["p50_ns"] - 54_300) < 500 and abs(got["max_ns"] - 102_500) < 500


@pytest.mark.parametrize(
    "name, counters",
    [("usb-run.ftrace.xz", "usb.stat"), ("nvme-blktrace-run.ftrace.xz", "blk.stat")],
)
def test_live_recordings(name, counters):
    """Of a machine that was running: what was mapped before is held from the start."""
    stat = {}
    for line in (SAMPLES / "recorded" / counters).read_text().splitlines():
        words = line.split()
        if words[2].startswith("io_tlb"):
            stat[words[1], words[2]] = int(words[3])
    got = result("info", SAMPLES / "recorded" / name)
    hiwater = stat["end", "io_tlb_used_hiwater"]
    assert abs(got["demand"]["slots_peak"] - hiwater) <= hiwater * 0.02
    assert abs(got["demand"]["slots_at_end"] - stat["end", "io_tlb_used"]) <= 2
    assert got["losses"]["unmatched_unmaps"] == 255
    text = output("info", SAMPLES / "recorded" / name)
    assert "255 buffers mapped before the trace began" in text


def test_merged_blktrace():
    files = [SAMPLES / f"recorded/nvme.blktrace.{cpu}" for cpu in (0, 3)]
    got = result("info", *files)
    assert got["totals"]["maps"] == 587
    assert got["demand"]["slots_peak"] + 246 == 696
