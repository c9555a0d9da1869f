"""L1 logistic regression against a slow solver of the same problem, and the columns it reports."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from biaskit.errors import RequestError
from biaskit.probing.lasso import LassoLogistic
from biaskit.probing.probe import Job
from biaskit.probing.selectors import FixedList, MeanDifference


def make(rng, rows=200, width=12, share=0.3):
    matrix = (rng.normal(size=(rows, width)) * np.geomspace(0.1, 10, width) + 5.0).astype(np.float32)
    labels = matrix[:, 2] / matrix[:, 2].std() + rng.normal(size=rows)
    return Job(matrix, labels > np.quantile(labels, 1 - share), np.arange(150), np.arange(150, rows))


def fit(probe, job, rng):
    settings = probe.settings(len(job.train), job.activations.shape[1])
    return settings, next(iter(probe.fit([job], settings, rng)))


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("strength", [0.03, 0.3, 3.0])
def test_it_stands_at_the_optimum_of_the_stated_problem(strength, share, rng):
    """saga leaves the intercept free, and is run until it has next to nothing left to gain."""
    job = make(rng, share=share)
    rows = job.activations.astype(np.float64)
    scaler = StandardScaler().fit(rows[job.train])
    train, held_out = scaler.transform(rows[job.train]), scaler.transform(rows[job.held_out])
    judge = LogisticRegression(C=strength, l1_ratio=1.0, solver="saga", tol=1e-8, max_iter=100_000)
    judge.fit(train, job.labels[job.train])
    _, fitted = fit(LassoLogistic((strength,)), job, rng)
    np.testing.assert_allclose(fitted.log_odds[0], judge.decision_function(held_out), atol=0.02)
    assert fitted.converged == (True,)
    strong = np.flatnonzero(np.abs(judge.coef_[0]) > 0.02)
    assert set(strong) <= set(fitted.columns[0].tolist())


def test_without_a_selector_it_names_the_columns_with_a_weight(rng):
    settings, fitted = fit(LassoLogistic((0.001, 0.03, 10.0)), make(rng), rng)
    assert [setting.values["C"] for setting in settings] == [0.001, 0.03, 10.0]
    assert fitted.columns[0].tolist() == []
    assert fitted.columns[1][0] == 2
    assert len(fitted.columns[1]) < len(fitted.columns[2])
    assert len(set(fitted.log_odds[0])) == 1


def test_unscaled_columns_give_another_answer(rng):
    job = make(rng)
    (scaled, raw) = (fit(LassoLogistic((0.1,), standardise=flag), job, rng)[1] for flag in (True, False))
    assert not np.allclose(scaled.log_odds, raw.log_odds, atol=0.1)


def test_each_number_of_columns_is_a_variant(rng):
    probe = LassoLogistic((0.1, 1.0), selector=FixedList((5, 2, 9, 1)), ks=(1, 2, 4, 64))
    job = make(rng)
    settings, fitted = fit(probe, job, rng)
    assert [(s.variant, s.k, s.values["C"]) for s in settings[:3]] == [
        ("k=1", 1, 0.1),
        ("k=1", 1, 1.0),
        ("k=2", 2, 0.1),
    ]
    assert [columns.tolist() for columns in fitted.columns[::2]] == [[5], [5, 2], [5, 2, 9, 1]]
    narrow = Job(job.activations[:, [5, 2]], job.labels, job.train, job.held_out)
    _, alone = fit(LassoLogistic((1.0,)), narrow, rng)
    np.testing.assert_allclose(fitted.log_odds[3], alone.log_odds[0], atol=1e-3)


def test_selection_on_all_rows_would_be_seen(rng):
    """Pure noise, far more columns than rows: selection outside the training rows reads held-out labels."""
    honest, leaking = [], []
    for _ in range(12):
        matrix = rng.normal(size=(60, 2000)).astype(np.float32)
        job = Job(matrix, rng.permutation(60) < 30, np.arange(40), np.arange(40, 60))
        everything = Job(matrix, job.labels, np.arange(60), job.held_out)
        (columns,) = MeanDifference("sd").rank([everything], 16, rng)
        for chosen, scores in [(MeanDifference("sd"), honest), (FixedList(tuple(columns)), leaking)]:
            _, fitted = fit(LassoLogistic((1.0,), selector=chosen, ks=(16,)), job, rng)
            told = job.labels[job.held_out]
            scores.append((fitted.log_odds[0][told][:, None] > fitted.log_odds[0][~told]).mean())
    assert np.mean(leaking) > 0.85
    assert abs(np.mean(honest) - 0.5) < 3 * np.std(honest, ddof=1) / np.sqrt(12)


def test_sparse_rows_stay_sparse(rng):
    dense = np.where(rng.random((200, 30)) < 0.2, rng.gamma(2.0, size=(200, 30)), 0.0).astype(np.float32)
    sparse = csr_array(dense)
    sparse.toarray = None
    jobs = [Job(m, rng.permutation(200) < 100, np.arange(150), np.arange(150, 200)) for m in (dense, sparse)]
    jobs[1] = Job(sparse, jobs[0].labels, jobs[0].train, jobs[0].held_out)
    one, other = (fit(LassoLogistic(), job, rng)[1] for job in jobs)
    np.testing.assert_allclose(one.log_odds, other.log_odds, atol=0.01)


@pytest.mark.parametrize("probe", [{"ks": (4,)}, {"selector": MeanDifference()}])
def test_a_selector_and_numbers_of_columns_go_together(probe):
    with pytest.raises(RequestError, match="selector"):
        LassoLogistic(**probe)


def test_the_selector_is_in_the_name():
    assert LassoLogistic(selector=MeanDifference(), ks=(4,)).name == "k-sparse-lasso-mean-difference"
