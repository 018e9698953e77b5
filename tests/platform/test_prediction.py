# SPDX-License-Identifier: Apache-2.0
"""From block requests alone to what the pool went through, against the mapping events of the same
recordings. Bounds are those that the project promises. The share of scattered buffers
and the place of what is put back were chosen with these recordings at hand (docs/platforms.md)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import TESTS, WORKLOADS, needs_binary, output, result, rows

pytestmark = needs_binary

DATA = TESTS / "data"
# name: file, --swiotlb, more options, used_hiwater and full events as the kernel counted them
TRACES = {
    "vblk4096": (DATA, "4096,force", [], 1592, 0),
    "nvmedyn512": (DATA, "512,force", ["--kernel", "linux-6.12-dynamic"], 2360, 0),
    "vblk1024": (WORKLOADS, "1024,force", [], 1024, 108),
    "nvme1024": (WORKLOADS, "1024,force", [], 998, 36),
}


@pytest.fixture(autouse=True, scope="module")
def with_systemc():
    if "this build has no SystemC" in output("list", "costs"):
        pytest.skip("this build has no SystemC")


def path(name):
    return TRACES[name][0] / f"{name}.ftrace.xz"


def options(name):
    _, pool, more, _, _ = TRACES[name]
    return ["--only", "block", "--engine", "systemc", "--swiotlb", pool, "--cpus", "4", *more]


def predicted(name, *more):
    return result("run", path(name), *options(name), *more)


def recorded(name):
    return result("run", path(name), *TRACES[name][2])


def used(name, engine):
    """Bytes and slots of all maps that found room."""
    args = ["run", path(name), "--mappings", "-"]
    args += options(name) if engine else TRACES[name][2]
    good = [row for row in rows(output(*args)) if row["outcome"] == "ok"]
    return sum(int(r["size"]) for r in good), sum(int(r["slots"]) for r in good)


def dominating(events):
    return max(events["full_by_cause"], key=events["full_by_cause"].get)


@pytest.mark.parametrize("name", ["vblk4096", "nvmedyn512"])
@pytest.mark.parametrize("seed", [1, 7])
def test_high_water_with_recorded_completions(name, seed):
    hiwater = TRACES[name][3]
    got = predicted(name, "--seed", seed)
    assert got["swiotlb"]["used_hiwater"] == pytest.approx(hiwater, rel=0.05)
    assert got["events"]["full"] == 0
    assert got["platform"]["assumed_service"] == 0


@pytest.mark.parametrize("name", ["vblk4096", "nvmedyn512"])
def test_bytes_and_slots(name):
    bytes_recorded, slots_recorded = used(name, engine=False)
    if name == "nvmedyn512":  # the recorded order is for a pool that grew
        text = output("run", path(name), "--mappings", "-", "--kernel", "linux-6.12-dynamic",
                      "--swiotlb", "65536,force")
        good = rows(text)
        bytes_recorded = sum(int(r["size"]) for r in good)
        slots_recorded = sum(int(r["slots"]) for r in good)
    bytes_predicted, slots_predicted = used(name, engine=True)
    assert bytes_predicted == pytest.approx(bytes_recorded, rel=0.02)
    assert slots_predicted == pytest.approx(slots_recorded, rel=0.02)


@pytest.mark.parametrize("name", ["vblk1024", "nvme1024"])
@pytest.mark.parametrize("seed", [1, 2])
def test_full_events_where_requests_are_tried_again(name, seed):
    full = TRACES[name][4]
    events = predicted(name, "--seed", seed)["events"]
    assert full / 1.5 <= events["full"] <= full * 1.5


@pytest.mark.parametrize("name", ["vblk1024", "nvme1024"])
def test_cause_of_full_events(name):
    assert dominating(predicted(name)["events"]) == dominating(recorded(name)["events"])


@pytest.mark.parametrize("name, other", [("vblk4096", "vblk1024"), ("nvmedyn512", "nvme1024")])
def test_from_arrivals_alone(name, other):
    got = predicted(name, "--fit", path(other))
    assert got["swiotlb"]["used_hiwater"] == pytest.approx(TRACES[name][3], rel=0.25)
    none = predicted(name, "--completions", "model")  # not fitted: another device altogether
    assert none["swiotlb"]["used_hiwater"] < got["swiotlb"]["used_hiwater"]


def latencies(got):
    return [got["platform"][f"latency_{which}_ns"] for which in ("p50", "p90", "p99")]


@pytest.mark.parametrize("name", ["vblk4096", "nvmedyn512"])
def test_drawn_times_are_spread_as_they_were(name):
    truth = latencies(predicted(name))
    drawn = predicted(name, "--fit", path(name), "--fit-draws")
    assert latencies(drawn) == pytest.approx(truth, rel=0.1)
    line = latencies(predicted(name, "--fit", path(name)))
    assert line[2] < truth[2] / 2  # what drawing is for


@pytest.mark.parametrize("name, other", [("vblk4096", "vblk1024"), ("nvmedyn512", "nvme1024")])
def test_times_drawn_from_another_trace(name, other):
    options = ["--fit", path(other), "--fit-draws", "--seed", 5]
    drawn = predicted(name, *options)
    for got, true in zip(latencies(drawn)[1:], latencies(predicted(name))[1:]):
        assert true / 2.5 <= got <= true * 2.5
    assert drawn == predicted(name, *options)


def test_every_request_ends():
    for name in TRACES:
        got = predicted(name)
        assert got["platform"]["completed"] == got["platform"]["arrived"]
        assert got["swiotlb"]["used"] == 0
