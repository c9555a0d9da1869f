"""Gaps against counting by hand, statsmodels and simulation; the null's false alarms and its power."""

from dataclasses import dataclass

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from biaskit.errors import RequestError
from biaskit.slices.baselines import ConfidenceRanking, KMeans
from biaskit.slices.discovery_null import discovery_null, within_classes
from biaskit.slices.domino import Domino
from biaskit.slices.facts import Facts
from biaskit.slices.held_out import HeldOut
from biaskit.slices.observations import Observations
from biaskit.slices.slice_report import newcombe, slice_report
from biaskit.stats.proportions import binomial_band
from tests.slices.planted import four_by_four, two_by_four, unrelated


@dataclass
class Known:
    columns: np.ndarray

    @property
    def names(self):
        return tuple(f"slice {s}" for s in range(self.columns.shape[1]))

    def membership(self, seen):
        return self.columns

    recognised = membership


def counted():
    """Class 0: 4 members (1 right), 6 others (5 right); class 1: one member, 9 others, all right."""
    labels = np.repeat([0, 1], 10)
    right = np.array([1, 0, 0, 0, 1, 1, 1, 1, 1, 0] + [1] * 10)
    seen = Observations(np.zeros((20, 1)), labels, np.eye(2)[np.where(right, labels, 1 - labels)])
    inside = np.zeros((20, 2))
    inside[[0, 1, 2, 3, 10], 0] = 0.7
    inside[:, 1] = 0.4
    return Known(inside), seen


def test_counted_by_hand():
    slices, seen = counted()
    first, second = slice_report(slices, HeldOut(seen))
    assert (first.size, first.label, first.prediction, first.of_label, first.rest) == (5, 0, 1, 4, 6)
    assert (first.base_rate, first.accuracy, first.rest_accuracy) == (0.4, 0.25, 5 / 6)
    assert first.gap == pytest.approx(5 / 6 - 0.25)
    assert first.gap in first.interval
    assert (second.size, second.gap, second.interval) == (0, None, None)


def test_a_slice_that_is_its_whole_class_has_no_gap():
    _, seen = counted()
    (only,) = slice_report(Known((seen.labels == 1)[:, None] * 1.0), HeldOut(seen))
    assert (only.accuracy, only.rest, only.gap, only.interval) == (1.0, 0, None, None)


@pytest.mark.parametrize(
    ("worse", "better"), [((1, 4), (5, 6)), ((0, 10), (0, 20)), ((0, 7), (30, 30)), ((20, 40), (39, 50))]
)
def test_newcombe_is_statsmodels(worse, better):
    low, high = confint_proportions_2indep(*better, *worse, method="newcomb", compare="diff")
    found = newcombe(worse, better)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_the_audited_classifier_is_judged_not_the_amplified_one():
    slices, seen = counted()
    perfect = Observations(seen.embeddings, seen.labels, np.eye(2)[seen.labels])
    first, _ = slice_report(slices, HeldOut(seen, audited=perfect))
    assert (first.accuracy, first.gap) == (1.0, 0.0)


def test_clusters_widen_the_interval(rng):
    labels = np.zeros(400, int)
    clusters = np.repeat(np.arange(40), 10)
    right = np.repeat(rng.random(40) < 0.6, 10)
    seen = Observations(np.zeros((400, 1)), labels, np.eye(2)[1 - right.astype(int)])
    slices = Known(((clusters % 2) == 0)[:, None] * 1.0)
    (alone,) = slice_report(slices, HeldOut(seen))
    (together,) = slice_report(slices, HeldOut(seen, clusters=clusters))
    ratio = (together.interval.high - together.interval.low) / (alone.interval.high - alone.interval.low)
    assert 2.5 < ratio < 4.0


