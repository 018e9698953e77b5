# SPDX-License-Identifier: Apache-2.0
"""What is read is never written over, and what is not there is not taken silently."""

import os

import pytest
from command import TESTS, WORKLOADS, bouncesim, needs_binary, output, refused, result, unxz

pytestmark = needs_binary

NVME = WORKLOADS / "nvme1024.ftrace.xz"


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "recorded.ftrace"
    path.write_bytes(unxz(NVME))
    return path


WRITERS = [
    ("run", "--json"),
    ("run", "--mappings"),
    ("info", "--json"),
    ("lint", "--json"),
    ("size", "--json"),
    ("sweep", "--csv"),
]


@pytest.mark.parametrize("command, option", WRITERS, ids=" ".join)
def test_an_input_is_not_written_over(trace, command, option):
    before = trace.read_bytes()
    done = bouncesim(command, trace, option, trace)
    assert done.returncode == 2
    assert b"is an input; give the output a name of its own" in done.stderr
    assert trace.read_bytes() == before
    assert list(trace.parent.iterdir()) == [trace]


def test_nor_under_another_name(trace, tmp_path):
    other = tmp_path / "other.csv"
    os.link(trace, other)
    before = trace.read_bytes()
    refused("convert", trace, other, words=["is an input"])
    assert trace.read_bytes() == before and other.read_bytes() == before


def test_platform_and_spec_files_neither(tmp_path):
    spec = tmp_path / "spec.toml"
    text = 'duration_ms = 10\n[[device]]\nname = "d"\nprofile = "nvme"\nrate = 5000\n'
    spec.write_text(text)
    refused("gen", spec, "-o", spec, "--format", "csv", words=["is an input"])
    assert spec.read_text() == text


def test_a_device_that_is_not_there(trace):
    done = bouncesim("run", trace, "--device", "NOSUCH:dma_mask=ffffffff", "--quiet")
    assert done.returncode == 2
    assert b"no device NOSUCH in the trace; there are " in done.stderr


def test_empty_values(trace):
    refused("run", trace, "--json", "", words=["--json: is empty"])
    refused("run", "", words=["is empty"])


def test_a_directory_is_no_platform(tmp_path):
    if "this build has no SystemC" in output("list", "costs"):
        pytest.skip("this build has no SystemC")
    refused("check-config", tmp_path, words=["is a directory"])


def test_without_bounced_events_nothing_is_claimed(trace):
    whole = TESTS / "data" / "vblk4096.ftrace.xz"
    lines = unxz(whole).splitlines(keepends=True)
    trace.write_bytes(b"".join(line for line in lines if b" swiotlb_bounced: " not in line))
    got = result("run", trace)
    assert got["events"]["maps"] == 0 and got["trace"]["elsewhere_maps"] > 0
    for command in "run", "size", "sweep":
        text = output(command, trace)
        assert "Whether anything bounced is not told: record swiotlb:* too." in text
        assert "Nothing bounced" not in text and "is the smallest" not in text
    assert "no swiotlb_bounced event" in output("info", trace)
    assert result("run", whole)["trace"]["elsewhere_maps"] == 0


def test_a_mask_that_contradicts_the_recording_is_answered(trace):
    """Every size up to 1 GiB is tried for it: each has to be given up early."""
    got = result("run", trace, "--device", "*:seg_boundary=1fff")
    assert got["order"]["unexplained"] > 0
    assert got["events"]["full"] > 0


def test_a_service_time_where_the_trace_tells_it(trace):
    for command in "run", "info", "size":
        refused(command, trace, "--service-time", "100", words=["traces of requests"])
    result("run", trace, "--only", "block", "--service-time", "100")
