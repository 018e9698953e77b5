# SPDX-License-Identifier: Apache-2.0
"""--check-data on every recorded trace and stream that comes with the project."""

import pytest
from command import TESTS, WORKLOADS, bouncesim, needs_binary, output, refused, result

pytestmark = needs_binary

ENGINE = ("--engine", "systemc", "--check-data", "-q")
TRACES = sorted([*WORKLOADS.glob("*.xz"), *(TESTS / "data").glob("*.xz")])
STREAMS = sorted((TESTS / "golden").glob("*.ops.xz"))


@pytest.fixture(autouse=True)
def systemc():
    done = bouncesim("list", "costs")
    if b"no SystemC" in done.stdout:
        pytest.skip("this build has no SystemC")


def assert_clean(check):
    assert check["mismatches"] == check["lost_bytes"] == check["faults"]["count"] == 0
    assert check["first"] == check["faults"]["first"] == []
    assert check["mappings"] > 100 and check["not_checked"] == 0
    assert check["bytes_checked"] > 100_000
    assert check["device_reads"] > 0 and check["device_writes"] > 0


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.name)
def test_recorded_traces_are_clean(trace):
    seen = result("run", trace, *ENGINE)
    assert_clean(seen["check"])
    if not seen["config"]["kernel"].endswith("dynamic"):
        copies = seen["copy"]["calls"] + seen["events"]["held_maps"]
        assert 0 < seen["check"]["copies"] <= copies


@pytest.mark.parametrize("stream", STREAMS, ids=lambda path: path.name)
def test_streams_are_clean(stream):
    grows = stream.name.startswith(("coco", "iommu", "tiny"))
    kernel = "linux-6.12-dynamic" if grows else "linux-6.12"
    assert_clean(result("run", stream, "--kernel", kernel, *ENGINE)["check"])


def test_linux_6_1_loses_partial_syncs():
    """Its sync gives up when a range begins in the first bytes of a later slot: a real loss."""
    stream = TESTS / "golden" / "sync-1.ops.xz"
    if not stream.exists():
        pytest.skip("no golden streams here")
    check = result("run", stream, "--kernel", "linux-6.1", *ENGINE, status=3)["check"]
    assert check["mismatches"] > 0 and check["lost_bytes"] == 0
    first = check["first"][0]
    assert first["place"] in ("after_sync", "device_read")
    assert first["expected"] != first["found"]


def test_memory_follows_live_mappings(tmp_path):
    ops = tmp_path / "long.ops"
    lines = ["P 32768 1 1 40000000", "D 0 0 ffffffff ffffffffffffffff"]
    for i in range(20000):
        lines += [f"M {i} 0 0 {0x100000000 + 4096 * i:x} 4096 0 2", f"U {i}"]
    ops.write_text("\n".join(lines) + "\n")
    check = result("run", ops, *ENGINE)["check"]
    assert check["mappings"] == 20000 and check["mismatches"] == 0
    assert check["pages_hiwater"] <= 64


def test_the_summary_says_it():
    text = output("run", WORKLOADS / "nvme1024.ftrace.xz", *ENGINE[:-1])
    assert "Data check: " in text and "every byte where it belongs" in text
    assert "check" not in result("run", WORKLOADS / "nvme1024.ftrace.xz", "--engine", "systemc")


def test_it_needs_the_engine_that_moves_bytes():
    refused("run", WORKLOADS / "nvme1024.ftrace.xz", "--check-data", words=["--engine systemc"])
