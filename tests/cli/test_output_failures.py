# SPDX-License-Identifier: Apache-2.0
"""Outputs that cannot be written: one line says why, and nothing half-written is left under or
beside their names."""

import os
import resource
import signal
import subprocess

import pytest
from command import BINARY, WORKLOADS, needs_binary, output, refused
from samples import OPS

pytestmark = needs_binary

NVME = WORKLOADS / "nvme1024.ftrace.xz"


def test_an_old_result_stays_when_the_new_one_fails(ops, tmp_path):
    old = tmp_path / "r.json"
    old.write_text("old")
    bad = tmp_path / "bad.ops"
    bad.write_text(OPS + "M 99 0 0\n")
    refused("run", bad, "--json", old, words=["bad.ops:19: "])
    assert old.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.ops", "r.json", "small.ops"]


OUTPUTS = ["--json", "--mappings", "--timeline", "--fulls", "--exposure"]


@pytest.mark.parametrize("option", OUTPUTS)
def test_unwritable_outputs(ops, tmp_path, option):
    inside = tmp_path / "inside"
    inside.mkdir()
    missing = tmp_path / "missing" / "file"
    refused("run", ops, option, missing, status=1, words=[str(missing)])
    refused("run", ops, option, inside, status=1, words=["directory"])
    refused("run", ops, option, ops / "file", status=1, words=["file"])
    refused("run", ops, option, "/dev/full", status=1, words=["/dev/full", "space"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inside", "small.ops"]
    assert list(inside.iterdir()) == []


def test_one_bad_output_takes_the_others_with_it(ops, tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    for bad in OUTPUTS:
        args = [a for o in OUTPUTS if o != bad for a in (o, good / o.strip("-"))]
        refused("run", ops, *args, bad, tmp_path / "missing/x", status=1)
        assert list(good.iterdir()) == [], bad


def test_unwritable_directories(ops, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    refused("run", ops, "--out", file, status=1, words=["file"])
    refused("run", ops, "--out", file / "below", status=1, words=["below"])
    refused("sweep", ops, "--out", file / "below", status=1, words=["below"])
    bad = tmp_path / "bad.ops"
    bad.write_text(OPS + "rubbish\n")
    refused("run", bad, "--out", tmp_path / "x/y/z", words=["bad.ops:19: "])
    assert not (tmp_path / "x").exists()
    existing = tmp_path / "existing"
    existing.mkdir()
    (existing / "mine").write_text("")
    refused("run", bad, "--out", existing)
    assert [p.name for p in existing.iterdir()] == ["mine"]


def test_full_or_closed_standard_output(ops):
    for args in (
        ["run", ops],
        ["run", ops, "--mappings", "-"],
        ["run", ops, "--json", "-"],
        ["sweep", ops],
        ["list"],
        ["--help"],
        ["run", "--help"],
    ):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, *map(str, args)], stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 1, args
        assert done.stderr.startswith(b"bouncesim: standard output: cannot write")
        assert done.stderr.count(b"\n") == 1
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [BINARY, "run", NVME, "--mappings", "-"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1


def test_a_disk_that_fills_up(ops, tmp_path):
    """A limit on the size of files stands for it: writing fails in the middle of one."""

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    old = tmp_path / "out"
    old.mkdir()
    (old / "notes").write_text("mine")
    (old / "result.json").write_text("old")
    result_file = tmp_path / "r.json"
    output("run", ops, "--json", result_file, "--quiet")
    for args in (
        ["run", NVME, "--out", old],
        ["run", NVME, "--out", tmp_path / "new"],
        ["run", NVME, "--mappings", tmp_path / "m.csv"],
        ["convert", NVME, tmp_path / "t.bnc"],
        ["convert", NVME, tmp_path / "t.csv"],
        ["convert", NVME, tmp_path / "t.csv.gz"],
        ["convert", NVME, tmp_path / "t.ops"],
        ["sweep", NVME, "--out", tmp_path / "new", "--sizes", "128..32768", "--areas", "1,2,4"],
    ):
        done = subprocess.run(
            [BINARY, *map(str, args)], capture_output=True, preexec_fn=limited, timeout=60
        )
        assert done.returncode == 1, (args, done.stderr)
        assert done.stderr.startswith(b"bouncesim: ") and done.stderr.count(b"\n") == 1, args
        assert b"File too large" in done.stderr, (args, done.stderr)
        names = sorted(p.name for p in tmp_path.iterdir())
        assert names == ["out", "r.json", "small.ops"], args
        assert sorted(p.name for p in old.iterdir()) == ["notes", "result.json"], args
    assert (old / "result.json").read_text() == "old" and (old / "notes").read_text() == "mine"


def test_compare_with_an_output_that_cannot_be_written(ops, tmp_path):
    one = tmp_path / "one.json"
    output("run", ops, "--json", one, "--quiet")
    for target in tmp_path / "missing/x", tmp_path, "/dev/full":
        refused("compare", one, one, "--json", target, status=1, words=[str(target)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.json", "small.ops"]
