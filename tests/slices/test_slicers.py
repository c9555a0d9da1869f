"""Slice discovery on data whose slices are known (simulated embeddings), fitted and tested apart."""

import numpy as np
import pytest

from biaskit.errors import RequestError
from biaskit.slices.baselines import ConfidenceRanking, KMeans, PredictionsOnly, RandomSlices
from biaskit.slices.domino import Domino
from biaskit.slices.facts import Facts
from biaskit.slices.observations import Observations
from biaskit.slices.scoring import precision_at_k
from tests.slices.planted import four_by_four, two_by_four

EVERY = [Domino(), Facts(5.0), ConfidenceRanking(), KMeans(), PredictionsOnly(), RandomSlices()]


def scored(slicer, make, seed, blind=False):
    rng = np.random.default_rng(seed)
    train, test = make(rng), make(rng)
    found = slicer.fit(train.seen, rng)
    membership = found.recognised(test.seen) if blind else found.membership(test.seen)
    return precision_at_k(membership, test.groups[:, None] == test.minority, test.seen.labels)


def test_four_classes_in_four_contexts():
    """The figures of a real tiny encoder: confidence .33, DOMINO .75, FACTS .99."""
    domino, facts, doubt, chance = (
        np.mean([scored(slicer, four_by_four, seed).mean for seed in range(2)])
        for slicer in (Domino(n_slices=12), Facts(), ConfidenceRanking(), RandomSlices())
    )
    assert facts >= 0.9
    assert domino >= 0.6
    assert doubt <= 0.45
    assert chance <= 0.3


def test_predictions_alone_suffice_where_each_mistake_is_one_context():
    """Why precision says nothing about embeddings there."""
    assert scored(PredictionsOnly(), four_by_four, 0).mean >= 0.95


def test_the_weight_must_be_chosen_where_two_contexts_mislead_alike():
    auto, published, alone = (
        np.mean([scored(slicer, two_by_four, seed).mean for seed in range(3)])
        for slicer in (Facts(), Facts(25.0), PredictionsOnly())
    )
    assert auto >= 0.85
    assert published <= 0.65
    assert alone <= 0.6


@pytest.mark.parametrize(("slicer", "least"), [(Facts(), 0.85), (Domino(n_slices=25), 0.85)])
def test_slices_are_recognised_without_predictions(slicer, least):
    assert scored(slicer, four_by_four, 0, blind=True).mean >= least


@pytest.mark.parametrize("slicer", EVERY, ids=lambda slicer: slicer.name)
def test_recognition_does_not_look_at_predictions(slicer, rng):
    seen = four_by_four(rng).seen
    found = slicer.fit(seen, rng)
    other = Observations(seen.embeddings, seen.labels, np.roll(seen.probabilities, 1, axis=0))
    assert (found.recognised(seen) == found.recognised(other)).all()


@pytest.mark.parametrize("slicer", EVERY, ids=lambda slicer: slicer.name)
def test_memberships_are_shares_and_names_are_unique(slicer, rng):
    seen = four_by_four(rng).seen
    found = slicer.fit(seen, rng)
    membership = found.membership(seen)
    assert membership.shape == (len(seen), len(found.names)) == found.recognised(seen).shape
    assert ((membership >= 0) & (membership <= 1 + 1e-12)).all()
    assert len(set(found.names)) == len(found.names)


@pytest.mark.parametrize("slicer", EVERY, ids=lambda slicer: slicer.name)
def test_the_same_seed_finds_the_same_slices(slicer, rng):
    seen = two_by_four(rng).seen
    first, second = (slicer.fit(seen, np.random.default_rng(3)).membership(seen) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("slicer", EVERY, ids=lambda slicer: slicer.name)
def test_a_single_class_and_a_class_without_images(slicer, rng):
    seen = four_by_four(rng).seen
    one = seen.take(np.flatnonzero(seen.labels == 1))
    membership = slicer.fit(one, rng).membership(seen)
    assert np.isfinite(membership).all()
    assert np.isfinite(slicer.fit(seen, rng).membership(one)).all()


@pytest.mark.parametrize("slicer", [Facts(5.0), KMeans()], ids=lambda slicer: slicer.name)
def test_slices_come_worst_first_and_stay_in_their_class(slicer, rng):
    seen = four_by_four(rng).seen
    found = slicer.fit(seen, rng)
    membership = found.membership(seen)
    assert seen.errors @ membership[:, 0] / membership[:, 0].sum() > 0.9 * seen.errors.mean()
    for name, column in zip(found.names, membership.T, strict=True):
        assert {f"class {c}" for c in seen.labels[column > 0]} <= {name.partition(",")[0]}


def test_too_few_images_are_refused(rng):
    few = four_by_four(rng).seen.take(np.arange(3))
    with pytest.raises(RequestError, match="no class has 4"):
        Facts().fit(few, rng)


@pytest.mark.parametrize(
    ("slicer", "settings"),
    [
        (Domino, {"label_weight": 0.0}),
        (Domino, {"n_slices": 0}),
        (Facts, {"weight": 0.0}),
        (Facts, {"parts": 0}),
    ],
)
def test_settings_that_cannot_be_are_refused(slicer, settings):
    with pytest.raises(RequestError):
        slicer(**settings)
