# SPDX-License-Identifier: Apache-2.0
"""Pool pressure over time: what `bouncesim run --out DIR` measured, with every full event."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

import bouncesim_plot as bp
from bouncesim_plot import plt

WRITTEN_BY = "bouncesim run --out DIR"
COLUMNS = 1200  # of the picture: finer than that nothing is seen
LEGEND_ROW = 0.27  # inches
AREA_COLOURS = LinearSegmentedColormap.from_list(
    "areas", ["#f3f5f7", "#bccbdc", "#7194b8", "#2f5580", "#0b1a33"])
AREA_COLUMN = re.compile(r"area(\d+)_used_max")
TIMELINE = ["time_ns", "used", "used_max", "used_hiwater", "nslabs", "transient_nslabs"]
FULLS = ["time_ns", "used", "cause"]


class Timeline(NamedTuple):
    """timeline.csv as arrays, one entry a row; `areas` has one column an area."""

    time_ns: np.ndarray
    used: np.ndarray
    used_max: np.ndarray
    hiwater: np.ndarray
    nslabs: np.ndarray
    transient: np.ndarray
    areas: np.ndarray

    @property
    def interval_ns(self) -> float:
        """Rows without an event are left out, so the interval is the shortest step."""
        steps = np.diff(self.time_ns)
        steps = steps[steps > 0]
        return float(steps.min()) if steps.size else 1.0


def load_timeline(path: Path, result: dict[str, Any]) -> Timeline:
    """The table, or one idle row when nothing ever went to the pool."""
    numbers: list[list[int]] = []
    areas: list[list[int]] = []
    names: list[str] = []
    for where, row in bp.csv_rows(path, TIMELINE, WRITTEN_BY):
        names = names or [name for name in row if AREA_COLUMN.fullmatch(name)]
        numbers.append([bp.whole_number(row[name], f"{where}: {name}") for name in TIMELINE])
        areas.append([bp.whole_number(row[name], f"{where}: {name}") for name in names])
        if len(numbers) > 1 and numbers[-1][0] < numbers[-2][0]:
            raise bp.Refused(f"{where}: time_ns goes back")
    if not numbers:
        nslabs = bp.number_at(result, "swiotlb.nslabs", "result.json")
        numbers, areas = [[0, 0, 0, 0, nslabs, 0]], [[]]
    columns = np.array(numbers, dtype=float).T
    return Timeline(*columns, np.array(areas, dtype=float).reshape(len(numbers), -1))


def load_fulls(path: Path) -> dict[str, np.ndarray]:
    """Cause -> (time_ns, used) of its full events. A hopeless pool has millions of them."""
    found: dict[str, list[tuple[int, int]]] = {}
    for where, row in bp.csv_rows(path, FULLS, WRITTEN_BY):
        if row["cause"] not in bp.CAUSE_OF:
            raise bp.Refused(f"{where}: cause {row['cause'][:40]!r} is none of "
                             f"{', '.join(bp.CAUSE_OF)}")
        time_ns = bp.whole_number(row["time_ns"], f"{where}: time_ns")
        used = bp.whole_number(row["used"], f"{where}: used")
        found.setdefault(row["cause"], []).append((time_ns, used))
    return {cause: np.array(events, dtype=float) for cause, events in found.items()}


def pool_text(nslabs: int, grown: int, transient: int) -> str:
    """The pool as it was set up, and what a kernel that lets it grow made of it."""
    pool = bp.slots_text(nslabs)
    if grown > nslabs:
        added = bp.bytes_text(grown * bp.SLOT_BYTES)
        pool = f"{bp.plural(nslabs, 'slot', '')} that grew to {grown} ({added})"
    if transient:
        pool += f" and up to {transient} transient"
    return pool


def answer(result: dict[str, Any], where: str = "result.json") -> str:
    """The picture in one sentence."""
    nslabs = bp.number_at(result, "config.nslabs", where)
    grown = bp.number_at(result, "swiotlb.nslabs", where)
    transient = bp.number_at(result, "swiotlb.transient_nslabs_hiwater", where)
    hiwater = bp.number_at(result, "swiotlb.used_hiwater", where)
    maps = bp.number_at(result, "events.maps", where)
    full = bp.number_at(result, "events.full", where)
    oversize = bp.full_by_cause(result, where)["oversize"]
    if not maps:
        return f"Nothing went to the pool of {bp.slots_text(nslabs)}"
    if not nslabs and not transient:
        return f"There is no pool: {full:,} of {bp.plural(maps, 'map')} failed"
    if full and full == oversize:
        return (f"No pool size helps: {full:,} of {bp.plural(maps, 'map')} were too large "
                "for any pool")
    pool = pool_text(nslabs, grown, transient)
    if full:
        return f"{pool} did not suffice: {full:,} of {bp.plural(maps, 'map')} found the pool full"
    used = f"at most {hiwater} in use"
    if hiwater <= grown:
        percent = 100 * hiwater / grown
        used += f" ({percent:.0f} %)" if percent >= 1 or not hiwater else " (under 1 %)"
    return f"{pool} sufficed: {used}, no full event in {bp.plural(maps, 'map')}"


def details(result: dict[str, Any], where: str = "result.json") -> str:
    """What the answer was measured on."""
    span_ns = bp.number_at(result, "trace.span_ns", where)
    unit, length = bp.time_scale(span_ns)
    nareas = bp.number_at(result, "config.nareas", where)
    parts = [bp.trace_name(result), bp.plain(str(bp.value_at(result, "config.kernel", where))[:40]),
             bp.plural(nareas, "area"), f"{span_ns / length:.3g} {unit}"]
    lockups = bp.number_at(result, "events.lockups", where)
    if lockups:
        parts.append(bp.plural(lockups, "lockup"))
    return "  ·  ".join(parts)


class Grid(NamedTuple):
    """The time axis cut into columns, and the rows spread over them."""

    edges: np.ndarray
    used: np.ndarray
    hiwater: np.ndarray
    nslabs: np.ndarray
    transient: np.ndarray
    areas: np.ndarray


def make_grid(timeline: Timeline, span_ns: int) -> Grid:
    """Highest value in each column, from the trace's first record to its last.

    Between two rows nothing happened: the use stays what the first one ended with. Of an area only
    the highest use is known, so the smaller of both rows' stands for the time between them.
    """
    interval = timeline.interval_ns
    edges = np.linspace(0, max(span_ns, timeline.time_ns[-1] + interval), COLUMNS + 1)
    ends = np.append(timeline.time_ns[1:], edges[-1])
    shape = (COLUMNS, timeline.areas.shape[1])
    grid = Grid(edges, *(np.zeros(COLUMNS) for _ in range(4)), np.zeros(shape))
    grid.nslabs[edges[:-1] < timeline.time_ns[0]] = timeline.nslabs[0]
    width = edges[1]

    def columns(begin: float, end: float) -> slice:
        first = min(int(begin / width), COLUMNS - 1)
        return slice(first, max(first + 1, int(np.ceil(end / width - 1e-9))))

    for i, begin in enumerate(timeline.time_ns):
        busy = columns(begin, min(begin + interval, ends[i]))
        whole = columns(begin, ends[i])
        following = timeline.areas[min(i + 1, len(ends) - 1)]
        between = np.minimum(timeline.areas[i], following) if timeline.used[i] else 0 * following
        np.maximum(grid.used[busy], timeline.used_max[i], out=grid.used[busy])
        np.maximum(grid.used[whole], timeline.used[i], out=grid.used[whole])
        np.maximum(grid.areas[busy], timeline.areas[i], out=grid.areas[busy])
        np.maximum(grid.areas[whole], between, out=grid.areas[whole])
        for target, source in ((grid.hiwater, timeline.hiwater), (grid.nslabs, timeline.nslabs),
                               (grid.transient, timeline.transient)):
            np.maximum(target[whole], source[i], out=target[whole])
    return grid


def steps(values: np.ndarray) -> np.ndarray:
    """As many values as edges, for drawing with steps."""
    return np.append(values, values[-1])


def draw_pool(axes: Axes, x: np.ndarray, grid: Grid) -> None:
    """Use, high-water mark and size; a pool far larger than its use would hide the use."""
    axes.fill_between(x, steps(grid.used), step="post", color=bp.USED_FILL, linewidth=0,
                      label="slots in use")
    axes.step(x, steps(grid.used), where="post", color=bp.USED_LINE, linewidth=0.9)
    axes.step(x, steps(grid.hiwater), where="post", color=bp.INK, linewidth=1.4,
              linestyle=(0, (4, 2)), label=f"high-water: {grid.hiwater[-1]:.0f}")
    if grid.transient.any():
        axes.step(x, steps(grid.nslabs + grid.transient), where="post", color=bp.GOOD,
                  linewidth=1.2, linestyle=":", label="pool and transient pools")
    size, peak = grid.nslabs.max(), max(grid.hiwater.max(), 8)
    if peak < 0.3 * size:
        axes.set_ylim(0, 1.45 * peak)
        axes.text(0.01, 0.97, f"↑ pool size {size:.0f}, beyond the picture",
                  transform=axes.transAxes, va="top", fontsize=11)
        return
    axes.step(x, steps(grid.nslabs), where="post", color=bp.INK, linewidth=2.4,
              label=f"pool size: {grid.nslabs[-1]:.0f}")
    axes.set_ylim(0, 1.1 * max(size, peak, (grid.nslabs + grid.transient).max()))


def draw_fulls(axes: Axes, fulls: dict[str, np.ndarray], by_cause: dict[str, int],
               length: float) -> list[Any]:
    """A marker an event, at the slots in use then; those that would coincide are drawn once."""
    low, high = axes.get_xlim()
    top = axes.get_ylim()[1]
    handles = []
    crowded = sum(len(events) for events in fulls.values()) > 400
    for cause in bp.CAUSES:
        if cause.name not in fulls:
            continue
        x, used = fulls[cause.name][:, 0] / length, fulls[cause.name][:, 1]
        cells = np.stack([np.round((x - low) / (high - low) * 600), np.round(used / top * 200)])
        once = np.unique(cells, axis=1, return_index=True)[1]
        axes.scatter(x[once], used[once], s=24 if crowded else 48, marker=cause.marker,
                     color=cause.colour, edgecolors="white", linewidths=0.6, zorder=5,
                     clip_on=False)
        label = f"{by_cause[cause.name]:,} {cause.name}: {cause.meaning}"
        handles.append(Line2D([], [], linestyle="", marker=cause.marker, markersize=8,
                              color=cause.colour, label=label))
    return handles


def put_legends(axes: Axes, cause_handles: list[Any]) -> None:
    """First what belongs to the pool, below it the causes, two a line."""
    inch = 1 / (axes.figure.get_figheight() * axes.get_position().height)
    rows = (len(cause_handles) + 1) // 2
    shared = {"loc": "lower left", "borderaxespad": 0, "handletextpad": 0.5, "labelspacing": 0.35}
    if cause_handles:
        axes.add_artist(axes.legend(handles=cause_handles, ncol=2, columnspacing=2.0,
                                    bbox_to_anchor=(-0.01, 1 + 0.06 * inch), **shared))
    axes.legend(ncol=4, columnspacing=2.0, **shared,
                bbox_to_anchor=(-0.01, 1 + (0.06 + LEGEND_ROW * rows) * inch))


def draw_areas(axes: Axes, x: np.ndarray, grid: Grid, area_slots: float) -> Any:
    """One row an area: area_limited full events come from rows that run dark alone."""
    count = grid.areas.shape[1]
    share = 100 * grid.areas.T / max(area_slots, 1)
    mesh = axes.pcolormesh(x, np.arange(count + 1) - 0.5, share, cmap=AREA_COLOURS, vmin=0,
                           vmax=max(100, share.max()), rasterized=True)
    axes.grid(False)
    axes.invert_yaxis()
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 8, 10],
                                             min_n_ticks=1))
    for line in np.arange(1, count) - 0.5 if count <= 16 else ():
        axes.axhline(line, color="white", linewidth=1.5)
    return mesh


def second_axis(axes: Axes) -> None:
    """The same height in bytes: people pay for the pool in MiB."""
    top = axes.get_ylim()[1] * bp.SLOT_BYTES
    unit, factor = next(((u, f) for u, f in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
                         if top >= f), ("KiB", 1 << 10))
    scale = bp.SLOT_BYTES / factor
    right = axes.secondary_yaxis("right", functions=(lambda y: y * scale, lambda y: y / scale))
    right.set_ylabel(unit)
    right.yaxis.set_major_locator(MaxNLocator(nbins=5))


def area_panel_inches(count: int) -> float:
    """Tall enough that a row of the heat map is seen, at any number of areas."""
    return min(0.25 * count + 0.1, 2.6) if count else 0.0


def draw_area_panel(figure: Figure, pool: Axes, box: tuple[float, float, float, float],
                    x: np.ndarray, grid: Grid, result: dict[str, Any]) -> Axes:
    """The heat map with its scale; `box` is left, bottom, width, height of the figure."""
    axes = figure.add_axes(box, sharex=pool)
    shown = grid.areas.shape[1]
    nareas = bp.number_at(result, "config.nareas", "result.json")
    nslabs = bp.number_at(result, "config.nslabs", "result.json")
    mesh = draw_areas(axes, x, grid, nslabs / max(nareas, 1))
    axes.set_ylabel("area")
    listed = "each area" if shown >= nareas else f"the first {shown} of {nareas} areas"
    axes.text(0, 1, f"use of {listed}, in % of its slots\n", transform=axes.transAxes, fontsize=11,
              va="bottom", linespacing=0.4)
    left, bottom, width, height = box
    bar = figure.colorbar(mesh, cax=figure.add_axes([left + width + 0.012, bottom, 0.012, height]))
    bar.outline.set_visible(False)
    if height * figure.get_figheight() < 1:
        bar.set_ticks([0, bar.vmax])
    return axes


def time_label(result: dict[str, Any], unit: str) -> str:
    """With the recording's own clock, to find the place in a kernel log."""
    trace = result["trace"]
    if not trace.get("timed", True):
        return f"time in {unit}, assumed: the trace has none"
    first_ns = bp.number_at(result, "trace.first_ns", "result.json") if "first_ns" in trace else 0
    return f"time in {unit}" + (f" since {first_ns / 1e9:.3f} s of the trace" if first_ns else "")


