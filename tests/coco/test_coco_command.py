# SPDX-License-Identifier: Apache-2.0
"""--coco sev-snp|tdx: what a confidential guest's pool is, and what making it shared costs."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import WORKLOADS, needs_binary, needs_kernel, output, refused, result  # noqa: E402
from samples import ftrace  # noqa: E402

pytestmark = needs_binary
NVME = WORKLOADS / "nvme1024.ftrace.xz"
PAGE_NS = {"sev-snp": 1250, "tdx": 1660}

SIZES = [
    ("512M", 32768),
    ("1G", 32768),
    ("2G", 65536),
    ("4G", 131072),
    ("8G", 262144),
    ("16G", 524288),
    ("32G", 524288),
    ("64G", 524288),
]


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "small.ftrace"
    path.write_text(ftrace(4))
    return path


@pytest.mark.parametrize("guest", PAGE_NS)
@pytest.mark.parametrize("memory, nslabs", SIZES)
def test_pool_and_conversion_follow_from_memory(trace, guest, memory, nslabs):
    got = result("run", trace, "--coco", guest, "--memory", memory)
    assert got["swiotlb"]["nslabs"] == nslabs
    assert got["config"]["force"] is True
    pages = nslabs // 2
    conversion = {"bytes": pages * 4096, "pages": pages, "ns": pages * PAGE_NS[guest]}
    assert got["conversion"] == conversion


def test_everything_bounces(trace):
    direct = result("run", trace, "--device", "*:dma_mask=ffffffffffffffff")
    coco = result("run", trace, "--coco", "tdx", "--memory", "1G")
    assert coco["events"]["maps"] == direct["events"]["maps"] + direct["events"]["direct_maps"]
    assert coco["events"]["direct_maps"] == 0


@pytest.mark.parametrize(
    "option, nslabs",
    [("512", 512), ("32768", 262144), ("65536", 65536), ("512M", 262144), ("20000,4", 262144)],
)
def test_an_option_overrides_the_rule_but_for_the_default(trace, option, nslabs):
    got = result("run", trace, "--coco", "sev-snp", "--memory", "8G", "--swiotlb", option)
    assert got["swiotlb"]["nslabs"] == nslabs
    assert got["conversion"]["pages"] == nslabs // 2


def test_noforce_leaves_no_pool(trace):
    got = result(
        "run", trace, "--coco", "sev-snp", "--memory", "8G", "--swiotlb", "32768,noforce"
    )
    assert got["swiotlb"]["nslabs"] == 0
    assert got["conversion"] == {"bytes": 0, "pages": 0, "ns": 0}


def test_the_atomic_pool_is_converted_as_well(trace):
    needs_kernel("linux-6.12-dynamic")
    args = ["--kernel", "linux-6.12-dynamic", "--coco", "tdx", "--memory", "16G"]
    got = result("run", trace, *args)
    assert got["conversion"]["bytes"] == (1 << 30) + (2 << 20)


def test_growth_is_converted_and_an_empty_atomic_pool_is_a_cause():
    needs_kernel("linux-6.12-dynamic")
    args = ["--kernel", "linux-6.12-dynamic", "--coco", "tdx", "--memory", "1G"]
    args += ["--swiotlb", "512", "--cpus", "4"]
    slow = result("run", NVME, *args, "--worker-delay", "1000000000")
    assert slow["events"]["transient_maps"] > 0
    assert slow["events"]["full_by_cause"]["atomic_pool"] > 0
    assert slow["conversion"]["bytes"] == (1 << 20) + (128 << 10)
    fast = result("run", NVME, *args, "--worker-delay", "1")
    assert fast["events"]["full"] < slow["events"]["full"]
    grown = (fast["swiotlb"]["nslabs"] - 512) * 2048
    assert grown > 0
    assert fast["conversion"]["bytes"] > slow["conversion"]["bytes"] + grown


def test_the_summary_says_what_it_costs(trace):
    text = output("run", trace, "--coco", "sev-snp", "--memory", "16G")
    line = next(line for line in text.splitlines() if line.startswith("conversion"))
    for part in ("1 GiB", "262,144 pages", "328 ms", "SEV-SNP", "1,250 ns"):
        assert part in line, line
    text = output("run", trace, "--coco", "tdx", "--memory", "16G")
    line = next(line for line in text.splitlines() if line.startswith("conversion"))
    assert "435 ms" in line and "TDX" in line and "1,660 ns" in line
    assert "\nconversion " not in output("run", trace)


def test_refusals(trace):
    refused("run", trace, "--coco", "tdx", words=["--memory"])
    refused("run", trace, "--coco", "sgx", "--memory", "1G", words=["sgx", "sev-snp", "tdx"])
    refused("run", trace, "--memory", "1G", words=["--coco"])


@pytest.mark.parametrize(
    "args,rule,slots,words",
    [
        ([], "recorded", 1024, None),
        (["--swiotlb", "3000"], "option", 4096, "3,000 slots as told, rounded up to 4,096"),
        (["--swiotlb", ",16"], "recorded", 2048, "rounded up to 2,048"),
        (["--swiotlb", "0x800,force"], "option", 2048, "2,048 slots as told"),
        (["--coco", "tdx", "--memory", "8G"], "confidential-x86", 262144, "6 % of 8 GiB"),
        (["--coco", "tdx", "--memory", "8G", "--swiotlb", "64M"], "confidential-x86", 262144,
         "6 %"),
        (["--coco", "tdx", "--memory", "8G", "--low-memory", "100M"], "confidential-x86", 32768,
         "halved to 32,768"),
        (["--arch", "arm64", "--memory", "6G"], "arm64", 4096, "1 MiB for each of 6 GiB"),
        (["--arch", "arm64", "--memory", "6G", "--kernel", "linux-6.1"], "default", 32768, "6.7"),
        (["--swiotlb", "1G", "--low-memory", "900K"], "option", 0, "there is none"),
        (["--swiotlb", "noforce"], "recorded", 0, "noforce"),
    ],
    ids=str,
)  # fmt: skip
def test_the_rule_that_gives_the_size_is_said(args, rule, slots, words):
    got = result("run", NVME, *args)
    assert (got["config"]["size_rule"], got["config"]["nslabs"]) == (rule, slots)
    said = [line for line in got["config"]["inferred"] if line.startswith("pool size:")]
    assert (words in said[0]) if words else not said
