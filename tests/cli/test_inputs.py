# SPDX-License-Identifier: Apache-2.0
"""Several traces as one recording, and traces from a pipe."""

from command import WORKLOADS, needs_binary, output, refused, result, unxz

pytestmark = needs_binary

NVME = WORKLOADS / "nvme1024.ftrace.xz"


def test_several_traces_are_one_recording(ops, tmp_path):
    """Text goes on in the next file; what begins anew there is another boot of the same machine."""
    text = unxz(NVME).decode().splitlines(keepends=True)
    one, two = tmp_path / "1.txt", tmp_path / "2.txt"
    one.write_text("".join(text[:5000]))
    two.write_text("".join(text[5000:]))
    whole, parts = result("run", NVME), result("run", one, two)
    assert parts["trace"].pop("files") == [str(one), str(two)]
    whole["trace"].pop("files")
    assert parts == whole
    twice = result("run", NVME, NVME)
    assert twice["trace"]["time_steps_back"] == 1
    assert twice["events"]["maps"] == 2 * whole["events"]["maps"]
    refused("run", ops, ops, words=["small.ops:1: ", "once"])
    other = tmp_path / "o.csv"
    other.write_text("time_ns,op,size\n1,read,512\n")
    refused("run", NVME, other, words=["o.csv:1: "])
    assert result("run", other, other)["trace"]["requests"]["count"] == 2
    native = tmp_path / "t.bnc"
    output("convert", NVME, native, "--quiet")
    refused("run", native, native, words=["t.bnc: byte", "one native file"])
    output("convert", one, two, tmp_path / "both.bnc", "--quiet")
    both = result("run", tmp_path / "both.bnc")
    assert both["events"] == whole["events"] and both["recorded"] == whole["recorded"]


def test_a_trace_may_come_from_a_pipe(ops):
    text = ops.read_bytes()
    assert result("run", "-", stdin=text)["events"] == result("run", ops)["events"]
    assert "standard input" in output("run", "-", stdin=text)
    packed = NVME.read_bytes()
    assert result("run", "-", stdin=packed)["recorded"]["addresses_equal"] >= 2000
    refused("run", "-", ops, stdin=text, words=["standard input"])
    refused("run", "-", stdin=b"", words=["standard input", "empty"])
    refused("run", "-", stdin=text + b"x\n", words=["standard input:19: "])
