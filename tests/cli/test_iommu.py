# SPDX-License-Identifier: Apache-2.0
"""--iommu, --untrusted and --coco of the timed engine, on recorded traces."""

import pytest
from command import TESTS, WORKLOADS, bouncesim, needs_binary, output, refused, result

pytestmark = needs_binary

TRACE = WORKLOADS / "vnet2048.ftrace.xz"
ENGINE = ("--engine", "systemc", "--check-data", "-q")


@pytest.fixture(autouse=True)
def systemc():
    done = bouncesim("list", "costs")
    if b"no SystemC" in done.stdout:
        pytest.skip("this build has no SystemC")


def clean(seen):
    check = seen["check"]
    return check["mismatches"] == check["lost_bytes"] == check["faults"]["count"] == 0


@pytest.mark.parametrize("mode", ["strict", "lazy"])
def test_trusted_devices_do_not_bounce(mode):
    seen = result("run", TRACE, *ENGINE, "--iommu", mode)
    iommu = seen["iommu"]
    assert clean(seen) and seen["events"]["maps"] == 0
    assert iommu["mode"] == mode and iommu["maps"] > 1000 and iommu["bounced"] == 0
    assert iommu["iotlb_hits"] + iommu["walks"] == iommu["translations"] > 1000
    assert iommu["faults"]["count"] == 0 and iommu["stale"] == 0
    assert (iommu["invalidations"] > 0) == (mode == "strict")
    assert (iommu["queue_hiwater"] > 0) == (mode == "lazy")


def test_untrusted_devices_bounce_what_is_not_whole_pages():
    seen = result("run", TRACE, *ENGINE, "--iommu", "strict", "--untrusted", "*")
    iommu = seen["iommu"]
    assert clean(seen)
    assert 0 < iommu["bounced"] == seen["events"]["maps"] - seen["events"]["failed_maps"]
    assert iommu["zeroed_bytes"] > 0


def test_time_and_parameters():
    free = ("--costs", "zero", "--iommu", "strict")
    seen = result("run", TRACE, *ENGINE, *free)
    assert seen["timing"]["cpu_busy_ns"] == 0 and seen["iommu"]["map_ns"] == 0
    seen = result("run", TRACE, *ENGINE, *free, "--iommu-set", "iova_hit_ps=1000")
    assert seen["iommu"]["map_ns"] == seen["iommu"]["maps"]
    slow = result("run", TRACE, *ENGINE, "--iommu", "strict", "--iommu-set", "walk_ps=5000000")
    fast = result("run", TRACE, *ENGINE, "--iommu", "strict", "--iommu-set", "walk_ps=0")
    assert fast["timing"]["dma_ns"] + 5000 * fast["iommu"]["transfers"] <= slow["timing"]["dma_ns"]
    for key in "iotlb_entries", "walkers", "queue_timeout_us":
        assert key in output("list", "iommu")


@pytest.mark.parametrize("guest", ["sev-snp", "tdx"])
def test_guests_touch_shared_pages_only(guest):
    seen = result("run", TRACE, *ENGINE, "--coco", guest, "--memory", "4G")
    assert clean(seen)
    encryption = seen["encryption"]
    assert encryption["faults"]["count"] == 0 == encryption["private_bytes"]
    plain = result("run", TRACE, *ENGINE, "--swiotlb", str(seen["config"]["nslabs"]) + ",force")
    assert seen["timing"]["copy_ns"] > plain["timing"]["copy_ns"]
    assert "encryption" not in plain


@pytest.mark.parametrize("guest,place", [("sev-snp", "device_read"), ("tdx", "after_unmap")])
def test_guests_whose_devices_reach_past_the_pool(guest, place):
    """Behind an IOMMU nothing bounces, and the buffers of a guest are private."""
    seen = result(
        "run", TRACE, *ENGINE, "--coco", guest, "--memory", "4G", "--iommu", "strict", status=3
    )
    faults = seen["encryption"]["faults"]
    assert faults["count"] == faults["by_kind"]["encrypted"] > 1000
    assert faults["first"][0]["kind"] == "encrypted"
    assert any(row["place"] == place for row in seen["check"]["first"])


