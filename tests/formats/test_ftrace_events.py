# SPDX-License-Identifier: Apache-2.0
"""Sequences of events: what the reader makes of scatter lists, syncs and what is missing."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, result, rows  # noqa: E402
from samples import HEADER, POOL, bounced, line, mapped, unmapped  # noqa: E402

pytestmark = needs_binary

DEV, OTHER = "0000:00:02.0", "0000:00:03.0"


def array(values):
    return "{" + ",".join(f"0x{v:x}" for v in values) + "}"


def mapped_sg(time, entries, dev=DEV, cpu=0, dir="FROM_DEVICE", truncated=None, attrs="NO_WARN"):
    """entries: (original, bounce address, size); truncated: how many there were in truth."""
    n = len(entries)
    nents = f"nents={n}/{truncated or n} ents={n}/{truncated or n}"
    text = f"dma_map_sg: {dev} dir={dir} {nents}{' [TRUNCATED]' if truncated else ''}"
    for key, column in ("dma_addrs", 1), ("sizes", 2), ("phys_addrs", 0):
        text += f" {key}={array(e[column] for e in entries)}"
    return line(time, f"{text} attrs={attrs}", cpu)


def unmapped_sg(time, origs, dev=DEV, cpu=0, dir="FROM_DEVICE", attrs=""):
    text = f"dma_unmap_sg: {dev} dir={dir} phys_addrs={array(origs)} attrs={attrs}"
    return line(time, text, cpu)


def entries(count, first=0x1000000, size=4096, at=POOL):
    """A list whose entries find room one behind the other from `at` on."""
    step = (size + 4095) // 4096 * 4096
    return [(first + i * 0x100000, at + i * step, size) for i in range(count)]


class Trace:
    def __init__(self, path):
        self.path = path

    def write(self, *parts):
        self.path.write_text(HEADER + "".join(parts))

    def run(self, *args):
        return result("run", self.path, "--swiotlb", "1024,4", *args)

    def mappings(self, *args):
        return rows(output("run", self.path, "--swiotlb", "1024,4", "--mappings", "-", *args))


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


def bounced_all(time, list_, **where):
    return "".join(bounced(time, orig, size, **where) for orig, _, size in list_)


def nothing_odd(got):
    counts = got["trace"]
    for key in "unmatched_unmaps", "unmatched_syncs", "implied_unmaps", "failed_lists":
        assert counts[key] == 0, key
    assert counts["truncated_lists"] == counts["time_steps_back"] == 0
    assert counts["skipped"]["malformed"] == 0


def test_list(trace):
    e = entries(3)
    trace.write(bounced_all(1, e), mapped_sg(1, e), unmapped_sg(2, [x[0] for x in e]))
    got = trace.run()
    nothing_odd(got)
    assert got["events"]["maps"] == got["events"]["unmaps"] == 3
    assert got["recorded"]["addresses_equal"] == 3
    assert got["swiotlb"]["used"] == 0 and got["swiotlb"]["used_hiwater"] == 6
    assert got["copy"]["bytes_from_device"] == 3 * 4096
    assert [row["dir"] for row in trace.mappings()] == ["FROM_DEVICE"] * 3


def test_two_lists_of_the_same_buffers_are_unmapped_in_order(trace):
    a, b = entries(2), entries(2, at=POOL + 0x2000)
    origs = [x[0] for x in a]
    trace.write(
        bounced_all(1, a), mapped_sg(1, a),
        bounced_all(2, b), mapped_sg(2, b),
        unmapped_sg(3, origs),
        bounced_all(4, entries(1)), mapped_sg(4, entries(1, at=POOL + 0x4000)),
        unmapped_sg(5, origs),
    )  # fmt: skip
    got = trace.run()
    nothing_odd(got)
    assert got["recorded"]["addresses_equal"] == 5
    assert got["events"]["unmaps"] == 4 and got["swiotlb"]["used"] == 2


def test_failed_list(trace):
    """Its bounces are all it leaves, up to the entry that found no room."""
    fill = [(0x100000 * i, POOL + 0x80000 * ((i - 1) // 2) + 0x40000 * ((i - 1) % 2), 0x40000)
            for i in range(1, 8)]  # fmt: skip
    failing = entries(2, first=0x9000000, size=0x20000, at=POOL + 0x1C0000)
    third = (0x9900000, 0, 0x20000)
    cpus = [0, 0, 1, 1, 2, 2, 3]
    text = "".join(
        bounced(1, o, s, cpu=c) + mapped(1, o, t, s, cpu=c) for (o, t, s), c in zip(fill, cpus)
    )
    text += bounced_all(2, failing + [third], cpu=3)
    text += unmapped(3, fill[0][1], 0x40000, cpu=3)
    trace.write(text)
    got = trace.run()
    assert got["trace"]["failed_lists"] == 1
    assert got["recorded"] == {
        "maps_compared": 10, "addresses_equal": 10, "full_recorded": 1, "full_equal": 1
    }  # fmt: skip
    assert got["events"]["full"] == got["events"]["failed_maps"] == 1
    assert got["events"]["full_by_cause"]["exhausted"] == 1
    assert got["events"]["unmaps"] == 3  # two of the list at once, and the last event's
    assert got["copy"]["bytes_from_device"] == 0x40000
    assert got["swiotlb"]["used_hiwater"] == 1024
    # In a pool with room it leaves nothing mapped either.
    larger = result("run", trace.path, "--swiotlb", "8192,4")
    assert larger["events"]["full"] == 0
    assert larger["swiotlb"]["used"] == 6 * 128
    assert [row["outcome"] for row in trace.mappings()] == ["ok"] * 9 + ["full"]


def test_failed_single_map(trace):
    trace.write(
        bounced(1, 0x1000, 4096), mapped(1, 0x1000, POOL, 4096),
        bounced(2, 0x2000, 300000), mapped(2, 0x2000, 0xFFFFFFFFFFFFFFFF, 300000),
        unmapped(3, POOL, 4096),
    )  # fmt: skip
    got = trace.run()
    nothing_odd(got)
    assert got["recorded"]["full_recorded"] == got["recorded"]["full_equal"] == 1
    assert got["events"]["full_by_cause"]["oversize"] == 1
    assert [row["outcome"] for row in trace.mappings()] == ["ok", "oversize"]


def test_a_list_tried_again_counts_once(trace):
    """The records do not tell where one attempt ended and the next began."""
    first = bounced_all(1, entries(2))
    e = entries(2, at=POOL + 0x4000)
    trace.write(first, first, bounced_all(2, e), mapped_sg(2, e))
    got = trace.run()
    assert got["trace"]["failed_lists"] == 1
    assert got["recorded"]["full_recorded"] == 1
    assert got["events"]["maps"] == 6
    assert got["swiotlb"]["used"] == 4


def test_truncated_list(trace):
    """The kernel prints 128 entries and says so; the others bounced as well."""
    e = entries(140, size=2048, first=0x1000000)
    e = [(o, POOL + i * 2048, s) for i, (o, _, s) in enumerate(e)]
    trace.write(
        bounced_all(1, e), mapped_sg(1, e[:128], truncated=140),
        unmapped_sg(2, [x[0] for x in e]),
    )  # fmt: skip
    got = trace.run()
    assert got["trace"]["truncated_lists"] == 1
    assert got["trace"]["failed_lists"] == got["trace"]["unmatched_unmaps"] == 0
    assert got["events"]["maps"] == got["events"]["unmaps"] == 140
    assert got["recorded"]["maps_compared"] == got["recorded"]["addresses_equal"] == 140
    assert got["swiotlb"]["used"] == 0 and got["swiotlb"]["used_hiwater"] == 140
    # Older kernels print 128 of the original addresses at unmap as well.
    trace.write(
        bounced_all(1, e), mapped_sg(1, e[:128], truncated=140),
        unmapped_sg(2, [x[0] for x in e[:128]]),
    )  # fmt: skip
    assert trace.run()["swiotlb"]["used"] == 0


def test_an_interrupt_of_another_device_within_a_list(trace):
    e = entries(3)
    origs = [x[0] for x in e]
    mid = (0x5000000, POOL + 0x1000, 4096)
    e[1], e[2] = (origs[1], POOL + 0x2000, 4096), (origs[2], POOL + 0x3000, 4096)
    trace.write(
        bounced(1, origs[0], 4096),
        bounced(1, mid[0], 4096, dev=OTHER), mapped(1, mid[0], mid[1], 4096, dev=OTHER),
        bounced(1, origs[1], 4096),
        bounced(1, origs[2], 4096),
        mapped_sg(1, e),
        unmapped(2, mid[1], 4096, dev=OTHER), unmapped_sg(2, origs),
    )  # fmt: skip
    got = trace.run()
    nothing_odd(got)
    assert got["recorded"]["addresses_equal"] == got["events"]["maps"] == 4
    assert got["events"]["unmaps"] == 4 and got["swiotlb"]["used"] == 0
    assert [row["device"] for row in trace.mappings()] == [DEV, OTHER, DEV, DEV]


def test_an_interrupt_that_maps_between_bounce_and_answer(trace):
    trace.write(
        bounced(1, 0x1000, 4096),
        bounced(1, 0x9000, 4096, dev=OTHER), mapped(1, 0x9000, POOL + 0x1000, 4096, dev=OTHER),
        mapped(1, 0x1000, POOL, 4096),
    )  # fmt: skip
    got = trace.run()
    nothing_odd(got)
    assert got["recorded"]["addresses_equal"] == 2
    assert [(row["device"], row["tlb_addr"]) for row in trace.mappings()] == [
        (DEV, f"{POOL:x}"), (OTHER, f"{POOL + 0x1000:x}")
    ]  # fmt: skip


def test_cpus_do_not_mix(trace):
    """The same buffer of one device is being mapped on two CPUs."""
    area = 256 * 2048
    trace.write(
        bounced(1, 0x1000, 4096, cpu=0), bounced(1, 0x1000, 4096, cpu=1),
        mapped(1, 0x1000, POOL + area, 4096, cpu=1), mapped(1, 0x1000, POOL, 4096, cpu=0),
    )  # fmt: skip
    got = trace.run()
    nothing_odd(got)
    assert got["recorded"]["addresses_equal"] == 2
    assert [row["cpu"] for row in trace.mappings()] == ["0", "1"]


def test_a_list_that_bounces_in_part(trace):
    low, high = 0x1000000, 0x200000000
    e = [(low, low, 4096), (high, POOL, 4096), (low + 0x9000, low + 0x9000, 4096),
         (high + 0x9000, POOL + 0x1000, 4096)]  # fmt: skip
    how = {"mask": "ffffffff", "how": "NORMAL"}
    trace.write(
        bounced(1, e[1][0], 4096, **how), bounced(1, e[3][0], 4096, **how), mapped_sg(1, e),
        unmapped_sg(2, [x[0] for x in e]),
    )  # fmt: skip
    got = trace.run()
    nothing_odd(got)
    assert got["events"]["maps"] == got["events"]["unmaps"] == 2
    assert got["events"]["direct_maps"] == 2
    assert got["recorded"]["maps_compared"] == got["recorded"]["addresses_equal"] == 2
    assert got["swiotlb"]["used"] == 0


def test_maps_that_do_not_bounce(trace):
    trace.write(
        mapped(1, 0x1000, 0x1000, 4096), mapped(1, 0x5000, 0x5000, 4096),
        unmapped(2, 0x1000, 4096), unmapped(2, 0x5000, 4096),
        bounced(3, 0x200000000, 4096, mask="ffffffff", how="NORMAL"),
        mapped(3, 0x200000000, POOL, 4096),
    )  # fmt: skip
    got = trace.run()
    nothing_odd(got)
    assert got["events"]["direct_maps"] == 2 and got["events"]["maps"] == 1
    assert got["events"]["unmaps"] == 0


def test_unmatched_unmaps(trace):
    trace.write(
        unmapped(1, POOL + 0x8000, 4096),
        unmapped_sg(1, [0x1000, 0x2000, 0x3000]),
        bounced(2, 0x1000, 4096), mapped(2, 0x1000, POOL, 4096),
        unmapped(3, POOL + 0x800, 4096),
        unmapped(4, POOL, 4096),
        unmapped(5, POOL, 4096),
    )  # fmt: skip
    got = trace.run()
    assert got["trace"]["unmatched_unmaps"] == 1 + 3 + 1 + 1
    # Two of them lie among the bounce addresses: their buffers were held from the start.
    assert got["events"]["held_maps"] == 2
    assert got["events"]["unmaps"] == 3 and got["swiotlb"]["used"] == 0
    assert "6 unmaps without a map" in output("run", trace.path)


def sync(time, tlb, size, side="cpu", dir="FROM_DEVICE", cpu=0):
    text = f"dma_sync_single_for_{side}: {DEV} dir={dir} dma_addr={tlb:x} size={size}"
    return line(time, text, cpu)


def test_syncs(trace):
    trace.write(
        bounced(1, 0x1000, 8192), mapped(1, 0x1000, POOL, 8192),
        sync(2, POOL, 8192), sync(3, POOL + 100, 60), sync(4, POOL + 5000, 1, side="device"),
        sync(5, POOL + 8192, 10), sync(6, POOL + 0x10000, 10),
        line(7, f"dma_sync_sg_for_cpu: {DEV} dir=FROM_DEVICE dma_addrs={array([POOL, POOL + 4096])}"
                f" sizes={array([10, 20])}"),
    )  # fmt: skip
    got = trace.run()
    assert got["trace"]["unmatched_syncs"] == 2
    assert got["events"]["syncs"] == 5
    assert got["copy"]["bytes_from_device"] == 8192 + 60 + 30
    assert got["copy"]["bytes_to_device"] == 8192  # FROM_DEVICE is not copied out again


def test_an_address_given_out_again(trace):
    """Its unmap is lost: the old mapping ends where the new one begins to be used for long."""
    text = bounced(1, 0x1000, 4096) + mapped(1, 0x1000, POOL, 4096)
    text += bounced(2, 0x2000, 4096) + mapped(2, 0x2000, POOL, 4096)
    for i in range(600):
        orig, tlb = 0x100000 + i * 0x1000, POOL + (i + 1) * 0x1000
        text += bounced(3, orig, 4096) + mapped(3, orig, tlb, 4096) + unmapped(3, tlb, 4096)
    trace.write(text + unmapped(4, POOL, 4096))
    got = trace.run()
    assert got["trace"]["implied_unmaps"] == 1
    assert got["trace"]["unmatched_unmaps"] == 0
    assert got["events"]["unmaps"] == got["events"]["maps"] == 602
    assert got["swiotlb"]["used"] == 0


def test_an_unmap_written_late(trace):
    """Two CPUs' events in the wrong order: the unmap of the old mapping comes after the map."""
    text = "".join(
        bounced(1, orig, 0x40000) + mapped(1, orig, POOL + i * 0x40000, 0x40000)
        for i, orig in enumerate(range(0x1000, 0x9000, 0x1000))
    )
    text += bounced(2, 0x80000, 4096, cpu=1) + mapped(2, 0x80000, POOL, 4096, cpu=1)
    text += unmapped(2, POOL, 0x40000, cpu=0)
    text += unmapped(3, POOL, 4096, cpu=1)
    trace.write(text)
    got = trace.run()
    assert got["trace"]["implied_unmaps"] == got["trace"]["unmatched_unmaps"] == 0
    assert got["events"]["maps"] == 9
    assert got["swiotlb"]["used"] == 7 * 128


