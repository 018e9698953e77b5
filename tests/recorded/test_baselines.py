# SPDX-License-Identifier: Apache-2.0
"""A fresh run and sweep of the demo's trace against results/baselines/demo."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import TESTS, WORKLOADS, bouncesim, needs_binary, output  # noqa: E402

pytestmark = needs_binary
BASELINE = TESTS.parent / "results" / "baselines" / "demo"
TRACE = WORKLOADS / "vblk1024.ftrace.xz"
GRID = ("--sizes", "512..32768", "--areas", "1,4")  # as scripts/demo-results has it


def fresh(folder):
    output("run", TRACE, "--quiet", "--json", folder / "result.json")
    output("sweep", TRACE, *GRID, "--quiet", "--json", folder / "sweep.json")


def test_nothing_differs_from_the_baseline(tmp_path):
    fresh(tmp_path)
    done = bouncesim("compare", BASELINE, tmp_path)
    assert done.returncode == 0, done.stdout.decode()
    assert b"no difference" in done.stdout, done.stdout.decode()


def test_a_result_that_got_worse_is_told(tmp_path):
    fresh(tmp_path)
    kept = json.loads((tmp_path / "result.json").read_text())
    kept["events"]["full"] += 1
    (tmp_path / "result.json").write_text(json.dumps(kept))
    done = bouncesim("compare", BASELINE, tmp_path)
    assert done.returncode == 3
    assert b"worse  events.full" in done.stdout
