# SPDX-License-Identifier: Apache-2.0
"""`bouncesim gen`: specs, formats, refusals, and the way from a recording to one of its kind."""

import hashlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import TESTS, WORKLOADS, needs_binary, output, refused, result, rows  # noqa: E402

pytestmark = needs_binary

SPECS = sorted((WORKLOADS / "specs").glob("*.toml"))

SPEC = """schema = "bouncesim-gen/1"
duration_ms = 200
cpus = 2
[[device]]
name = "disk"
min_align_mask = "fff"
[[device.stream]]
direction = "from_device"
rate = 5000
size = { values = [[4096, 3], [65536, 1]] }
lifetime_us = { median = 100, p99 = 900 }
"""


@pytest.fixture(name="spec")
def spec_file(tmp_path):
    def write(text=SPEC):
        path = tmp_path / "spec.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_examples(path, tmp_path):
    """Every example makes a trace that reads back clean, and has a line in the README."""
    trace = tmp_path / "t.csv"
    said = output("gen", path, "-o", trace)
    got = result("info", trace)
    assert f"{got['totals']['maps']:,} " in said
    assert got["totals"]["maps"] > 1000 and got["demand"]["slots_peak"] > 0
    output("lint", trace)  # exit status 0: no errors, no warnings
    assert f"`{path.name}`" in (WORKLOADS / "README.md").read_text()


SHA = "242db495e72178dcbf348a157b5e8fa13baf12a62ce5c37dae21f5617bac99a0"


def test_the_same_everywhere(spec):
    """Byte for byte: no library's logarithm, no clock. The sum was made on x86-64 with gcc 12."""
    text = output("gen", spec())
    assert text == output("gen", spec())
    assert hashlib.sha256(text.encode()).hexdigest() == SHA
    assert text != output("gen", spec(), "--seed", "1")
    assert text == output("gen", spec(SPEC.replace("cpus = 2", "cpus = 2\nseed = 0")))


def test_formats(spec, tmp_path):
    csv, ops = tmp_path / "t.csv", tmp_path / "t.ops"
    output("gen", spec(), "-o", csv)
    output("gen", spec(), "-o", ops)
    assert csv.read_text() == output("gen", spec()) == output("gen", spec(), "--format", "csv")
    assert ops.read_text() == output("gen", spec(), "-o", "-", "--format", "ops")
    a, b = result("info", csv), result("info", ops)
    assert (a["trace"]["format"], b["trace"]["format"]) == ("csv", "ops")
    assert a["totals"]["maps"] == b["totals"]["maps"]
    assert a["demand"]["slots_peak"] == b["demand"]["slots_peak"]
    assert b["devices"][0]["min_align_mask"] == "fff"
    # What both carry gives the same pool.
    size = ["--swiotlb", "32768,2", "--cpus", "2", "--device", "*:min_align_mask=fff"]
    one, two = (result("run", t, *size)["swiotlb"]["used_hiwater"] for t in (csv, ops))
    assert one == two == a["demand"]["slots_peak"]


LISTS = SPEC.replace("rate = 5000", "rate = 5000\nsegments = { uniform = [1, 8] }")


@pytest.mark.parametrize("text", [SPEC, LISTS, 'level = "requests"\n' + SPEC])
def test_native_says_what_csv_says(spec, tmp_path, text):
    csv, native = tmp_path / "t.csv", tmp_path / "t.bnc"
    output("gen", spec(text), "-o", csv)
    said = output("gen", spec(text), "-o", native)
    assert "native" in said and native.stat().st_size * 3 < csv.stat().st_size
    options = ["--swiotlb", "512,2", "--cpus", "2", "--device", "*:min_align_mask=fff"]
    a, b = result("run", csv, *options), result("run", native, *options)
    for key in "events", "swiotlb", "copy":
        assert a[key] == b[key], key
    lists = result("info", native)["totals"]
    assert lists["maps"] == result("info", csv)["totals"]["maps"]
    if text == LISTS:  # of four or five entries
        assert lists["operations"] * 4 < lists["maps"]
        assert result("info", csv)["totals"]["operations"] == lists["operations"]
    assert output("lint", native) and output("lint", csv)
    # Masks come with it; what stands in the header is the pool of the spec.
    told = result("run", native)
    assert told["config"]["devices"][0]["name"] == "disk"
    if "requests" not in text:
        assert told["config"]["devices"][0]["min_align_mask"] == "fff"
        assert told["swiotlb"]["nslabs"] == 32768
    packed = tmp_path / "t.bnc.zst"
    output("gen", spec(text), "-o", packed, "--quiet")
    assert result("run", packed)["events"] == told["events"]
    assert output("gen", spec(text), "-o", "-", "--format", "csv") == csv.read_text()


