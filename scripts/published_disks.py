# SPDX-License-Identifier: Apache-2.0
"""Rows R1 to R4: one lock, areas, the order of slots, the second copy."""

from typing import Any, Iterator

from published import Command, Row, busy_ns, change, cpu_percent, figure, gain, per_second

SERIES = "Chao Gao, swiotlb performance optimizations, iommu list, 2022-06-28"
GUEST = "8 CPUs, swiotlb=force, fio 4 KiB, iodepth 256, Linux 5.19-rc2"
READ, WRITE = "from_device", "to_device"
ONE_JOB = {READ: 253.0, WRITE: 280.0}  # k requests a second, one process, unpatched
FOUR_JOBS = {READ: 214.9, WRITE: 212.1}
OPTIMIZED = {READ: 567.0, WRITE: 488.0}  # four processes, the whole series
LINES = ("the lines of locks and slot lists between its CPUs are slower there, and those of the "
         "slot lists are not modelled one by one")


class Disk:
    """The guest of these rows, its own work and the cost of a contended lock calibrated."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.request_ps = {way: self.own_work(way) for way in (READ, WRITE)}
        self.line_ps = self.line()

    def fio(self, way: str, jobs: int, kernel: str, *options: Any, size: int = 4096,
            depth: int = 256, copies: int = 1, **costs: int) -> dict[str, Any]:
        """`jobs` processes, one a CPU."""
        trace = self.command.trace("fio.toml", cpus=list(range(jobs)), direction=way, size=size)
        disk = self.command.setting("fio-disk.toml", unmap_copies=copies)
        return self.command.platform(trace, disk, "--kernel", kernel, "--arrivals",
                                     f"closed:{depth * jobs}", *options, **costs)

    def own_work(self, way: str) -> int:
        """What a request takes beside the pool, so that one process gets what it got."""
        found = 0
        for _ in range(4):  # how many copies are hot depends on it a little
            seen = self.fio(way, 1, "global", request_ps=found)
            found += round((1e6 / ONE_JOB[way] - busy_ns(seen)) * 1000)
        return found

    def line(self) -> int:
        """What a lock and what it guards cost to come over from another CPU, so that four
        processes read as much as they did."""
        low, high = 0, 4_000_000
        while high - low > 1000:
            middle = (low + high) // 2
            seen = per_second(self.contended(READ, 4, "global", line_ps=middle)) / 1000
            low, high = (middle, high) if seen > FOUR_JOBS[READ] else (low, middle)
        return high

    def contended(self, way: str, jobs: int, kernel: str, *options: Any,
                  line_ps: int = -1, **more: Any) -> dict[str, Any]:
        """With both calibrated figures, or another one for the line."""
        line = self.line_ps if line_ps < 0 else line_ps
        return self.fio(way, jobs, kernel, *options, request_ps=self.request_ps[way],
                        line_ps=line, lock_handoff_ps=line, **more)


def calibration(disk: Disk) -> Iterator[tuple[str, str, str]]:
    """What was set, to what, by which figure."""
    for way, word in ((READ, "read"), (WRITE, "write")):
        yield (f"`request_ps` of a {word}", f"{disk.request_ps[way]:,} ps",
               f"R1: {ONE_JOB[way]:.0f} k {word}s a second with one process")
    yield ("`line_ps`, `lock_handoff_ps`", f"{disk.line_ps:,} ps",
           f"R1: {FOUR_JOBS[READ]} k reads a second with four processes")
    yield ("the disk: 567 k reads, 488 k writes a second", "fio-disk.toml",
           "R2: four processes with the whole series, guest CPUs half idle")


def single_lock(disk: Disk) -> Iterator[Row]:
    """R1: four processes are slower than one."""
    one = {way: disk.contended(way, 1, "global") for way in (READ, WRITE)}
    four = {way: disk.contended(way, 4, "global") for way in (READ, WRITE)}
    yield figure("R1", f"{GUEST}, read, 1 process", ONE_JOB[READ], per_second(one[READ]) / 1000,
                 "kIOPS", calibrated=True)
    yield figure("R1", f"{GUEST}, read, 4 processes", FOUR_JOBS[READ],
                 per_second(four[READ]) / 1000, "kIOPS", calibrated=True)
    yield figure("R1", f"{GUEST}, write, 4 processes", FOUR_JOBS[WRITE],
                 per_second(four[WRITE]) / 1000, "kIOPS", LINES)
    yield figure("R1", "guest CPU, read, 4 processes", 401.12, cpu_percent(four[READ]), "%")
    yield gain("R1", "write, 4 processes against 1", change(ONE_JOB[WRITE], FOUR_JOBS[WRITE]),
               change(per_second(one[WRITE]), per_second(four[WRITE])), LINES)
    own = disk.fio(READ, 4, "global", request_ps=disk.request_ps[READ])
    yield figure("R1", "the same, read, 4 processes, with the lock costs of the development "
                 "machine in place of calibrated ones", FOUR_JOBS[READ], per_second(own) / 1000,
                 "kIOPS", LINES)


def areas_only(disk: Disk) -> Iterator[Row]:
    """R2: areas alone. Published is the whole series."""
    for way, word, cpu in ((READ, "read", 202.8), (WRITE, "write", 173.92)):
        seen = disk.contended(way, 4, "linux-6.12")
        yield Row("R2", f"{GUEST}, {word}, 4 processes, areas only",
                  f"not published (whole series: {OPTIMIZED[way]:.0f} kIOPS, guest CPU "
                  f"{cpu:.0f} %)",
                  f"{per_second(seen) / 1000:.4g} kIOPS, guest CPU {cpu_percent(seen):.0f} %",
                  None, "prediction",
                  "as much as the disk gives: the rest of the series saves CPU time, here it adds "
                  "nothing; that the disk does 567 k is from the whole series")


def cache_friendly(disk: Disk, iperf: float) -> Iterator[Row]:
    """R3: the slot freed last goes first."""
    why = ("published is the series with its bitmap, which saves list walks in a large pool that "
           "are not modelled; here only the first copy turns hot")
    for way, word, published in ((READ, "read", 12.0), (WRITE, "write", 4.0)):
        fifo, lifo = (per_second(disk.contended(way, 1, kernel)) for kernel in
                      ("linux-6.12", "lifo"))
        yield gain("R3", f"{GUEST}, {word}, 1 process: most recently freed slot first", published,
                   change(fifo, lifo), why)
    yield gain("R3", "iperf3 host to guest, one queue: the same", 7.0, iperf,
               "throughput and packet sizes of the guest are not published; taken: a queue of R12. "
               "The stack's own work on one queue is larger than there")


def second_copy(disk: Disk) -> Iterator[Row]:
    """R4: an unmap copied back twice before 5.19. The layers above take as long as for 4 KiB."""
    rates = []
    for copies in (2, 1):
        seen = disk.contended(READ, 1, "linux-6.12", copies=copies, size=65536)
        rates.append(per_second(seen))
    yield gain("R4", "swiotlb=force, fio 64 KiB sequential read: one copy at an unmap, not two",
               5.6, change(*rates))
