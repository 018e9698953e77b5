# SPDX-License-Identifier: Apache-2.0
"""Real files of many tools, with the numbers that their collection gives for them. They are not
part of the project: BOUNCESIM_SAMPLES names the folder, or it lies in ../shared/samples."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import bouncesim, needs_binary, output, refused, result  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = Path(os.environ.get("BOUNCESIM_SAMPLES", PROJECT.parent / "shared" / "samples"))

pytestmark = [
    needs_binary,
    pytest.mark.skipif(
        not (SAMPLES / "INDEX.md").exists(),
        reason=f"no samples in {SAMPLES}; BOUNCESIM_SAMPLES may name their folder",
    ),
]

# file: format, records, span in s (None: not given), sizes min, median, max (None: not given)
EXPECTED = {
    "takeoverjp-nvme-cpu1.blktrace.bin": ("blktrace", 6743, 0.346, (4096, 4096, 4096)),
    "oxdeadmeat-dmcrypt-nvme.blkparse.txt": ("blkparse", 1364, 25.018, (4096, 4096, 81920)),
    "cloudPhysicsIO.v1.vscsi.xz": ("vscsi", 98304, 5692.2, (512, 45056, 69632)),
    "mqsim-tpcc-small.trace.xz": ("mqsim", 6999, 0.136, (512, 8192, 61440)),
    "mqsim-wsrch-small.trace.xz": ("mqsim", 24783, 60.055, (512, 8192, 1137664)),
    "disksim-ssd-postmark-aligned2.trace.xz": ("disksim", 62257, 490.4, (4096, 65536, 4194304)),
    "hfplayer-small-tpch.csv": ("hfplayer", 780, 0.925, (4096, 57344, 253952)),
    "opencas-slit-ycsb-a-optane.pairs.csv.xz": ("csv", 88293, 17.509, (1536, 131072, 131072)),
    "axboe-t0038.v3.iolog": ("fio", 23, None, (4096, 4096, 4096)),
    "suricata-http-mime-upload.pcap.xz": ("pcap", 2696, 14.5, (54, 1442, 1514)),
    # The collection counts the 20 bytes of the pseudo header in.
    "suricata-sll2-tso.pcap": ("pcap", 159, 0.02, (72 - 20, 1520 - 20, 65232 - 20)),
    "ndpi-alexa-app.pcapng": ("pcap", 3103, 176, (20, 74, 1514)),
    "ndpi-opera-vpn.pcap.xz": ("pcap", 3200, 7.8, (54, 90, 1506)),
    "zeek-smb3_multichannel-gso.pcap": ("pcap", 1448, 191, (60, 171, 16162)),
    "zeek-http206-bulk.pcap.xz": ("pcap", 1556, 1532, (56, 1454, 1454)),
    "tcpreplay-test.pcap": ("pcap", 179, 3.26, (42, 86, 1514)),
    "tcpreplay-test-bigendian.pcap": ("pcap", 179, 3.26, (42, 86, 1514)),
}


def read(name, *args):
    return result("run", SAMPLES / name, *args)


def as_given(span, seconds):
    """Equal to as many digits as the collection gives; it rounds or cuts."""
    digits = len(str(seconds).partition(".")[2])
    return abs(span / 1e9 - seconds) < 10**-digits


@pytest.mark.parametrize("name", EXPECTED)
def test_public(name):
    form, records, seconds, sizes = EXPECTED[name]
    trace = read(f"public/{name}")["trace"]
    requests = trace["requests"]
    assert (trace["format"], trace["records"]) == (form, records)
    assert seconds is None or as_given(trace["span_ns"], seconds), trace["span_ns"]
    assert (requests["size_min"], requests["size_median"], requests["size_max"]) == sizes
    assert trace["time_steps_back"] == trace["late_records"] == trace["unmatched_unmaps"] == 0


def test_public_nothing_forgotten():
    refused_kindly = {
        "axboe-iometer-file-access-server.fio", "trappy-trace.dat", "quipper-raw-3.4.perf.data"
    }  # fmt: skip
    assert {p.name for p in (SAMPLES / "public").iterdir()} == set(EXPECTED) | refused_kindly


def test_public_refused_with_advice():
    refused("run", SAMPLES / "public/quipper-raw-3.4.perf.data", words=["perf script"])
    refused("run", SAMPLES / "public/axboe-iometer-file-access-server.fio", words=["fio job"])
    trappy = refused("run", SAMPLES / "public/trappy-trace.dat")
    assert "record the trace events" in trappy or "libtracecmd" in trappy


def test_details():
    disksim = read("public/disksim-ssd-postmark-aligned2.trace.xz")["trace"]["requests"]
    assert (disksim["reads"], disksim["split"]) == (51780, 6332)
    wsrch = read("public/mqsim-wsrch-small.trace.xz")["trace"]["requests"]
    assert wsrch["split"] == 2
    tpcc = read("public/mqsim-tpcc-small.trace.xz")
    assert len(tpcc["config"]["devices"]) == 16
    fio = read("public/axboe-t0038.v3.iolog")["trace"]
    assert (fio["requests"]["writes"], fio["skipped"]["other_events"]) == (10, 13)
    blkparse = read("public/oxdeadmeat-dmcrypt-nvme.blkparse.txt")["trace"]
    assert blkparse["requests"]["count"] == 142 - 23
    assert blkparse["requests"]["outstanding"] == 0
    hfplayer = read("public/hfplayer-small-tpch.csv")["trace"]
    assert hfplayer["requests"]["service_time_assumed"] is False
    sll2 = read("public/suricata-sll2-tso.pcap")["trace"]["requests"]
    assert sll2["reads"] and sll2["writes"]


def test_both_byte_orders_hold_the_same_packets():
    little, big = (read(f"public/tcpreplay-test{order}.pcap") for order in ("", "-bigendian"))
    del little["trace"]["files"], big["trace"]["files"]
    assert little == big


def test_peak_in_flight():
    """143,810,560 bytes at the peak: more than the default pool holds, not more than 256 MiB."""
    path = SAMPLES / "public/opencas-slit-ycsb-a-optane.pairs.csv.xz"
    small = result("run", path, "--swiotlb", "32768,1")
    assert small["events"]["full"] > 0
    assert small["swiotlb"]["used_hiwater"] > 32000
    large = result("run", path, "--swiotlb", "131072,1")
    assert large["events"]["full"] == 0
    assert large["swiotlb"]["used_hiwater"] == 143_810_560 // 2048


def test_recorded_blktrace():
    files = [SAMPLES / f"recorded/nvme.blktrace.{cpu}" for cpu in (0, 3)]
    merged = result("run", *files)
    single = [result("run", path)["trace"] for path in files]
    trace = merged["trace"]
    assert trace["records"] == sum(t["records"] for t in single)
    assert trace["requests"]["count"] == sum(t["requests"]["count"] for t in single) == 587
    assert trace["unmatched_unmaps"] == trace["requests"]["outstanding"] == 0
    assert trace["time_steps_back"] == trace["late_records"] == 0
    # 246 slots were in use by others throughout, and the kernel counted 696 at the most.
    assert merged["swiotlb"]["used_hiwater"] + 246 == 696


def counter(name, key):
    """What the kernel counted by the end of the recording."""
    lines = (SAMPLES / f"recorded/{name}.stat").read_text().splitlines()
    return next(int(x.split()[-1]) for x in lines if x.startswith(f"STAT end {key} "))


def test_recorded_trace_dat():
    path = SAMPLES / "recorded/three-devices.trace.dat.xz"
    if b"not installed" in bouncesim("run", path).stderr:
        pytest.skip("libtracecmd is not installed; libtracecmd1 brings it")
    got = read("recorded/three-devices.trace.dat.xz")
    assert got["trace"]["format"] == "trace.dat" and got["trace"]["lost_events"] == 0
    assert got["recorded"]["maps_compared"] == 7468
    assert got["recorded"]["addresses_equal"] >= 0.99 * 7468
    hiwater = counter("tcmd", "io_tlb_used_hiwater")
    assert abs(got["swiotlb"]["used_hiwater"] - hiwater) <= 0.02 * hiwater
    block = read("recorded/three-devices.trace.dat.xz", "--only", "block")["trace"]
    assert block["requests"]["count"] == 727


@pytest.mark.parametrize(
    "name, stat, maps", [("nvme-blktrace-run", "blk", 8145), ("usb-run", "usb", 8860)]
)
def test_recorded_text(name, stat, maps):
    got = read(f"recorded/{name}.ftrace.xz")
    assert got["recorded"]["maps_compared"] == maps
    assert got["recorded"]["addresses_equal"] >= 0.99 * maps
    hiwater = counter(stat, "io_tlb_used_hiwater")
    assert abs(got["swiotlb"]["used_hiwater"] - hiwater) <= 0.02 * hiwater


def test_recorded_blktrace_beside_the_text():
    """The same seconds of the same disk, recorded by two tracers."""
    files = [SAMPLES / f"recorded/nvme.blktrace.{cpu}" for cpu in (0, 3)]
    binary = result("run", *files)["trace"]["requests"]
    text = result("run", SAMPLES / "recorded/nvme-blktrace-run.ftrace.xz", "--only", "block")
    disk = [d["name"] for d in text["config"]["devices"]].index("259:0")
    assert disk >= 0 and text["trace"]["requests"]["count"] == 727
    assert binary["count"] == 587  # 140 of the 727 are the USB disk's
    assert text["trace"]["requests"]["outstanding"] == 0


def test_recorded_usbmon():
    got = read("recorded/usb.usbmon")
    requests = got["trace"]["requests"]
    assert (got["trace"]["format"], got["trace"]["records"]) == ("usbmon", 840)
    assert (requests["count"], requests["size_max"]) == (420, 245760)
    assert got["trace"]["unmatched_unmaps"] == got["trace"]["implied_unmaps"] == 0
    assert "used_hiwater" in got["swiotlb"] and got["swiotlb"]["used"] == 0


def test_sweep():
    text = output("sweep", SAMPLES / "public/mqsim-tpcc-small.trace.xz", "--sizes", "512..2048")
    assert "swiotlb=" in text
