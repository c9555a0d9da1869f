"""How numbers and hostile text are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.reporting import words
from tests.reporting.probing import probing_report


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


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.98149, "0.981"), (1.0, "1.000"), (-0.006, f"{words.MINUS}0.006"), (0.5, "0.500"), (0.0, "0.000")],
)
def test_auc_has_three_decimals_and_no_plus(value, written):
    assert words.number(value, Unit.AUC) == written
    assert words.unit_name(Unit.AUC) == "AUC"


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.5, Unit.AUC, "0.5"),
        (-0.01, Unit.AUC, f"{words.MINUS}0.01"),
        (0.5, Unit.NAT, "+0.5"),
        (0.0, Unit.NAT, "0"),
        (2.0, Unit.ONE, "2"),
        (0.015, Unit.PROPORTION, "1.5 %"),
    ],
)
def test_ticks(value, unit, written):
    assert words.tick(value, unit) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "yes"),
        (-0.123456789, f"{words.MINUS}0.123457"),
        (1034, "1034"),
        ("12 455", "12 455"),
        ("-1", "-1"),
    ],
)
def test_cells(value, written):
    assert words.cell(value) == written


@pytest.mark.parametrize(
    ("level", "method", "written"),
    [
        (0.95, "t over fillers", "0.452 [0.410, 0.530]"),
        (0.9, "t over fillers", "0.452 [0.410, 0.530] (90 %)"),
        (19 / 21, "range of 20 shuffles", "0.452 [0.410, 0.530] range of 20 shuffles"),
    ],
)
def test_an_interval_that_is_not_95_percent_says_what_it_is(level, method, written):
    estimate = Estimate(
        value=0.452,
        unit=Unit.AUC,
        n=20,
        resampling_unit="shuffles",
        method="mean",
        interval=Interval(low=0.41, high=0.53, level=level, method=method),
        reason="no null",
    )
    assert words.bare(estimate) == written
    assert words.whole(estimate) == f"{written} AUC"


def test_an_auc_of_ties_says_that_nothing_was_ranked():
    estimate = Estimate(
        value=0.5,
        unit=Unit.AUC,
        n=20,
        resampling_unit="fillers",
        method="AUC",
        reason="no ranking: all scores tie",
    )
    assert words.bare(estimate) == "0.500 (no ranking: all scores tie)"


def test_each_report_explains_its_own_words(report):
    probing = probing_report()
    both = report.model_copy(update={"analyses": (*report.analyses, *probing.analyses)})
    known, read, all_of_them = (dict(words.glossary(one)) for one in (report, probing, both))
    assert "behaviour" in known
    assert "AUC" not in known
    assert "AUC" in read
    assert "behaviour" not in read
    assert set(all_of_them) == set(known) | set(read)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("lose by -0.122 [-0.218, -0.025].", "lose by ~0.122 [~0.218, ~0.025]."),
        ("2% of 64 images (95 % interval 0% to 8%)", "2 % of 64 images (95 % interval 0 % to 8 %)"),
        ("gpt-2 and L-12, 3-5 of n-1, 1e-9, 2026-11-30", "gpt-2 and L-12, 3-5 of n-1, 1e-9, 2026-11-30"),
        ("(-1, 5%)", "(~1, 5 %)"),
    ],
)
def test_a_sentence_has_the_signs_of_the_pages_numbers(said, shown):
    shown = shown.replace("~", words.MINUS)
    assert words.typeset(said) == shown
    assert words.typeset(shown) == shown


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        (Unit.PROPORTION, "+12 % [0 %, +25 %]"),
        (Unit.NAT, "+0.12 [0.00, +0.25] nat"),
        (Unit.ONE, "+0.12 [0.00, +0.25]"),
    ],
)
def test_a_change_has_its_sign_in_every_unit(unit, said):
    ends = Interval(low=0.0, high=0.25, level=0.95, method="t")
    moved = Estimate(
        value=0.12, unit=unit, n=9, resampling_unit="rows", method="less", interval=ends, reason="no null"
    )
    assert words.change(moved) == said
    assert words.change(moved.model_copy(update={"value": -0.12})).startswith(words.MINUS)
