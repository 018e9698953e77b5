# SPDX-License-Identifier: Apache-2.0
"""plot-lifetimes: what it says of two runs, and what it refuses."""

from pathlib import Path

import bouncesim_plot as bp
import plot_lifetimes
import pytest
from samples import write_lifetimes
from test_plots import launch, plot, png_size, refused

US = 1000
SHORT = [(90 * US, 100 * US, 60), (900 * US, 1000 * US, 40)]
LONG = [(900 * US, 1000 * US, 10), (9000 * US, 10000 * US, 90)]


def answer(one, other, tmp_path):
    runs = [plot_lifetimes.load(write_lifetimes(tmp_path / name, steps))[0]
            for name, steps in (("one", one), ("other", other))]
    return plot_lifetimes.answer(*runs)


def test_the_same_is_called_so(tmp_path):
    assert answer(SHORT, SHORT, tmp_path) == (
        "Half of the mappings last up to 95 µs, as recorded; 99 % up to 950 µs, recorded 950 µs")


def test_longer_and_shorter(tmp_path):
    assert answer(SHORT, LONG, tmp_path) == (
        "Half of the mappings last up to 9.5 ms, 100 times longer than recorded (95 µs); "
        "99 % up to 9.5 ms, recorded 950 µs")
    assert "shorter than recorded (9.5 ms)" in answer(LONG, SHORT, tmp_path)


def test_where_they_are_apart(tmp_path):
    one, other = (plot_lifetimes.load(write_lifetimes(tmp_path / name, steps))[0]
                  for name, steps in (("one", SHORT), ("other", LONG)))
    distance, place = plot_lifetimes.apart(one, other)
    assert distance == pytest.approx(0.9) and place == 950 * US
    assert plot_lifetimes.apart(one, one)[0] == 0


@pytest.mark.parametrize("steps", [SHORT, LONG, [(0, 1, 1)], [(2**62, 2**63, 5)],
                                   [(n * US, (n + 1) * US, n) for n in range(1, 400)]])
def test_draws(tmp_path, steps):
    one = write_lifetimes(tmp_path / "$one", SHORT)
    other = write_lifetimes(tmp_path / "other", steps)
    result = plot("lifetimes", one, other)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{other / 'lifetimes.png'}: Half of ")
    assert png_size(other / "lifetimes.png")[0] > 1000


def test_as_a_user_starts_it(tmp_path):
    one, picture = write_lifetimes(tmp_path / "one", SHORT), tmp_path / "p.svg"
    done = launch("lifetimes", one, one, "-o", picture)
    assert done.returncode == 0, done.stderr
    first = picture.read_bytes()
    assert launch("lifetimes", one, one, "-o", picture).returncode == 0
    assert picture.read_bytes() == first


@pytest.mark.parametrize("steps, part", [
    ([], "no mapping came to its end"),
    ([(5, 5, 1)], "do not rise"),
    ([(5, 9, 1), (7, 12, 1)], "do not rise"),
    ([(5, 9, 0)], "maps is 0"),
    ([(5, 9, "x")], "not a whole number")])
def test_refuses(tmp_path, steps, part):
    one, other = write_lifetimes(tmp_path / "one", SHORT), write_lifetimes(tmp_path / "b", steps)
    refused(plot("lifetimes", one, other), "plot-lifetimes: ", "lifetimes.csv", part)
    assert not (other / "lifetimes.png").exists()


def test_a_folder_without_one_is_refused(tmp_path):
    one = write_lifetimes(tmp_path / "one", SHORT)
    refused(plot("lifetimes", one, tmp_path / "none"), "bouncesim run --out DIR")
    Path(one / "result.json").write_text("{}")
    refused(plot("lifetimes", one, one), bp.RUN_SCHEMA)
