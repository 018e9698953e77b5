# SPDX-License-Identifier: Apache-2.0
"""Rows R6, R7, R8 and R11: pools that grow, and how large the default one is."""

import csv
from pathlib import Path
from typing import Iterator

from published import Command, Row, change, figure, gain, per_second
from published_disks import READ, Disk

SLOT = 2048
MIB = 1 << 20
MS = 1000000
DEPTH = {4096: 256, 65536: 64}  # under way, for each process


def search_order(disk: Disk) -> Iterator[Row]:
    """R6: the CPU's own area of all pools first, against pool after pool."""
    why = ("the disk and how much was under way are not published; here searching costs "
           "a process of its own next to nothing, only other CPUs' locks cost")
    for what, published, jobs, size in (("small: 4 KiB, one process", 25.4, 1, 4096),
                                        ("big: 64 KiB, one process", 25.7, 1, 65536),
                                        ("4way: 4 KiB, four processes", 23.6, 4, 4096)):
        before, after = (per_second(disk.contended(READ, jobs, kernel, "--swiotlb", "512,4,force",
                                                   size=size, depth=DEPTH[size]))
                         for kernel in ("pool-by-pool", "linux-6.12-dynamic"))
        yield gain("R6", "swiotlb=512,4,force, growing pools, virtio SATA in memory, bandwidth, "
                   f"{what}", published, change(before, after), why)
    yield Row("R6", "the same on a Raspberry Pi with a microSD card", "0 ± 1 %", "not simulated",
              None, "miss", "a card that slow is the limit: no experiment of this simulator")


def growing(disk: Disk) -> Iterator[Row]:
    """R7: a pool that grows from 1 MiB against a fixed one of 64 MiB."""
    why = ("a difference within the spread of the measurements (a few percent); of growth only "
           "searching and locks take time here")
    for what, published, jobs, size, depth in (("small: 4 KiB, one process", -2.2, 1, 4096, 256),
                                               ("big: 64 KiB, one process", 2.9, 1, 65536, 64),
                                               ("4way: 4 KiB, four processes", 0.1, 4, 4096, 128)):
        rates = []
        for kernel, slots in (("linux-6.12", 32768), ("linux-6.12-dynamic", 512)):
            rates.append(disk.contended(READ, jobs, kernel, "--swiotlb", f"{slots},4,force",
                                        size=size, depth=depth))
        fixed, grown = rates
        simulated = change(per_second(fixed), per_second(grown))
        told = f"{published:+} %" if published != 0.1 else "below 0.1 %"
        good = abs(simulated - (published if published != 0.1 else 0)) <= 5
        pools = grown["swiotlb"]
        yield Row("R7", f"boot pool of 1 MiB that grows against 64 MiB, x86 guest, {what}", told,
                  f"{simulated:+.2g} % (grows to {pools['nslabs'] * SLOT / MIB:.0f} MiB in "
                  f"{pools['pools']} pools)", None,
                  "shape matches: next to no cost" if good else "miss", why)


def growth_steps(result: Path) -> list[tuple[int, int]]:
    """When (ns) each pool was there at the latest, and its slots; the first pool is left out."""
    steps, size = [], 0
    with (result / "timeline.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["nslabs"]) != size:
                steps.append((int(row["time_ns"]), int(row["nslabs"]) - size))
                size = int(row["nslabs"])
    return steps[1:]


def grown_areas(result: Path, steps: list[tuple[int, int]]) -> int:
    """Areas of the first grown pool: a map that finds nothing takes the lock of every area, so
    many more while that pool is there."""
    most = [0, 0]
    with (result / "mappings.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            later = int(row["time_ns"]) >= steps[0][0]
            if int(row["time_ns"]) < steps[later][0] - MS:
                most[later] = max(most[later], int(row["locks"]))
    return most[1] - most[0]


def limits(command: Command) -> Iterator[Row]:
    """R8: what a grown pool can be."""
    trace = command.trace("growth.toml")
    seen = {}
    for lost in (0, 0.05, 0.1, 0.2):
        out = Path(command.folder.name) / f"growth-{lost}"
        command.call("run", trace, "-q", "--kernel", "linux-6.12-dynamic", "--swiotlb",
                     "8192,64,force", "--cpus", 64, "--fragmentation", lost, "--worker-delay",
                     8000, "--out", out)
        steps = growth_steps(out)
        seen[lost] = [slots for _, slots in steps]
        if not lost:
            areas = grown_areas(out, steps)
    setting = "64 CPUs, growing pools, Documentation/core-api/swiotlb.rst of 6.12"
    yield figure("R8", f"{setting}: largest pool added", 4, max(seen[0]) * SLOT / MIB, "MiB")
    yield figure("R8", "smallest, when memory is fragmented", 1,
                 min(min(steps) for steps in seen.values() if steps) * SLOT / MIB, "MiB")
    yield figure("R8", "areas of one, shared by more CPUs than that", 16, areas, "areas")


def default_size(command: Command) -> Iterator[Row]:
    """R11: 6 % of the memory, within limits."""
    trace = command.trace("fio.toml", operations=100)
    sev = "AMDESE/AMDSEV#116, 2022-10, kernel before 6.0"
    rounded = ("Linux 6.0 and later round up to a power of two when there are several areas; the "
               "report is of one before")
    for memory, published, source in (
            ("1G", 64, "arch/x86/mm/mem_encrypt.c of 6.12: at least"),
            ("8G", 491, sev), ("12G", 773, sev), ("16G", 982, sev), ("32G", 1024, sev),
            ("256G", 1024, "arch/x86/mm/mem_encrypt.c of 6.12: at most")):
        seen = command.run(trace, "--coco", "sev-snp", "--memory", memory)
        yield figure("R11", f"default pool of an encrypted guest of {memory}iB ({source})",
                     published, seen["config"]["nslabs"] * SLOT / MIB, "MiB", rounded)
