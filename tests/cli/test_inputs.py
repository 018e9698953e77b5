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


def test_a_cpu_that_comes_late_counts(tmp_path):
    """After the first 32,768 events the areas are made; a file is read again, a pipe is not."""
    trace = tmp_path / "r.csv"
    text = "time_ns,op,device,cpu,size,response_ns\n" + "".join(
        f"{n * 1000},write,disk,{n // 40_000},4096,500\n" for n in range(80_001)
    )
    trace.write_text(text)
    for command in ["run"], ["run", "--engine", "systemc"]:
        config = result(*command, trace)["config"]
        assert (config["cpus"], config["nareas"]) == (3, 4), command
    assert result("sweep", trace, "--sizes", "1024")["points"][0]["nareas"] == 4
    info = result("info", trace)["machine"]
    assert info["cpus"] == 3 == len(info["maps_by_cpu"])
    assert result("run", trace, "--cpus", "2")["config"]["nareas"] == 2
    piped = result("run", "-", stdin=text.encode())["config"]
    assert piped["cpus"] == 1
    assert [line for line in piped["inferred"] if line.startswith("CPU 2 came later")]
    assert "CPU 2 came later" not in output("run", "-", "--cpus", "2", stdin=text.encode())