def test_requests(spec, tmp_path):
    path = spec('level = "requests"\n' + SPEC)
    got = result("info", "-", stdin=output("gen", path).encode())
    assert got["trace"]["level"] == "requests" and not got["totals"]["service_time_assumed"]
    assert got["totals"]["reads"] == got["totals"]["maps"] > 900
    assert abs(got["lifetimes"]["p50_ns"] - 100_000) < 15_000
    refused("gen", path, "-o", tmp_path / "t.ops", words=["requests", "csv"])


def test_sizes_lifetimes_and_rate(spec):
    got = result("info", "-", stdin=output("gen", spec(SPEC.replace("200", "4000"))).encode())
    assert abs(got["totals"]["maps"] - 20000) < 500
    assert got["sizes"] == {"min": 4096, "median": 4096, "p99": 65536, "max": 65536}
    assert abs(got["totals"]["bytes"] / got["totals"]["maps"] - 19456) < 600
    assert abs(got["lifetimes"]["p50_ns"] - 100_000) < 5_000
    assert abs(got["lifetimes"]["p99_ns"] - 900_000) < 90_000
    # Little's law
    mean = 20000 * got["concurrency"]["mean"] / got["totals"]["maps"]
    assert 0.5 < mean < 1.2


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "trace",
    [TESTS / "data/vblk4096.ftrace.xz", WORKLOADS / "vnet2048.ftrace.xz"],
    ids=["vblk", "vnet"],
)
def test_round_trip(trace, seed, tmp_path):
    """From a recording to its histograms to another trace of its kind, and back."""
    spec, made = tmp_path / "h.toml", tmp_path / "t.csv"
    was = result("info", trace)
    output("info", trace, "--histograms", spec, "--quiet")
    output("gen", spec, "-o", made, "--seed", seed)
    now = result("info", made)
    assert abs(now["totals"]["maps"] - was["totals"]["maps"]) <= was["totals"]["maps"] * 0.05
    assert abs(now["totals"]["bytes"] - was["totals"]["bytes"]) <= was["totals"]["bytes"] * 0.05
    assert abs(now["sizes"]["median"] - was["sizes"]["median"]) <= was["sizes"]["median"] * 0.05
    for key in ("p50_ns", "p90_ns", "p99_ns"):
        assert abs(now["lifetimes"][key] - was["lifetimes"][key]) <= was["lifetimes"][key] * 0.05
    pool = ["--swiotlb", "8192,4", "--cpus", "4"]
    recorded = result("run", trace, *pool)["swiotlb"]["used_hiwater"]
    again = result("run", made, *pool)["swiotlb"]["used_hiwater"]
    assert abs(again - recorded) <= recorded * 0.25


@pytest.mark.parametrize("seed", [2, 3])
def test_what_waited_for_room_is_made_up_for(seed, tmp_path):
    """A ring that is always full: operations wait for one to end, their rate is that recorded."""
    trace, spec, made = TESTS / "data/e1000-1024.ftrace.xz", tmp_path / "h.toml", tmp_path / "t.bnc"
    was = result("info", trace)
    output("info", trace, "--histograms", spec, "--quiet")
    output("gen", spec, "-o", made, "--seed", seed)
    now = result("info", made)
    assert now["totals"]["maps"] > 0.75 * was["totals"]["maps"]
    assert abs(now["demand"]["slots_peak"] - was["demand"]["slots_peak"]) <= 8


def test_round_trip_of_requests(tmp_path):
    spec = WORKLOADS / "specs/scsi.toml"
    first, second, histograms = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "h.toml"
    output("gen", spec, "-o", first)
    output("info", first, "--histograms", histograms, "--quiet")
    assert 'level = "requests"' in histograms.read_text()
    output("gen", histograms, "-o", second)
    was, now = result("info", first), result("info", second)
    assert now["sizes"]["median"] == was["sizes"]["median"]
    assert abs(now["demand"]["slots_mean"] / was["demand"]["slots_mean"] - 1) < 0.15


