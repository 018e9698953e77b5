# SPDX-License-Identifier: Apache-2.0
"""The block requests of recordings that hold both: counted in another way, and beside the kernel's
own counters."""

import lzma
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, refused, result  # noqa: E402

pytestmark = needs_binary
TESTS = Path(__file__).resolve().parents[1]
ISSUE = re.compile(r": block_rq_issue: \S+ F?([RWN])\S* (\d+) \(")

# name: io_tlb_used_hiwater as the kernel counted it, and how near the requests come
HIWATER = {"vblk4096": (1592, 0.08), "nvmedyn512": (2360, 0.01), "nvme1024": (998, 0.01)}


def trace(name):
    places = TESTS / "data", TESTS.parent / "workloads"
    return next(p for p in (d / f"{name}.ftrace.xz" for d in places) if p.exists())


def lines(path):
    with lzma.open(path, "rt") as text:
        yield from text


@pytest.mark.parametrize("name", ["vblk4096", "vblk1024", "nvme1024", "nvme512", "nvmedyn512"])
def test_requests(name):
    path = trace(name)
    issued = [m for m in map(ISSUE.search, lines(path)) if m and int(m[2])]
    got = result("run", path, "--only", "block", "--swiotlb", "65536,4")
    requests = got["trace"]["requests"]
    assert (got["trace"]["format"], got["trace"]["level"]) == ("ftrace", "requests")
    assert requests["count"] == len(issued)
    assert requests["bytes"] == sum(int(m[2]) for m in issued)
    assert requests["writes"] == sum(m[1] == "W" for m in issued)
    assert requests["outstanding"] == got["trace"]["unmatched_unmaps"] == 0
    assert got["trace"]["late_records"] == got["trace"]["time_steps_back"] == 0
    again = got["trace"]["implied_unmaps"]  # what found the pool full was issued again
    assert (again > 0) == (name == "vblk1024")
    if name in HIWATER:
        counted, share = HIWATER[name]
        assert abs(got["swiotlb"]["used_hiwater"] - counted) <= share * counted


def test_chosen_by_itself_when_nothing_maps(tmp_path):
    path = trace("nvme512")
    told = result("run", path, "--only", "block")
    block = tmp_path / "block.txt"
    block.write_text("".join(x for x in lines(path) if ": block_" in x or x[0] == "#"))
    before_612 = tmp_path / "bounced.txt"
    before_612.write_text("".join(x for x in lines(path) if ": dma_" not in x))
    for alone in block, before_612:
        got = result("run", alone)
        assert got["events"] == told["events"] and got["copy"] == told["copy"]
        assert got["trace"]["requests"] == told["trace"]["requests"]
        assert "its block requests are taken" in output("run", alone)
    assert "as told" in output("run", path, "--only", "block")
    assert result("run", path)["trace"]["level"] == "mappings"


def test_refusals(tmp_path):
    path = trace("e1000-1024")
    refused("run", path, "--only", "block", words=["block_rq_issue"])
    usbmon = TESTS / "formats/requests/stick.usbmon"
    refused("run", usbmon, "--only", "mappings", words=["requests"])
    csv = TESTS / "formats/requests/mappings.csv"
    refused("run", csv, "--only", "block", words=["mappings"])
    refused("run", path, "--only", "blocks", words=["mappings", "block"])
