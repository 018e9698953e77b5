# SPDX-License-Identifier: Apache-2.0
"""`bouncesim run` on the golden streams: every row of --mappings, and the totals of --json."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, needs_kernel, output, result, rows, unxz  # noqa: E402

pytestmark = needs_binary
GOLDEN = Path(__file__).resolve().parent
PROFILES = sorted(path.name[: -len(".ops.xz")] for path in GOLDEN.glob("*.ops.xz"))

# A kernel generation is one row: its name for --kernel and for the files of answers.
KERNELS = ["linux-6.12", "linux-6.12-dynamic", "linux-6.1"]
CASES = [
    (kernel, profile)
    for kernel in KERNELS
    for profile in PROFILES
    if (GOLDEN / f"{profile}.{kernel}.xz").exists()
]


def test_all_streams_and_answers_are_there():
    assert len(PROFILES) == 11
    assert len(CASES) == 11 + 10 + 11


def answers(profile, kernel):
    return [line.split() for line in unxz(GOLDEN / f"{profile}.{kernel}.xz").decode().splitlines()]


@pytest.mark.parametrize("kernel,profile", CASES)
def test_mappings(kernel, profile):
    needs_kernel(kernel)
    stream = GOLDEN / f"{profile}.ops.xz"
    table = iter(rows(output("run", stream, "--kernel", kernel, "--mappings", "-", "--quiet")))
    used = compared = 0
    for answer in answers(profile, kernel):
        if answer[0] == "LOCKUP":
            row = next(table)
            assert row["outcome"] == "lockup" and row["tlb_addr"] == ""
            return  # what comes after it has no answer
        if answer[0] == "u":
            used = int(answer[2])
        elif answer[0] not in "sw":
            row = next(table)
            full = answer[1] == "FULL"
            expected = {
                "id": answer[0],
                "tlb_addr": "" if full else answer[1],
                "slots": str(int(answer[2]) - used),
                "probes": answer[4],
                "locks": answer[5],
            }
            assert {key: row[key] for key in expected} == expected
            assert row["outcome"] in (("full", "oversize") if full else ("ok",))
            used = int(answer[2])
            compared += 1
    assert next(table, None) is None
    assert compared > 1000


@pytest.mark.parametrize("kernel,profile", CASES)
def test_totals(kernel, profile):
    needs_kernel(kernel)
    lines = answers(profile, kernel)
    if lines[-1][0] == "LOCKUP":
        pytest.skip("the kernel locked up: there are no totals")
    stream = unxz(GOLDEN / f"{profile}.ops.xz").decode().split("\n")
    maps = {op[1]: op for op in map(str.split, stream) if op and op[0] in "MA"}
    syncs = [op for op in map(str.split, stream) if op and op[0] == "S"]
    failed, to_device, from_device = set(), 0, 0
    hiwater = probes = locks = 0
    sync = iter(syncs)
    for answer in lines:
        if answer[0] == "s":
            side = next(sync)[4]
            size = 0 if answer[2] == "none" else int(answer[3])
            to_device += size if side == "D" else 0
            from_device += size if side == "C" else 0
        elif answer[0] == "u":
            op = maps[answer[1]]
            if answer[1] not in failed and op[0] == "M" and op[7] != "1":
                from_device += int(op[5])
        elif answer[0] != "w":
            hiwater = int(answer[3])
            probes += int(answer[4])
            locks += int(answer[5])
            op = maps[answer[0]]
            if answer[1] == "FULL":
                failed.add(answer[0])
            elif op[0] == "M":
                to_device += int(op[5])
    got = result("run", GOLDEN / f"{profile}.ops.xz", "--kernel", kernel)
    assert got["events"]["maps"] == len(maps)
    assert got["events"]["failed_maps"] == got["events"]["full"] == len(failed)
    assert sum(got["events"]["full_by_cause"].values()) == len(failed)
    assert got["swiotlb"]["used_hiwater"] == hiwater
    assert got["swiotlb"]["used"] == int([a for a in lines if a[0] == "u"][-1][2])
    assert got["search"]["probes"] == probes and got["search"]["locks"] == locks
    assert got["copy"]["bytes_to_device"] == to_device
    assert got["copy"]["bytes_from_device"] == from_device