def test_what_is_refused(tmp_path):
    refused("run", TRACE, "--iommu", "strict", words=["--engine systemc"])
    refused("run", TRACE, *ENGINE, "--iommu", "none", words=["strict or lazy"])
    refused("run", TRACE, *ENGINE, "--untrusted", "*", words=["--iommu"])
    for text in "walkers=0", "walkers", "nonsense=1", "map_time=3", "walkers=x":
        refused(
            "run", TRACE, *ENGINE, "--iommu", "lazy", "--iommu-set", text, words=["--iommu-set"]
        )
    refused(
        "run", TRACE, *ENGINE, "--iommu", "lazy", "--iommu-set", "iotlb_ways=5", words=["divisor"]
    )
    ops = tmp_path / "small.ops"
    ops.write_text("P 1024 1 1 40000000\nD 0 0 ffffffff ffffffffffffffff\nM 0 0 0 1000 512 0 2\n")
    refused("run", ops, *ENGINE, "--iommu", "lazy", words=["allocator calls"])


BLOCK = (TESTS / "data" / "nvme512.ftrace.xz", "--only", "block")


def test_platforms_have_it():
    file = WORKLOADS / "platforms" / "thunderbolt-untrusted.toml"
    seen = result("run", *BLOCK, *ENGINE, "--platform", file)
    assert clean(seen) and seen["iommu"]["mode"] == "strict"
    assert seen["iommu"]["maps"] == seen["iommu"]["unmaps"] > 500
    assert seen["iommu"]["faults"]["count"] == 0
    file = WORKLOADS / "platforms" / "snp-small.toml"
    seen = result("run", *BLOCK, *ENGINE, "--platform", file)
    assert clean(seen) and "iommu" not in seen
    exits = seen["encryption"]
    assert exits["doorbells"] > 500 and 0 < exits["interrupts"] <= exits["doorbells"]
    assert exits["faults"]["count"] == 0


def test_platform_files_say_all_of_it(tmp_path):
    file = WORKLOADS / "platforms" / "thunderbolt-untrusted.toml"
    printed = output("run", "--engine", "systemc", "--platform", file, "--print-config")
    for words in "[iommu]", "walkers = 6", "unmap_serial = [[4096, ", "iommu = 2":
        assert words in printed
    again = tmp_path / "again.toml"
    again.write_text(printed)
    assert printed == output("run", "--engine", "systemc", "--platform", again, "--print-config")
    file = WORKLOADS / "platforms" / "snp-large.toml"
    printed = output("run", "--engine", "systemc", "--platform", file, "--print-config")
    for words in "[encryption]", "doorbell_ps = 0", "page_ps = 1250000":
        assert words in printed


@pytest.mark.parametrize(
    "text,words",
    [
        ("[iommu]\nwalkers = 3\n", "no device is behind it"),
        ("[iommu]\nwalkers = 0\n[[device]]\niommu = 1\n", "walkers"),
        ("[iommu]\nwalks = 1\n[[device]]\niommu = 1\n", "walks"),
        ("[iommu]\niotlb_ways = 5\n[[device]]\niommu = 1\n", "iotlb_ways"),
        ("[encryption]\npage_ps = 1\n", "machine.coco"),
        ("[[device]]\niommu = 3\n", "iommu"),
    ],
)
def test_platform_files_that_are_refused(tmp_path, text, words):
    file = tmp_path / "p.toml"
    file.write_text(text)
    refused("check-config", file, words=[words])
    refused("run", TRACE, *ENGINE, "--platform", file, words=[words, "p.toml"])


def test_an_untrusted_device_has_to_be_there():
    refused("run", TRACE, *ENGINE, "--iommu", "lazy", "--untrusted", "no-such",
            words=["--untrusted: no device no-such in the trace"])
