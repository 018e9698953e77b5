# SPDX-License-Identifier: Apache-2.0
"""docs/reproduced.md has every row of published results, and says what scripts/reproduce writes."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import BINARY, TIMEOUT, needs_binary, output  # noqa: E402

pytestmark = needs_binary
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reproduced.md"
NAMES = ["R1", "R2", "R3", "R4", "R6", "R7", "R8", "R11", "R12", "R13", "R20", "R23", "crossover"]
COLUMNS = ["row", "source", "setting", "published", "simulated", "difference", "verdict"]


def reproduce(*words):
    return subprocess.run([ROOT / "scripts" / "reproduce", *words], capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)  # fmt: skip


def table():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begin = lines.index("| " + " | ".join(COLUMNS) + " |")
    end = lines.index("<!-- end of results -->")
    rows = [line.strip("| ").split(" | ") for line in lines[begin + 2 : end]]
    assert all(len(row) == len(COLUMNS) for row in rows)
    return [dict(zip(COLUMNS, row)) for row in rows]


def test_every_row_is_there():
    rows = table()
    assert list(dict.fromkeys(row["row"] for row in rows)) == NAMES
    for row in rows:
        assert row["source"] and row["setting"] and row["published"] and row["simulated"]
        if row["verdict"].startswith("miss"):
            assert len(row["verdict"]) > 40, f"no reason: {row}"


def test_differences_and_verdicts_agree():
    for row in table():
        if not row["difference"].strip() or row["verdict"].startswith("calibrated"):
            continue
        near = abs(int(row["difference"].split()[0])) <= 25
        assert row["verdict"].startswith("matches") == near or row["difference"] == "-25 %"


@pytest.mark.parametrize("names", ["R8,R11", "R12", "R23"])
def test_the_page_is_what_the_script_writes(names):
    if "check-config" not in output("--help"):
        pytest.skip("this build has no SystemC")
    done = reproduce("--check", "--only", names, BINARY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_unknown_rows_and_binaries_are_refused(tmp_path):
    assert reproduce("--only", "R99").returncode == 2
    done = reproduce("--only", "R8", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr.startswith("reproduce: ") and done.stderr.count("\n") == 1
