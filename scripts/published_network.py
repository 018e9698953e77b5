# SPDX-License-Identifier: Apache-2.0
"""Rows R12 and R13: TCP received by confidential guests."""

import json
import re
from typing import Any, Iterator

from published import SETTINGS, Command, Row, change, cpu_percent, figure, gain, per_second

SOURCE = "Misono et al., POMACS 8(3) 36, 2024, case 1 (Fig. 9)"
GUEST = "TCP received, 8 CPUs, 8 queues, vhost, 128 KiB"
PACKET_BITS = 65536 * 8
PACKET_KIB = 64
INTEL_GBIT = 302.0
AMD_GBIT, AMD_SHARE = 90.0, 0.40
AMD_LOSS = -19.0  # percent, of the guest with swiotlb
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
        self._amd_copy: float | None = None

    def receive(self, platform: str, per_kib_ps: int, bounce: bool, *options: Any,
                copy: float = 1) -> dict[str, Any]:
        """One run; the pool is 1 GiB as in the platform file. A cold copy takes `copy` times what
        is there."""
        force = "force" if bounce else "noforce"
        changed = {}
        if copy != 1:
            text = (SETTINGS / platform).read_text(encoding="utf-8")
            points = json.loads(re.findall(r"(?m)^copy_cold = (.*)$", text)[0])
            changed["copy_cold"] = [[size, round(ps * copy)] for size, ps in points]
        return self.command.platform(self.trace, self.command.setting(platform, **changed),
                                     "--swiotlb", f"524288,{force}", *options,
                                     request_ps_per_kib=per_kib_ps)

    @property
    def amd_copy(self) -> float:
        """How many times as much a copy takes as on the development machine, so that bouncing
        loses what it lost."""
        if self._amd_copy is None:
            plain = gbit(self.receive("net-amd.toml", self.amd_ps, False))
            low, high = 1.0, 4.0
            while high - low > 0.01:
                middle = (low + high) / 2
                seen = gbit(self.receive("net-amd.toml", self.amd_ps, True, copy=middle))
                low, high = (middle, high) if change(plain, seen) > AMD_LOSS else (low, middle)
            self._amd_copy = round(high, 2)
        return self._amd_copy

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
    yield ("copies, AMD", f"{guests.amd_copy:.2f} times the development machine's",
           f"R13: {AMD_LOSS:.0f} % with swiotlb")
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
    pool = guests.receive("net-amd.toml", guests.amd_ps, True, copy=guests.amd_copy)
    secure = guests.receive("net-amd.toml", guests.amd_ps, True, "--coco", "sev-snp", "--memory",
                            "64G", copy=guests.amd_copy)
    why = ("of SEV-SNP, exits and slower memory are added; what else is slower there is not "
           "modelled")
    yield figure("R13", f"{GUEST}, AMD, plain guest", AMD_GBIT, gbit(plain), "Gb/s",
                 calibrated=True)
    yield figure("R13", "plain guest, CPU of 8", 40, cpu_percent(plain) / CPUS, "%",
                 calibrated=True)
    yield gain("R13", "swiotlb, against the plain guest", AMD_LOSS,
               change(gbit(plain), gbit(pool)), calibrated=True)
    yield figure("R13", "swiotlb, CPU of 8", 100, cpu_percent(pool) / CPUS, "%", why)
    yield gain("R13", "SEV-SNP, against the plain guest", -21.0,
               change(gbit(plain), gbit(secure)), why)
    yield figure("R13", "SEV-SNP, CPU of 8", 100, cpu_percent(secure) / CPUS, "%", why)
    own = guests.receive("net-amd.toml", guests.amd_ps, True)
    yield gain("R13", "swiotlb, against the plain guest, with the copies of the development "
               "machine", AMD_LOSS, change(gbit(plain), gbit(own)),
               "bouncing takes 2.4 us for each 4 KiB there (90 Gb/s at 40 % of 8 CPUs against 73 "
               "at 100 %), twice what the Intel machine of R12 takes; no source says why")