BAD = [
    ("duration_ms = 200\n", "", 1, "duration"),
    ("cpus = 2", "cpus = 0", 3, "cpus"),
    ("cpus = 2", "cpus = 2\ncups = 3", 4, "no key 'cups'"),
    ("/1", "/2", 1, "schema"),
    ('name = "disk"', 'name = "a disk"', 5, "device.name"),
    ('"fff"', '"ffe"', 6, "min_align_mask"),
    ("rate = 5000", "", 7, "rate"),
    ("rate = 5000", "rate = 5000\nshare = 3", 7, "rate or share"),
    ("rate = 5000", "rate = -1", 9, "rate"),
    ("rate = 5000", "rate = 5000\nring = 4", 7, "ring"),
    ("rate = 5000", "rate = 5000\nthink_us = 4", 7, "think"),
    ("rate = 5000", 'arrivals = "often"', 9, "arrivals"),
    ('"from_device"', '"sideways"', 7, "direction"),
    ("[[4096, 3], [65536, 1]]", "[[4096, 0]]", 10, "weights"),
    ("[[4096, 3], [65536, 1]]", "[[0, 1]]", 10, "size"),
    ("[[4096, 3], [65536, 1]]", "[4096, 1]", 10, "VALUE, WEIGHT"),
    ("{ values = [[4096, 3], [65536, 1]] }", "{ mean = 3 }", 10,
     "no key 'device.stream.size.mean'"),
    ("p99 = 900", "p99 = 9", 11, "p99"),
    ("lifetime_us =", "lifetime_ms = 3\nlifetime_us =", 7, "one unit"),
    ("lifetime_us =", "lifetime =", 11, "no key 'device.stream.lifetime'"),
    ("rate = 5000", "rate = 5000\nburst = { on_ms = 3 }", 10, "on_ms = N, off_ms = N"),
    ("rate = 5000", "rate = 5000\ndiurnal = { period_s = 3, low = 2 }", 10, "low"),
    ("[[device]]", 'x = "', 4, ""),
]


@pytest.mark.parametrize("old, new, line, word", BAD, ids=[str(i) for i in range(len(BAD))])
def test_refusals_name_the_line(spec, old, new, line, word):
    assert old in SPEC
    path = spec(SPEC.replace(old, new))
    error = refused("gen", path, words=[word])
    assert f"{path}:" in error
    at = int(error.split(f"{path}:")[1].split(":")[0])
    assert abs(at - line) <= 1, error


def test_other_refusals(spec, tmp_path):
    refused("gen", words=["no spec"])
    refused("gen", tmp_path / "none.toml", words=["none.toml"])
    refused("gen", spec(), "-o", tmp_path / "x.what", words=["--format"])
    refused("gen", spec(), "--format", "what", words=["csv"])
    refused("gen", spec(SPEC.replace("duration_ms = 200", "duration_ns = 1")), words=["nothing"])
    assert not list(tmp_path.glob("*.csv"))


def test_profiles(spec):
    text = 'duration_ms = 100\ncpus = 2\n[[device]]\nname = "d"\nprofile = "nvme"\nrate = 50000\n'
    got = result("info", "-", stdin=output("gen", spec(text)).encode())
    assert abs(got["totals"]["maps"] - 5000) < 300
    refused("gen", spec(text.replace('"nvme"', '"floppy"')), words=["virtio-net", ":5:"])


def test_no_buffer_spans_its_device_s_boundary(tmp_path):
    """Nor does a driver map one: the timed engine would call its transfer a fault."""
    path = tmp_path / "s.toml"
    path.write_text(
        'duration_ms = 50\n[[device]]\nname = "d"\nseg_boundary = "ffff"\nabove_4g_percent = 50\n'
        '[[device.stream]]\ndirection = "to_device"\nrate = 50000\nlifetime_us = 20\n'
        "size = { uniform = [512, 60416], step = 512 }\noffset = 512\n"
    )
    maps = [row for row in rows(output("gen", path)) if row["op"] == "map"]
    places = [(int(row["orig_addr"], 16), int(row["size"])) for row in maps]
    assert len(places) > 2000 and all(at % 4096 == 512 for at, size in places)
    assert all(at % 65536 + size <= 65536 for at, size in places)
    assert any(at % 65536 + size > 61440 for at, size in places)  # moved no further than needed
