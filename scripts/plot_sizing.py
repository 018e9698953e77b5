# SPDX-License-Identifier: Apache-2.0
"""How large the pool must be: full events by cause, and the high-water mark, against the pool size,
from what `bouncesim sweep --out DIR` measured."""

import argparse
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple, Optional

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

import bouncesim_plot as bp
from bouncesim_plot import plt

WRITTEN_BY = "bouncesim sweep --out DIR"
SERIES_SHOWN = len(bp.SERIES)
LABELLED_BARS = 16  # more numbers than that on one row run into each other


class Point(NamedTuple):
    """One pool size of one series."""

    nslabs: int
    hiwater: int
    full: int
    by_cause: dict[str, int]

    @property
    def curable(self) -> int:
        """Full events that a larger pool can cure."""
        return self.full - self.by_cause["oversize"]


class Series(NamedTuple):
    """All sizes, ascending, of one kernel with one number of areas."""

    kernel: str
    nareas: int
    points: list[Point]

    def smallest(self) -> Optional[Point]:
        """Smallest size from which on no size has a full event that any size could cure. A lucky
        smaller one that has a failing larger one above it is nothing to rely on."""
        found = None
        for point in reversed(self.points):
            if point.curable:
                break
            found = point
        return found

    def below(self, point: Point) -> Optional[Point]:
        """The next smaller size: the other side of the answer."""
        index = self.points.index(point)
        return self.points[index - 1] if index else None


def load_series(data: dict[str, Any], where: str) -> list[Series]:
    """Points grouped into series, in the order in which these appear in the file."""
    points = bp.value_at(data, "points", where)
    if not isinstance(points, list) or not points:
        raise bp.Refused(f"{where}: has no points")
    found: dict[tuple[str, int], dict[int, Point]] = {}
    for index, item in enumerate(points):
        here = f"{where}: points[{index}]"
        nslabs = bp.number_at(item, "nslabs", here)
        key = (str(bp.value_at(item, "kernel", here)), bp.number_at(item, "nareas", here))
        if nslabs == 0:
            raise bp.Refused(f"{here}: nslabs is 0; a pool of no slots has no place in this plot")
        found.setdefault(key, {})[nslabs] = Point(
            nslabs, bp.number_at(item, "swiotlb.used_hiwater", here),
            bp.number_at(item, "events.full", here), bp.full_by_cause(item, here))
    return [Series(kernel, nareas, [sizes[n] for n in sorted(sizes)])
            for (kernel, nareas), sizes in found.items()]


def label(series: Series, all_series: list[Series]) -> str:
    """What tells a series from the others, and no more."""
    text = bp.plural(series.nareas, "area")
    return f"{series.kernel}, {text}" if len({s.kernel for s in all_series}) > 1 else text


def counts_text(points: list[Point]) -> str:
    """3 maps, or 108 to 125 maps where the series differ."""
    counts = sorted({point.full for point in points})
    if len(counts) == 1:
        return bp.plural(counts[0], "map")
    return f"{counts[0]:,} to {counts[-1]:,} maps"


def none_is_enough(all_series: list[Series]) -> str:
    """Even the largest size of every series has full events."""
    largest = max(series.points[-1].nslabs for series in all_series)
    last = [series.points[-1] for series in all_series if series.points[-1].nslabs == largest]
    return f"No size up to {bp.slots_text(largest)} is enough: {counts_text(last)} still fail"


def one_size(all_series: list[Series], nslabs: int) -> str:
    """All series agree on the smallest size."""
    best = [point for series in all_series if (point := series.smallest())]
    belows = [series.below(point) for series, point in zip(all_series, best)]
    failed = [below for below in belows if below and below.curable]
    left = max(point.full for point in best)
    if left and not failed:
        return (f"No pool size helps: {bp.plural(left, 'map')} too large for any pool, "
                "no other fails")
    if not failed:
        return f"Even {bp.slots_text(nslabs)}, the smallest size tried, has no full event"
    tried = max(below.nslabs for below in failed)
    counts = counts_text([below for below in failed if below.nslabs == tried])
    what = "is the smallest pool without a full event"
    if left:
        what = f"is enough for all but {bp.plural(left, 'map')} too large for any pool"
    return f"{bp.slots_text(nslabs)} {what}; {tried} failed {counts}"


