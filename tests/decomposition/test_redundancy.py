"""Redundancies: the identities they all share, and the exact gates on which they differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaskit.decomposition.redundancy import Informations, decompose, prior_dominance
from biaskit.errors import UnknownNameError
from biaskit.organisms.oracles import binary_channel

ALL = ("ccs", "min", "mmi", "finn-lizier")
C = 0.485944
"""Bits through a sign of size 1 in unit noise."""

OR = {
    "finn-lizier": (0.344, -0.204, -0.204, 0.446),
    "min": (-0.064, 0.204, 0.204, 0.038),
    "ccs": (0.043, 0.097, 0.097, 0.145),
    "mmi": (0.140, 0, 0, 0.242),
}
UNQ = {
    "finn-lizier": (0.831, -0.346, -0.346, 0.831),
    "min": (0.140, 0.346, 0.346, 0.140),
    "ccs": (0, C, C, 0),
    "mmi": (C, 0, 0, C),
}


def gate(kind, n=400_000):
    """Pointwise informations, in bits, of two fair signs seen through unit noise."""
    rng = np.random.default_rng(0)
    signs, noise = rng.choice([-1.0, 1.0], size=(2, n)), rng.normal(size=(2, n))

    def log(x, means):
        return np.logaddexp.reduce([-((x - mean) ** 2) / 2 for mean in means], axis=0) - math.log(len(means))

    if kind == "rdn":
        x = signs[0] + noise[0]
        one = log(x, [signs[0]]) - log(x, [-1, 1])
        return Informations(*(each / math.log(2) for each in (one, one, one)))
    if kind == "xor":
        product = signs[0] * signs[1]
        x = product + noise[0]
        both = (log(x, [product]) - log(x, [-1, 1])) / math.log(2)
        return Informations(np.zeros(n), np.zeros(n), both)
    if kind == "unq":
        x = signs + noise
        one, other = ((log(x[i], [signs[i]]) - log(x[i], [-1, 1])) / math.log(2) for i in (0, 1))
        return Informations(one, other, one + other)
    either = np.where((signs > 0).any(axis=0), 1.0, -1.0)
    x = either + noise[0]
    whole = log(x, [1, 1, 1, -1])
    parts = [np.where(signs[i] > 0, log(x, [1, 1]), log(x, [1, -1])) - whole for i in (0, 1)]
    return Informations(*(each / math.log(2) for each in (*parts, log(x, [either]) - whole)))


def means(found, functional):
    atoms = decompose(found, functional)
    parts = (atoms.redundancy, atoms.first, atoms.second, atoms.synergy)
    return tuple(float(np.mean(part)) for part in parts)


def test_the_channel_is_the_published_one():
    assert [binary_channel(c) for c in (0.5, 1.0, 2.0)] == pytest.approx([0.160747, C, 0.912822], abs=1e-6)


@pytest.mark.parametrize("functional", ALL)
def test_two_words_that_say_the_same_are_redundant(functional):
    assert means(gate("rdn"), functional) == pytest.approx((C, 0, 0, 0), abs=0.003)


@pytest.mark.parametrize("functional", ALL)
def test_words_that_speak_only_together_are_synergetic(functional):
    assert means(gate("xor"), functional) == pytest.approx((0, 0, 0, C), abs=0.003)


@pytest.mark.parametrize("functional", ALL)
def test_words_with_a_pixel_of_their_own(functional):
    """Only `ccs` says what one would say: nothing is shared."""
    assert means(gate("unq"), functional) == pytest.approx(UNQ[functional], abs=0.004)


@pytest.mark.parametrize("functional", ALL)
def test_one_or_the_other(functional):
    assert means(gate("or"), functional) == pytest.approx(OR[functional], abs=0.006)


numbers = st.floats(-5, 5)


@given(numbers, numbers, numbers, st.sampled_from(ALL))
def test_the_parts_add_up_and_swapping_words_swaps_them(one, other, both, functional):
    found = Informations(np.array([one]), np.array([other]), np.array([both]))
    atoms = decompose(found, functional)
    assert atoms.redundancy + atoms.first == pytest.approx(one, abs=1e-12)
    assert atoms.redundancy + atoms.second == pytest.approx(other, abs=1e-12)
    whole = atoms.redundancy + atoms.first + atoms.second + atoms.synergy
    assert whole == pytest.approx(both, abs=1e-12)
    swapped = decompose(Informations(found.second, found.first, found.both), functional)
    assert swapped.first == pytest.approx(atoms.second, abs=1e-12)
    assert swapped.redundancy == pytest.approx(atoms.redundancy, abs=1e-12)


@given(numbers, st.sampled_from(ALL))
def test_a_word_beside_itself_is_all_redundancy(one, functional):
    atoms = decompose(Informations(*[np.array([one])] * 3), functional)
    assert atoms.redundancy == pytest.approx(one)
    assert atoms.first == pytest.approx(0)
    assert atoms.synergy == pytest.approx(0)


def test_unequal_priors_leave_one_word_nothing_of_its_own():
    """The published functional on pixels: a fraction of a nat each, against priors that differ by two."""
    rng = np.random.default_rng(1)
    one, other, extra = rng.normal(0.1, 0.05, size=(3, 64, 64))
    found = Informations(one, other, one + extra, surprisals=(9.0, 7.0))
    atoms = decompose(found, "finn-lizier")
    assert atoms.redundancy == pytest.approx(other)
    assert np.abs(atoms.second).max() < 1e-12
    assert prior_dominance(found) == 1.0


def test_equal_priors_make_both_uniquenesses_negative():
    rng = np.random.default_rng(2)
    found = Informations(*rng.normal(size=(3, 500)), surprisals=(8.0, 8.0))
    atoms = decompose(found, "finn-lizier")
    assert atoms.redundancy == pytest.approx(np.maximum(found.first, found.second))
    assert max(atoms.first.max(), atoms.second.max()) < 1e-12
    assert prior_dominance(found) == 1.0


def test_priors_that_matter_are_not_called_dominant():
    """Where the order of the words' surprisals turns with the image, R is neither information."""
    found = Informations(np.array([0.2]), np.array([3.0]), np.array([3.5]), surprisals=(5.0, 6.0))
    assert prior_dominance(found) == 0.0


