# SPDX-License-Identifier: Apache-2.0
"""A signal ends every wait, and leaves nothing behind."""

import contextlib
import signal
import subprocess
import time

import pytest
from command import BINARY, WORKLOADS, needs_binary, unxz

pytestmark = needs_binary

NVME = WORKLOADS / "nvme1024.ftrace.xz"


@contextlib.contextmanager
def running(*args, sent):
    """A command that has read what was sent, far more than is read ahead or all there is."""
    process = subprocess.Popen(
        [BINARY, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        process.stdin.write(sent)
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in process.stdin, process.stdout, process.stderr:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@contextlib.contextmanager
def long_run(folder):
    """A run that has read much of a trace, has not seen its end and has begun to write a file."""
    text = unxz(NVME)
    text = text[: text.rfind(b"\n") + 1]
    out = folder / "out"
    with running("run", "-", "--out", out, "--quiet", sent=text) as process:
        while not out.exists():
            process.stdin.write(text)
        for _ in range(3000):
            if any(out.iterdir()):
                break
            assert process.poll() is None
            time.sleep(0.01)
        else:
            raise AssertionError("no temporary file came up")
        yield process, text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_nothing_behind(tmp_path, number):
    with long_run(tmp_path) as (process, text):
        process.send_signal(number)
        with pytest.raises(BrokenPipeError):  # it does not go on reading
            for _ in range(1000):
                process.stdin.write(text)
        assert process.stderr.read() == b"bouncesim: interrupted\n"
        assert process.wait(timeout=60) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_signal_ends_a_wait_for_input(tmp_path):
    with long_run(tmp_path) as (process, _):
        time.sleep(0.3)  # until it waits
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["sweep", "convert"])
def test_a_signal_ends_other_commands_too(tmp_path, command):
    """They wait for a pipe that gives nothing, or not enough to begin with."""
    out = ["--out", tmp_path / "out"] if command == "sweep" else [tmp_path / "t.bnc"]
    for sent in b"", unxz(NVME)[:100000]:
        with running(command, "-", *out, sent=sent) as process:
            time.sleep(0.3)  # until it waits
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 1
            assert process.stderr.read() == b"bouncesim: interrupted\n"
        assert list(tmp_path.iterdir()) == []
