# SPDX-License-Identifier: Apache-2.0
"""calibrate writes what a platform file can take. The figures are the machine's: not looked at."""

import re

from command import bouncesim, needs_binary, output

pytestmark = needs_binary


def test_its_keys_are_costs_and_its_curves_rise(tmp_path):
    file = tmp_path / "costs.toml"
    assert output("calibrate", "-o", file) == ""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "[costs]"
    known = set(re.findall(r"^  (\w+) ", output("list", "costs"), re.M))
    assert {line.split(" = ")[0] for line in lines[1:]} <= known
    curves = [re.findall(r"\[(\d+), (\d+)\]", line) for line in lines if "[[" in line]
    assert len(curves) == 2
    for curve in curves:
        points = [(int(bytes_), int(ps)) for bytes_, ps in curve]
        assert points == sorted(points) and 0 < points[0][1] and len(points) <= 8


def test_an_unwritable_file_is_refused_before_anything_is_measured():
    done = bouncesim("calibrate", "-o", "/nowhere/costs.toml")
    assert done.returncode == 1
    assert b"/nowhere/costs.toml" in done.stderr and not done.stdout
