# SPDX-License-Identifier: Apache-2.0
"""What is read is never written over, and what is not there is not taken silently."""

import json
import os
import subprocess

import pytest
from command import BINARY, TESTS, WORKLOADS, bouncesim, needs_binary, output, refused, result, unxz

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


@pytest.mark.parametrize(
    "option, value", [("seed", 3), ("watchdog", 5), ("time-scale", 2), ("completions", "model")]
)
def test_options_of_requests_where_the_trace_has_mappings(trace, option, value):
    given = ["--engine", "systemc", f"--{option}", value]
    refused("run", trace, *given, words=[f"--{option}", "--only block"])
    result("run", trace, "--only", "block", *given)


def test_a_platform_says_what_of_it_a_trace_of_mappings_leaves_unused(trace):
    given = ["--engine", "systemc", "--platform", WORKLOADS / "platforms/laptop-32bit.toml"]
    assert "only DMA limits count" in output("run", trace, *given)
    assert "only DMA limits count" not in output("run", trace, "--only", "block", *given)


@pytest.mark.parametrize("option, value", [("worker-delay", 10), ("fragmentation", 0.5)])
def test_options_of_pools_that_grow(trace, option, value):
    given = [f"--{option}", value]
    for command in "run", "size", "sweep":
        refused(command, trace, *given, words=[f"--{option}", "linux-6.12-dynamic"])
    refused("sweep", trace, *given, "--kernels", "linux-6.12,lifo", words=[f"--{option}"])
    result("run", trace, *given, "--kernel", "linux-6.12-dynamic")
    output("sweep", trace, *given, "--sizes", "512", "--kernels", "linux-6.12,linux-6.12-dynamic")


def test_a_recording_of_a_pool_that_grew_is_sized_for_its_kernel():
    grew = TESTS / "data/nvmedyn512.ftrace.xz"
    assert result("size", grew)["answers"][0]["kernel"] == "linux-6.12-dynamic"
    result("run", grew, "--worker-delay", 10)
    refused("run", grew, "--kernel", "linux-6.12", "--worker-delay", 10, words=["does not grow"])


def test_an_output_goes_through_a_link(trace, tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to("real.json")  # which does not exist yet
    for _ in range(2):
        output("run", trace, "--json", link)
        assert link.is_symlink() and json.loads(real.read_text())
    link.unlink()
    link.symlink_to(trace)
    refused("run", trace, "--json", link, words=["is an input"])


def test_standard_output_by_name_is_a_file_that_is_open(trace, tmp_path):
    with (tmp_path / "out.json").open("wb") as out:
        subprocess.run([BINARY, "run", trace, "-q", "--json", "/dev/stdout"], stdout=out, check=True)
    assert os.path.islink("/dev/stdout")
    assert json.loads((tmp_path / "out.json").read_text())["events"]["maps"] > 0
