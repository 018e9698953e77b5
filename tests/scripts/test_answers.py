# SPDX-License-Identifier: Apache-2.0
"""The sentence above each plot is its answer."""

import bouncesim_plot as bp
import plot_pressure
import plot_sizing
import pytest
from samples import by_cause, point, run_result

POWERS = [512, 1024, 2048, 4096]


def sizing(points):
    return plot_sizing.answer(plot_sizing.load_series({"points": points}, "sweep.json"))


def falling(last_failing, nareas=4, count=108, **settings):
    """Sizes that fail up to one of them, and the larger ones that do not."""
    return [point(n, min(n, 1592), by_cause(exhausted=count if n <= last_failing else 0), nareas,
                  **settings) for n in POWERS]


@pytest.mark.parametrize("settings, expected", [
    (dict(causes=by_cause(exhausted=70, fragmented=38), maps=29776),
     "1024 slots (2 MiB) did not suffice: 108 of 29,776 maps found the pool full"),
    (dict(causes=by_cause(exhausted=1), maps=1),
     "1024 slots (2 MiB) did not suffice: 1 of 1 map found the pool full"),
    (dict(nslabs=4096, hiwater=1592, maps=21816),
     "4096 slots (8 MiB) sufficed: at most 1592 in use (39 %), no full event in 21,816 maps"),
    (dict(nslabs=4096, hiwater=3, maps=2),
     "4096 slots (8 MiB) sufficed: at most 3 in use (under 1 %), no full event in 2 maps"),
    (dict(nslabs=512, grown=2560, hiwater=2360, maps=11322),
     "512 slots that grew to 2560 (5 MiB) sufficed: at most 2360 in use (92 %), "
     "no full event in 11,322 maps"),
    (dict(nslabs=512, transient=1848, hiwater=2360, maps=11322),
     "512 slots (1 MiB) and up to 1848 transient sufficed: at most 2360 in use, "
     "no full event in 11,322 maps"),
    (dict(maps=0, hiwater=0), "Nothing went to the pool of 1024 slots (2 MiB)"),
    (dict(nslabs=0, nareas=1, hiwater=0, maps=7, causes=by_cause(no_pool=7)),
     "There is no pool: 7 of 7 maps failed"),
    (dict(maps=50, causes=by_cause(oversize=7)),
     "No pool size helps: 7 of 50 maps were too large for any pool"),
])
def test_pressure(settings, expected):
    assert plot_pressure.answer(run_result(**settings)) == expected


def test_sizing_names_both_sides():
    assert sizing(falling(1024)) == ("2048 slots (4 MiB) is the smallest pool without a full "
                                     "event; 1024 failed 108 maps")


def test_sizing_points_in_any_order():
    assert sizing(falling(1024)[::-1]) == sizing(falling(1024))


def test_sizing_same_size_different_counts():
    both = falling(1024, nareas=1, count=125) + falling(1024)
    assert sizing(both).endswith("without a full event; 1024 failed 108 to 125 maps")


def test_sizing_different_sizes():
    assert sizing(falling(512, nareas=1) + falling(2048)) == (
        "Smallest pool without a full event: 1024 slots (2 MiB) with 1 area, "
        "4096 slots (8 MiB) with 4 areas")


def test_sizing_one_series_never_enough():
    assert sizing(falling(512, nareas=1) + falling(4096)) == (
        "Smallest pool without a full event: 1024 slots (2 MiB) with 1 area, none with 4 areas")


def test_sizing_many_series():
    many = [p for n, last in ((1, 512), (2, 512), (4, 1024), (8, 2048)) for p in falling(last, n)]
    assert sizing(many) == ("No full event takes 1024 slots (2 MiB) to 4096 slots (8 MiB), "
                            "depending on areas")
    assert sizing(many + falling(4096, 16)) == (
        "No full event takes 1024 slots (2 MiB) or more; 1 of 5 series fail at every size")


def test_sizing_kernels_are_named_only_when_they_differ():
    text = sizing(falling(512) + falling(1024, kernel="linux-6.1"))
    assert "with linux-6.12, 4 areas" in text and "with linux-6.1, 4 areas" in text


def test_sizing_smallest_tried_is_enough():
    assert sizing(falling(0)) == ("Even 512 slots (1 MiB), the smallest size tried, has no full "
                                  "event")


def test_sizing_none_is_enough():
    assert sizing(falling(4096)) == ("No size up to 4096 slots (8 MiB) is enough: 108 maps still "
                                     "fail")


def test_sizing_a_lucky_smaller_size_is_not_the_answer():
    lucky = [point(512, 512, by_cause()), *falling(1024)[1:]]
    assert sizing(lucky).startswith("2048 slots (4 MiB) is the smallest pool")


def test_sizing_oversize_is_told_apart():
    points = [point(n, 500, by_cause(oversize=12, exhausted=9 if n < 2048 else 0)) for n in POWERS]
    assert sizing(points) == ("2048 slots (4 MiB) is enough for all but 12 maps too large for any "
                              "pool; 1024 failed 21 maps")
    points = [point(n, 500, by_cause(oversize=12)) for n in POWERS]
    assert sizing(points) == "No pool size helps: 12 maps too large for any pool, no other fails"


@pytest.mark.parametrize("size, text", [
    (0, "0 B"), (2048, "2 KiB"), (1 << 20, "1 MiB"), (3 << 19, "1.5 MiB"), (64 << 20, "64 MiB"),
    (1 << 30, "1 GiB"), (1000 << 20, "1000 MiB"), (2048 << 30, "2048 GiB"),
])
def test_bytes_text(size, text):
    assert bp.bytes_text(size) == text


def test_slots_are_written_as_in_the_boot_option():
    assert bp.slots_text(1) == "1 slot (2 KiB)"
    assert bp.slots_text(32768) == "32768 slots (64 MiB)"


@pytest.mark.parametrize("span_ns, unit", [
    (0, "ns"), (999, "ns"), (1000, "µs"), (10**6, "ms"), (10**9, "s"), (59 * 10**9, "s"),
    (3600 * 10**9, "min"), (100 * 3600 * 10**9, "h"),
])
def test_time_scale(span_ns, unit):
    assert bp.time_scale(span_ns)[0] == unit


def test_causes_text_most_frequent_first():
    assert bp.causes_text(by_cause(exhausted=38, fragmented=50)) == "50 fragmented, 38 exhausted"


def test_every_cause_looks_different():
    for field in ("name", "colour", "marker", "hatch"):
        assert len({getattr(cause, field) for cause in bp.CAUSES}) == len(bp.CAUSES)
