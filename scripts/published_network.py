# SPDX-License-Identifier: Apache-2.0
"""Rows R12 and R13: TCP received by confidential guests."""

from typing import Any, Iterator

from published import Command, Row, change, cpu_percent, figure, gain, per_second

SOURCE = "Misono et al., POMACS 8(3) 36, 2024, case 1 (Fig. 9)"
GUEST = "TCP received, 8 CPUs, 8 queues, vhost, 128 KiB"
PACKET_BITS = 65536 * 8
PACKET_KIB = 64
INTEL_GBIT = 302.0
AMD_GBIT, AMD_SHARE = 90.0, 0.40
CPUS = 8


def gbit(result: dict[str, Any]) -> float:
    """Payload."""
    return per_second(result) * PACKET_BITS / 1e9


class Guests:
    """The two machines, with the work of their network stacks calibrated on the plain guest."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.trace = command.trace("receive.toml")
        self.intel_ps = round(CPUS / (INTEL_GBIT / 8) * 1024 * 1000)
        self.amd_ps = round(AMD_SHARE * CPUS / (AMD_GBIT / 8) * 1024 * 1000)

    def receive(self, platform: str, per_kib_ps: int, bounce: bool, *options: Any,
                trace: str = "") -> dict[str, Any]:
        """One run; the pool is 1 GiB as in the platform file."""
        force = "force" if bounce else "noforce"
        return self.command.platform(trace or self.trace, self.command.setting(platform),
                                     "--swiotlb", f"524288,{force}", *options,
                                     request_ps_per_kib=per_kib_ps)

    def one_queue_gain(self) -> float:
        """Of taking the most recently freed slot first, in percent: for row R3."""
        rates = [per_second(self.receive("net-intel-walking.toml", self.intel_ps, True, "--kernel",
                                         kernel)) for kernel in ("linux-6.12", "lifo")]
        return change(*rates)


def calibration(guests: Guests) -> Iterator[tuple[str, str, str]]:
    """What was set, to what, by which figure."""
    yield ("`request_ps_per_kib`, Intel", f"{guests.intel_ps:,} ps/KiB",
           "R12: the plain guest's 302 Gb/s, 8 CPUs busy")
    yield ("`request_ps_per_kib`, AMD", f"{guests.amd_ps:,} ps/KiB",
           "R13: the plain guest's 90 Gb/s at 40 % of 8 CPUs")
    yield ("the network's rate, AMD: 90 Gb/s", "net-amd.toml", "R13: the plain guest")


def intel(guests: Guests) -> Iterator[Row]:
    """R12."""
    plain = guests.receive("net-intel.toml", guests.intel_ps, False)
    pool = guests.receive("net-intel.toml", guests.intel_ps, True)
    walking = guests.receive("net-intel-walking.toml", guests.intel_ps, True)
    trusted = guests.receive("net-intel.toml", guests.intel_ps, True, "--coco", "tdx",
                             "--memory", "64G")
    yield figure("R12", f"{GUEST}, Intel, plain guest", INTEL_GBIT, gbit(plain), "Gb/s",
                 calibrated=True)
    yield figure("R12", "with swiotlb, copies between buffers in no cache", 130, gbit(pool), "Gb/s")
    yield figure("R12", "with swiotlb, copies as when walking a pool (defaults)", 130,
                 gbit(walking), "Gb/s", "the host's CPU has just written what is copied back, so "
                 "it is in no cache of the guest's CPU")
    yield figure("R12", "TDX guest", 120, gbit(trusted), "Gb/s")
    good = gbit(plain) > gbit(pool) > gbit(trusted)
    yield Row("R12", "order", "plain > swiotlb > TDX",
              "the same" if good else "another", None, "matches" if good else "miss")


def amd(guests: Guests) -> Iterator[Row]:
    """R13."""
    plain = guests.receive("net-amd.toml", guests.amd_ps, False)
    pool = guests.receive("net-amd.toml", guests.amd_ps, True)
    secure = guests.receive("net-amd.toml", guests.amd_ps, True, "--coco", "sev-snp",
                            "--memory", "64G")
    why = ("bouncing costs 2.4 us for each 4 KiB there (90 Gb/s at 40 % of 8 CPUs against 73 "
           "at 100 %), twice what the Intel machine of R12 takes: no source says why, so nothing "
           "is set")
    yield figure("R13", f"{GUEST}, AMD, plain guest", AMD_GBIT, gbit(plain), "Gb/s",
                 calibrated=True)
    yield figure("R13", "plain guest, CPU of 8", 40, cpu_percent(plain) / CPUS, "%",
                 calibrated=True)
    for name, seen, loss in (("swiotlb", pool, -19.0), ("SEV-SNP", secure, -21.0)):
        yield gain("R13", f"{name}, against the plain guest", loss,
                   change(gbit(plain), gbit(seen)), why)
        yield figure("R13", f"{name}, CPU of 8", 100, cpu_percent(seen) / CPUS, "%", why)


def rows(guests: Guests) -> Iterator[Row]:
    """All of them."""
    yield from intel(guests)
    yield from amd(guests)