def test_a_gap_over_clusters_keeps_its_level_where_resampled_clusters_do_not():
    """Ten clusters of ten, half of each in the slice, and no gap: .90 if clusters are resampled."""
    rng, clusters, hits = np.random.default_rng(4), np.repeat(np.arange(10), 10), 0
    slices = Known((np.arange(100) % 2 == 0)[:, None] * 1.0)
    for _ in range(300):
        right = rng.random(100) < rng.beta(2, 2, 10)[clusters]
        seen = Observations(np.zeros((100, 1)), np.zeros(100, int), np.eye(2)[1 - right.astype(int)])
        (found,) = slice_report(slices, HeldOut(seen, clusters=clusters))
        hits += 0.0 in found.interval
    assert binomial_band(0.95, 300, 0.999).low <= hits / 300 <= 0.985


def test_a_gap_where_nothing_varies_has_no_interval_over_clusters():
    clusters = np.repeat(np.arange(4), 5)
    seen = Observations(np.zeros((20, 1)), np.zeros(20, int), np.eye(2)[np.zeros(20, int)])
    slices = Known((np.arange(20) % 2 == 0)[:, None] * 1.0)
    (found,) = slice_report(slices, HeldOut(seen, clusters=clusters))
    assert (found.gap, found.interval) == (0.0, None)


def test_columns_that_do_not_fit_are_refused():
    _, seen = counted()
    with pytest.raises(RequestError, match="20 held-out images"):
        HeldOut(seen, clusters=np.arange(3))


def test_shuffles_stay_in_their_class(rng):
    labels = rng.integers(3, size=50)
    order = within_classes(labels, rng)
    assert (labels[order] == labels).all()
    assert sorted(order) == list(range(50))
    assert (order != np.arange(50)).any()


@pytest.mark.parametrize(
    ("slicer", "sets"),
    [
        pytest.param(KMeans(3, 8), 100, id="k-means"),
        pytest.param(Domino(5, 8), 200, id="domino", marks=pytest.mark.slow),
        pytest.param(Facts(5.0), 200, id="facts", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_false_alarms_stay_at_the_declared_rate(slicer, sets):
    found = []
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        seen, held = unrelated(rng, n=120, width=4), unrelated(rng, n=120, width=4)
        found.append(discovery_null(slicer, seen, HeldOut(held), rng, 9).p)
    # With 9 shuffles the declared rate is 0.1.
    assert np.mean(np.array(found) <= 0.1) <= binomial_band(0.1, sets, 0.99).high
    assert np.mean(np.array(found) <= 0.5) <= binomial_band(0.5, sets, 0.99).high


@pytest.mark.parametrize("make", [four_by_four, two_by_four])
@pytest.mark.parametrize("slicer", [KMeans(), Domino(), Facts(5.0)], ids=lambda slicer: slicer.name)
def test_a_planted_slice_is_detected(slicer, make, rng):
    seen, held = make(rng).seen, make(rng).seen
    found = discovery_null(slicer, seen, HeldOut(held), rng, 19)
    assert found.p == 0.05
    largest, limit = max(gap or 0 for gap in found.gaps), found.limit()
    assert largest > 1.5 * limit


def test_a_slice_that_is_not_worse_keeps_a_high_p(rng):
    found = discovery_null(KMeans(), four_by_four(rng).seen, HeldOut(four_by_four(rng).seen), rng, 19)
    assert len(found.adjusted) == len(found.slices.names)
    assert min(found.adjusted) == 0.05
    assert max(found.adjusted) > 0.5


def test_a_method_that_knows_slices_by_predictions_alone_has_no_case(rng):
    seen = four_by_four(rng).seen
    found = discovery_null(ConfidenceRanking(), seen, HeldOut(seen), rng, 3)
    assert set(found.gaps) == {None}
    assert found.p == 1.0


def test_too_few_shuffles_have_no_limit(rng):
    seen = unrelated(rng)
    assert discovery_null(KMeans(), seen, HeldOut(seen), rng, 3).limit() == np.inf
    with pytest.raises(RequestError, match="at least one shuffle"):
        discovery_null(KMeans(), seen, HeldOut(seen), rng, 0)
