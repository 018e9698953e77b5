# SPDX-License-Identifier: Apache-2.0
"""Every option says what it does in --help, does it, and refuses what it cannot take."""

import json
import re

import pytest
from command import WORKLOADS, bouncesim, kernels, needs_binary, output, refused, result, rows
from samples import ftrace

pytestmark = needs_binary

TRACE = WORKLOADS / "nvme1024.ftrace.xz"


def commands():
    listed = output("--help").split("usage:")[1]
    return [found[1] for found in re.finditer(r"^  ([a-z-]+) ", listed, re.MULTILINE)]


def test_overall_help():
    text = output("--help")
    assert text == output("-h") == output("help")
    for words in "usage: bouncesim COMMAND", "Exit status: 0", "--help":
        assert words in text
    assert {"run", "sweep", "compare", "explain", "list"} <= set(commands())
    done = bouncesim()
    assert done.returncode == 2 and done.stdout == b"" and b"usage:" in done.stderr
    assert re.fullmatch(r"bouncesim \d+\.\d+\.\d+\n", output("--version"))


def test_help_of_every_command():
    for command in commands():
        text = output(command, "--help")
        assert text == output(command, "-h")
        assert text.startswith(f"usage: bouncesim {command} ")
        assert "--help" in text and "Options" in text or "Simulation" in text
        assert max(map(len, text.splitlines())) <= 100


def test_every_option_is_refused_without_its_value_or_with_a_wrong_one(ops):
    for command, names in {
        "run": "kernel swiotlb cpus pool-start device format engine json mappings out".split(),
        "sweep": "sizes areas kernels jobs json csv out swiotlb cpus".split(),
        "compare": ["threshold", "json"],
    }.items():
        for name in names:
            refused(command, ops, f"--{name}", words=[name])
    refused("run", ops, "--nonsense", words=["nonsense", "--help"])
    refused("run", ops, "--kern", "linux-6.12", words=["kern"])  # no guessing
    refused("nonsense", words=["nonsense"])
    refused("run", words=["trace"])
    refused("sweep", words=["trace"])
    refused("list", "nonsense", words=["nonsense"])


@pytest.mark.parametrize(
    "args,words",
    [
        (["--kernel", "linux-5.4"], ["linux-5.4", "linux-6.12"]),
        (["--kernel", ""], ["kernel"]),
        (["--swiotlb", "0"], ["swiotlb"]),
        (["--swiotlb", ""], ["swiotlb"]),
        (["--swiotlb", "99999999999"], ["99999999999"]),
        (["--swiotlb", "abc"], ["abc"]),
        (["--swiotlb", "-5"], ["-5"]),
        (["--swiotlb", "1024,0"], ["areas"]),
        (["--swiotlb", "1024,4,forcing"], ["forcing"]),
        (["--swiotlb", "1024 force"], ["swiotlb"]),
        (["--cpus", "0"], ["cpus"]),
        (["--cpus", "8193"], ["8193"]),
        (["--cpus", "many"], ["many"]),
        (["--cpus", "-1"], ["cpus"]),
        (["--cpus", "4294967300"], ["cpus"]),
        (["--pool-start", "123"], ["pool-start"]),
        (["--pool-start", "zz"], ["pool-start"]),
        (["--pool-start", "0"], ["pool-start"]),
        (["--pool-start", "8000000000000000"], ["pool-start"]),
        (["--pool-start", "1000000000000000000"], ["pool-start"]),
        (["--device", "nvme"], ["nvme"]),
        (["--device", "nvme:what=fff"], ["what"]),
        (["--device", "nvme:min_align_mask=1000"], ["2^n - 1"]),
        (["--device", "nvme:min_align_mask="], ["nvme"]),
        (["--device", "nvme:min_align_mask=1ffffffff"], ["32 bits"]),
        (["--device", "nvme:seg_boundary=3ff"], ["7ff"]),
        (["--format", "pcap-of-the-day"], ["pcap-of-the-day"]),
        (["--engine", "warp"], ["warp"]),
        (["--json", "-", "--mappings", "-"], ["standard output"]),
        (["--coco", "sgx", "--memory", "8G"], ["sgx", "tdx"]),
        (["--coco", "tdx"], ["--memory"]),
        (["--memory", "8G"], ["--coco"]),
        (["--coco", "tdx", "--memory", "plenty"], ["plenty"]),
        (["--arch", "riscv"], ["riscv"]),
        (["--arch", "arm64", "--coco", "tdx", "--memory", "8G"], ["x86"]),
        (["--low-memory", "0"], ["low-memory"]),
        (["--worker-delay", "-1"], ["worker-delay"]),
        (["--fragmentation", "2"], ["fragmentation"]),
        (["--order", "backwards"], ["backwards"]),
        (["--service-time", "x"], ["service-time"]),
        (["--costs", "zero"], ["systemc"]),
    ],
    ids=str,
)
def test_wrong_values(ops, args, words):
    refused("run", ops, *args, words=words)


