# SPDX-License-Identifier: Apache-2.0
"""Published results against what the models say: docs/reproduced.md, written from runs of
`bouncesim` on the settings in workloads/reproduce.

usage: scripts/reproduce [--check] [--only ROW[,ROW...]] [BINARY]

Writes the tables into the page between its marker lines. --check changes nothing and exits with
status 1 when the page says something else; --only prints these rows (R1, R12, crossover, ...) and
leaves the page alone, or with --check looks whether it has them. It takes about a minute. BINARY
is build/release/app/bouncesim unless it is named.
"""

import argparse
import sys
from pathlib import Path
from typing import Callable, Iterator

import published_disks as disks
import published_iommu as iommu
import published_network as network
import published_pools as pools
from published import ROOT, Command, Failed, Row

PAGE = ROOT / "docs" / "reproduced.md"
SOURCES = {
    "R1": "Chao Gao and Andi Kleen, iommu list, 2022-06-28",
    "R2": "the same",
    "R3": "the same; iperf3: 7b5e5b11d",
    "R4": "01d0dd233, 2022-04-12",
    "R6": "Petr Tesarik, 55c543865b76, 2023-12-01",
    "R7": "Petr Tesarik, growing pools v3, 2023-06-27",
    "R8": "Documentation/core-api/swiotlb.rst of 6.12",
    "R11": "arch/x86/mm/mem_encrypt.c; AMDESE/AMDSEV#116",
    "R12": network.SOURCE,
    "R13": network.SOURCE,
    "R20": "David Stevens, iommu list, 2021-08-06",
    "R23": "data of Neugebauer et al., SIGCOMM 2018",
    "crossover": "dma_map_benchmark, iommu list, 2021-07-31, and memcpy measured",
}


class Experiments:
    """What the rows share is run once, and only for rows that are asked for."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._disk: disks.Disk | None = None
        self._guests: network.Guests | None = None
        self._passed: iommu.Passthrough | None = None

    @property
    def disk(self) -> disks.Disk:
        """Calibrated at its first use."""
        self._disk = self._disk or disks.Disk(self.command)
        return self._disk

    @property
    def guests(self) -> network.Guests:
        """The same."""
        self._guests = self._guests or network.Guests(self.command)
        return self._guests

    @property
    def passed(self) -> iommu.Passthrough:
        """The same."""
        self._passed = self._passed or iommu.Passthrough(self.command,
                                                         self.disk.request_ps[disks.READ])
        return self._passed

    def rows(self) -> dict[str, Callable[[], Iterator[Row]]]:
        """Everything on the page, in its order."""
        return {
            "R1": lambda: disks.single_lock(self.disk),
            "R2": lambda: disks.areas_only(self.disk),
            "R3": lambda: disks.cache_friendly(self.disk, self.guests.one_queue_gain()),
            "R4": lambda: disks.second_copy(self.disk),
            "R6": lambda: pools.search_order(self.disk),
            "R7": lambda: pools.growing(self.disk),
            "R8": lambda: pools.limits(self.command),
            "R11": lambda: pools.default_size(self.command),
            "R12": lambda: network.intel(self.guests),
            "R13": lambda: network.amd(self.guests),
            "R20": lambda: iommu.instead_of_remap(self.passed),
            "R23": lambda: iommu.reach(self.command),
            "crossover": lambda: iommu.crossover(self.command),
        }

    def calibrations(self) -> Iterator[tuple[str, str, str]]:
        """All that was set by a published figure."""
        yield from disks.calibration(self.disk)
        yield from network.calibration(self.guests)
        yield from iommu.calibration(self.passed)


def markdown(row: Row) -> str:
    """As Markdown."""
    share = "" if row.difference is None else f"{100 * row.difference:+.0f} %"
    judged = f"{row.verdict}: {row.reason}" if row.reason else row.verdict
    return (f"| {row.name} | {SOURCES[row.name]} | {row.setting} | {row.published} "
            f"| {row.simulated} | {share} | {judged} |")


def table(rows: list[Row]) -> list[str]:
    """As Markdown."""
    return ["| row | source | setting | published | simulated | difference | verdict |",
            "|---|---|---|---|---|--:|---|", *map(markdown, rows)]


def summary(rows: list[Row]) -> list[str]:
    """One sentence that counts."""
    fixed = sum(row.verdict.startswith("calibrated") for row in rows)
    good = sum("matches" in row.verdict and "miss" not in row.verdict for row in rows)
    half = sum(row.verdict.startswith("miss;") for row in rows)
    missed = sum(row.verdict == "miss" for row in rows)
    alone = sum(row.verdict == "prediction" for row in rows)
    return [f"{len(rows)} figures: {fixed} fixed by calibration, {good} match, {half} miss the "
            f"figure but not the direction, {missed} miss, {alone} have nothing published to "
            "compare with."]


def replaced(text: str, name: str, lines: list[str]) -> str:
    """The page with these lines between the marker lines of that name."""
    begin, end = f"<!-- {name}: scripts/reproduce -->\n", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        raise Failed(f"{PAGE}: no marker lines of '{name}'")
    head, rest = text.split(begin, 1)
    return head + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1]


def page(text: str, experiments: Experiments) -> str:
    """What it ought to say."""
    rows = [row for make in experiments.rows().values() for row in make()]
    settings = ["| set | to | by |", "|---|---|---|",
                *(f"| {' | '.join(words)} |" for words in experiments.calibrations())]
    text = replaced(text, "summary", summary(rows))
    return replaced(replaced(text, "calibration", settings), "results", table(rows))


def main() -> int:
    """Status 0: written or as it ought to be; 1: not so, or a run failed; 2: usage."""
    parser = argparse.ArgumentParser(prog="reproduce", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare the page, write nothing")
    parser.add_argument("--only", metavar="ROW[,ROW...]", help="print these rows")
    parser.add_argument("binary", nargs="?", metavar="BINARY",
                        default=str(ROOT / "build" / "release" / "app" / "bouncesim"))
    options = parser.parse_args()
    try:
        old = PAGE.read_text(encoding="utf-8")
        experiments = Experiments(Command(options.binary))
        known = experiments.rows()
        if options.only:
            wanted = options.only.split(",")
            for name in wanted:
                if name not in known:
                    parser.error(f"no row {name}; there are {', '.join(known)}")
            lines = table([row for name in wanted for row in known[name]()])
            print("\n".join(lines))
            return int(options.check and any(line not in old.splitlines() for line in lines))
        new = page(old, experiments)
    except Failed as failure:
        print(f"reproduce: {failure}", file=sys.stderr)
        return 1
    if new != old and options.check:
        print(f"reproduce: {PAGE} is not what the command says; run scripts/reproduce",
              file=sys.stderr)
        return 1
    if new != old:
        Path(PAGE).write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
