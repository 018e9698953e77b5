# SPDX-License-Identifier: Apache-2.0
"""bouncesim compare: what differs, what is worse, and what is no result."""

import json

import pytest
from command import WORKLOADS, bouncesim, needs_binary, output, refused

pytestmark = needs_binary


def test_compare(ops, tmp_path):
    small, large = tmp_path / "small.json", tmp_path / "large.json"
    output("run", ops, "--json", small, "--quiet")
    output("run", ops, "--swiotlb", "4096,1", "--json", large, "--quiet")
    assert "no difference" in output("compare", small, small)
    # More room is used where there is more, and nothing else gets worse.
    text = output("compare", small, large, "--threshold", "swiotlb.used_hiwater=100")
    assert "events.full" in text and "0 worse" in text
    text = output("compare", large, small, status=3)
    assert "worse" in text and "events.full" in text
    assert output("compare", large, small, "--quiet", status=3) == ""
    got = json.loads(output("compare", large, small, "--json", "-", status=3))
    assert got["schema"] == "bouncesim-compare/1"
    worse = {d["metric"] for d in got["differences"] if d["worse"]}
    assert got["worse"] == len(worse)
    assert {"events.full", "events.failed_maps", "full_by_cause.exhausted"} <= worse
    by_metric = {d["metric"]: d for d in got["differences"]}
    assert (by_metric["events.full"]["a"], by_metric["events.full"]["b"]) == (0, 4)
    assert not by_metric["swiotlb.nslabs"]["worse"]
    # --json with a file besides the table
    output("compare", large, small, "--json", tmp_path / "d.json", status=3)
    assert json.loads((tmp_path / "d.json").read_text()) == got


def test_compare_with_thresholds(ops, tmp_path):
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    output("run", ops, "--swiotlb", "256,1", "--json", a, "--quiet")
    output("run", ops, "--swiotlb", "128,1", "--json", b, "--quiet")
    failed = ["events.full", "events.failed_maps", "full_by_cause.exhausted"]  # 10 -> 13
    assert bouncesim("compare", a, b).returncode == 3

    def status(percent):
        limits = [x for m in failed for x in ("--threshold", f"{m}={percent}")]
        return bouncesim("compare", a, b, *limits).returncode

    assert [status(p) for p in (29, 30, 31, 300)] == [3, 0, 0, 0]
    fewer = bouncesim("compare", b, a, "--threshold", "swiotlb.used_hiwater=1000")
    assert fewer.returncode == 0  # fewer failures are no regression
    for wrong in "events.full", "events.full=", "events.full=-1", "events.full=x", "nonsense=1":
        refused("compare", a, b, "--threshold", wrong, words=["threshold"])


def test_compare_directories(ops, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    output("run", ops, "--swiotlb", "4096,1", "--out", one, "--quiet")
    output("run", ops, "--out", two, "--quiet")
    assert bouncesim("compare", one, one).returncode == 0
    assert bouncesim("compare", one, two).returncode == 3
    output("sweep", ops, "--out", one, "--sizes", "512,1024", "--quiet")
    refused("compare", one, two, words=["sweep.json"])
    output("sweep", ops, "--out", two, "--sizes", "512,1024", "--quiet")
    assert "3 results compared" in output("compare", one, two, status=3)
    assert "2 results" in output("compare", one / "sweep.json", two / "sweep.json")
    refused("compare", one, two / "result.json", words=["directory"])
    refused("compare", one / "result.json", two / "sweep.json", words=["sweep"])


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"schema": 1}', '{"schema": "bouncesim-run/2"}', "\0" * 100,
     '{"schema": "bouncesim-sweep/1"}', '{"schema": "bouncesim-sweep/1", "points": [1]}',
     "[" * 100000],
    ids=lambda text: text[:30].replace("\0", "0"),
)
def test_compare_refuses_what_is_no_result(ops, tmp_path, text):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    output("run", ops, "--json", good, "--quiet")
    bad.write_text(text)
    refused("compare", good, bad, words=["bad.json"])
    refused("compare", bad, good, words=["bad.json"])


def test_compare_refuses_wrong_arguments(tmp_path, ops):
    refused("compare")
    refused("compare", ops)
    refused("compare", ops, ops, ops)
    refused("compare", tmp_path / "none", ops, words=["none"])
    refused("compare", tmp_path, tmp_path, words=["result.json"])


def test_another_kernel_is_not_worse_for_placing_otherwise_than_recorded(tmp_path):
    """What equals the recording is compared of one kernel; the counts of both all the same."""
    trace = WORKLOADS / "nvme1024.ftrace.xz"
    files = {name: tmp_path / f"{name}.json" for name in ("linux-6.12", "linux-6.1")}
    for name, file in files.items():
        output("run", trace, "--kernel", name, "--quiet", "--json", file)
    text = output("compare", *files.values(), status=3)
    assert "events.full" in text and "recorded." not in text
    changed = json.loads(files["linux-6.12"].read_text())
    changed["recorded"]["addresses_equal"] -= 1
    files["linux-6.1"].write_text(json.dumps(changed))
    assert "recorded.addresses_equal" in output("compare", *files.values(), status=3)


def test_points_of_one_sweep_only_are_counted(ops, tmp_path):
    files = tmp_path / "a.json", tmp_path / "b.json"
    for file, sizes in zip(files, ("512,1024", "1024,2048")):
        output("sweep", ops, "--sizes", sizes, "--quiet", "--json", file)
    done = bouncesim("compare", *files)
    assert b"1 result compared" in done.stdout and b"2 points are in one of the two" in done.stderr
