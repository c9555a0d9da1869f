"""EM never loses likelihood, equals a plain re-statement and survives what real data bring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, rand_score
from sklearn.mixture import GaussianMixture

from benchmarks.slices_restated import Weights
from benchmarks.slices_restated import fit as plain_fit
from biaskit.errors import RequestError
from biaskit.slices.mixture import Mixture
from biaskit.slices.observations import Observations
from biaskit.slices.projection import Projection
from biaskit.slices.starts import confusion_start, k_means
from biaskit.slices.terms import Embedding, Prediction
from tests.slices.planted import four_by_four, unrelated

EVERY_STEP = {"tolerance": -1.0, "iterations": 25}


def soft(rng, n, classes, sharpness):
    return rng.dirichlet(np.full(classes, 1 / sharpness), size=n)


@given(
    st.integers(0, 10_000),
    st.sampled_from([0.0, 1.0, 10.0]),
    st.sampled_from([0.0, 1.0, 10.0]),
    st.sampled_from([0.0, 1.0, 25.0]),
    st.sampled_from([0.5, 3.0]),
)
def test_the_likelihood_never_falls(seed, label, prediction, simplex, sharpness):
    rng = np.random.default_rng(seed)
    seen = Observations(rng.standard_normal((80, 5)), rng.integers(3, size=80), soft(rng, 80, 3, sharpness))
    mixture = Mixture(7, label, prediction, simplex, tolerance=-1.0, iterations=30)
    trace = np.array(mixture.fit(seen, rng).trace)
    assert len(trace) == 30
    assert (np.diff(trace) >= -1e-9 * np.abs(trace[1:])).all()


def test_the_published_update_of_soft_predictions_can_lose_likelihood():
    """Why `Prediction` departs from it: the likelihood is highest elsewhere."""
    probabilities = np.tile([0.6, 0.4], (10, 1))
    term, owned = Prediction(), np.ones((10, 1))
    start = (np.array([[0.9, 0.1]]),)

    def value(shares):
        return float(term.log_density(probabilities, shares).sum())

    published = term.fitted(term.statistics(probabilities, owned, None) / 10)
    ours = term.fitted(term.statistics(probabilities, owned, start) / 10)
    assert value(published) < value(start) < value(ours)


@pytest.mark.parametrize("weights", [(1.0, 1.0, 0.0), (10.0, 10.0, 0.0), (0.0, 0.0, 25.0), (1.0, 1.0, 1.0)])
def test_equals_the_plain_re_statement(rng, weights):
    seen = four_by_four(rng).seen
    owned = confusion_start(seen, 25, rng)
    ours = Mixture(25, *weights, tolerance=1e-4).fit_from(seen, owned)
    trace, held = plain_fit(seen, owned, Weights(*weights), 1e-4, 100)
    assert ours.trace == pytest.approx(trace, rel=1e-9)
    assert ours.owned(seen) == pytest.approx(held, abs=1e-6)


def test_embeddings_alone_equal_scikit_learn(rng):
    seen = four_by_four(rng).seen
    owned = confusion_start(seen, 16, rng)
    start = Mixture(16, 0, 0, 0, iterations=1).fit_from(seen, owned)
    ours = Mixture(16, 0, 0, 0, tolerance=1e-9, iterations=500).fit_from(seen, owned)
    mean, variance = start.of(Embedding)
    theirs = GaussianMixture(
        16, covariance_type="diag", means_init=mean, precisions_init=1 / variance, weights_init=start.shares,
        reg_covar=0, max_iter=500, tol=1e-9, random_state=0,
    ).fit(seen.embeddings)  # fmt: skip
    assert ours.log_likelihood(seen) == pytest.approx(theirs.score(seen.embeddings), abs=1e-6)


def test_golden_blobs_with_known_cells_are_recovered(rng):
    """domino's own test: five Gaussian blobs, each in one cell of the confusion matrix."""
    blob = np.repeat(np.arange(5), 100)
    centres = rng.standard_normal((5, 10)) * 6
    labels = np.array([0, 0, 1, 1, 0])[blob]
    said = np.array([0, 1, 0, 1, 1])[blob]
    seen = Observations(centres[blob] + rng.standard_normal((500, 10)), labels, np.eye(2)[said])
    owned = (
        Mixture(5)
        .fit(Projection.of(seen.embeddings, 10)(seen), rng)
        .owned(Projection.of(seen.embeddings, 10)(seen))
    )
    assert rand_score(blob, owned.argmax(axis=1)) == 1


