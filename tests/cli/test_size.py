# SPDX-License-Identifier: Apache-2.0
"""bouncesim size: its answer is checked with `run`, on both sides."""

import pytest
from command import TESTS, WORKLOADS, needs_binary, output, refused, result

pytestmark = needs_binary

TRACES = sorted(WORKLOADS.glob("*.xz"))


def failures(trace, swiotlb, *args):
    events = result("run", trace, "--swiotlb", swiotlb, *args)["events"]
    return events["full"] - events["full_by_cause"]["oversize"] + events["lockups"]


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.name.split(".")[0])
@pytest.mark.parametrize("kernel", ["linux-6.12", "linux-6.1", "lifo"])
def test_answer_and_its_neighbours(trace, kernel):
    got = result("size", trace, "--kernel", kernel, "--most", "16M")
    answer = got["answers"][0]
    assert got["schema"] == "bouncesim-size/1"
    assert (got["nslabs"], got["swiotlb"]) == (answer["nslabs"], answer["swiotlb"])
    assert failures(trace, answer["swiotlb"], "--kernel", kernel) == 0
    below, above = answer["below"], answer["above"]
    if below:
        assert below["nslabs"] * 2 == answer["nslabs"]
        option = f"{below['nslabs']},{answer['nareas']},force"
        assert failures(trace, option, "--kernel", kernel) == below["full"] > 0
    else:
        assert answer["nslabs"] == 128 * answer["nareas"]
    assert above["nslabs"] == answer["nslabs"] * 2 and above["full"] == 0
    assert [point["nslabs"] for point in answer["points"]] == [
        128 * answer["nareas"] << i for i in range(len(answer["points"]))
    ]


def test_allowed_failures(ops):
    points = result("size", ops)["answers"][0]["points"]
    counts = {point["nslabs"]: point["full"] for point in points}
    assert counts[512] == 4 and counts[256] == 10  # three buffers of 40 slots a slot set
    for allowed, slots in (0, 1024), (3, 1024), (4, 512), (10, 256), (13, 128):
        got = result("size", ops, "--allow", allowed)
        assert (got["nslabs"], got["allow"]) == (slots, allowed)
        assert got["swiotlb"] == f"{slots},1,force"


def test_areas_and_kernels(ops):
    got = result("size", ops, "--areas", "1,8", "--kernels", "linux-6.12,global")
    assert [(row["kernel"], row["nareas"]) for row in got["answers"]] == [
        ("linux-6.12", 1),
        ("linux-6.12", 8),
        ("global", 1),
        ("global", 1),
    ]
    assert got["answers"][1]["points"][0]["nslabs"] == 1024
    assert output("size", ops, "--areas", "1,8", "-j", "1") == output("size", ops, "--areas", "1,8")


def test_oversize_is_told_apart(ops):
    with ops.open("a") as more:
        more.write("M 16 0 0 200000000 300000 0 2\n")
    got = result("size", ops)
    answer = got["answers"][0]
    assert (answer["nslabs"], answer["no_size_cures"]) == (1024, 1)
    assert answer["least"]["full"] == answer["least"]["oversize"] == 1
    text = output("size", ops)
    assert "No pool size cures 1 map" in text and "swiotlb=1024,1" in text


def test_no_size_is_enough(ops):
    got = result("size", ops, "--most", "512")
    assert got["nslabs"] is None and got["answers"][0]["recommended"] is None
    text = output("size", ops, "--most", "1M")
    assert "No size up to 1 MiB" in text and "--most" in text
    assert result("size", ops, "--low-memory", "1M")["most"] == 512


def test_a_trace_recorded_while_maps_failed_understates_the_demand():
    got = result("size", WORKLOADS / "nvme1024.ftrace.xz")
    assert got["demand_understated"] is True
    assert (got["nslabs"], got["answers"][0]["recommended"]["nslabs"]) == (2048, 4096)
    got = result("size", WORKLOADS / "vnet2048.ftrace.xz")
    assert got["demand_understated"] is False and got["notes"] == []


def test_growing_pools_are_recommended_a_size_that_need_not_grow():
    trace = WORKLOADS / "nvme1024.ftrace.xz"
    answer = result("size", trace, "--kernel", "linux-6.12-dynamic")["answers"][0]
    assert answer["nslabs"] < answer["recommended"]["nslabs"]
    sizes = {point["nslabs"]: point for point in answer["points"]}
    assert sizes[answer["nslabs"]]["grown_to"] > answer["nslabs"]
    advised = sizes[answer["recommended"]["nslabs"]]
    assert advised["transient_maps"] == 0 and advised["grown_to"] == advised["nslabs"]