def test_time(trace):
    """A little back is jitter between CPUs; a second or more is another recording."""
    e = entries(3)
    parts = [bounced(t, o, s) + mapped(t, o, a, s) for t, (o, a, s) in zip((5.0, 4.5, 5.5), e)]
    trace.write(*parts)
    got = trace.run()
    assert got["trace"]["time_steps_back"] == 0
    assert got["trace"]["first_ns"] == 5000000000 and got["trace"]["span_ns"] == 500000000
    assert [int(row["time_ns"]) for row in trace.mappings()] == [0, 0, 500000000]
    again = [bounced(t, o, s) + mapped(t, o, a, s) for t, (o, a, s) in zip((1.0, 2.0, 3.0), e)]
    trace.write(*parts, *again)
    got = trace.run()
    assert got["trace"]["time_steps_back"] == 1
    assert got["recorded"]["addresses_equal"] == 6
    assert got["swiotlb"]["used"] == got["swiotlb"]["used_hiwater"] == 6
    times = [int(row["time_ns"]) for row in trace.mappings()]
    assert times == sorted(times)
    assert times[3:] == [500000000, 1500000000, 2500000000]


def test_min_align_mask_from_the_addresses(trace):
    e = [(0x1000000 + i * 0x100100, POOL + i * 0x1100, 512) for i in range(7)]
    trace.write(*[bounced(1, o, s) + mapped(1, o, a, s) for o, a, s in e])
    got = trace.run()
    assert got["config"]["devices"][0]["min_align_mask"] == "fff"
    assert got["recorded"]["addresses_equal"] == 7