def make_figure(result: dict[str, Any], timeline: Timeline, fulls: dict[str, np.ndarray]) -> Figure:
    """Both panels over one time axis."""
    grid = make_grid(timeline, bp.number_at(result, "trace.span_ns", "result.json"))
    unit, length = bp.time_scale(int(grid.edges[-1]))
    x = grid.edges / length
    panel = area_panel_inches(grid.areas.shape[1])
    head = 1.12 + LEGEND_ROW * ((len(fulls) + 1) // 2)
    left, width, bottom, pool_height, gap = 0.085, 0.84, 0.62, 3.2, 0.42
    height = head + pool_height + bottom + (panel + gap if panel else 0)
    figure = plt.figure(figsize=(10.5, height))
    bp.put_title(figure, answer(result), details(result))
    pool = figure.add_axes([left, 1 - (head + pool_height) / height, width, pool_height / height])
    pool.set_xlim(0, x[-1])
    draw_pool(pool, x, grid)
    put_legends(pool, draw_fulls(pool, fulls, bp.full_by_cause(result, "result.json"), length))
    pool.set_ylabel("slots in use")
    pool.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    second_axis(pool)
    lowest = pool
    if panel:
        pool.tick_params(labelbottom=False)
        box = (left, bottom / height, width, panel / height)
        lowest = draw_area_panel(figure, pool, box, x, grid, result)
    lowest.set_xlabel(time_label(result, unit))
    return figure


def main() -> None:
    """Draws DIR/pressure.png and prints what it says."""
    parser = argparse.ArgumentParser(prog="plot-pressure", description=__doc__)
    parser.add_argument("result", metavar="DIR", help="what `bouncesim run --out DIR` wrote")
    parser.add_argument("-o", metavar="FILE", help="picture, .png or .svg (DIR/pressure.png)")
    options = parser.parse_args()
    folder = Path(options.result)
    path = bp.output_path(options.o, folder / "pressure.png")
    result = bp.load_json(folder / "result.json", bp.RUN_SCHEMA, WRITTEN_BY)
    timeline = load_timeline(folder / "timeline.csv", result)
    figure = make_figure(result, timeline, load_fulls(folder / "fulls.csv"))
    bp.save(figure, path)
    print(f"{path}: {answer(result)}")


if __name__ == "__main__":
    sys.exit(bp.run_main("plot-pressure", main))