def test_trailing_comma_of_swiotlb_is_refused_or_means_nothing(ops):
    done = bouncesim("run", ops, "--swiotlb", "1024,", "--json", "-")
    if done.returncode == 0:
        assert json.loads(done.stdout)["config"]["nslabs"] == 1024
    else:
        refused("run", ops, "--swiotlb", "1024,", words=["1024,"])


@pytest.mark.parametrize(
    "args,words",
    [
        (["--sizes", ""], ["sizes"]),
        (["--sizes", "0"], ["sizes"]),
        (["--sizes", "1024,abc"], ["abc"]),
        (["--sizes", "2048..1024"], ["2048..1024"]),
        (["--sizes", "1..99999999999"], ["99999999999"]),
        (["--sizes", "9999999G"], ["9999999G"]),
        (["--areas", "0"], ["areas"]),
        (["--areas", "8193"], ["8193"]),
        (["--areas", "4M"], ["4M"]),
        (["--kernels", "linux-6.12,linux-9"], ["linux-9"]),
        (["--kernels", ""], ["kernels"]),
        (["--swiotlb", "noforce"], ["noforce"]),
        (["-j", "0"], ["jobs"]),
        (["-j", "1025"], ["jobs"]),
        (["-j", "x"], ["x"]),
    ],
    ids=str,
)
def test_wrong_values_of_sweep(ops, args, words):
    refused("sweep", ops, *args, words=words)


def config(path, *args):
    return result("run", path, *args)["config"]


def test_swiotlb_and_cpus(ops):
    assert (config(ops)["nslabs"], config(ops)["nareas"]) == (512, 1)
    for option, slots, areas in [
        ("1024,4", 1024, 4),
        ("1000,1", 1024, 1),
        ("64M,2,force", 32768, 2),
        ("128,64", 8192, 64),
        ("2048", 2048, 4),
    ]:
        got = config(ops, "--swiotlb", option)
        assert (got["nslabs"], got["nareas"]) == (slots, areas), option
    got = config(ops, "--swiotlb", "4096", "--cpus", "16")
    assert (got["nslabs"], got["nareas"], got["cpus"]) == (4096, 16, 16)
    assert config(ops, "--swiotlb", "512,1")["as_recorded"] is True
    assert config(ops, "--swiotlb", "1024,1")["as_recorded"] is False


def test_larger_pool_smaller_pool(ops):
    failed = [
        result("run", ops, "--swiotlb", f"{slots},1")["events"]["failed_maps"]
        for slots in (128, 256, 512, 1024)
    ]
    assert failed == [13, 10, 4, 0]  # three buffers of 40 slots a slot set