def test_merged_by_an_iommu(trace):
    """Fewer DMA addresses than buffers: nothing bounced, nothing to complain about."""
    text = f"dma_map_sg: {DEV} dir=TO_DEVICE nents=2/2 ents=1/1 dma_addrs={array([0x1000])}"
    text += f" sizes={array([8192])} phys_addrs={array([0x5000, 0x6000])} attrs="
    low = {"mask": "ffffffff", "how": "NORMAL", "dev": OTHER}
    high = 0x100000000
    other = bounced(2, high, 4096, **low) + mapped(2, high, POOL, 4096, dev=OTHER)
    trace.write(line(1, text), other)
    got = trace.run()
    nothing_odd(got)
    assert got["events"]["maps"] == got["recorded"]["addresses_equal"] == 1
    assert got["events"]["direct_maps"] == 1


def test_many_mappings_at_once(trace):
    count = 3000
    e = [(0x10000000 + i * 0x1000, POOL + i * 2048, 2048) for i in range(count)]
    trace.write(
        *[bounced(1, o, s) + mapped(1, o, a, s) for o, a, s in e],
        *[unmapped(2, a, s) for _, a, s in reversed(e)],
    )
    got = result("run", trace.path, "--swiotlb", "4096,1")
    nothing_odd(got)
    assert got["recorded"]["addresses_equal"] == count
    assert got["swiotlb"]["used_hiwater"] == count and got["swiotlb"]["used"] == 0
