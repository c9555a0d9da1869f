"""Curves stand where their numbers say."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from biaskit.records.estimate import Unit
from biaskit.records.figure import AxisScale, Curve, Figure, Point, Role
from biaskit.reporting import curves
from tests.reporting import probing


def figure(*drawn, **changes):
    known = {"name": "f", "title": "t", "x_label": "x", "y_label": "y", "curves": drawn}
    return Figure(**(known | changes))


def curve(*points, name="c", role=Role.SUBJECT):
    return Curve(name=name, role=role, points=tuple(Point(x=x, y=y) for x, y in points))


def places(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)]


def only(made):
    (plot,) = curves.draw([made])
    return plot


def test_a_path_passes_through_known_pixels():
    """From 0 to 10 the margin is 5 % of the range at each end, so 0 and 10 stand 1/22 inside the plot."""
    plot = only(figure(curve((0, 0), (1, 5), (4, 10))))
    high, low = 10.0, curves.HEIGHT - 26.0
    margin = (low - high) * 0.5 / 11
    expected = [(3.0, low - margin), (26.5, (low + high) / 2), (97.0, high + margin)]
    assert places(plot.drawn[0].line) == [(x, pytest.approx(y, abs=0.05)) for x, y in expected]
    assert [(mark.x, mark.y) for mark in plot.drawn[0].marks] == places(plot.drawn[0].line)


def test_on_a_log_axis_equal_factors_stand_equally_far_apart():
    plot = only(figure(curve((1, 0), (2, 0), (4, 0), (8, 1)), x_scale=AxisScale.LOG))
    across = [x for x, _ in places(plot.drawn[0].line)]
    assert across == pytest.approx([3.0, 34.33, 65.67, 97.0], abs=0.01)


def test_points_are_joined_in_the_order_of_the_axis():
    plot = only(figure(curve((3, 0), (1, 1), (2, 2))))
    across = [x for x, _ in places(plot.drawn[0].line)]
    assert across == sorted(across)


def test_a_band_goes_along_the_upper_ends_and_back_along_the_lower():
    points = (Point(x=0, y=1, low=0, high=2), Point(x=1, y=1, low=0.5, high=1.5))
    plot = only(figure(Curve(name="c", points=points)))
    expected = [(3, plot.y(2)), (97, plot.y(1.5)), (97, plot.y(0.5)), (3, plot.y(0))]
    assert places(plot.drawn[0].ribbon) == expected
    assert plot.drawn[0].ribbon.endswith("Z")


def test_a_band_has_a_gap_where_an_interval_is_missing():
    known = [(0, 0.0, 2.0), (1, None, 2.0), (2, 0.0, 2.0), (3, 0.0, 2.0)]
    points = tuple(Point(x=x, y=1, low=low, high=high) for x, low, high in known)
    ribbon = only(figure(Curve(name="c", points=points))).drawn[0].ribbon
    assert ribbon.count("M") == ribbon.count("Z") == 2
    assert len(places(ribbon)) == 2 + 4
    assert only(figure(curve((0, 1), (1, 2)))).drawn[0].ribbon == ""


@pytest.mark.parametrize(
    ("places", "ticks"),
    [
        ([2.0**power for power in range(10)], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]),
        ([2.0**power for power in range(11)], [1, 4, 16, 64, 256, 1024]),
        ([0.25, 1, 4], [0.25, 0.5, 1, 2, 4]),
        ([2, 3, 70, 1024], [2, 5, 10, 20, 50, 100, 200, 500, 1000]),
        ([10, 1810], [10, 20, 50, 100, 200, 500, 1000]),
        ([0.001, 0.05, 1], [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]),
        ([1e-3, 7, 1e5], [1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4, 1e5]),
        ([3, 4], [3, 3.2, 3.4, 3.6, 3.8, 4]),
    ],
)
def test_log_ticks(places, ticks):
    assert list(curves.log_ticks([float(place) for place in places])) == pytest.approx(ticks)


@given(st.lists(st.floats(1e-6, 1e9), min_size=2, unique=True), st.booleans())
def test_ticks_lie_on_the_axis_and_fit_side_by_side(values, log):
    found = sorted(values)
    plot = only(figure(curve(*((x, 0) for x in found)), x_scale=AxisScale.LOG if log else AxisScale.LINEAR))
    assert len(plot.across.ticks) <= 10
    slack = 1e-6 * found[-1]
    assert all(found[0] - slack <= tick <= found[-1] + slack for tick in plot.across.ticks)
    assert list(plot.across.ticks) == sorted(plot.across.ticks)


def test_layers_have_whole_ticks():
    assert only(figure(curve(*((x, x) for x in range(12))))).across.ticks == (0, 2, 4, 6, 8, 10)
    assert only(figure(curve((0, 0), (1, 1)))).across.ticks == (0, 1)


@pytest.mark.parametrize("scale", list(AxisScale))
def test_a_single_point_stands_in_the_middle_with_its_own_tick(scale):
    plot = only(figure(curve((7, 3)), x_scale=scale))
    assert plot.across.ticks == (7,)
    assert plot.drawn[0].marks[0].x == 50


@given(st.floats(-1e6, 1e6))
@example(0.004)
def test_a_flat_curve_has_a_height(value):
    plot = only(figure(curve((0, value), (1, value))))
    assert 10 <= plot.drawn[0].marks[0].y <= curves.HEIGHT - 26


def test_shares_do_not_leave_their_range():
    plot = only(figure(curve((0, 0.001), (1, 1.0)), unit=Unit.AUC, chance=0.5))
    assert (plot.up.low, plot.up.high) == (0, 1)
    gain = only(figure(curve((0, -0.01), (1, 0.02)), unit=Unit.AUC))
    assert gain.up.low < -0.01 < 0.02 < gain.up.high


def test_figures_of_the_same_measure_have_one_axis_and_chance_lies_on_it():
    one = figure(curve((0, 0.8), (1, 0.9)), y_label="AUC", unit=Unit.AUC, chance=0.5)
    other = figure(curve((0, 0.6), (1, 0.95)), y_label="AUC", unit=Unit.AUC)
    third = figure(curve((0, 0.0), (1, 0.1)), y_label="gain", unit=Unit.AUC)
    drawn = curves.draw([one, third, other])
    assert drawn[0].up == drawn[2].up != drawn[1].up
    assert drawn[0].up.low < 0.5
    assert [plot.figure for plot in drawn] == [one, third, other]


def test_a_curve_looks_the_same_in_every_figure_and_unlike_the_others():
    plots = curves.draw(probing.analysis().figures)
    seen = {}
    for plot in plots:
        assert len({one.style for one in plot.drawn}) == len(plot.drawn)
        for one in plot.drawn:
            assert seen.setdefault((one.style.role, one.name), one.style) == one.style


def test_the_subject_is_drawn_last_and_told_first():
    plot = curves.draw([probing.against_k()])[0]
    assert plot.drawn[0].style.role is Role.SUBJECT
    assert plot.layers[-1] == plot.drawn[0]
    assert [one.style.role for one in plot.layers[:2]] == [Role.CONTROL, Role.CONTROL]


def test_very_many_points_get_some_marks_and_one_path():
    plot = only(figure(curve(*((x, math.sin(x)) for x in range(500)))))
    assert len(plot.drawn[0].marks) <= 24
    assert len(places(plot.drawn[0].line)) == 500
    assert plot.said.count(" at ") <= 13
    assert plot.said.endswith("at 499.")


def test_a_figure_is_said_in_words():
    plot = only(figure(curve((1, 0.5), (2, 0.75)), unit=Unit.AUC, y_label="AUC", x_label="k"))
    assert plot.said == "AUC against k. c: 0.500 at 1, 0.750 at 2."
    assert plot.label == "AUC"
    assert only(figure(curve((1, 0.5)), unit=Unit.NAT)).label == "y [nat]"
