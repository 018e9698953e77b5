# SPDX-License-Identifier: Apache-2.0
"""How long buffers were mapped: a recording against what the platform predicts from its requests,
both from what `bouncesim run --out DIR` measured."""

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

import bouncesim_plot as bp
from bouncesim_plot import plt

WRITTEN_BY = "bouncesim run --out DIR"
COLUMNS = ["at_least_ns", "below_ns", "maps"]
LOOKS = (("recorded", bp.INK, "-"), ("predicted", "#D55E00", (0, (5, 2))))
NEAR = 0.25  # medians within this share are called the same
BANDS = 60


class Lifetimes(NamedTuple):
    """lifetimes.csv: the middle of each step in ns, and how many mappings lived so long."""

    middle_ns: np.ndarray
    maps: np.ndarray

    @property
    def total(self) -> int:
        """All mappings whose end was seen."""
        return int(self.maps.sum())

    def percentile(self, share: float) -> float:
        """The lifetime that this share does not exceed."""
        reached = np.searchsorted(np.cumsum(self.maps), share * self.total)
        return float(self.middle_ns[min(int(reached), len(self.maps) - 1)])


def load(folder: Path) -> tuple[Lifetimes, dict[str, Any]]:
    """A run's histogram and its result."""
    path = folder / "lifetimes.csv"
    middles, maps = [], []
    last = -1
    for where, row in bp.csv_rows(path, COLUMNS, WRITTEN_BY):
        low, high, count = (bp.whole_number(row[name], f"{where}: {name}") for name in COLUMNS)
        if not last <= low < high:
            raise bp.Refused(f"{where}: steps of time do not rise")
        if not count:
            raise bp.Refused(f"{where}: maps is 0; steps without any have no row")
        middles.append(max(1.0, (low + high) / 2))
        maps.append(count)
        last = high
    if not maps:
        raise bp.Refused(f"{path}: no mapping came to its end")
    result = bp.load_json(folder / "result.json", bp.RUN_SCHEMA, WRITTEN_BY)
    return Lifetimes(np.array(middles), np.array(maps, dtype=float)), result


def time_text(value_ns: float) -> str:
    """1.3 ms."""
    for unit, length in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if value_ns >= length:
            return f"{value_ns / length:.3g} {unit}"
    return f"{value_ns:.0f} ns"


def apart(one: Lifetimes, other: Lifetimes) -> tuple[float, float]:
    """Where the two shares are furthest apart: by how much, and at which lifetime."""
    places = np.unique(np.concatenate([one.middle_ns, other.middle_ns]))
    shares = [np.concatenate([[0.0], np.cumsum(each.maps) / each.total])[
        np.searchsorted(each.middle_ns, places, side="right")] for each in (one, other)]
    distance = np.abs(shares[0] - shares[1])
    at = int(distance.argmax())
    return float(distance[at]), float(places[at])


def answer(recorded: Lifetimes, predicted: Lifetimes) -> str:
    """The picture in one sentence."""
    was, now = recorded.percentile(0.5), predicted.percentile(0.5)
    late, later = recorded.percentile(0.99), predicted.percentile(0.99)
    if was / (1 + NEAR) <= now <= was * (1 + NEAR):
        start = f"Half of the mappings last up to {time_text(now)}, as recorded"
    else:
        ratio = now / was if now > was else was / now
        word = "longer" if now > was else "shorter"
        start = (f"Half of the mappings last up to {time_text(now)}, {ratio:.{int(ratio < 10)}f} "
                 f"times {word} than recorded ({time_text(was)})")
    return f"{start}; 99 % up to {time_text(later)}, recorded {time_text(late)}"


def details(results: Sequence[dict[str, Any]], both: Sequence[Lifetimes]) -> str:
    """What it was measured on."""
    distance, place = apart(*both)
    return "  ·  ".join([
        bp.trace_name(results[0]),
        *(f"{name}: {bp.plural(each.total, 'mapping')}" for (name, _, _), each in zip(LOOKS, both)),
        f"furthest apart at {time_text(place)}: {100 * distance:.0f} % of them"])


def draw_shares(axes: Axes, both: Sequence[Lifetimes]) -> None:
    """Share of the buffers whose mapping is over after a time."""
    for (name, colour, style), each in zip(LOOKS, both):
        share = np.cumsum(each.maps) / each.total
        axes.step(np.concatenate([[each.middle_ns[0] * 0.97], each.middle_ns]),
                  np.concatenate([[0.0], share]), where="post", color=colour, linestyle=style,
                  linewidth=2.2, label=name)
        axes.plot(each.percentile(0.5), 0.5, "o", color=colour, markersize=7)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("mappings that are over")
    axes.legend(loc="upper left")


def draw_counts(axes: Axes, both: Sequence[Lifetimes]) -> None:
    """How many buffers live how long."""
    low = min(each.middle_ns[0] for each in both)
    high = max(each.middle_ns[-1] for each in both)
    edges = np.geomspace(low * 0.95, max(high, low) * 1.1, BANDS + 1)
    for (_, colour, style), each in zip(LOOKS, both):
        share, _ = np.histogram(each.middle_ns, bins=edges, weights=each.maps / each.total)
        axes.stairs(share, edges, color=colour, linestyle=style, linewidth=1.6,
                    fill=False, baseline=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("of all, by time")
    axes.set_xlabel("from map to unmap")


def make_figure(results: Sequence[dict[str, Any]], both: Sequence[Lifetimes]) -> Figure:
    """Shares above, counts below, over one axis of time."""
    figure = plt.figure(figsize=(10.5, 6.6))
    bp.put_title(figure, answer(*both), details(results, both))
    lower = figure.add_axes([0.095, 0.1, 0.885, 0.27])
    upper = figure.add_axes([0.095, 0.41, 0.885, 0.475], sharex=lower)
    draw_shares(upper, both)
    draw_counts(lower, both)
    lower.set_xscale("log")
    lower.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_text(value)))
    upper.tick_params(labelbottom=False)
    figure.align_ylabels()
    return figure


def main() -> None:
    """Draws PREDICTED/lifetimes.png and prints what it says."""
    parser = argparse.ArgumentParser(prog="plot-lifetimes", description=__doc__)
    parser.add_argument("recorded", metavar="RECORDED",
                        help="what `bouncesim run TRACE --out DIR` wrote")
    parser.add_argument("predicted", metavar="PREDICTED", help="the same of `run TRACE --only "
                        "block --engine systemc ...`, or any other run")
    parser.add_argument("-o", metavar="FILE",
                        help="picture, .png or .svg (PREDICTED/lifetimes.png)")
    options = parser.parse_args()
    path = bp.output_path(options.o, Path(options.predicted) / "lifetimes.png")
    loaded = [load(Path(folder)) for folder in (options.recorded, options.predicted)]
    both = [each for each, _ in loaded]
    bp.save(make_figure([result for _, result in loaded], both), path)
    print(f"{path}: {answer(*both)}")


if __name__ == "__main__":
    sys.exit(bp.run_main("plot-lifetimes", main))
