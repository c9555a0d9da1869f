"""Numbers with what travels with them: shares with a ratio's interval, single cells, the control test."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest

from biaskit.analyzers.biaslens.estimates import share_estimate, target_estimates
from biaskit.concepts.nouns import LEAST_PEERS, Nouns
from biaskit.gates import judge
from biaskit.records.audit_spec import Gate
from biaskit.records.finding import Finding
from biaskit.records.report import Outcome
from biaskit.reporting.standing import Standing, standing
from biaskit.stats.conformal import control_p, smallest_control_p
from biaskit.stats.multiplicity import benjamini_hochberg

PLAIN, SHARING, SEVERAL = (True, False), (True, True), (False, True)


@dataclass(frozen=True)
class Cells:
    """As much of `Measured` as an estimate looks at."""

    nouns: Nouns


class Comparison:
    """As much of a comparison as its nouns are collected from."""

    def __init__(self, targets, fillers):
        self.targets, self.controls = Targets(targets), Controls(fillers)


@dataclass(frozen=True)
class Targets:
    targets: dict


@dataclass(frozen=True)
class Controls:
    fillers: tuple


def nouns(columns, controls, forms=None):
    count = 1 + max(controls)
    return Nouns(tuple(f"n{i}" for i in range(count)), columns, controls, forms or (PLAIN,) * count)


def random_table(seed, stems=8, fillers=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(stems, 1)) + rng.normal(size=(1, fillers)) + rng.normal(size=(stems, fillers))


def test_a_share_of_a_gap_has_the_interval_of_a_ratio():
    """Two tables whose means stand in a known ratio: the interval holds it as often as it says."""
    held = 0
    for seed in range(400):
        before = 4 + 0.5 * random_table(seed)
        after = 0.3 * before + 0.05 * random_table(1000 + seed)
        found = share_estimate(after, before, np.ones(5), "made up")
        held += 0.3 in found.interval
        assert found.value in found.interval
    # The binomial 99.9 % band of 95 % and the width for what t over few clusters adds.
    assert 360 <= held <= 400


def test_a_share_does_not_take_the_gaps_own_spread_for_its_error():
    """Where erasing leaves the same share of every cell, the share is known exactly, however cells differ."""
    before = 4 + random_table(3)
    found = share_estimate(0.3 * before, before, np.ones(5), "made up")
    assert found.interval.high - found.interval.low < 1e-9


def test_a_share_that_overshoots_is_not_counted_as_erased():
    before = 2 + 0.1 * random_table(4)
    random = np.array([0.9, 0.95, 1.0, 1.02])
    assert share_estimate(0.1 * before, before, random, "made up").null.p == pytest.approx(1 / 5)
    assert share_estimate(-1.5 * before, before, random, "made up").null.p == pytest.approx(1)


def test_a_share_of_a_negative_gap_is_the_same_share():
    before, random = 2 + 0.1 * random_table(5), np.array([0.9, 1.0])
    after = 0.2 * before + 0.01 * random_table(6)
    one, other = (share_estimate(s * after, s * before, random, "made up") for s in (1, -1))
    assert other.value == one.value
    assert other.interval.low == pytest.approx(one.interval.low)


def test_one_cell_has_a_value_and_no_interval():
    cells = np.array([[1.5, 0.1, -0.1, 0.2, -0.2]])
    measured = Cells(nouns({"soup": (0,)}, (1, 2, 3, 4)))
    found = target_estimates(cells, measured, "made up", np.random.default_rng(0))["soup"]
    assert found.value == 1.5
    assert found.interval is None
    assert "cannot be resampled" in found.reason
    assert found.null.p == pytest.approx(1 / 5)


def test_q_values_are_over_the_targets_that_were_read():
    rng = np.random.default_rng(7)
    cells = rng.normal(size=(6, 44))
    columns = {f"t{i}": (2 * i, 2 * i + 1) for i in range(5)} | {"unread": ()}
    measured = Cells(nouns(columns, tuple(range(10, 44))))
    found = target_estimates(cells, measured, "made up", rng)
    read = [found[f"t{i}"].null for i in range(5)]
    np.testing.assert_allclose(
        [null.adjusted for null in read], benjamini_hochberg(np.array([null.p for null in read]))
    )
    assert all("over 5 targets" in null.correction for null in read)
    assert found["unread"].value is None


def uneven(rng, targets, distance=0.0):
    """One-token nouns, some of them targets, among controls that are read less evenly.

    Of 134 controls 5 share a word with others and 21 are several tokens; those vary four times as much.
    """
    forms = (PLAIN,) * (targets + 108) + (SHARING,) * 5 + (SEVERAL,) * 21
    noun = rng.normal(size=len(forms)) * np.where([form == PLAIN for form in forms], 1, 4)
    noun[:targets] += distance
    cells = noun + 0.1 * rng.normal(size=(4, len(forms)))
    columns = {f"t{i}": (i,) for i in range(targets)}
    return cells, nouns(columns, tuple(range(targets, len(forms))), forms)


def rejected(distance, targets, repeats, *, blind):
    """Share of targets with p <= .05; `blind` takes the forms away from the test."""
    rng = np.random.default_rng(11)
    p = []
    for _ in range(repeats):
        cells, found = uneven(rng, targets, distance)
        if blind:
            found = replace(found, forms=(PLAIN,) * len(found.forms))
        estimates = target_estimates(cells, Cells(found), "made up", rng)
        p += [estimate.null.p for estimate in estimates.values()]
    return np.mean(np.array(p) <= 0.05)


def test_controls_that_vary_more_than_the_targets_do_not_dull_the_test():
    # 2400 tests, 40 of which share 108 controls: three standard errors around .05.
    assert 0.034 <= rejected(0.0, 40, 60, blind=False) <= 0.066
    assert rejected(0.0, 40, 60, blind=True) < 0.01


def test_controls_of_the_same_form_find_what_all_controls_miss():
    assert rejected(4.0, 1, 100, blind=False) >= 0.95
    assert rejected(4.0, 1, 100, blind=True) <= 0.5


@pytest.mark.parametrize(
    ("target", "controls", "tested", "expected"),
    [
        ((PLAIN,), (50, 5, 21), (0,), {PLAIN}),
        ((PLAIN, PLAIN), (50, 5, 21), (0, 1), {PLAIN}),
        # Nouns of several forms: the largest group of one form, of equals the first.
        ((SEVERAL, PLAIN, PLAIN), (50, 50, 50), (1, 2), {PLAIN}),
        ((SEVERAL, PLAIN), (50, 50, 50), (0,), {SEVERAL}),
        # A form with 50 controls goes before a larger group whose form has fewer.
        ((SEVERAL, SEVERAL, PLAIN), (50, 0, 49), (2,), {PLAIN}),
        # Failing 50, 19 of the whole form do.
        ((SHARING,), (50, 19, 0), (0,), {SHARING}),
        ((PLAIN, SEVERAL, SEVERAL), (49, 0, 19), (1, 2), {SEVERAL}),
        # Failing these, 19 that are one token or several as the nouns are.
        ((SHARING,), (50, 18, 0), (0,), {PLAIN, SHARING}),
        ((PLAIN, SHARING), (14, 5, 60), (0, 1), {PLAIN, SHARING}),
        # All controls are alike: there is nothing to choose, however few they are.
        ((PLAIN, SEVERAL), (4, 0, 0), (0,), {PLAIN}),
    ],
)
def test_nouns_are_tested_against_controls_like_them(target, controls, tested, expected):
    found = formed(target, controls)
    peers = found.peers(range(len(target)))
    assert peers.nouns == tested
    assert {found.forms[control] for control in peers.controls} == expected
    assert peers.controls == tuple(c for c in found.controls if found.forms[c] in expected)
    assert peers.whole_form == (len(expected) == 1)


@pytest.mark.parametrize(
    ("target", "controls"),
    [((SEVERAL,), (50, 5, 18)), ((SEVERAL,), (50, 0, 0)), ((SHARING,), (13, 5, 60)), ((PLAIN,), (0, 0, 0))],
)
def test_nouns_that_no_controls_are_like_have_no_peers(target, controls):
    assert formed(target, controls).peers(range(len(target))) is None


def formed(target, controls):
    """One target of these forms among so many plain, sharing and several-token controls."""
    plain, sharing, several = controls
    forms = (*target, *(PLAIN,) * plain, *(SHARING,) * sharing, *(SEVERAL,) * several)
    words = tuple(f"n{i}" for i in range(len(forms)))
    return Nouns(words, {"t": tuple(range(len(target)))}, tuple(range(len(target), len(forms))), forms)


def test_nineteen_controls_are_the_fewest_with_which_one_noun_reaches_the_level():
    assert smallest_control_p(1, LEAST_PEERS) <= 0.05 < smallest_control_p(1, LEAST_PEERS - 1)


def mixed(rng, controls, distance=0.0, target=(SEVERAL, *(PLAIN,) * 6, SHARING, SEVERAL)):
    """Cells of one target of several forms; what is not plain is read four times as unevenly."""
    found = formed(target, controls)
    noun = rng.normal(size=len(found.forms)) * np.where([form == PLAIN for form in found.forms], 1, 4)
    noun[: len(target)] += distance
    return noun + 0.1 * rng.normal(size=(4, len(found.forms))), found


def mixed_null(rng, controls, distance=0.0, **more):
    cells, found = mixed(rng, controls, distance, **more)
    return target_estimates(cells, Cells(found), "made up", rng)["t"].null


@pytest.mark.parametrize("controls", [(120, 0, 0), (108, 5, 21), (30, 5, 21), (14, 0, 21)])
def test_a_target_of_several_forms_is_rejected_as_often_as_chance_says(controls):
    rng = np.random.default_rng(12)
    p = [mixed_null(rng, controls).p for _ in range(800)]
    # Three standard errors of 800 tests.
    assert 0.027 <= np.mean(np.array(p) <= 0.05) <= 0.073


def test_the_plain_nouns_of_a_target_with_others_find_what_is_there():
    rng = np.random.default_rng(13)
    p = [mixed_null(rng, (120, 0, 0), distance=2.0).p for _ in range(100)]
    assert np.mean(np.array(p) <= 0.05) >= 0.95


def test_without_forms_the_same_target_is_rejected_for_its_form():
    rng, p = np.random.default_rng(14), []
    for _ in range(200):
        cells, found = mixed(rng, (120, 0, 0))
        blind = replace(found, forms=(PLAIN,) * len(found.forms))
        p.append(target_estimates(cells, Cells(blind), "made up", rng)["t"].null.p)
    assert np.mean(np.array(p) <= 0.05) >= 0.3


@pytest.mark.parametrize("targets", [1, 40])
def test_nouns_of_one_form_with_enough_controls_are_tested_on_all_of_them(targets):
    """The draws are those that the control test itself makes, one target after another."""
    cells, found = uneven(np.random.default_rng(2), targets)
    estimates = target_estimates(cells, Cells(found), "made up", np.random.default_rng(3))
    rng, by_noun = np.random.default_rng(3), cells.mean(axis=0)
    plain = [control for control in found.controls if found.forms[control] == PLAIN]
    for target, columns in found.columns.items():
        alone = control_p(by_noun[list(columns)], by_noun[plain], rng=rng)
        assert estimates[target].null.p == alone.p
        assert estimates[target].null.kind.startswith(alone.kind)


def test_an_estimate_says_on_which_nouns_it_was_tested():
    rng = np.random.default_rng(0)
    kind = mixed_null(rng, (120, 0, 0)).kind
    assert "6 target fillers among 120 neutral controls" in kind
    assert kind.endswith("; on 6 of 9 nouns")
    kind = mixed_null(rng, (14, 5, 60), target=(SHARING, PLAIN)).kind
    assert "2 target fillers among 19 neutral controls" in kind
    assert kind.endswith("; of 79 controls those of as many tokens, one or several")


def lone(distance, stems=4):
    """A target of several tokens among plain controls, beside one that is plain."""
    rng = np.random.default_rng(15)
    found = formed((SEVERAL, SEVERAL, PLAIN, PLAIN), (60, 0, 18))
    found = replace(found, columns={"lone": (0, 1), "plain": (2, 3)})
    cells = 0.1 * rng.normal(size=(stems, len(found.forms)))
    cells[:, :4] += distance
    return target_estimates(cells, Cells(found), "made up", rng)


def test_a_target_that_no_controls_are_like_keeps_its_interval_and_has_no_null():
    found = lone(2.0)
    assert found["lone"].null is None
    assert found["lone"].untested
    assert "it takes 19" in found["lone"].reason
    assert 0.0 not in found["lone"].interval
    assert found["lone"].minimum_detectable_effect is not None
    assert found["plain"].null.adjusted == found["plain"].null.p
    assert found["plain"].null.correction == "Benjamini-Hochberg over 1 targets"


def test_a_single_cell_without_a_null_gives_both_reasons():
    found = formed((SEVERAL,), (60, 0, 18))
    cells = np.random.default_rng(0).normal(size=(1, len(found.forms)))
    estimate = target_estimates(cells, Cells(found), "made up", np.random.default_rng(0))["t"]
    assert (estimate.null, estimate.interval) == (None, None)
    assert estimate.untested
    assert "cannot be resampled" in estimate.reason


@pytest.mark.parametrize(
    ("distance", "outcome", "stands"),
    [
        (2.0, Outcome.UNDECIDED, Standing.UNCLEAR),
        (-2.0, Outcome.UNDECIDED, Standing.UNCLEAR),
        (0.0, Outcome.PASS, Standing.UNCLEAR),
    ],
)
def test_no_word_and_no_failure_rests_on_a_target_without_a_null(distance, outcome, stands):
    estimate = lone(distance)["lone"]
    finding = Finding(metric="biaslens.score", concepts=("lone",), references=("a", "b"), estimate=estimate)
    gate = Gate(id="limit", metric="biaslens.score", at_most=0.5)
    (verdict,) = judge([finding], [gate], (), date(2026, 1, 1))
    assert verdict.outcome is outcome
    assert ("it takes 19" in verdict.reason) == (outcome is Outcome.UNDECIDED)
    assert standing(estimate) is stands


def test_an_estimate_says_which_controls_it_was_tested_against():
    cells, found = uneven(np.random.default_rng(0), 1)
    kind = target_estimates(cells, Cells(found), "made up", np.random.default_rng(0))["t0"].null.kind
    assert "among 108 neutral controls" in kind
    assert "of 134 controls those of the target's form" in kind


def test_every_noun_has_the_form_that_the_tokenizer_and_the_other_nouns_give_it():
    class Model:
        def single_token_words(self, words):
            return {word: 0 for word in words if " " not in word and word != "vegetarian"}

    comparison = Comparison(
        {"cook": ("cook",), "builder": ("house builder",)},
        ("player", "chess player", "night owl", "vegetarian"),
    )
    every = Nouns.of(comparison, Model())
    assert dict(zip(every.words, every.forms, strict=True)) == {
        "cook": PLAIN,
        "house builder": (False, False),
        "player": SHARING,
        "chess player": SEVERAL,
        "night owl": (False, False),
        "vegetarian": (False, False),
    }
    short = Nouns.of(comparison, Model(), one_token=True)
    assert short.words == ("cook", "player")
    assert short.columns == {"cook": (0,), "builder": ()}
    # A noun that is left out still shares its word.
    assert short.forms == (PLAIN, SHARING)
