# SPDX-License-Identifier: Apache-2.0
"""The plot commands: pictures from all shapes of results, one line and status 2 for the rest."""

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import bouncesim_plot as bp
import plot_lifetimes
import plot_pressure
import plot_sizing
import pytest
from conftest import SCRIPTS
from samples import by_cause, point, run_result, write_run, write_sweep


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def launch(name, *words, **environment):
    """The command as a user starts it."""
    done = subprocess.run([str(SCRIPTS / f"plot-{name}"), *map(str, words)], text=True,
                          capture_output=True, timeout=120, check=False,
                          env={**os.environ, **environment})
    return Done(done.returncode, done.stdout, done.stderr)


def plot(name, *words):
    """The same without a process: importing matplotlib takes longer than drawing."""
    main = {"pressure": plot_pressure.main, "sizing": plot_sizing.main,
            "lifetimes": plot_lifetimes.main}[name]
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "argv", [f"plot-{name}", *map(str, words)]), \
            contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
            warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            status = bp.run_main(f"plot-{name}", main)
        except SystemExit as wish:
            status = wish.code
    return Done(status, out.getvalue(), err.getvalue())


def refused(result, *parts):
    """Status 2, one line on standard error, nothing else."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.endswith("\n")
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.stderr


def png_size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


RUNS = {
    "usual": dict(causes=by_cause(exhausted=38, area_limited=20, fragmented=50)),
    "no full event": dict(),
    "one row": dict(rows=1, span_ns=0, maps=1, hiwater=3),
    "no row": dict(rows=0, maps=0, hiwater=0),
    "64 areas": dict(nareas=64, nslabs=8192, hiwater=7000, rows=2048,
                     causes={cause: 3 for cause in by_cause()}),
    "more areas than are listed": dict(nareas=256, nslabs=32768, hiwater=3000),
    "no pool": dict(nslabs=0, nareas=1, hiwater=0, causes=by_cause(no_pool=9)),
    "thousands of full events": dict(causes=by_cause(exhausted=4000)),
    "grown": dict(nslabs=512, grown=2560, hiwater=2360),
}


@pytest.mark.parametrize("shape", RUNS, ids=str)
def test_pressure_draws(tmp_path, shape):
    folder = write_run(tmp_path / "run", **RUNS[shape])
    result = plot("pressure", folder)
    assert (result.returncode, result.stderr) == (0, "")
    width, height = png_size(folder / "pressure.png")
    assert width > 1000 and height > 500
    expected = plot_pressure.answer(json.loads((folder / "result.json").read_text()))
    assert result.stdout == f"{folder / 'pressure.png'}: {expected}\n"


def sweep_points(sizes, areas, need=1500):
    return [point(n, min(n, need), by_cause(exhausted=max(0, need - n)), a)
            for a in areas for n in sizes]


SWEEPS = {
    "usual": sweep_points([512, 1024, 2048, 4096], [1, 4]),
    "one point": sweep_points([1024], [4]),
    "no full event": sweep_points([512, 1024], [1], need=100),
    "none is enough": sweep_points([512, 1024], [1, 4], need=9999),
    "64 sizes": sweep_points(range(512, 32769, 512), [1, 4]),
    "more series than fit": sweep_points([512, 1024], range(1, 12)),
    "sizes without a power of two": sweep_points([1100, 1200, *range(1300, 2040, 60)], [1]),
    "nothing used": [point(512, 0)],
}


@pytest.mark.parametrize("shape", SWEEPS, ids=str)
def test_sizing_draws(tmp_path, shape):
    folder = write_sweep(tmp_path / "sweep", SWEEPS[shape])
    result = plot("sizing", folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert png_size(folder / "sizing.png")[0] > 1000
    assert result.stdout.startswith(f"{folder / 'sizing.png'}: ")


@pytest.mark.parametrize("name", ["pressure", "sizing"])
def test_svg_has_the_answer_as_text_and_is_reproducible(tmp_path, name):
    folder = write_run(tmp_path / "d", causes=by_cause(exhausted=3))
    write_sweep(folder, SWEEPS["usual"])
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    said = launch(name, folder, "-o", first).stdout
    launch(name, folder, "-o", second)
    assert said.split(": ", 1)[1].strip() in first.read_text()
    assert first.read_bytes() == second.read_bytes()


def test_png_is_reproducible(tmp_path):
    folder = write_run(tmp_path / "d")
    for name in "12":
        launch("pressure", folder, "-o", tmp_path / f"{name}.png")
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_foreign_names_are_drawn_as_they_are(tmp_path):
    folder = write_run(tmp_path / "d")
    result = run_result()
    result["trace"]["files"] = ["a$x^{$b\x1b[31m" + "n" * 90]
    (folder / "result.json").write_text(json.dumps(result))
    assert plot("pressure", folder).returncode == 0


def test_works_through_a_link_and_from_another_folder(tmp_path):
    write_run(tmp_path / "d")
    link = tmp_path / "link"
    link.symlink_to(SCRIPTS / "plot-pressure")
    done = subprocess.run([str(link), "d"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0 and (tmp_path / "d/pressure.png").exists()


def edit(path, change):
    path.write_text(change(path.read_text()))


def json_edit(path, **changes):
    data = json.loads(path.read_text())
    for keys, value in changes.items():
        at = data
        *parents, last = keys.split("__")
        for key in parents:
            at = at[int(key) if key.isdigit() else key]
        if value is None:
            del at[last]
        else:
            at[last] = value
    path.write_text(json.dumps(data))


RESULT_DAMAGE = {
    "missing": (lambda p: p.unlink(), "No such file", "bouncesim run"),
    "empty": (lambda p: p.write_text(""), "is empty"),
    "not JSON": (lambda p: p.write_text("{"), "is not JSON"),
    "deep": (lambda p: p.write_text("[" * 100000), "is not JSON"),
    "binary": (lambda p: p.write_bytes(b"\xff\xfe\x00\x80"), "is not text"),
    "a list": (lambda p: p.write_text("[]"), "schema is None", "bouncesim-run/1"),
    "other schema": (lambda p: json_edit(p, schema="bouncesim-run/2"),
                     "'bouncesim-run/2'", "'bouncesim-run/1'"),
    "a sweep": (lambda p: json_edit(p, schema="bouncesim-sweep/1"), "'bouncesim-sweep/1'"),
    "key missing": (lambda p: json_edit(p, config__nslabs=None), "has no config.nslabs"),
    "not a number": (lambda p: json_edit(p, events__maps="many"), "events.maps", "'many'"),
    "negative": (lambda p: json_edit(p, events__full=-1), "events.full", "'-1'"),
    "fraction": (lambda p: json_edit(p, events__full=1.5), "events.full", "'1.5'"),
    "true": (lambda p: json_edit(p, events__full=True), "events.full"),
    "beyond 64 bits": (lambda p: json_edit(p, events__maps=2**64), "events.maps"),
    "unknown cause": (lambda p: json_edit(p, events__full_by_cause={"gremlins": 1}),
                      "full_by_cause"),
}


@pytest.mark.parametrize("damage", RESULT_DAMAGE, ids=str)
def test_pressure_refuses_result(tmp_path, damage):
    folder = write_run(tmp_path / "run")
    change, *parts = RESULT_DAMAGE[damage]
    change(folder / "result.json")
    refused(plot("pressure", folder), "plot-pressure: ", "result.json", *parts)
    assert not (folder / "pressure.png").exists()


TABLE_DAMAGE = {
    "missing": ("timeline.csv", lambda p: p.unlink(), "No such file"),
    "empty": ("timeline.csv", lambda p: p.write_text(""), "is empty"),
    "column missing": ("timeline.csv", lambda p: edit(p, lambda t: t.replace("used_max,", "x,", 1)),
                       "has no column used_max"),
    "short row": ("timeline.csv", lambda p: edit(p, lambda t: t[:-10] + "\n"),
                  "columns; the header"),
    "not a number": ("timeline.csv", lambda p: edit(p, lambda t: t.replace("\n0,0", "\n0,x", 1)),
                     "timeline.csv:2: used: 'x'"),
    "time goes back": ("timeline.csv",
                       lambda p: edit(p, lambda t: t + t.splitlines()[1] + "\n"), "goes back"),
    "NUL": ("timeline.csv", lambda p: edit(p, lambda t: t + "\0"), "timeline.csv"),
    "no fulls": ("fulls.csv", lambda p: p.unlink(), "No such file"),
    "empty fulls": ("fulls.csv", lambda p: p.write_text(""), "is empty"),
    "no cause": ("fulls.csv", lambda p: edit(p, lambda t: t.replace(",cause,", ",why,", 1)),
                 "has no column cause"),
    "unknown cause": ("fulls.csv", lambda p: edit(p, lambda t: t.replace("exhausted", "tired", 1)),
                      "fulls.csv:2", "'tired'"),
    "open quote": ("fulls.csv", lambda p: edit(p, lambda t: t + '"'), "fulls.csv"),
    "not text": ("fulls.csv", lambda p: p.write_bytes(b"\xff\xfe"), "is not a CSV table"),
}


@pytest.mark.parametrize("damage", TABLE_DAMAGE, ids=str)
def test_pressure_refuses_tables(tmp_path, damage):
    folder = write_run(tmp_path / "run", rows=20, causes=by_cause(exhausted=3))
    name, change, *parts = TABLE_DAMAGE[damage]
    change(folder / name)
    refused(plot("pressure", folder), "plot-pressure: ", name, *parts)
    assert not (folder / "pressure.png").exists()


SWEEP_DAMAGE = {
    "missing": (lambda p: p.unlink(), "No such file", "bouncesim sweep"),
    "empty": (lambda p: p.write_text("\n"), "is empty"),
    "other schema": (lambda p: json_edit(p, schema="bouncesim-sweep/9"), "'bouncesim-sweep/9'"),
    "no points": (lambda p: json_edit(p, points=[]), "has no points"),
    "points not a list": (lambda p: json_edit(p, points={"a": 1}), "has no points"),
    "point not an object": (lambda p: json_edit(p, points=[5]), "points[0]", "nslabs"),
    "no size": (lambda p: p.write_text(p.read_text().replace('"nslabs": 1024', '"slots": 1')),
                "has no nslabs"),
    "size 0": (lambda p: p.write_text(p.read_text().replace('"nslabs": 1024', '"nslabs": 0')),
               "nslabs is 0"),
    "no causes": (lambda p: p.write_text(p.read_text().replace("full_by_cause", "causes")),
                  "has no events.full_by_cause"),
}


@pytest.mark.parametrize("damage", SWEEP_DAMAGE, ids=str)
def test_sizing_refuses(tmp_path, damage):
    folder = write_sweep(tmp_path / "sweep", SWEEPS["one point"])
    change, *parts = SWEEP_DAMAGE[damage]
    change(folder / "sweep.json")
    refused(plot("sizing", folder), "plot-sizing: ", "sweep.json", *parts)
    assert not (folder / "sizing.png").exists()


@pytest.mark.parametrize("name", ["pressure", "sizing"])
def test_usage(tmp_path, name):
    assert launch(name, "--help").returncode == 0
    assert launch(name).returncode == 2
    refused(launch(name, tmp_path / "nowhere"), "No such file")
    refused(plot(name, tmp_path, "-o", tmp_path / "x.pdf"), "ends in .png or .svg")
    (tmp_path / "folder.png").mkdir()
    refused(plot(name, tmp_path, "-o", tmp_path / "folder.png"), "is a directory")


def test_output_that_cannot_be_written_is_status_1(tmp_path):
    folder = write_run(tmp_path / "run")
    result = plot("pressure", folder, "-o", tmp_path / "missing/x.png")
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "No such file" in result.stderr and "Traceback" not in result.stderr


def test_a_failure_leaves_no_file_behind(tmp_path):
    folder = write_run(tmp_path / "run", rows=5)
    before = sorted(p.name for p in folder.iterdir())
    edit(folder / "fulls.csv", lambda text: text + "broken\n")
    plot("pressure", folder)
    assert sorted(p.name for p in folder.iterdir()) == before


def test_python_without_matplotlib_is_passed_over(tmp_path):
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    folder = write_run(tmp_path / "run", rows=5)
    result = launch("pressure", folder, BOUNCESIM_PYTHON=str(fake),
                    PATH=f"{tmp_path}:{os.environ['PATH']}")
    if Path("/usr/bin/python3").exists():
        assert result.returncode == 0, result.stderr