def answer(all_series: list[Series]) -> str:
    """The picture in one sentence."""
    best = [series.smallest() for series in all_series]
    enough = [(point.nslabs, label(series, all_series))
              for series, point in zip(all_series, best) if point]
    if not enough:
        return none_is_enough(all_series)
    if len(enough) == len(best) and len({nslabs for nslabs, _ in enough}) == 1:
        return one_size(all_series, enough[0][0])
    if len(best) > 3:
        smallest, largest = min(enough)[0], max(enough)[0]
        if len(enough) < len(best):
            missing = f"{len(best) - len(enough)} of {len(best)} series fail at every size"
            return f"No full event takes {bp.slots_text(smallest)} or more; {missing}"
        by = "areas" if len({series.kernel for series in all_series}) == 1 else "kernel and areas"
        return (f"No full event takes {bp.slots_text(smallest)} to {bp.slots_text(largest)}, "
                f"depending on {by}")
    told = [f"{bp.slots_text(point.nslabs) if point else 'none'} with {label(series, all_series)}"
            for series, point in zip(all_series, best)]
    return f"Smallest pool without a full event: {', '.join(told)}"


def details(data: dict[str, Any], all_series: list[Series]) -> str:
    """What the answer was measured on."""
    kernels = sorted({bp.plain(series.kernel[:40]) for series in all_series})
    sizes = {point.nslabs for series in all_series for point in series.points}
    parts = [bp.trace_name(data), ", ".join(kernels[:3])]
    if len(all_series) == 1:
        parts.append(bp.plural(all_series[0].nareas, "area"))
    parts.append(bp.plural(len(sizes), "size"))
    if any(item["events"].get("retried_maps") for item in data["points"]):
        parts.append("recorded under pressure: the real demand may be higher")
    if len(all_series) > SERIES_SHOWN:
        parts.append(f"the first {SERIES_SHOWN} of {len(all_series)} series")
    return "  ·  ".join(parts)


def bar_spans(sizes: list[int]) -> list[tuple[float, float]]:
    """(middle, width) in powers of two; a bar is as wide as its nearest neighbour allows."""
    places = [math.log2(size) for size in sizes]
    spans = []
    for i, place in enumerate(places):
        gaps = [abs(places[j] - place) for j in (i - 1, i + 1) if 0 <= j < len(places)]
        spans.append((place, 0.72 * min(gaps + [1.0])))
    return spans


def bar_label(point: Point, top: int, room: bool) -> str:
    """The total, and for a bar too low to show its colours the main cause in words."""
    text = f"{point.full:,}"
    name, count = max(point.by_cause.items(), key=lambda item: item[1])
    if not room or point.full > 0.12 * top or not count:
        return text
    share = "" if count == point.full else f"{100 * count // point.full} % "
    return f"{text}\n{share}{name}"


def draw_bars(axes: Axes, series: Series, top: int) -> None:
    """The stack of one series, its total above each bar."""
    spans = bar_spans([point.nslabs for point in series.points])
    above = 0.03 * top
    for (place, width), point in zip(spans, series.points):
        floor = 0
        for cause in bp.CAUSES:
            count = point.by_cause[cause.name]
            if count:
                axes.bar(place, count, width, bottom=floor, color=cause.colour, hatch=cause.hatch,
                         edgecolor="white", linewidth=0.5 if len(spans) <= LABELLED_BARS else 0)
            floor += count
        if len(spans) > LABELLED_BARS:
            continue
        text = bar_label(point, top, len(spans) <= 9) if point.full else "0"
        axes.text(place, floor + above, text, ha="center", va="bottom", fontsize=11,
                  color=bp.INK if point.full else bp.GOOD, linespacing=1.05,
                  fontweight="normal" if point.full else "bold",
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    axes.set_ylim(0, 1.25 * top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=2))
    axes.grid(False, axis="x")


def mark_smallest(axes: Axes, series: Series, name: str, alone: bool) -> None:
    """The series' name and answer in the free upper right corner, and a line at the size."""
    point = series.smallest()
    if point:
        axes.axvline(math.log2(point.nslabs), color=bp.GOOD, linewidth=1.6, linestyle=(0, (4, 2)),
                     zorder=0.5)
        text = f"{'only oversize' if point.full else 'no full event'} from " \
               f"{bp.slots_text(point.nslabs)} on"
    else:
        text = "the largest size still fails"
    if not alone:
        text = f"{name}: {text}"
    axes.text(0.995, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=12,
              color=bp.GOOD if point else bp.INK, fontweight="bold",
              bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5})


