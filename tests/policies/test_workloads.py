# SPDX-License-Identifier: Apache-2.0
"""Every row of the kernel table on the recorded workloads, through the command."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import BINARY, WORKLOADS, kernels, needs_binary, output, result, rows  # noqa: E402

pytestmark = needs_binary
TRACES = sorted(WORKLOADS.glob("*.xz"))
SLOT = 2048
ROWS = [name for name in kernels() if ":" not in name] if BINARY else []  # without tree:PATH


def sweep(trace, *args):
    return result("sweep", trace, "--kernels", ",".join(ROWS), *args)


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.name.split(".")[0])
def test_every_row_runs_every_trace(trace):
    points = {point["kernel"]: point for point in sweep(trace, "--sizes", "1024")["points"]}
    assert set(points) == set(ROWS)
    maps = points["linux-6.12"]["events"]["maps"]
    for name, point in points.items():
        events, pool = point["events"], point["swiotlb"]
        assert events["maps"] + events["list_entries_not_tried"] >= maps * 0.9, name
        assert events["full"] == sum(events["full_by_cause"].values()), name
        assert 0 < pool["used_hiwater"] <= pool["nslabs"] + pool["transient_nslabs_hiwater"], name
        assert 0 <= point["fragmentation"]["external_hiwater"] <= 1, name


@pytest.mark.parametrize("kernel", ROWS)
def test_addresses_keep_the_device_s_alignment(kernel):
    trace = WORKLOADS / "nvme1024.ftrace.xz"
    got = rows(output("run", trace, "--kernel", kernel, "--mappings", "-"))
    ok = [row for row in got if row["outcome"] == "ok"]
    assert len(ok) > 1000
    for row in ok:
        address, size = int(row["tlb_addr"], 16), int(row["size"])
        assert address & 0xFFF == int(row["orig_addr"], 16) & 0xFFF  # NVMe's min_align_mask
        assert int(row["slots"]) * SLOT >= (address & (SLOT - 1)) + size


def test_same_answers_whatever_the_number_of_workers():
    trace = WORKLOADS / "vblk1024.ftrace.xz"
    args = ["sweep", trace, "--sizes", "512..2048", "--kernels", ",".join(ROWS), "--csv", "-"]
    assert output(*args, "-j", "1") == output(*args, "-j", "4")
