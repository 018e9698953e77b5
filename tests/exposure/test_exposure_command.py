# SPDX-License-Identifier: Apache-2.0
"""run --exposure: file, JSON section and summary line say the same, with both engines."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import WORKLOADS, needs_binary, output, refused, result, rows  # noqa: E402

pytestmark = needs_binary

SLOTS = 128
# All of the pool written once; then 100 bytes in slot 0 and 300 in slot 1 by another device, then
# an untrusted mapping of 1000 bytes in slots 2 and 3.
OPS = f"""P {SLOTS} 1 1 7bc00000
D 0 0 ffffffff ffffffffffffffff
D 1 0 ffffffff ffffffffffffffff
M 0 0 0 100000000 {SLOTS * 2048} 0 2
U 0
M 1 0 0 100000000 100 0 2
M 2 0 1 100001000 300 0 1
M 3 0 1 100002000 1000 fff 1
"""
SOIL = SLOTS * 2048
WANTED = {
    "dev0": dict(
        mappings=2,
        mapped_bytes=SOIL + 100,
        direct_reachable_bytes=SOIL + 2048,
        direct_exposed_mappings=1,
        direct_stale_bytes=1948,
        direct_stale_bytes_max=1948,
        untrusted_reachable_bytes=SOIL + 4096,
        untrusted_exposed_mappings=1,
        untrusted_stale_bytes=3996,  # slot 1 was free then
        untrusted_live_bytes=300,  # and is dev1's from then on
        untrusted_unknown_bytes=0,
        untrusted_zeroed_bytes=0,
    ),
    "dev1": dict(
        mappings=2,
        mapped_bytes=1300,
        direct_reachable_bytes=2048 + 4096,
        direct_exposed_mappings=2,
        direct_stale_bytes=1748 + 3096,
        direct_stale_bytes_max=3096,
        untrusted_reachable_bytes=8192,
        untrusted_exposed_mappings=1,
        untrusted_stale_bytes=1748 + 1948,
        untrusted_live_bytes=100,
        untrusted_unknown_bytes=0,
        untrusted_zeroed_bytes=3096,
    ),
}


@pytest.fixture
def ops(tmp_path):
    path = tmp_path / "exposure.ops"
    path.write_text(OPS)
    return path


ENGINES = [[], ["--engine", "systemc", "--costs", "zero"]]


def run(path, *args):
    if "systemc" in args and "systemc" not in output("run", "--help"):
        pytest.skip("this build has no SystemC")
    return rows(output("run", path, "--exposure", "-", *args))


def total(table):
    sums = {key: sum(int(row[key]) for row in table) for key in table[0] if key != "device"}
    sums["direct_stale_bytes_max"] = max(int(row["direct_stale_bytes_max"]) for row in table)
    return sums


@pytest.mark.parametrize("engine", ENGINES)
def test_every_number(ops, engine):
    table = run(ops, *engine)
    assert [row["device"] for row in table][-1] == "total"
    assert len(table) == 3
    for row, wanted in zip(table, WANTED.values()):
        assert {key: int(value) for key, value in row.items() if key != "device"} == wanted
    assert {k: int(v) for k, v in table[-1].items() if k != "device"} == total(table[:-1])


def test_json_has_the_same(ops, tmp_path):
    file = tmp_path / "x.csv"
    got = result("run", ops, "--exposure", file)["exposure"]
    table = rows(file.read_text())
    as_text = [{key: str(value) for key, value in row.items()} for row in got["devices"]]
    assert as_text == table[:-1]
    assert {"device": "total", **{k: str(v) for k, v in got["total"].items()}} == table[-1]
    assert "exposure" not in result("run", ops)


def test_a_directory_has_it(ops, tmp_path):
    output("run", ops, "--out", tmp_path / "r")
    assert (tmp_path / "r/exposure.csv").read_text() == output("run", ops, "--exposure", "-")
    assert json.loads((tmp_path / "r/result.json").read_text())["exposure"]


def test_the_summary_says_it(ops, tmp_path):
    text = output("run", ops, "--exposure", tmp_path / "x.csv")
    line = next(line for line in text.splitlines() if line.startswith("exposure"))
    for part in (
        "direct 6.6 KiB stale in 3 of 4 maps",
        "7.5 KiB stale, 400 bytes live in 2 of 4 maps (3 KiB zeroed)",
    ):
        assert part in line, line
    assert "\nexposure " not in output("run", ops)


def test_a_recording():
    """A network card's buffers are no whole slots: there is something to find."""
    table = run(WORKLOADS / "vnet2048.ftrace.xz")
    assert len(table) > 1
    for row in table:
        n = {key: int(value) for key, value in row.items() if key != "device"}
        assert n["direct_stale_bytes"] <= n["direct_reachable_bytes"] - n["mapped_bytes"]
        assert n["direct_exposed_mappings"] <= n["mappings"]
        assert n["untrusted_exposed_mappings"] <= n["mappings"]
        assert n["untrusted_zeroed_bytes"] == 0  # a trace of dma-direct asks for no granules
    assert int(table[-1]["direct_stale_bytes"]) > 0


@pytest.mark.parametrize("name", ["nvme1024", "vblk1024", "vnet2048"])
def test_both_engines_agree(name):
    path = WORKLOADS / f"{name}.ftrace.xz"
    assert run(path) == run(path, "--engine", "systemc", "--costs", "zero")


def test_counting_changes_nothing_else():
    path = WORKLOADS / "nvme1024.ftrace.xz"
    with_it = result("run", path, "--exposure", "/dev/null")
    del with_it["exposure"]
    assert with_it == result("run", path)


def test_refusals(ops, tmp_path):
    refused("run", ops, "--exposure", "-", "--json", "-", words=["standard output"])
    refused("run", ops, "--exposure", tmp_path / "no/such", status=1, words=["no/such"])