@pytest.mark.parametrize("weights", [(1.0, 1.0, 0.0), (0.0, 0.0, 25.0), (1.0, 1.0, 1.0)])
@pytest.mark.parametrize("components", [1, 2, 3, 9, 36])
def test_a_single_class_does_not_break_it(rng, weights, components):
    seen = four_by_four(rng).seen
    one = seen.take(np.flatnonzero(seen.labels == 2))
    fitted = Mixture(components, *weights).fit(one, rng)
    assert np.isfinite(fitted.trace).all()
    assert fitted.owned(seen).sum(axis=1) == pytest.approx(np.ones(len(seen)))


def test_a_class_without_errors_does_not_break_it(rng):
    seen = Observations(rng.standard_normal((40, 4)), np.zeros(40, int), np.tile([1.0, 0.0, 0.0], (40, 1)))
    fitted = Mixture(6, 1, 1, 1).fit(seen, rng)
    assert len(fitted) == 6
    assert np.isfinite(fitted.owned(seen)).all()


def test_identical_rows_do_not_break_it(rng):
    seen = Observations(np.ones((30, 4)), np.zeros(30, int), np.tile([0.5, 0.5], (30, 1)))
    projected = Projection.of(seen.embeddings, 3)(seen)
    assert np.isfinite(Mixture(5, 1, 1, 1).fit(projected, rng).trace).all()


def test_a_class_never_seen_in_the_fit_is_still_placed(rng):
    seen = four_by_four(rng).seen
    known = seen.take(np.flatnonzero(seen.labels < 2))
    owned = Mixture(9, label_weight=10).fit(known, rng).owned(seen)
    assert owned.sum(axis=1) == pytest.approx(np.ones(len(seen)))


def test_fewer_components_than_kinds_of_mistake_are_dealt_to_the_commonest(rng):
    made = four_by_four(rng, followed=1.0)
    owned = confusion_start(made.seen, 4, rng)
    right = made.seen.errors == 0
    assert adjusted_rand_score(made.seen.labels[right], owned[right].argmax(axis=1)) == 1
    assert owned[~right].max() < 0.9


def test_every_kind_of_mistake_has_a_component(rng):
    made = four_by_four(rng, followed=1.0)
    owned = confusion_start(made.seen, 16, rng)
    cells = made.seen.labels * 4 + made.seen.predictions
    assert owned.shape[1] == 16
    assert adjusted_rand_score(cells, owned.argmax(axis=1)) == 1


def test_bic_finds_the_number_of_blobs(rng):
    blob = np.repeat(np.arange(4), 100)
    labels = np.zeros(400, int)
    seen = Observations(5 * np.eye(4)[blob] + rng.standard_normal((400, 4)), labels, np.ones((400, 1)))
    scores = {k: Mixture(k, 0, 0, 0, start="k-means").fit(seen, rng).bic(seen) for k in range(1, 9)}
    assert min(scores, key=scores.get) == 4


def test_the_same_seed_gives_the_same_mixture(rng):
    seen = unrelated(rng)
    first, second = (Mixture(9).fit(seen, np.random.default_rng(5)).owned(seen) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize(
    "settings", [{"components": 0}, {"label_weight": -1.0}, {"simplex_weight": -1.0}, {"iterations": 0}]
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(RequestError):
        Mixture(**settings)


def test_one_image_is_refused(rng):
    with pytest.raises(RequestError, match="1 images"):
        Mixture().fit(unrelated(rng).take(np.arange(1)), rng)


def test_too_many_classes_for_a_full_covariance_are_refused(rng):
    seen = Observations(rng.standard_normal((10, 3)), np.zeros(10, int), np.full((10, 65), 1 / 65))
    with pytest.raises(RequestError, match="65 classes"):
        Mixture(simplex_weight=1).fit(seen, rng)


@pytest.mark.parametrize("parts", [1, 2, 5, 12])
def test_k_means_is_as_tight_as_scikit_learns(rng, parts):
    rows = four_by_four(rng).seen.embeddings[:400]
    found = k_means(rows, parts, rng)
    inside = sum(np.square(rows[found == s] - rows[found == s].mean(axis=0)).sum() for s in range(parts))
    assert inside <= 1.02 * KMeans(parts, n_init=4, random_state=0).fit(rows).inertia_


def test_k_means_of_few_different_rows(rng):
    rows = np.repeat(rng.standard_normal((3, 4)), 10, axis=0)
    assert adjusted_rand_score(k_means(rows, 8, rng), np.repeat([0, 1, 2], 10)) == 1
