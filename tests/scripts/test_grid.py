# SPDX-License-Identifier: Apache-2.0
"""Rows of timeline.csv spread over the columns of the picture: peaks stay, gaps keep the level."""

import numpy as np
import plot_pressure
from plot_pressure import COLUMNS, Timeline, make_grid


def timeline(rows):
    """Rows of (time, used at the end, highest use, areas...)."""
    numbers = np.array(rows, dtype=float)
    time_ns, used, used_max = numbers[:, :3].T
    level = np.full(len(rows), 1024.0)
    return Timeline(time_ns, used, used_max, np.maximum.accumulate(used_max), level, 0 * level,
                    numbers[:, 3:])


def at(values, share):
    return values[int(share * COLUMNS)]


def test_a_gap_keeps_what_the_row_before_it_ended_with():
    grid = make_grid(timeline([(0, 10, 50), (100, 7, 9), (800, 0, 60)]), 1000)
    assert at(grid.used, 0.05) == 50
    assert at(grid.used, 0.15) == 9
    assert at(grid.used, 0.5) == 7
    assert at(grid.used, 0.85) == 60
    assert at(grid.used, 0.95) == 0


def test_no_peak_is_lost_however_many_rows():
    rows = [(t, 0, 900 if t == 31337 else 1) for t in range(0, 100_000, 7)] + [(31337 * 7, 0, 900)]
    grid = make_grid(timeline(sorted(rows)), 0)
    assert grid.used.max() == 900 and grid.hiwater[-1] == 900


def test_area_use_in_a_gap_is_what_both_neighbours_allow():
    grid = make_grid(timeline([(0, 20, 90, 80, 90), (100, 5, 5, 5, 0), (800, 0, 70, 0, 70)]), 1000)
    assert at(grid.areas[:, 0], 0.05) == 80 and at(grid.areas[:, 1], 0.05) == 90
    assert at(grid.areas[:, 0], 0.5) == 0  # the next row never saw area 0 in use
    assert at(grid.areas[:, 1], 0.5) == 0


def test_an_empty_pool_has_empty_areas():
    grid = make_grid(timeline([(0, 0, 90, 90), (10, 0, 1, 1), (900, 0, 90, 90)]), 1000)
    assert at(grid.areas[:, 0], 0.5) == 0


def test_time_before_the_first_map_is_idle_with_the_pool_in_place():
    grid = make_grid(timeline([(500, 5, 5)]), 1000)
    assert at(grid.used, 0.25) == 0 and at(grid.nslabs, 0.25) == 1024
    assert at(grid.used, 0.75) == 5


def test_coinciding_markers_are_drawn_once():
    from matplotlib.figure import Figure
    axes = Figure().add_subplot()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1000)
    events = np.array([[5e8, 900.0]] * 5000 + [[1e8, 100.0]])
    handles = plot_pressure.draw_fulls(axes, {"exhausted": events}, {"exhausted": 5001}, 1e9)
    assert len(axes.collections[0].get_offsets()) == 2
    assert handles[0].get_label().startswith("5,001 exhausted")
