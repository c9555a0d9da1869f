"""How numbers and hostile text are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.records.estimate import Estimate, Null, Unit
from biaskit.reporting import words


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (1.234, Unit.NAT, "+1.23"),
        (-0.5, Unit.NAT, f"{words.MINUS}0.50"),
        (0.004, Unit.NAT, "+0.004"),
        (0.0, Unit.NAT, "0.00"),
        (-0.0001, Unit.NAT, f"{words.MINUS}0.000"),
        (0.931, Unit.ONE, "0.93"),
        (0.1234, Unit.COSINE, "+0.123"),
        (0.131, Unit.PROPORTION, "13 %"),
        (-0.001, Unit.PROPORTION, "0 %"),
        (-0.131, Unit.PROPORTION, f"{words.MINUS}13 %"),
        (1234567, Unit.COUNT, "1,234,567"),
        (None, Unit.NAT, words.MISSING),
    ],
)
def test_numbers(value, unit, written):
    assert words.number(value, unit) == written


@pytest.mark.parametrize(
    ("p", "adjusted", "written"),
    [(0.0123, None, "p 0.012"), (0.01, 0.25, "q 0.25"), (0.0002, None, "p < 0.001"), (1.0, None, "p 1.00")],
)
def test_chance(p, adjusted, written):
    estimate = Estimate(
        value=1.0,
        unit=Unit.NAT,
        n=3,
        resampling_unit="templates",
        method="mean",
        null=Null(p=p, kind="conformal", adjusted=adjusted),
        reason="no interval",
    )
    assert words.chance(estimate) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(4.25, "4.2 s"), (41.3, "41 s"), (59.7, "1 min 00 s"), (252, "4 min 12 s"), (3720, "1 h 02 min")],
)
def test_durations(seconds, written):
    assert words.duration(seconds) == written


@given(st.text())
def test_plain_text_holds_nothing_that_a_terminal_obeys(text):
    shown = words.plain(text)
    assert shown.isprintable() or all(
        mark.isprintable() or mark.isspace() or ord(mark) > 127 for mark in shown
    )
    assert not set(shown) & {"\x1b", "\x07", "\r", "\n", "\N{RIGHT-TO-LEFT OVERRIDE}", "\x9b"}


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"])))
def test_plain_text_leaves_words_alone(text):
    assert words.plain(text) == text


def test_a_missing_number_says_why():
    estimate = Estimate(
        value=None, unit=Unit.NAT, n=0, resampling_unit="templates", method="none", reason="no words"
    )
    assert words.whole(estimate) == "not measured: no words"
