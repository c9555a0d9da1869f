"""What holds for every probe: power, silence on noise, no look at held-out rows, order, seeds and faults."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import rankdata

from biaskit.probing.attention import AttentionPooling
from biaskit.probing.boosting import GradientBoosting
from biaskit.probing.knn import NearestNeighbours
from biaskit.probing.lasso import LassoLogistic
from biaskit.probing.mean_difference import MeanDifferenceProbe
from biaskit.probing.mlp import SmallMlp
from biaskit.probing.pca import PcaLogistic
from biaskit.probing.probe import Job, Probe
from biaskit.probing.selectors import MeanDifference
from biaskit.probing.tokens import Tokens


@dataclass(frozen=True)
class Case:
    """A probe, how far below the true log-odds it may stay, and whether it can see more than a plane."""

    probe: Probe
    slack: float = 0.04
    linear: bool = True
    tokens: bool = False

    def __str__(self):
        return self.probe.name

    def activations(self, rows):
        """The rows, as three tokens each where the probe reads tokens; padding is not a number."""
        if not self.tokens:
            return rows
        values = np.repeat(rows[:, None], 4, axis=1)
        values[:, 3] = np.nan
        return Tokens(values, np.broadcast_to([True, True, True, False], values.shape[:2]))


CASES = [
    Case(MeanDifferenceProbe(standardise=True)),
    Case(PcaLogistic()),
    Case(NearestNeighbours(), slack=0.15, linear=False),
    Case(GradientBoosting(), slack=0.1, linear=False),
    Case(SmallMlp(), slack=0.06, linear=False),
    Case(LassoLogistic()),
    Case(LassoLogistic(selector=MeanDifference("sd"), ks=(4, 16))),
    Case(AttentionPooling(epochs=100), tokens=True, slack=0.06),
]
POOLED = [case for case in CASES if not case.tokens]
each = pytest.mark.parametrize("case", CASES, ids=str)


def job(case, rows, labels, train):
    rows = rows if isinstance(rows, csr_array) else case.activations(rows.astype(np.float32))
    return Job(rows, labels, np.arange(train), np.arange(train, len(labels)))


def fit(case, jobs, seed=0):
    settings = case.probe.settings(min(len(one.train) for one in jobs), jobs[0].activations.shape[1])
    fits = list(case.probe.fit(jobs, settings, np.random.default_rng(seed)))
    for one, fitted in zip(jobs, fits, strict=True):
        assert fitted.log_odds.shape == (len(settings), len(one.held_out))
        assert fitted.log_odds.dtype == np.float64
        assert not np.isnan(fitted.log_odds).any()
        assert len(fitted.columns) == len(fitted.converged) == len(settings)
        assert all(type(flag) is bool for flag in fitted.converged)
    return fits


def aucs(one, fitted):
    labels = one.labels[one.held_out]
    return np.array([_auc(row, labels) for row in fitted.log_odds])


def _auc(scores, labels):
    ones, zeros = labels.sum(), (~labels).sum()
    return (rankdata(scores)[labels].sum() - ones * (ones + 1) / 2) / (ones * zeros)


def planted(rng, rows=500, width=30):
    """The classes lie apart along one line, coordinates on unlike scales; with the true log-odds."""
    line = rng.normal(size=width)
    line *= 2.5 / np.linalg.norm(line)
    labels = rng.random(rows) < 0.5
    matrix = rng.normal(size=(rows, width)) + np.outer(labels - 0.5, line)
    return matrix * np.geomspace(0.5, 5.0, width) + 3.0, labels, matrix @ line


def exclusive_or(rng, rows=700, width=5):
    matrix = rng.normal(size=(rows, width))
    return matrix, (matrix[:, 0] > 0) ^ (matrix[:, 1] > 0)


@each
def test_it_meets_the_protocol(case):
    assert case.probe.name
    for rows, width in [(1, 1), (2, 1), (5, 3), (400, 100)]:
        settings = case.probe.settings(rows, width)
        assert settings
        assert settings == case.probe.settings(rows, width)
        assert len({(setting.variant, str(setting.values)) for setting in settings}) == len(settings)
    assert hash(case.probe) == hash(case.probe)


@each
def test_a_planted_plane_is_found(case, rng):
    matrix, labels, log_odds = planted(rng)
    one = job(case, matrix, labels, 350)
    best = aucs(one, fit(case, [one])[0]).max()
    oracle = _auc(log_odds[350:], labels[350:])
    assert oracle > 0.9
    assert best > oracle - case.slack


@each
def test_an_exclusive_or_is_found_by_those_that_can(case, rng):
    one = job(case, *exclusive_or(rng), 500)
    best = aucs(one, fit(case, [one])[0]).max()
    assert best < 0.62 if case.linear else best > 0.85


@each
def test_log_odds_have_the_scale_of_the_true_ones(case, rng):
    """Of the setting with the best log-loss, which is no worse than the base rate's."""
    matrix, labels, _ = planted(rng)
    one = job(case, matrix, labels, 350)
    truth = np.where(labels[350:], 1.0, -1.0)
    loss = np.logaddexp(0, -fit(case, [one])[0].log_odds * truth).mean(axis=1).min()
    assert loss < 0.6


@each
def test_noise_is_not_told_apart(case, rng):
    jobs = [job(case, rng.normal(size=(90, 120)), rng.permutation(90) < 45, 50) for _ in range(16)]
    mean = np.array([aucs(one, fitted).mean() for one, fitted in zip(jobs, fit(case, jobs), strict=True)])
    assert abs(mean.mean() - 0.5) < 3 * mean.std(ddof=1) / np.sqrt(len(mean))


