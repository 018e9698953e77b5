# SPDX-License-Identifier: Apache-2.0
"""trace-cmd's own file: what libtracecmd makes of it, and what is refused."""

import lzma
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from command import bouncesim, needs_binary, output, refused, result, rows  # noqa: E402
from tracedat import ALL, DEV, POOL, Writer, recording  # noqa: E402

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "trace.dat"
    path.write_bytes(recording().bytes())
    if "not installed" in bouncesim("run", path).stderr.decode():
        pytest.skip("libtracecmd is not installed; libtracecmd1 brings it")


pytestmark = needs_binary


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "trace.dat"
    path.write_bytes(recording().bytes())
    return path


def equal(a, b):
    del a["trace"]["files"], b["trace"]["files"]
    return a == b


def test_events(file):
    got = result("run", file, "--swiotlb", "1024,2")
    trace = got["trace"]
    assert trace["format"] == "trace.dat"
    assert trace["records"] == 40 * 4 + 30 + 2 and trace["skipped"]["other_events"] == 40
    assert (trace["first_ns"], trace["span_ns"]) == (5_000_000_000, 40_000_900)
    assert trace["unmatched_unmaps"] == trace["lost_events"] == 0
    assert got["events"]["maps"] == got["events"]["unmaps"] == 70
    assert got["swiotlb"]["used"] == 0 and got["config"]["cpus"] == 2
    table = rows(output("run", file, "--swiotlb", "1024,2", "--mappings", "-"))
    assert [row["cpu"] for row in table[:4]] == ["0", "1", "0", "1"]
    assert {row["dir"] for row in table[:40]} == {"FROM_DEVICE"}
    assert {row["dir"] for row in table[40:]} == {"TO_DEVICE"}
    assert [row["orig_addr"] for row in table[40:43]] == ["2000000", "2010000", "2020000"]
    assert {row["size"] for row in table[40:]} == {"2048"}
    assert got["recorded"]["maps_compared"] == 70


def test_however_it_comes(file, tmp_path):
    plain = result("run", file)
    packed = tmp_path / "trace.dat.xz"
    packed.write_bytes(lzma.compress(file.read_bytes()))
    assert equal(result("run", packed), result("run", file))
    through = result("run", "-", stdin=file.read_bytes())
    assert equal(through, plain)
    assert equal(result("run", file, "--format", "trace.dat"), result("run", file))


def test_both_byte_orders(tmp_path, file):
    big = tmp_path / "big.dat"
    big.write_bytes(recording(big=True).bytes())
    assert equal(result("run", big), result("run", file))


def test_an_interrupt_within_a_map(tmp_path):
    """Records tell the context: what a softirq maps in between is not the end of the list."""
    w = Writer(cpus=1)

    def bounce(time, orig, flags=0):
        w.add(time, "swiotlb_bounced", flags=flags, dev_name=DEV, dma_mask=ALL, dev_addr=orig,
              size=4096, force=1)  # fmt: skip

    bounce(1000, 0x1000000)
    bounce(1100, 0x2000000, flags=0x10)
    w.add(1200, "dma_map_page", flags=0x10, device=DEV, phys_addr=0x2000000, dma_addr=POOL + 4096,
          size=4096, dir=2, attrs=0)  # fmt: skip
    bounce(1300, 0x3000000)
    w.add(1400, "dma_map_sg", device=DEV, full_nents=2, truncated=0,
          phys_addrs=w.numbers([0x1000000, 0x3000000], "Q"),
          dma_addrs=w.numbers([POOL, POOL + 8192], "Q"), lengths=w.numbers([4096] * 2, "I"),
          dir=1, attrs=0)  # fmt: skip
    path = tmp_path / "t.dat"
    path.write_bytes(w.bytes())
    got = result("run", path)
    assert (got["events"]["maps"], got["events"]["failed_maps"]) == (3, 0)
    assert got["recorded"]["addresses_equal"] == 3


def test_lost_events(tmp_path):
    path = tmp_path / "lost.dat"
    path.write_bytes(recording().bytes(lost=7))
    got = result("run", path)["trace"]
    assert got["lost_events"] == 14  # on each CPU
    assert got["records"] == 40 * 4 + 30 + 2


def test_block_requests(tmp_path):
    w = Writer(cpus=1)
    for i in range(100):
        where = {"major": 8, "minor": 0, "sector": 8 * i, "nr_sector": 8, "rwbs": "WS"}
        w.add(1000 + 100 * i, "block_rq_issue", **where, bytes=4096)
        w.add(1050 + 100 * i, "block_rq_complete", **where)
    path = tmp_path / "block.dat"
    path.write_bytes(w.bytes())
    got = result("run", path)
    assert got["trace"]["requests"]["count"] == got["events"]["maps"] == 100
    assert got["swiotlb"]["used_hiwater"] == 2


def test_nothing_to_replay(tmp_path):
    w = Writer(cpus=1)
    for i in range(10):
        w.add(1000 * i, "sched_other", x=i)
    path = tmp_path / "other.dat"
    path.write_bytes(w.bytes())
    assert "10" in refused("run", path, words=["maps a buffer", "record the trace events"])
    path.write_bytes(Writer(cpus=1).bytes())
    refused("run", path, words=["no events"])


def test_other_versions(file, tmp_path):
    for version in 5, 8:
        path = tmp_path / "other.dat"
        path.write_bytes(Writer(version=version).bytes())
        refused("run", path, words=[f"version {version}", "trace-cmd report"])
    refused("run", TESTS / "formats/tgid.txt", "--format", "trace.dat", words=["17 08 44"])


def test_one_at_a_time(file, tmp_path):
    other = tmp_path / "other.dat"
    other.write_bytes(file.read_bytes())
    refused("run", file, other, words=["other.dat", "one at a time"])


def test_no_place_for_the_copy(file):
    """Falls back from a TMPDIR that is none; nothing is left there."""
    environment = dict(os.environ, TMPDIR="/nowhere")
    before = set(os.listdir("/var/tmp"))
    subprocess.run([os.environ["BOUNCESIM"], "run", file], env=environment, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    assert not {name for name in set(os.listdir("/var/tmp")) - before if "bouncesim" in name}


def test_damage(file, tmp_path):
    """Whatever is cut or changed: an answer or one line, in time."""
    data = file.read_bytes()
    chance = random.Random(3)
    cut = tmp_path / "cut.dat"
    for i in range(60):
        changed = bytearray(data)
        if i % 3 == 0:
            changed = changed[: chance.randrange(10, len(data))]
        else:
            low = 12 if i % 3 == 1 else data.rindex(b"flyrecord")
            for _ in range(chance.choice((1, 4, 30))):
                changed[chance.randrange(low, len(data))] = chance.randrange(256)
        cut.write_bytes(changed)
        done = bouncesim("run", cut)
        assert done.returncode in (0, 2), (i, done)
        if done.returncode:
            assert done.stderr.count(b"\n") == 1 and str(cut).encode() in done.stderr, done


def test_records_in_a_circle(tmp_path):
    """The length of the last record leads nine records back: libtracecmd would go on for ever."""
    w = Writer(cpus=1)
    for i in range(100):
        w.add(5_000_000_000 + i * 1000, "sched_other", x=i)
    data = bytearray(w.bytes())
    last = data.rindex(w.pack("I", 99)) - 12
    data[last : last + 8] = w.header(0, 1000) + w.pack("i", -164)
    path = tmp_path / "circle.dat"
    path.write_bytes(data)
    refused("info", path, words=["circle.dat", "lead back", "damaged"])
