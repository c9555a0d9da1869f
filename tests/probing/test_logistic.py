import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biaskit.errors import RequestError
from biaskit.probing import designs
from biaskit.probing.logistic import Logistic
from biaskit.probing.probe import Job


def job(rng, n=200, d=12, *, strength=1.0, held_out=80, share=0.5):
    labels = rng.random(n) < share
    rows = rng.standard_normal((n, d)) * rng.uniform(0.1, 10, d) + rng.standard_normal(d)
    rows[:, 0] += strength * labels * rows[:, 0].std()
    order = rng.permutation(n)
    return Job(rows.astype(np.float32), labels, order[held_out:], order[:held_out])


def fit(jobs, probe=None, settings=None):
    probe = probe or Logistic((1.0,))
    settings = settings or probe.settings(100, jobs[0].activations.shape[1])
    return list(probe.fit(jobs, settings, np.random.default_rng(0)))


def sklearn_log_odds(job, cost, *, standardise=True):
    model = LogisticRegression(C=cost, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    pipeline = make_pipeline(StandardScaler(with_std=standardise), model)
    rows = job.activations.astype(float)
    pipeline.fit(rows[job.train], job.labels[job.train])
    return pipeline.decision_function(rows[job.held_out])


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize(("n", "d"), [(200, 1), (300, 40), (150, 300), (110, 700)])
def test_log_odds_are_scikit_learns(rng, monkeypatch, n, d, standardise):
    monkeypatch.setattr(designs, "_BLOCK", 256)
    jobs = [job(rng, n, d, strength=strength) for strength in (0.0, 1.0, 3.0)]
    probe = Logistic((0.01, 1.0, 100.0), standardise=standardise)
    for given, fitted in zip(jobs, fit(jobs, probe), strict=True):
        assert fitted.converged == (True,) * 3
        for cost, found in zip(probe.inverse_penalties, fitted.log_odds, strict=True):
            expected = sklearn_log_odds(given, cost, standardise=standardise)
            np.testing.assert_allclose(found, expected, atol=2e-3 * max(1, np.abs(expected).max()))
            truth = given.labels[given.held_out]
            assert abs(roc_auc_score(truth, found) - roc_auc_score(truth, expected)) < 1e-3


@pytest.mark.parametrize("d", [30, 400])
def test_sparse_rows_give_what_dense_ones_give(rng, d):
    dense = job(rng, 200, d)
    rows = np.where(rng.random((200, d)) < 0.1, np.abs(dense.activations), 0).astype(np.float32)
    dense = Job(rows, dense.labels, dense.train, dense.held_out)
    sparse = Job(csr_array(rows), dense.labels, dense.train, dense.held_out)
    np.testing.assert_allclose(fit([sparse])[0].log_odds, fit([dense])[0].log_odds, atol=1e-3)


def test_one_class_is_undecided_and_leaves_its_neighbours_alone(rng):
    good, other = job(rng), job(rng)
    lone = Job(good.activations, np.ones(200, dtype=bool), good.train, good.held_out)
    first, middle, last = fit([good, lone, other])
    assert (middle.log_odds == 0).all()
    assert middle.converged == (False,)
    np.testing.assert_allclose(first.log_odds, fit([good])[0].log_odds, atol=1e-3)
    np.testing.assert_allclose(last.log_odds, fit([other])[0].log_odds, atol=1e-3)


def test_many_unlike_jobs_come_back_in_their_order(rng):
    shapes = [(100, 5), (300, 40), (90, 200), (100, 5)]
    jobs = [job(rng, n, d, strength=2.0, held_out=20 + place) for place, (n, d) in enumerate(shapes)]
    shared = Job(jobs[1].activations, jobs[1].labels, jobs[1].held_out, jobs[1].train[:50])
    jobs.insert(2, shared)
    together = [fitted.log_odds for fitted in fit(jobs)]
    for given, found in zip(jobs, together, strict=True):
        np.testing.assert_allclose(found, fit([given])[0].log_odds, atol=1e-3)


@pytest.mark.parametrize("d", [12, 300])
def test_the_order_of_rows_and_columns_and_their_scale_do_not_count(rng, d):
    given = job(rng, 200, d)
    expected = fit([given])[0].log_odds
    columns = rng.permutation(d)
    moved = Job(
        given.activations[:, columns].copy(), given.labels, rng.permutation(given.train), given.held_out
    )
    scaled = given.activations * rng.choice([0.125, 1, 64], d).astype(np.float32)
    rescaled = Job(scaled, given.labels, given.train, given.held_out)
    np.testing.assert_allclose(fit([moved])[0].log_odds, expected, atol=1e-3)
    np.testing.assert_allclose(fit([rescaled])[0].log_odds, expected, atol=1e-3)


def test_without_standardising_the_scale_counts(rng):
    given = job(rng, 200, 12)
    scaled = Job(given.activations * np.float32(0.01), given.labels, given.train, given.held_out)
    raw = Logistic((1.0,), standardise=False)
    assert np.abs(fit([scaled], raw)[0].log_odds - fit([given], raw)[0].log_odds).max() > 0.05


@pytest.mark.parametrize("d", [12, 300])
def test_held_out_rows_change_no_other_rows_log_odds(rng, d):
    given = job(rng, 200, d)
    rows = given.activations.copy()
    rows[given.held_out[:40]] = 1e6
    spoilt = Job(rows, given.labels, given.train, given.held_out)
    np.testing.assert_array_equal(fit([spoilt])[0].log_odds[:, 40:], fit([given])[0].log_odds[:, 40:])


def test_columns_constant_in_training_are_ignored(rng):
    given = job(rng, 200, 12)
    constant = np.full((200, 1), 0.1, dtype=np.float32)
    constant[given.held_out] = 1e4
    wider = Job(
        np.concatenate([given.activations, constant], axis=1), given.labels, given.train, given.held_out
    )
    np.testing.assert_allclose(fit([wider])[0].log_odds, fit([given])[0].log_odds, atol=1e-4)


def test_chance_labels_are_told_apart_by_chance(rng):
    jobs = [job(rng, 160, 40, strength=0.0) for _ in range(40)]
    values = [
        roc_auc_score(given.labels[given.held_out], fitted.log_odds[0])
        for given, fitted in zip(jobs, fit(jobs), strict=True)
    ]
    assert abs(np.mean(values) - 0.5) < 3 * np.std(values, ddof=1) / np.sqrt(len(values))


def test_the_same_input_gives_the_same_output_and_draws_nothing(rng):
    jobs = [job(rng, 200, 300), job(rng)]
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002 - the state is read
    first = [fitted.log_odds for fitted in fit(jobs)]
    second = [fitted.log_odds for fitted in fit(jobs)]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002 - the state is read
    assert torch.equal(torch.get_rng_state(), torch_before)


@pytest.mark.parametrize("values", [(), (0.0,), (1.0, -1.0), (float("inf"),)])
def test_impossible_penalties_are_refused(values):
    with pytest.raises(RequestError, match="cannot be used"):
        Logistic(values)


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_are_told_for_certain_leave_numbers(seed):
    """Few words in many templates: near copies, parted so well that single precision holds no doubt."""
    rng = np.random.default_rng(seed)
    words = rng.normal(size=(24, 96)) * 12
    rows = (words.repeat(8, axis=0) + 0.05 * rng.normal(size=(192, 96))).astype(np.float32)
    labels = (np.arange(24) % 2 == 0).repeat(8)
    jobs = [
        Job(
            rows,
            labels,
            np.flatnonzero(~np.isin(np.arange(192) // 8, held)),
            np.flatnonzero(np.isin(np.arange(192) // 8, held)),
        )
        for held in (range(12), range(6, 18), range(12, 24))
    ]
    probe = Logistic((0.001, 0.1, 10.0, 1e5))
    for fitted in probe.fit(jobs, probe.settings(96, 96), rng):
        assert np.isfinite(fitted.log_odds).all()
        assert fitted.converged[:3] == (True, True, True)
