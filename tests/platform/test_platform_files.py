# SPDX-License-Identifier: Apache-2.0
"""Platform files: what is accepted, what is refused and how; what is printed reads back."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import TESTS, WORKLOADS, bouncesim, needs_binary, output, refused, result

pytestmark = needs_binary

PLATFORMS = sorted((WORKLOADS / "platforms").glob("*.toml"))


@pytest.fixture(autouse=True, scope="module")
def with_platforms():
    if "check-config" not in output("--help"):
        pytest.skip("this build has no SystemC")


@pytest.fixture
def trace(tmp_path):
    """40 requests of an MQSim trace: time, device, sector, sectors, 1 for a read."""
    path = tmp_path / "small.trace"
    path.write_text("".join(f"{i * 50000} 0 {i * 64} {8 << i % 4} {i % 2}\n" for i in range(40)))
    return path


def test_those_of_the_project_are_good():
    assert len(PLATFORMS) == 7
    text = output("check-config", *PLATFORMS)
    assert text.count(": good, ") == 7
    assert output("check-config", "--quiet", PLATFORMS[0]) == ""


@pytest.mark.parametrize("path", PLATFORMS, ids=lambda p: p.stem)
def test_what_is_printed_reads_back(path, tmp_path, trace):
    text = output("run", "--engine", "systemc", "--platform", path, "--print-config")
    again = tmp_path / "again.toml"
    again.write_text(text)
    assert output("run", "--engine", "systemc", "--platform", again, "--print-config") == text
    first = result("run", trace, "--engine", "systemc", "--platform", path)
    second = result("run", trace, "--engine", "systemc", "--platform", again)
    assert first == second
    assert first["platform"]["arrived"] >= 40


def test_printed_with_a_trace_it_needs_no_options(tmp_path, trace):
    args = ["--swiotlb", "2048,2,force", "--cpus", "4", "--held-slots", "100", "--seed", "5"]
    full = tmp_path / "full.toml"
    full.write_text(output("run", trace, "--engine", "systemc", *args, "--print-config"))
    assert "slots = 2048" in full.read_text() and "match = '0'" in full.read_text()
    assert result("run", trace, "--engine", "systemc", "--platform", full)["swiotlb"] == result(
        "run", trace, "--engine", "systemc", *args)["swiotlb"]


@pytest.mark.parametrize(
    "options",
    [
        "--iommu lazy --untrusted *",
        "--iommu strict --iommu-set walkers=2",
        "--coco tdx --memory 2G --costs zero",
        f"--platform {WORKLOADS}/platforms/laptop-32bit.toml",
        f"--platform {WORKLOADS}/platforms/laptop-32bit.toml --iommu strict",
        "--swiotlb 4096,2 --kernel linux-6.1 --scattered 50 --time-scale 0.5",
    ],
)
def test_what_is_printed_runs_as_the_options_did(tmp_path, options):
    args = ["run", TESTS / "data/vblk4096.ftrace.xz", "--only", "block", "--engine", "systemc"]
    path = tmp_path / "p.toml"
    path.write_text(output(*args, *options.split(), "--print-config"))
    output("check-config", path)
    first, second = result(*args, *options.split()), result(*args, "--platform", path)
    for config in first["config"], second["config"]:  # where the size is from is all that differs
        del config["inferred"], config["size_rule"]
    assert first == second


def test_options_are_printed_without_a_trace_too(tmp_path):
    path = tmp_path / "p.toml"
    options = ["--coco", "tdx", "--memory", "4G", "--cpus", "9", "--swiotlb", "512,2,force",
               "--kernel", "linux-6.1", "--pool-start", "7f000000"]
    path.write_text(output("run", "--engine", "systemc", *options, "--print-config"))
    text = path.read_text()
    for word in ['coco = "tdx"', "memory = 4294967296", "cpus = 9", "slots = 512", "areas = 2",
                 "force = true", "kernel = 'linux-6.1'", f"start = {0x7f000000}", "[encryption]"]:
        assert word in text.splitlines(), word
    refused("run", "--engine", "systemc", "--iommu", "lazy", "--print-config", words=["a trace"])


@pytest.mark.parametrize(
    "text, line, words",
    [
        ("[machine]\ncpu = 4\n", 2, ["no key 'machine.cpu'", "cpus"]),
        ("[machines]\n", 1, ["no key 'machines'", "machine", "pool"]),
        ("machine = 3\n", 1, ["a table was expected"]),
        ("[machine]\ncpus = 0\n", 2, ["machine.cpus", "from 1 to"]),
        ("[machine]\ncpus = \"4\"\n", 2, ["machine.cpus", "whole number"]),
        ("[machine]\n\nmemory = \"4Q\"\n", 3, ["machine.memory", "4G"]),
        ("[machine]\ncoco = \"sgx\"\n", 2, ["none, sev-snp, tdx"]),
        ("[pool]\nslots = 10\nsize = \"4M\"\n", 3, ["pool.slots says it already"]),
        ("[pool]\nslots = 8388609\n", 2, ["pool.slots", "8388608"]),
        ("[pool]\nsize = \"32G\"\n", 2, ["pool.size", "16G"]),
        ("[pool]\nareas = 8193\n", 2, ["pool.areas", "8192"]),
        ("[machine]\n\nkernel = \"linux-5\"\n", 3, ["machine.kernel", "list kernels"]),
        ("[pool]\nstart = 5\n", 2, ["multiple of 4096"]),
        ("[pool]\nforce = 1\n", 2, ["true or false"]),
        ("[run]\narrivals = \"late\"\n", 2, ["trace, open, closed"]),
        ("[run]\ntime_scale = -1.0\n", 2, ["above 0"]),
        ("[costs]\nmap = 3\n", 2, ["no key 'costs.map'"]),
        ("[costs]\ncopy_hot = [[10, 5], [5, 6]]\n", 2, ["pairs [bytes, ps]"]),
        ("[[device]]\nmodel = \"floppy\"\n", 2, ["nvme", "virtio-blk"]),
        ("[[device]]\nmatch = \"a\"\n\n[[device]]\ncolour = 1\n", 5, ["no key 'device.colour'"]),
        ("[[device]]\nseg_boundary = 4096\n", 2, ["2^n - 1"]),
        ("[[device]]\nfull = \"wait\"\n", 2, ["requeue, drop, fail"]),
        ("device = 3\n", 1, ["[[device]]"]),
        ("[machine\n", 1, ["TOML"]),
        ("a = 1\na = 2\n", 2, ["TOML"]),
    ],
)
def test_refusals_name_the_line(tmp_path, text, line, words):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    refused("check-config", path, words=[f"bad.toml:{line}: ", *words])


def test_devices_that_no_rule_reaches_are_named(tmp_path):
    path = tmp_path / "p.toml"
    a, b, rest = ("[[device]]\nmatch = \"%s\"\n" % name for name in "ab*")
    path.write_text(a + b + rest)
    assert output("check-config", path) == f"{path}: good, 3 devices\n"
    path.write_text(a + rest + b)
    text = output("check-config", path)
    assert '[[device]] 3, "b", is never reached: [[device]] 2, "*"' in text
    path.write_text(a + a)
    assert '[[device]] 2, "a", is never reached: [[device]] 1, "a"' in output("check-config", path)


def test_other_refusals(tmp_path, trace):
    refused("check-config", words=["check-config FILE"])
    refused("check-config", tmp_path / "none.toml", words=["cannot be read"])
    path = tmp_path / "p.toml"
    path.write_text("[machine]\ncoco = \"tdx\"\n")
    refused("check-config", path, words=["machine.memory is missing"])
    path.write_text("[machine]\nkernel = \"linux-9\"\n")
    refused("check-config", path, words=["linux-9"])
    refused("run", trace, "--platform", path, words=["--engine systemc"])
    systemc = ["run", trace, "--engine", "systemc"]
    refused(*systemc, "--arrivals", "closed:0", words=["closed:DEPTH"])
    refused(*systemc, "--arrivals", "sometimes", words=["trace, open"])
    refused(*systemc, "--completions", "never", words=["recorded or model"])
    refused(*systemc, "--device-model", "floppy", words=["list devices"])
    refused(*systemc, "--time-scale", "0", words=["above 0"])
    refused(*systemc, "--fit", trace, words=["no request in it has a completion"])


def test_options_go_before_the_file(tmp_path, trace):
    path = tmp_path / "p.toml"
    path.write_text("[machine]\ncpus = 2\n[pool]\nslots = 4096\nforce = true\n"
                    "[costs]\nmap_ps = 7000\n[[device]]\nmodel = \"generic\"\n")
    got = result("run", trace, "--engine", "systemc", "--platform", path)["config"]
    assert (got["nslabs"], got["cpus"], got["force"]) == (4096, 2, True)
    got = result("run", trace, "--engine", "systemc", "--platform", path, "--swiotlb", "1024",
                 "--cpus", "1")["config"]
    assert (got["nslabs"], got["cpus"]) == (1024, 1)


def test_both_engines_agree_without_latencies(trace):
    replay = output("run", trace, "--mappings", "-", "--service-time", "120")
    timed = output("run", trace, "--mappings", "-", "--service-time", "120", "--engine", "systemc",
                   "--device-model", "generic", "--costs", "zero", "--arrivals", "open")

    def without_addresses(text):
        return [line.split(",")[:4] + line.split(",")[5:] for line in text.splitlines()]

    assert without_addresses(replay) == without_addresses(timed)
    assert len(replay.splitlines()) == 41


def test_the_watchdog_ends_a_run(trace):
    done = bouncesim("run", trace, "--engine", "systemc", "--swiotlb", "128,force",
                     "--held-slots", "128", "--json", "-")
    error = done.stderr.decode()
    assert done.returncode == 1 and done.stdout == b""
    assert error.startswith("bouncesim: no progress since 0 us")
    assert "128 of 128 slots in use" in error and "wait for room" in error


def test_devices_that_the_fitted_trace_does_not_have_are_named(tmp_path):
    rows = ["0,write,1,sda,0,4096,500000\n", "1000,write,2,vda,0,4096,500000\n"]
    header = "time_ns,op,id,device,cpu,size,response_ns\n"
    both, one = tmp_path / "both.csv", tmp_path / "one.csv"
    both.write_text(header + "".join(rows))
    one.write_text(header + rows[0])
    run = ["run", both, "--engine", "systemc", "--fit"]
    assert "--fit: no virtio-blk completed a request" in output(*run, one)
    assert "--fit: no" not in output(*run, both)
    got = result(*run, one)["platform"]["devices"]
    assert [device["fitted"] for device in got] == [True, False]


@pytest.mark.parametrize("options, words, never", [
    (["--iommu", "strict"], "behind an IOMMU, as told", "forced"),
    (["--platform", WORKLOADS / "platforms/thunderbolt-untrusted.toml"], "behind the IOMMU", "4 GiB"),
    (["--platform", WORKLOADS / "platforms/raspberry-pi.toml"], "the machine's memory", "4 GiB"),
    (["--per-device", "2048"], "pools: 2,048 slots a device, as told", "not told"),
], ids=["iommu", "untrusted", "32 bits", "pools"])
def test_what_is_said_of_bouncing_is_what_is_done(trace, options, words, never):
    text = output("run", trace, "--engine", "systemc", *options)
    said = [line for line in text.splitlines() if line.startswith(("inferred", "pool"))]
    assert any(words in line for line in said)
    assert not any(never in line for line in said)


def test_others_hold_no_more_than_the_pool(trace):
    run = ["run", trace, "--engine", "systemc", "--swiotlb", "128,force", "--held-slots"]
    refused(*run, "129", words=["129 slots of a pool of 128"])
    refused("run", trace, "--engine", "systemc", "--watchdog", "0", words=["--watchdog 0"])


def test_limits_of_an_option_reach_what_cuts_requests(trace):
    """As the block layer cuts by the boundary of the device, whoever set it."""
    got = output("run", trace, "--engine", "systemc", "--device", "*:seg_boundary=1fff",
                 "--mappings", "-")
    sizes = [int(line.split(",")[5]) for line in got.splitlines()[1:]]
    assert max(sizes) == 8192 and all("ok" in line for line in got.splitlines()[1:])


def test_a_request_that_never_fits_is_told_from_a_pool_that_is_too_small(tmp_path, trace):
    run = ["run", trace, "--engine", "systemc", "--quiet", "--watchdog", "100"]
    done = bouncesim(*run, "--device", "*:dma_mask=ffffff")  # the pool lies above it
    assert done.returncode == 1 and b"0 of 32768 slots in use" in done.stderr
    assert b"the slots are there: masks" in done.stderr and b"larger pool" not in done.stderr


def test_models_by_name(tmp_path):
    names = {"eth0": "virtio-net", "enp1s0": "virtio-net", "net": "virtio-net", "vdb": "virtio-blk",
             "254:16": "virtio-blk", "sda": "ahci", "8:0": "ahci", "usb1": "xhci-storage",
             "nvme0n1": "nvme", "259:0": "nvme"}  # fmt: skip
    trace = tmp_path / "names.csv"
    rows = [f"{i * 1000},write,{i},{name},0,4096" for i, name in enumerate(names)]
    trace.write_text("\n".join(["time_ns,op,id,device,cpu,size", *rows]) + "\n")
    got = result("run", trace, "--engine", "systemc", "--swiotlb", "4096,force")
    assert {row["name"]: row["model"] for row in got["platform"]["devices"]} == names
