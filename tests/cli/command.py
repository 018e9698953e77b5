# SPDX-License-Identifier: Apache-2.0
"""Running the command under test: what every pytest of the project shares. BOUNCESIM names it."""

import json
import lzma
import os
import subprocess
from pathlib import Path

import pytest

BINARY = os.environ.get("BOUNCESIM", "")
TESTS = Path(__file__).resolve().parents[1]
WORKLOADS = TESTS.parent / "workloads"
TIMEOUT = 300  # seconds: for a search that never ends, not a measurement

needs_binary = pytest.mark.skipif(not BINARY, reason="BOUNCESIM does not name the command")

# What a sanitizer or a crash would leave on standard error, whatever the exit status.
REPORTS = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion", "terminate called")


def bouncesim(*args, stdin=None, cwd=None):
    """Runs the command to its end; never with a terminal or our own standard input."""
    done = subprocess.run(
        [BINARY, *map(str, args)],
        input=b"" if stdin is None else stdin,
        capture_output=True,
        timeout=TIMEOUT,
        cwd=cwd,
        check=False,
    )
    error = done.stderr.decode(errors="replace")
    assert done.returncode >= 0, f"killed by signal {-done.returncode}: {error}"
    assert not any(word in error for word in REPORTS), error
    return done


def output(*args, status=0, **options):
    """Standard output of a run that has to end with `status`."""
    done = bouncesim(*args, **options)
    assert done.returncode == status, done.stderr.decode(errors="replace")
    return done.stdout.decode()


def result(command, *args, **options):
    """The JSON object of `run` or `sweep`."""
    return json.loads(output(command, *args, "--json", "-", **options))


def rows(text):
    """CSV with a header as a list of dictionaries; no field of ours is quoted."""
    lines = text.splitlines()
    header = lines[0].split(",")
    table = [dict(zip(header, line.split(","))) for line in lines[1:]]
    assert all(len(row) == len(header) for row in table)
    return table


def refused(*args, status=2, words=(), **options):
    """The one line of a refusal, checked for form, and for `words` that have to be in it."""
    done = bouncesim(*args, **options)
    error = done.stderr.decode(errors="replace")
    assert done.returncode == status, (done.returncode, error)
    assert error.startswith("bouncesim: ") and error.endswith("\n"), error
    assert error.count("\n") == 1, error
    assert done.stdout == b""
    for word in words:
        assert word in error, error
    return error


def kernels():
    """Names that --kernel takes in this build."""
    names = []
    for line in output("list", "kernels").splitlines()[1:]:
        if line.startswith("  ") and line[2] != " " and not line.startswith("  tree:"):
            names.append(line.split()[0])
    return names


def needs_kernel(name):
    if name not in kernels():
        pytest.skip(f"this build does not know the kernel {name}")


def unxz(path):
    return lzma.open(path, "rb").read()