def test_force_and_noforce(tmp_path):
    trace = tmp_path / "t"
    text = ftrace().replace("FORCE", "NORMAL")
    trace.write_text(text)
    assert config(trace)["force"] is False
    assert config(trace, "--swiotlb", "1024,force")["force"] is True
    got = result("run", trace, "--swiotlb", "noforce")
    assert got["events"]["full_by_cause"]["no_pool"] == got["events"]["maps"] == 8
    assert got["swiotlb"]["nslabs"] == 0
    assert got["config"]["force"] is False


def test_confidential_guests(tmp_path):
    """6 % of memory, 64 MiB to 1 GiB, rounded as the kernel rounds."""
    trace = tmp_path / "t"
    trace.write_text(ftrace().replace("FORCE", "NORMAL"))
    for memory, slots in ("512M", 32768), ("2G", 65536), ("4G", 131072), ("64G", 524288):
        for guest in "sev-snp", "tdx":
            got = config(trace, "--coco", guest, "--memory", memory)
            assert (got["nslabs"], got["force"]) == (slots, True)
    got = config(trace, "--coco", "tdx", "--memory", "64G", "--swiotlb", "1024")
    assert (got["nslabs"], got["force"]) == (1024, True)


def test_order():
    for order, least, most in ("recorded", 2090, 2105), ("reconstructed", 2106, 2106):
        got = result("run", TRACE, "--order", order)["recorded"]["addresses_equal"]
        assert least <= got <= most


def test_pool_start(ops):
    got = config(ops, "--pool-start", "0x12345000")
    assert got["start"] == "12345000" and got["as_recorded"] is False
    first = rows(output("run", ops, "--pool-start", "12345000", "--mappings", "-"))[0]
    assert first["tlb_addr"] == "12345000"


def test_device_settings(ops):
    settings = "dma_mask=ffffffff,seg_boundary=7fff,min_align_mask=fff"
    for name in "0", "*":
        device = config(ops, "--device", f"{name}:{settings}")["devices"][0]
        assert device == {
            "name": "0",
            "dma_mask": "ffffffff",
            "seg_boundary": "7fff",
            "min_align_mask": "fff",
        }
    causes = result("run", ops, "--device", "0:seg_boundary=7fff")["events"]["full_by_cause"]
    assert causes["alignment"] == 16  # 40 slots cannot lie within 32 KiB
    error = bouncesim("run", ops, "--device", "another:min_align_mask=fff").stderr
    assert error == b"bouncesim: --device: no device another in the trace; there are 0\n"


def test_kernel(ops):
    for name in kernels():
        assert config(ops, "--kernel", name)["kernel"] == name


def test_format(ops, tmp_path):
    assert result("run", ops, "--format", "ops")["trace"]["format"] == "ops"
    refused("run", ops, "--format", "ftrace", words=[ops.name])
    trace = tmp_path / "t"
    trace.write_text(ftrace())
    assert result("run", trace)["trace"]["format"] == "ftrace"
    assert result("run", trace, "--format", "ftrace")["trace"]["format"] == "ftrace"


def test_skip_malformed(tmp_path):
    trace = tmp_path / "t"
    trace.write_text(ftrace() + "this is no event\n" + "nor is this\n")
    refused("run", trace, words=["t:37: ", "--skip-malformed"])
    got = result("run", trace, "--skip-malformed")
    assert got["trace"]["skipped"]["malformed"] == 2
    assert got["events"]["maps"] == 8
    assert "2 malformed lines" in output("run", trace, "--skip-malformed")


def test_quiet(ops):
    assert output("run", ops, "--quiet") == output("run", ops, "-q") == ""
    assert output("sweep", ops, "--quiet") == ""
    assert "full events" in output("run", ops)


def test_fail_on_full(ops, tmp_path):
    assert bouncesim("run", ops).returncode == 0
    done = bouncesim("run", ops, "--fail-on-full", "--json", tmp_path / "r.json")
    assert done.returncode == 3
    assert b"full events" in done.stdout and done.stderr == b""
    assert json.loads((tmp_path / "r.json").read_text())["events"]["full"] == 4
    done = bouncesim("run", ops, "--fail-on-full", "--swiotlb", "4096,1")
    assert done.returncode == 0


