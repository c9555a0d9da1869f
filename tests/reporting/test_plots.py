"""Scales and ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.reporting.plots import Frame, Scale, symmetric, ticks


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(2, 8))
def test_ticks_are_round_inside_and_enough(low, width, fewest):
    high = low + width
    marks = ticks(low, high, fewest)
    assert len(marks) >= fewest - 1
    assert len(marks) <= 2.5 * fewest + 1
    slack = 1e-9 * max(abs(low), abs(high), 1)
    assert all(low - slack <= mark <= high + slack for mark in marks)


def test_ticks_of_a_known_axis():
    assert ticks(-1.06, 1.06, 4) == (-1.0, -0.5, 0.0, 0.5, 1.0)


def test_labels_that_would_touch_are_thinned_and_zero_stays():
    assert Scale(-0.19, 0.19).ticks() == (-0.1, 0.0, 0.1)
    assert Scale(-2.2, 2.2).ticks() == (-2.0, -1.0, 0.0, 1.0, 2.0)


@given(st.lists(st.floats(-100, 100), min_size=1))
def test_a_symmetric_scale_holds_its_values_and_has_zero_in_the_middle(values):
    scale = symmetric(values)
    assert scale.at(0) == 50
    assert all(0 < scale.at(value) < 100 for value in values)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_scale_keeps_the_order(one, other):
    scale = Scale(-1, 1)
    assert (scale.at(one) <= scale.at(other)) or one > other


def test_nothing_to_show_still_has_a_scale():
    assert symmetric([]).at(0) == 50


def test_a_frame_maps_ends_to_ends():
    frame = Frame(left=10, right=90, top=5, bottom=45, low=-1, high=1, steps=3)
    assert frame.line([(0, -1), (1, 0), (2, 1)]) == "M10.0 45.0 L50.0 25.0 L90.0 5.0"
    assert frame.ribbon([(0, -1, 0), (2, 0, 1)]) == "M10.0 25.0 L90.0 5.0 L90.0 25.0 L10.0 45.0 Z"
    assert frame.ribbon([]) == ""


def test_a_single_layer_stands_in_the_middle():
    assert Frame(left=0, right=100, top=0, bottom=1, low=0, high=1, steps=1).x(0) == pytest.approx(50)