def test_what_kernels_choose(ops):
    rules = {rule["rule"]: rule for rule in result("size", ops)["rules"]}
    assert rules["default"]["nslabs"] == 32768 and rules["default"]["enough"]
    assert rules["confidential-x86"]["nslabs"] is None  # depends on the memory
    assert rules["confidential-x86"]["enough_from_memory"] == 0
    rules = result("size", ops, "--coco", "tdx", "--memory", "8G")["rules"]
    assert {rule["rule"]: rule["nslabs"] for rule in rules} == {
        "default": 32768,
        "confidential-x86": 262144,
        "arm64": 4096,
    }


def test_slots_of_another_size_are_told_in_slots_of_the_boot_option(ops):
    got = result("size", ops, "--slot-size", "4096")
    assert got == result("size", ops, "--slot-size", "4K")
    bytes_of = got["answers"][0]["least"]["bytes"]
    assert got["swiotlb"] == f"{bytes_of // 2048},1,force"


@pytest.mark.parametrize(
    "args,words",
    [
        (["--allow", "-1"], ["--allow"]),
        (["--allow", "x"], ["allow"]),
        (["--most", "0"], ["--most"]),
        (["--most", "100K"], ["128"]),
        (["--most", "1,2"], ["--most"]),
        (["--low-memory", "100K"], ["128"]),
        (["--areas", "64", "--most", "4096"], ["--most", "8192"]),
        (["--kernels", ""], ["--kernels"]),
        (["--per-device", "4M"], ["--per-device"]),
        (["--swiotlb", "noforce"], ["noforce"]),
        (["-j", "0"], ["jobs"]),
    ],
    ids=str,
)
def test_refused(ops, args, words):
    refused("size", ops, *args, words=words)


GREW = TESTS / "data/nvmedyn512.ftrace.xz"


@pytest.mark.parametrize("options", [[], ["--coco", "tdx", "--memory", "2G"]], ids=["", "tdx"])
def test_sizes_of_a_pool_that_grew_are_tried_as_run_tries_them(options):
    """With the recorded kernel, and at the recorded size with the recorded growth."""
    swept = result("sweep", GREW, "--sizes", "512,1024", *options)
    sized = result("size", GREW, "--most", "1024", *options)
    assert [point["nslabs"] for point in swept["points"]] == [512, 1024]
    for point, row in zip(swept["points"], sized["answers"][0]["points"]):
        run = result("run", GREW, "--swiotlb", f"{point['nslabs']},4,force", *options)
        assert point["kernel"] == run["config"]["kernel"] == "linux-6.12-dynamic"
        for key in "swiotlb", "events", "search", "conversion":
            assert point[key] == run[key], key
        assert row["transient_maps"] == run["events"]["transient_maps"] > 0
        assert row["grown_to"] == run["swiotlb"]["nslabs"]
    assert "grows to" in output("sweep", GREW, "--sizes", "512")


def test_what_limits_sizes_is_said(ops):
    """Pools that --low-memory would halve are no answer; a size of --swiotlb is not taken."""
    text = output("sweep", ops, "--sizes", "512..4096", "--low-memory", "2M")
    assert "up to --low-memory" in text and "swiotlb=1024,1,force" in text
    got = result("sweep", ops, "--sizes", "512..4096", "--low-memory", "2M")
    assert [point["nslabs"] for point in got["points"]] == [512, 1024]
    refused("sweep", ops, "--sizes", "2048", "--low-memory", "2M", words=["--sizes", "2 MiB"])
    assert "--most 16G" not in output("size", ops, "--low-memory", "1M")
    for command in "size", "sweep":
        assert "whatever --swiotlb" in output(command, ops, "--swiotlb", "512,2")
        assert "whatever --swiotlb" not in output(command, ops, "--swiotlb", ",2")


def test_an_answer_that_the_kernel_would_overrule_is_noted(ops):
    """32768 slots look to a confidential guest as if nothing was asked for; 256 areas make them."""
    guest = ["--coco", "tdx", "--memory", "16G"]
    got = result("size", ops, "--areas", "256", *guest)
    assert got["swiotlb"] == "32768,256"
    assert [note for note in got["notes"] if "524,288 slots (1 GiB)" in note]
    made = result("run", ops, "--swiotlb", got["swiotlb"], *guest)
    assert made["swiotlb"]["nslabs"] == 524288
    assert "524,288 slots" in output("sweep", ops, "--sizes", "32768", *guest)
    assert "looks to that machine" not in output("sweep", ops, "--sizes", "16384", *guest)
    assert "looks to that machine" not in output("size", ops, "--areas", "256")