def test_list():
    whole = output("list")
    for what in "kernels", "formats", "stats":
        part = output("list", what)
        assert part in whole and len(part.splitlines()) >= 2
    assert "linux-6.12" in output("list", "kernels")
    assert "ftrace" in output("list", "formats") and "ops" in output("list", "formats")
    stats = output("list", "stats")
    assert "swiotlb.used_hiwater" in stats and "full_by_cause.fragmented" in stats
    assert output("list", "stats", "kernels") == output("list", "stats") + output("list", "kernels")


def test_sweep_grid(ops):
    got = result("sweep", ops, "--sizes", "512..2048,100", "--areas", "1,2")
    pools = [(p["nslabs"], p["nareas"]) for p in got["points"]]
    one, two = (128, 512, 1024, 2048), (256, 512, 1024, 2048)
    assert pools == [(n, 1) for n in one] + [(n, 2) for n in two]
    for point in got["points"]:
        if point["nareas"] == 1:
            alone = result("run", ops, "--swiotlb", f"{point['nslabs']},1")
            for section in "events", "swiotlb", "search", "fragmentation", "copy":
                assert point[section] == alone[section]
    table = rows(output("sweep", ops, "--sizes", "512,1024", "--areas", "1", "--csv", "-"))
    assert [row["nslabs"] for row in table] == ["512", "1024"]
    assert [row["events_failed_maps"] for row in table] == ["4", "0"]
    assert "swiotlb=1024,1" in output("sweep", ops, "--sizes", "512..4096")


def test_sweep_is_the_same_whatever_the_workers(tmp_path):
    outputs = []
    for jobs in "1", "2", "7":
        args = ["--sizes", "512..4096", "--areas", "1,4", "-j", jobs]
        folder = tmp_path / jobs
        output("sweep", TRACE, *args, "--out", folder, "--quiet")
        assert sorted(p.name for p in folder.iterdir()) == ["sweep.csv", "sweep.json"]
        outputs.append([(folder / n).read_bytes() for n in ("sweep.csv", "sweep.json")])
        outputs[-1].append(output("sweep", TRACE, *args))
    assert outputs[0] == outputs[1] == outputs[2]


def test_run_is_the_same_every_time():
    for args in ["--json", "-"], ["--mappings", "-"], ["--timeline", "-"], ["--fulls", "-"], []:
        assert output("run", TRACE, *args) == output("run", TRACE, *args)


@pytest.mark.parametrize(
    "command, option",
    [("run", name) for name in ("cpus", "worker-delay", "service-time", "segment-slots", "seed")]
    + [("run", "held-slots"), ("run", "watchdog"), ("sweep", "jobs"), ("size", "jobs")]
    + [("lint", "examples"), ("gen", "seed"), ("convert", "cpus")],
)
def test_numbers_below_0_are_refused_as_they_were_given(ops, tmp_path, command, option):
    output_file = [tmp_path / "o.csv"] if command == "convert" else []
    for given in [f"--{option}=-1"], [f"--{option}", "-1"]:
        refused(command, ops, *output_file, *given, words=[f"--{option} -1: "])


def test_explain_names_the_option_that_is_wrong():
    line = "a b: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 5 (slots)"
    refused("explain", line, "--areas", "many", words=["--areas many: a number"])
    refused("explain", line, "--min-align-mask", "xyz", words=["--min-align-mask xyz: a hexa"])
    refused("explain", line, "--recording=-1", words=["-1: cannot open"])
    refused("explain", line, "--json", "", words=["--json: is empty"])


def test_a_pool_for_each_device_is_one_number(ops):
    refused("run", ops, "--per-device", "1,", words=["--per-device 1,: a number of slots"])
