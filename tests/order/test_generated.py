# SPDX-License-Identifier: Apache-2.0
"""Recordings of machines that never were, from make_recording: the pool, what failed and how much
was in use must come out, whatever the records leave open."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, result  # noqa: E402

MAKE = os.environ.get("MAKE_RECORDING", "")
pytestmark = [
    needs_binary,
    pytest.mark.skipif(not MAKE, reason="MAKE_RECORDING does not name the generator"),
]


def recording(seed, **settings):
    """The text of a recording and what really happened."""
    words = [f"{key}={value}" for key, value in settings.items()]
    done = subprocess.run([MAKE, str(seed), *words], capture_output=True, check=True)
    return done.stdout, json.loads(done.stderr)


def replayed(seed, **settings):
    text, truth = recording(seed, **settings)
    got = result("run", "-", stdin=text)
    assert [got["config"][key] for key in ("nslabs", "nareas", "cpus")] == [
        truth[key] for key in ("nslabs", "nareas", "cpus")
    ]
    return got, truth


def unequal(got):
    return got["recorded"]["maps_compared"] - got["recorded"]["addresses_equal"]


def near(value, wanted, share):
    return abs(value - wanted) <= share * wanted


@pytest.mark.parametrize("seed", range(500, 505))
def test_a_pool_with_room(seed):
    """Every outcome has an explanation, however the CPUs overlapped."""
    got, truth = replayed(seed, slots=8192, pressure=1, records=3000)
    assert got["order"]["unexplained"] == unequal(got) == 0
    assert got["recorded"]["maps_compared"] == truth["maps"]
    assert near(got["swiotlb"]["used_hiwater"], truth["used_hiwater"], 0.08)


@pytest.mark.parametrize("seed", range(505, 510))
def test_records_that_tell_no_context(seed):
    """As perf prints them: interrupts come in between, and nothing has failed for that."""
    got, truth = replayed(seed, slots=8192, pressure=1, records=3000, flags=0)
    assert got["recorded"]["maps_compared"] == truth["maps"]
    assert got["events"]["failed_maps"] == truth["failed"] == got["trace"]["failed_lists"] == 0
    assert unequal(got) <= 0.02 * truth["maps"]


@pytest.mark.parametrize("seed", range(530, 535))
def test_a_pool_in_use(seed):
    """The recording begins late: half of what is mapped, and all cursors, are not known."""
    got, truth = replayed(seed, slots=8192, pressure=1, records=3000, live=4000)
    assert unequal(got) <= 0.02 * truth["maps"]
    assert near(got["swiotlb"]["used_hiwater"], truth["used_hiwater"], 0.08)


@pytest.mark.parametrize("seed", range(466, 471))
def test_a_pool_that_grows(seed):
    got, truth = replayed(seed, grow=1, records=4000)
    assert got["order"]["unexplained"] == unequal(got) == 0
    assert got["swiotlb"]["nslabs"] == truth["nslabs_end"]
    grown = sum(pool["nslabs"] for pool in got.get("growth", []))
    assert grown == truth["nslabs_end"] - truth["nslabs"]


@pytest.mark.parametrize(
    "seed, settings",
    [
        (6, {"records": 1000, "slots": 1024, "cpus": 3, "devices": 1, "live": 500}),
        (9, {"records": 3000, "slots": 512, "cpus": 3, "devices": 1, "live": 20000}),
        (10, {"records": 1000, "slots": 1024, "cpus": 4, "devices": 3, "live": 500}),
    ],
)
def test_a_pool_that_had_grown(seed, settings):
    """The recording begins when there are several pools, all of them in use."""
    got, truth = replayed(seed, pressure=1, grow=1, **settings)
    assert got["swiotlb"]["nslabs"] == truth["nslabs_end"]
    assert unequal(got) <= 0.02 * truth["maps"]


@pytest.mark.parametrize("seed", range(300, 304))
def test_lost_records(seed):
    """A hundred records are gone, twice on each side of the middle."""
    got, truth = replayed(seed, slots=4096, pressure=1, records=5000, lose=2000)
    assert got["trace"]["lost_events"] > 0
    assert unequal(got) <= 0.05 * truth["maps"]


@pytest.mark.parametrize("seed", range(400, 405))
def test_a_pool_that_drowns(seed):
    """Lists of several CPUs fail at once and leave no address: not all of that can be told, but
    what is not does not derail what is."""
    got, truth = replayed(seed, pressure=3, records=4000)
    order = got["order"]
    assert unequal(got) <= 1.6 * order["unexplained"] + 20
    assert near(got["swiotlb"]["used_hiwater"], truth["used_hiwater"], 0.08)


def test_the_same_every_time():
    text, _ = recording(405, pressure=2, records=3000)
    assert output("run", "-", "--mappings", "-", stdin=text) == output(
        "run", "-", "--mappings", "-", stdin=text
    )
