# SPDX-License-Identifier: Apache-2.0
"""`bouncesim info`: what it counts, on traces small enough to count by hand and on recordings."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import TESTS, WORKLOADS, needs_binary, output, refused, result  # noqa: E402
from samples import HEADER, OPS, POOL, bounced, ftrace, mapped, unmapped  # noqa: E402

pytestmark = needs_binary


def info(text, *args):
    return result("info", "-", *args, stdin=text.encode())


def test_by_hand():
    """Three buffers, two of them at a time; one is never unmapped."""
    text = HEADER
    text += bounced(1.0, 0x1000000, 4096) + mapped(1.0, 0x1000000, POOL, 4096)
    text += bounced(1.001, 0x1010800, 3000, cpu=1)
    text += mapped(1.001, 0x1010800, POOL + 4096 + 0x800, 3000, cpu=1, dir="TO_DEVICE")
    text += unmapped(1.003, POOL, 4096)
    text += bounced(1.004, 0x1020000, 512) + mapped(1.004, 0x1020000, POOL, 512)
    text += unmapped(1.005, POOL, 512)
    got = info(text)
    assert got["schema"] == "bouncesim-info/1"
    assert (got["trace"]["format"], got["trace"]["records"]) == ("ftrace", 8)
    assert got["trace"]["span_ns"] == 5_000_000
    totals = got["totals"]
    assert (totals["maps"], totals["bounced"], totals["ended"]) == (3, 3, 2)
    assert (totals["bytes"], totals["never_ended"]) == (4096 + 3000 + 512, 1)
    assert got["sizes"] == {"min": 512, "median": 3000, "p99": 4096, "max": 4096}
    lives = got["lifetimes"]
    assert lives["count"] == 2 and lives["max_ns"] == 3_000_000
    assert abs(lives["p50_ns"] - 1_000_000) < 10_000
    level = got["concurrency"]
    assert (level["peak"], level["bytes_peak"]) == (2, 4096 + 3000)
    # 4096 for 3 ms, 3000 for 4 ms, 512 for 1 ms, of 5 ms
    assert level["mean"] == pytest.approx((3 + 4 + 1) / 5)
    assert level["bytes_mean"] == pytest.approx((3 * 4096 + 4 * 3000 + 512) / 5)
    # 2 slots and 2 slots; the smallest pool is a slot set
    assert (got["demand"]["slots_peak"], got["demand"]["pool_slots"]) == (4, 128)
    assert got["demand"]["slots_peak_ns"] == 1_000_000
    assert [c["maps"] for c in got["machine"]["maps_by_cpu"]] == [2, 1]
    assert got["rates"]["maps_per_s"] == pytest.approx(600)
    assert [b["maps_peak"] for b in got["rates"]["bursts"]] == [1, 3, 3]
    assert got["oddities"]["unaligned"] == 1
    by_dir = {d["direction"]: d for d in got["devices"][0]["directions"]}
    assert set(by_dir) == {"to_device", "from_device"}
    assert by_dir["to_device"]["bytes"] == 3000


def test_padding_counts_as_demand():
    """An offset under min_align_mask takes slots of its own."""
    ops = (
        "P 512 1 1 7bc00000\nD 0 fff ffffffff ffffffffffffffff\n"
        "M 1 0 0 100000c00 2048 0 1\nM 2 0 0 100002000 2048 0 1\nU 1\nU 2\n"
    )
    got = info(ops)
    # 0xc00 lies 0x400 into a slot: 0x400 + 2048 bytes take two
    assert got["demand"]["slots_peak"] == result("run", "-", stdin=ops.encode())["swiotlb"][
        "used_hiwater"
    ]
    assert got["oddities"]["padded_slots"] == 1


@pytest.mark.parametrize(
    "trace, hiwater, used_at_end",
    [
        (TESTS / "data/vblk4096.ftrace.xz", 1592, 0),
        (WORKLOADS / "vnet2048.ftrace.xz", 263, 234),
        (TESTS / "data/e1000-1024.ftrace.xz", 258, 256),
        (TESTS / "data/nvmedyn512.ftrace.xz", 2360, 0),
    ],
)
def test_peak_demand_is_what_the_kernel_counted(trace, hiwater, used_at_end):
    """io_tlb_used_hiwater and io_tlb_used of the recorded machine; maps are taken at their record,
    which costs 2 % at most."""
    got = result("info", trace)
    assert abs(got["demand"]["slots_peak"] - hiwater) <= hiwater * 0.02
    assert got["demand"]["slots_at_end"] == used_at_end
    run = result("run", trace)["events"]
    assert got["totals"]["bounced"] == run["maps"] + run["list_entries_not_tried"]


def test_shares_of_bounced():
    got = result("info", TESTS / "data/e1000-1024.ftrace.xz")
    run = result("run", TESTS / "data/e1000-1024.ftrace.xz")["events"]
    assert got["totals"]["maps"] - got["totals"]["bounced"] == run["direct_maps"]
    assert got["totals"]["bounced"] == 17452


def test_failures_and_lists():
    got = result("info", TESTS / "data/nvme512.ftrace.xz")
    assert got["totals"]["failed"] == 4837
    assert got["totals"]["maps"] == 13724
    assert got["losses"]["failed_lists"] == 132
    assert got["totals"]["operations"] < got["totals"]["maps"]
    assert got["devices"][0]["min_align_mask"] == "fff"
    unknown = [d for d in got["devices"][0]["directions"] if d["direction"] == "unknown"]
    assert unknown[0]["tried"] > 0 and unknown[0]["operations"] == 0


def test_requests():
    rows = "time_ns,op,id,size,offset\n"
    rows += "0,read,1,4096,0\n1000,write,2,300000,8192\n2000,complete,1,,\n5000,complete,2,,\n"
    got = info(rows)
    assert got["trace"]["level"] == "requests"
    assert (got["totals"]["reads"], got["totals"]["writes"]) == (1, 1)
    assert got["totals"]["service_time_assumed"] is False
    assert got["oddities"]["oversize"] == 1
    assert (got["concurrency"]["peak"], got["concurrency"]["bytes_peak"]) == (2, 304096)
    assert got["demand"]["slots_peak"] == 2 + 147
    assert got["lifetimes"]["max_ns"] == 4000


def test_requests_without_completions_take_the_assumed_time():
    rows = "time_us,op,size\n0,read,4096\n50,read,4096\n150,read,4096\n"
    got = info(rows)
    assert got["totals"]["service_time_assumed"] and got["lifetimes"] is None
    assert got["concurrency"]["peak"] == 2
    assert got["totals"]["never_ended"] == 0
    assert info(rows, "--service-time", "10")["concurrency"]["peak"] == 1
    text = output("info", "-", stdin=rows.encode())
    assert "100 us each assumed" in text


def test_text_and_files(tmp_path):
    trace = tmp_path / "t.txt"
    trace.write_text(ftrace(64, live=True))
    text = output("info", trace)
    assert "64 buffers never unmapped" in text and "0000:00:02.0" in text
    assert "128 slots (256 KiB) at the peak" in text
    assert output("info", trace, "--quiet") == ""
    target, spec = tmp_path / "i.json", tmp_path / "h.toml"
    shown = output("info", trace, "--json", target, "--histograms", spec)
    assert shown == text
    again = output("info", trace, "--json", "-")
    assert target.read_text() == again
    assert json.loads(again)["totals"]["never_ended"] == 64
    assert 'direction = "from_device"' in spec.read_text()
    assert output("info", trace, "--histograms", "-") == spec.read_text()


def test_restart_ends_everything():
    text = ftrace(8, live=True) + ftrace(8, start=1.0)[len(HEADER) :]
    got = info(text)
    assert got["oddities"]["restarts"] == 1
    assert got["concurrency"]["peak"] == 8


def test_ops_have_no_times():
    text = output("info", "-", stdin=OPS.encode())
    assert "no times in the trace" in text


def test_refusals(tmp_path):
    refused("info", words=["no trace given"])
    refused("info", "--kernel", "linux-6.12", "x")
    refused("info", tmp_path / "none", words=["none"])
    empty = tmp_path / "empty"
    empty.write_text("")
    refused("info", empty, words=["empty"])
    good = tmp_path / "good"
    good.write_text(OPS)
    refused("info", good, "--json", "-", "--histograms", "-", words=["only one output"])
