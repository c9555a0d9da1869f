"""Numbers with what travels with them: shares with a ratio's interval, single cells, the control test."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from biaskit.analyzers.biaslens.estimates import share_estimate, target_estimates
from biaskit.analyzers.biaslens.grid import FEWEST_PEERS, Nouns
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
    ("target", "expected"),
    [
        ((PLAIN,), {PLAIN}),
        ((PLAIN, PLAIN), {PLAIN}),
        # One token, but 5 controls like it are too few: all controls of one token stand in.
        ((SHARING,), {PLAIN, SHARING}),
        ((PLAIN, SHARING), {PLAIN, SHARING}),
        # 21 controls of several tokens are too few as well.
        ((SEVERAL,), {PLAIN, SHARING, SEVERAL}),
        ((PLAIN, SEVERAL), {PLAIN, SHARING, SEVERAL}),
    ],
)
def test_peers_are_the_controls_of_the_nouns_own_form_where_there_are_enough(target, expected):
    forms = (*target, *(PLAIN,) * FEWEST_PEERS, *(SHARING,) * 5, *(SEVERAL,) * 21)
    columns = tuple(range(len(target)))
    found = nouns({"t": columns}, tuple(range(len(target), len(forms))), forms)
    assert {forms[control] for control in found.peers(columns)} == expected
    assert not set(found.peers(columns)) & set(columns)


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
