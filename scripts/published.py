# SPDX-License-Identifier: Apache-2.0
"""What all rows of docs/reproduced.md share: runs of the command, and the verdict on a figure."""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Optional

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "workloads" / "reproduce"
CLOSE = 0.25  # figures within this share of the published one are called matched


class Failed(Exception):
    """A run that did not end well; the text is the one line the user sees."""


class Row(NamedTuple):
    """One line of the table. `difference` is a share of the published figure, or None where there
    is none to compare with."""

    name: str
    setting: str
    published: str
    simulated: str
    difference: Optional[float]
    verdict: str
    reason: str = ""


def verdict(published: float, simulated: float, gain: bool = False) -> tuple[float, str]:
    """Difference and verdict of a predicted figure. A gain or loss in percent is compared as such:
    its direction is the shape, unless next to nothing is left of it."""
    difference = (simulated - published) / abs(published)
    if abs(difference) <= CLOSE:
        return difference, "matches"
    if gain and simulated / published >= 0.25:
        return difference, "miss; direction matches"
    return difference, "miss"


def figure(name: str, setting: str, published: float, simulated: float, unit: str,
           reason: str = "", calibrated: bool = False) -> Row:
    """A row that compares two figures of one unit."""
    difference, judged = verdict(published, simulated)
    if calibrated:
        judged = "calibrated, no prediction"
    if calibrated or judged == "matches":
        reason = ""
    return Row(name, setting, f"{published:.4g} {unit}", f"{simulated:.4g} {unit}", difference,
               judged, reason)


def gain(name: str, setting: str, published: float, simulated: float, reason: str = "",
         calibrated: bool = False) -> Row:
    """A row that compares two changes in percent."""
    difference, judged = verdict(published, simulated, gain=True)
    if calibrated:
        judged = "calibrated, no prediction"
    return Row(name, setting, f"{published:+.3g} %", f"{simulated:+.3g} %", difference, judged,
               "" if judged == "matches" or calibrated else reason)


def change(before: float, after: float) -> float:
    """In percent."""
    return 100 * (after / before - 1)


class Command:
    """The bouncesim binary, and a directory for what it reads and writes meanwhile."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        self.folder = tempfile.TemporaryDirectory(prefix="reproduce.")
        self.traces: dict[Path, Path] = {}

    def call(self, *args: Any) -> str:
        """Standard output of one call."""
        try:
            done = subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True,
                                  check=False)
        except OSError as error:
            raise Failed(f"{self.binary}: {error.strerror}; "
                         "scripts/build release makes it") from None
        if done.returncode:
            raise Failed(done.stderr.strip() or f"{self.binary} {args[0]} failed")
        return done.stdout

    def setting(self, name: str, **values: Any) -> Path:
        """A file of workloads/reproduce with other values for keys that it has."""
        if not values:
            return SETTINGS / name
        text = (SETTINGS / name).read_text(encoding="utf-8")
        for key, value in values.items():
            old = r"\[.*\]" if isinstance(value, list) else r"[^\[\s]+"
            text, count = re.subn(rf"(?m)^{key} = {old}", f"{key} = {json.dumps(value)}", text)
            if not count:
                raise Failed(f"{SETTINGS / name}: has no key {key}")
        told = re.sub(r"[^\w.]+", "_", "".join(f"{k}={v}," for k, v in values.items()))
        made = Path(self.folder.name) / f"{told}{name}"
        made.write_text(text, encoding="utf-8")
        return made

    def trace(self, spec: str, **values: Any) -> Path:
        """What such a spec makes."""
        made = self.setting(spec, **values)
        if made not in self.traces:
            out = Path(self.folder.name) / f"{made.stem}.csv"
            self.call("gen", made, "-o", out)
            self.traces[made] = out
        return self.traces[made]

    def run(self, trace: Path, *options: Any) -> dict[str, Any]:
        """The result of a replay."""
        return json.loads(self.call("run", trace, "-q", "--json", "-", *options))

    def platform(self, trace: Path, platform: Path, *options: Any, **costs: int) -> dict[str, Any]:
        """The result of the timed engine on a platform."""
        told = [word for key, ps in costs.items() for word in ("--cost", f"{key}={ps}")]
        return self.run(trace, "--engine", "systemc", "--platform", platform, *options,
                        *told)


def per_second(result: dict[str, Any]) -> float:
    """Requests or packets that ended well."""
    return result["platform"]["completed"] / result["timing"]["simulated_ns"] * 1e9


def busy_ns(result: dict[str, Any]) -> float:
    """CPU time of a request."""
    return result["timing"]["cpu_busy_ns"] / result["platform"]["completed"]


def cpu_percent(result: dict[str, Any]) -> float:
    """Of one CPU, as top says it."""
    return 100 * result["timing"]["cpu_busy_ns"] / result["timing"]["simulated_ns"]