def test_a_functional_that_does_not_exist_is_named():
    with pytest.raises(UnknownNameError, match="finn-lizier"):
        decompose(Informations(*np.zeros((3, 1))), "finn_lizier")


DISCRETE = ("redundant", "synergy", "and", "reduced or", "sum", "rdn xor", "boom", "pnt. unq.", "unique 1")


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.filterwarnings("ignore")
def test_finn_and_lizier_agree_with_dit_on_its_gates(name):
    """dit 2.3 computes I_plus-minus on discrete gates; every outcome is one entry with its own priors."""
    pid = pytest.importorskip("dit.pid")
    gates = pytest.importorskip("dit.pid.distributions")
    gate = gates.bivariates[name]
    rows = [(tuple(outcome), float(chance)) for outcome, chance in zip(gate.outcomes, gate.pmf, strict=True)]
    chances = np.array([chance for _, chance in rows])

    def surprisal(*places):
        def total(outcome):
            return sum(p for other, p in rows if all(other[i] == outcome[i] for i in places))

        return np.array([-math.log2(total(outcome)) for outcome, _ in rows])

    one, other, both = (
        surprisal(*places) + surprisal(2) - surprisal(*places, 2) for places in ((0,), (1,), (0, 1))
    )
    atoms = decompose(Informations(one, other, both, (surprisal(0), surprisal(1))), "finn-lizier")
    found = pid.PID_PM(gate)
    for key, part in {
        ((0,), (1,)): atoms.redundancy,
        ((0,),): atoms.first,
        ((1,),): atoms.second,
        ((0, 1),): atoms.synergy,
    }.items():
        assert chances @ part == pytest.approx(found.get_pi(key), abs=1e-9)