@each
def test_held_out_rows_and_labels_change_nothing_but_their_own_score(case, rng):
    matrix, labels, _ = planted(rng, rows=150)
    other, told = matrix.copy(), labels.copy()
    other[100:120] = rng.normal(20.0, 30.0, size=(20, 30))
    told[100:] ^= True
    before, after = (fit(case, [job(case, *pair, 100)])[0] for pair in [(matrix, labels), (other, told)])
    np.testing.assert_allclose(before.log_odds[:, 20:], after.log_odds[:, 20:], rtol=1e-5, atol=1e-6)
    assert not np.allclose(before.log_odds[:, :20], after.log_odds[:, :20])


@each
def test_the_order_of_held_out_rows_is_kept(case, rng):
    matrix, labels, _ = planted(rng, rows=150)
    one = job(case, matrix, labels, 100)
    turned = Job(one.activations, one.labels, one.train, one.held_out[::-1])
    straight, back = fit(case, [one])[0], fit(case, [turned])[0]
    np.testing.assert_allclose(straight.log_odds, back.log_odds[:, ::-1], rtol=1e-5, atol=1e-6)


@each
def test_the_same_seed_gives_the_same_answer(case, rng):
    matrix, labels, _ = planted(rng, rows=120)
    one = job(case, matrix, labels, 80)
    first, second = fit(case, [one, one], seed=3), fit(case, [one, one], seed=3)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.log_odds, b.log_odds)


@each
def test_each_job_gets_its_own_answer_in_order(case, rng):
    shared = rng.normal(size=(300, 20)) * 2.0
    rows = case.activations(shared.astype(np.float32))
    cut = np.array([200, 220, 240, 260])
    jobs = [
        Job(rows, shared[:, column] > 0, np.arange(end), np.arange(end, 300))
        for column, end in zip([7, 2, 11, 0], cut, strict=True)
    ]
    other = rng.normal(size=(160, 20))
    jobs.insert(2, job(case, other, other[:, 5] > 0, 100))
    for one, fitted in zip(jobs, fit(case, jobs), strict=True):
        assert aucs(one, fitted).max() > 0.8


@each
def test_one_class_among_the_training_rows_decides_nothing(case, rng):
    matrix, labels, _ = planted(rng, rows=60)
    good = job(case, matrix, labels, 40)
    jobs = [good]
    for side in (True, False):
        told = labels.copy()
        told[:40] = side
        jobs.append(Job(good.activations, told, good.train, good.held_out))
    fits = fit(case, [jobs[1], jobs[0], jobs[2]])
    for fitted in (fits[0], fits[2]):
        assert (fitted.log_odds == 0).all()
        assert not any(fitted.converged)
    assert fits[1].log_odds.any()


@each
@pytest.mark.parametrize("rows", [2, 3, 5])
@pytest.mark.parametrize("width", [1, 40])
def test_a_handful_of_rows_is_enough(case, rows, width, rng):
    labels = np.arange(rows + 4) % 2 == 0
    one = job(case, rng.normal(size=(rows + 4, width)), labels, rows)
    few, many = case.probe.settings(rows, width), case.probe.settings(400, 100)
    for settings in (few, many):
        (fitted,) = case.probe.fit([one], settings, rng)
        assert fitted.log_odds.shape == (len(settings), 4)
        assert not np.isnan(fitted.log_odds).any()


@each
def test_one_coordinate_is_enough(case, rng):
    column = rng.normal(size=(200, 1))
    one = job(case, column, column[:, 0] + 0.3 * rng.normal(size=200) > 0, 120)
    assert aucs(one, fit(case, [one])[0]).max() > 0.9


@each
def test_coordinates_that_never_vary_are_harmless(case, rng):
    matrix, labels, _ = planted(rng, rows=300)
    matrix[:, 10:] = 0.1
    one = job(case, matrix, labels, 200)
    assert aucs(one, fit(case, [one])[0]).max() > 0.75
    flat = job(case, np.full((60, 5), 0.1), labels[:60], 40)
    fitted = fit(case, [flat])[0]
    assert (fitted.log_odds == fitted.log_odds[:, :1]).all()


@each
def test_no_rows_to_score(case, rng):
    matrix, labels, _ = planted(rng, rows=60)
    one = job(case, matrix, labels, 60)
    assert fit(case, [one])[0].log_odds.shape[1] == 0


@each
def test_no_jobs(case, rng):
    assert list(case.probe.fit([], case.probe.settings(10, 10), rng)) == []


@pytest.mark.parametrize("case", POOLED, ids=str)
def test_sparse_and_dense_rows_are_told_apart_alike(case, rng):
    latents = np.where(rng.random((200, 40)) < 0.3, rng.gamma(2.0, size=(200, 40)), 0.0).astype(np.float32)
    latents[:, 7] = 0.0
    labels = rng.random(200) < 0.5
    latents[:, 3:7] += (labels[:, None] * rng.gamma(2.0, size=(200, 4))).astype(np.float32)
    dense, sparse = job(case, latents, labels, 140), job(case, csr_array(latents), labels, 140)
    one, other = fit(case, [dense])[0], fit(case, [sparse])[0]
    np.testing.assert_allclose(one.log_odds, other.log_odds, rtol=1e-3, atol=1e-3)
    assert aucs(dense, one).max() > 0.85