def draw_hiwater(axes: Axes, all_series: list[Series]) -> None:
    """How much was really used: flat where the pool is large enough, the whole pool where not."""
    low = min(point.nslabs for series in all_series for point in series.points)
    high = max(point.nslabs for series in all_series for point in series.points)
    ends = [math.log2(low) - 0.5, math.log2(high) + 0.5]
    axes.plot(ends, [2**end for end in ends], color=bp.MUTED, linewidth=1.2, linestyle=":",
              label="the whole pool")
    for index, series in enumerate(all_series):
        axes.plot([math.log2(point.nslabs) for point in series.points],
                  [max(point.hiwater, 1) for point in series.points], color=bp.SERIES[index],
                  marker=bp.SERIES_MARKERS[index] if len(series.points) <= 40 else None,
                  markersize=9 - 4 * min(index, 1), linewidth=1.6, label=label(series, all_series))
    axes.set_yscale("log", base=2)
    peak = max(point.hiwater for series in all_series for point in series.points)
    least = min(max(point.hiwater, 1) for series in all_series for point in series.points)
    bottom = 2 ** math.floor(math.log2(least) - 0.3)
    top = 2 ** math.ceil(math.log2(max(peak, 1)) + 0.6)
    axes.set_ylim(bottom, top)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("high-water, slots")
    axes.legend(loc="lower right", ncol=min(3, 1 + len(all_series)), columnspacing=1.5,
                borderaxespad=0.2)
    last = {series.points[-1].hiwater for series in all_series}
    if len(last) == 1:
        axes.text(math.log2(high), max(last) * 1.12 + 0.1, f"{max(last)}", ha="center",
                  va="bottom", fontsize=11)


def label_sizes(axes: Axes, sizes: list[int]) -> None:
    """Slots, as typed in the boot option, and what they cost."""
    shown = sizes
    if len(sizes) > 10:
        powers = [2**n for n in range(math.floor(math.log2(sizes[0])), 65)]
        shown = [power for power in powers if sizes[0] <= power <= sizes[-1]]
        shown = shown[:: math.ceil(len(shown) / 10)] if shown else [sizes[0], sizes[-1]]
    axes.xaxis.set_major_locator(FixedLocator([math.log2(size) for size in shown]))
    axes.set_xticklabels([f"{size}\n{bp.bytes_text(size * bp.SLOT_BYTES)}" for size in shown])
    axes.set_xlim(math.log2(sizes[0]) - 0.55, math.log2(sizes[-1]) + 0.55)
    axes.set_xlabel("pool size: slots, and the memory they take")


def cause_handles(all_series: list[Series]) -> list[Patch]:
    """Only the causes that occur."""
    return [Patch(facecolor=cause.colour, hatch=cause.hatch, edgecolor="white",
                  label=f"{cause.name}: {cause.meaning}")
            for cause in bp.CAUSES
            if any(point.by_cause[cause.name] for s in all_series for point in s.points)]


def make_figure(data: dict[str, Any], every: list[Series]) -> Figure:
    """One row of bars a series, the high-water marks below, all over the same sizes."""
    all_series = every[:SERIES_SHOWN]
    handles = cause_handles(all_series)
    row = {1: 2.9, 2: 2.0, 3: 1.6}.get(len(all_series), 1.25)
    head, tail, marks, gap = 0.86 + 0.27 * ((len(handles) + 1) // 2), 0.85, 1.9, 0.16
    height = head + len(all_series) * (row + gap) + marks + tail
    figure = plt.figure(figsize=(10.5, height))
    bp.put_title(figure, answer(every), details(data, every))
    left, width = 0.095, 0.885
    lowest = figure.add_axes([left, tail / height, width, marks / height])
    draw_hiwater(lowest, all_series)
    top = max(1, *(point.full for series in all_series for point in series.points), 1)
    for index, series in enumerate(all_series):
        bottom = height - head - (index + 1) * row - index * gap
        axes = figure.add_axes([left, bottom / height, width, row / height], sharex=lowest)
        draw_bars(axes, series, top)
        mark_smallest(axes, series, label(series, all_series), len(all_series) == 1)
        axes.tick_params(labelbottom=False)
        if index == (len(all_series) - 1) // 2:
            axes.set_ylabel("full events")
        if index == 0 and handles:
            axes.legend(handles=handles, loc="lower left", ncol=2, columnspacing=2.0,
                        bbox_to_anchor=(-0.01, 1 + 0.05 / row), borderaxespad=0, labelspacing=0.35)
    label_sizes(lowest, sorted({p.nslabs for series in all_series for p in series.points}))
    figure.align_ylabels()
    return figure


def main() -> None:
    """Draws DIR/sizing.png and prints what it says."""
    parser = argparse.ArgumentParser(prog="plot-sizing", description=__doc__)
    parser.add_argument("sweep", metavar="DIR", help="what `bouncesim sweep --out DIR` wrote")
    parser.add_argument("-o", metavar="FILE", help="picture, .png or .svg (DIR/sizing.png)")
    options = parser.parse_args()
    folder = Path(options.sweep)
    path = bp.output_path(options.o, folder / "sizing.png")
    data = bp.load_json(folder / "sweep.json", bp.SWEEP_SCHEMA, WRITTEN_BY)
    all_series = load_series(data, str(folder / "sweep.json"))
    bp.save(make_figure(data, all_series), path)
    print(f"{path}: {answer(all_series)}")


if __name__ == "__main__":
    sys.exit(bp.run_main("plot-sizing", main))
