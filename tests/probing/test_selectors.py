"""Selectors against plain numpy, planted latents, pure noise, and what must not matter."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_array
from sklearn.feature_selection import f_classif

from biaskit.errors import RequestError
from biaskit.probing.auc import auc
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.probe import Job
from biaskit.probing.selectors import FixedList, FStatistic, L1Path, MeanDifference, RandomCoordinates

SCORED = [MeanDifference("raw"), MeanDifference("nonzero-mean"), MeanDifference("sd"), FStatistic()]
SEEING = [*SCORED, L1Path()]
EVERY = [*SEEING, RandomCoordinates()]
named = partial(pytest.mark.parametrize, "selector", ids=lambda selector: selector.name)


def latents(rng, rows=60, width=25):
    """Sparse and non-negative, as an autoencoder's; columns: one dead, one repeated, one constant."""
    values = np.where(rng.random((rows, width)) < 0.4, rng.gamma(2.0, size=(rows, width)), 0.0)
    values[:, 3], values[:, 9], values[:, 12] = 0.0, values[:, 5], 0.1
    return values.astype(np.float32)


def some_jobs(rng, matrix, count=7):
    jobs = []
    for _ in range(count):
        order = rng.permutation(matrix.shape[0])
        labels = rng.random(matrix.shape[0]) < rng.uniform(0.3, 0.7)
        jobs.append(Job(matrix, labels, order[:40], order[40:]))
    return jobs


def oracle(selector, job):
    rows, labels = np.asarray(job.activations, dtype=np.float64)[job.train], job.labels[job.train]
    ones, zeros = rows[labels], rows[~labels]
    difference = np.abs(ones.mean(axis=0) - zeros.mean(axis=0))
    within = np.sqrt(
        (((ones - ones.mean(0)) ** 2).sum(0) + ((zeros - zeros.mean(0)) ** 2).sum(0)) / len(rows)
    )
    filled = np.ma.masked_equal(rows, 0).mean(axis=0).filled(np.inf)
    scale = {"mean-difference": 1, "mean-difference-nonzero-mean": filled}.get(selector.name, within)
    with np.errstate(invalid="ignore"):
        scores = np.where(np.ptp(rows, axis=0) == 0, -np.inf, difference / scale)
    return np.argsort(-scores.astype(np.float32), kind="stable")


@named(SCORED)
@given(seed=st.integers(0, 2**16))
def test_it_agrees_with_plain_numpy_job_by_job(selector, seed):
    rng = np.random.default_rng(seed)
    jobs = some_jobs(rng, latents(rng)) + some_jobs(rng, latents(rng))
    for job, ranked in zip(jobs, selector.rank(jobs, 10, rng), strict=True):
        np.testing.assert_array_equal(ranked, oracle(selector, job)[:10])


def test_f_ranks_as_sklearn_does(rng):
    jobs = some_jobs(rng, rng.normal(3.0, 2.0, size=(60, 80)).astype(np.float32))
    for job, ranked in zip(jobs, FStatistic().rank(jobs, 80, rng), strict=True):
        f, _ = f_classif(job.activations[job.train].astype(np.float64), job.labels[job.train])
        np.testing.assert_array_equal(ranked, np.argsort(-f, kind="stable"))


@named(EVERY)
def test_sparse_and_dense_are_ranked_alike(selector, rng):
    dense = latents(rng)
    if selector.name == "l1-path":
        dense[:, 9] = 0.0  # Of two equal columns either may enter.
    jobs = some_jobs(rng, dense)
    sparse = csr_array(dense)
    sparse.toarray = None  # A sparse matrix is never made dense.
    twins = [Job(sparse, job.labels, job.train, job.held_out) for job in jobs]
    ranked = selector.rank(jobs, 25, np.random.default_rng(1))
    again = selector.rank(twins, 25, np.random.default_rng(1))
    np.testing.assert_array_equal(ranked, again)


@named(EVERY)
def test_jobs_together_and_one_by_one_are_ranked_alike(selector, rng, monkeypatch):
    jobs = some_jobs(rng, latents(rng)) + some_jobs(rng, latents(rng))
    jobs = [jobs[i] for i in rng.permutation(len(jobs))]
    together = selector.rank(jobs, 10, np.random.default_rng(1))
    monkeypatch.setattr("biaskit.probing.column_sums._BLOCK", 130)
    monkeypatch.setattr("biaskit.probing.column_sums._ROWS", 130)
    np.testing.assert_array_equal(together, selector.rank(jobs, 10, np.random.default_rng(1)))
    if not isinstance(selector, RandomCoordinates):
        alone = [selector.rank([job], 10, np.random.default_rng(1))[0] for job in jobs]
        np.testing.assert_array_equal(together, alone)


@named(EVERY)
def test_rows_outside_training_change_nothing(selector, rng):
    matrix = latents(rng)
    job = some_jobs(rng, matrix, 1)[0]
    other, labels = matrix.copy(), job.labels.copy()
    other[job.held_out] = rng.normal(50.0, 20.0, size=other[job.held_out].shape)
    labels[job.held_out] ^= True
    twin = Job(other, labels, job.train, job.held_out)
    before, after = (selector.rank([each], 25, np.random.default_rng(1))[0] for each in (job, twin))
    np.testing.assert_array_equal(before, after)


@named(EVERY)
def test_constant_columns_come_last_and_ties_by_index(selector, rng):
    jobs = some_jobs(rng, latents(rng))
    for ranked in selector.rank(jobs, 25, rng):
        assert ranked[-2:].tolist() == [3, 12]
        assert sorted(ranked) == list(range(25))
        if selector in SCORED:
            assert ranked.tolist().index(9) == ranked.tolist().index(5) + 1


@named(EVERY)
def test_a_larger_k_only_adds(selector, rng):
    jobs = some_jobs(rng, latents(rng))
    wide, narrow = (selector.rank(jobs, k, np.random.default_rng(1)) for k in (1000, 5))
    assert [len(ranked) for ranked in wide] == [25] * len(jobs)
    np.testing.assert_array_equal([ranked[:5] for ranked in wide], narrow)


@named(EVERY)
@pytest.mark.parametrize("labels", [[True] * 4, [False] * 4])
def test_one_class_is_no_reason_to_fail(selector, labels, rng):
    job = Job(latents(rng, 6), np.array([*labels, True, False]), np.arange(4), np.arange(4, 6))
    assert sorted(selector.rank([job], 25, rng)[0]) == list(range(25))


@named(EVERY)
def test_two_rows_or_one_column_are_enough(selector, rng):
    labels = np.array([True, False])
    assert len(selector.rank([Job(latents(rng, 2), labels, np.arange(2), np.arange(2))], 3, rng)[0]) == 3
    narrow = Job(np.array([[1.0], [2.0]], dtype=np.float32), labels, np.arange(2), np.arange(2))
    assert selector.rank([narrow], 3, rng)[0].tolist() == [0]


@pytest.mark.parametrize("selector", [MeanDifference("sd"), FStatistic()], ids=lambda s: s.name)
def test_classes_apart_without_spread_come_first(selector, rng):
    labels = np.arange(40) % 2 == 0
    matrix = np.column_stack([rng.normal(size=40) + 4 * labels, np.ones(40), 0.1 * labels]).astype(np.float32)
    assert selector.rank([Job(matrix, labels, np.arange(40), np.arange(40))], 3, rng)[0].tolist() == [2, 0, 1]


@pytest.mark.parametrize("offset", [0.0, 3e4])
def test_a_large_mean_hides_no_difference(offset, rng):
    labels = np.arange(200) % 2 == 0
    matrix = (offset + rng.normal(size=(200, 50)) + 3.0 * labels[:, None] * (np.arange(50) == 31)).astype(
        np.float32
    )
    for selector in [MeanDifference("sd"), FStatistic(), L1Path()]:
        assert selector.rank([Job(matrix, labels, np.arange(200), np.arange(9))], 1, rng)[0] == [31]


def planted_latents(rng, snr, rows=200, tested=50):
    """a = B z + noise; the property switches one latent on, and the known dictionary reads it back."""
    dictionary = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    z = np.maximum(rng.normal(size=(rows, 64)), 0.0)
    labels, column = rng.random(rows) < 0.5, int(rng.integers(64))
    z[:, column] = snr * labels
    activations = z @ dictionary.T + rng.normal(size=(rows, 64))
    read = np.maximum(activations @ dictionary, 0.0).astype(np.float32)
    job = Job(read, labels, np.arange(rows - tested), np.arange(rows - tested, rows))
    return job, column, activations @ dictionary[:, column]


@named(SEEING)
@pytest.mark.parametrize("snr", [2.0, 4.0])
def test_the_planted_latent_comes_first(selector, snr, rng):
    jobs, planted, _ = zip(*(planted_latents(rng, snr) for _ in range(100)), strict=True)
    first = [ranked[0] for ranked in selector.rank(jobs, 1, rng)]
    assert np.mean(np.array(first) == planted) >= 0.95


@named(SEEING)
@pytest.mark.parametrize("snr", [2.0, 4.0])
def test_one_latent_reads_as_well_as_an_oracle_that_knows_the_direction(selector, snr, rng):
    """The oracle scores held-out rows along the planted direction; random coordinates are the floor."""
    jobs, _, along = zip(*(planted_latents(rng, snr, 600, 400) for _ in range(30)), strict=True)
    told = [job.labels[job.held_out] for job in jobs]
    oracle = np.mean(
        [auc(own[None, job.held_out], truth) for own, job, truth in zip(along, jobs, told, strict=True)]
    )

    def reached(chosen):
        probe = KSparse(chosen, ks=(1,))
        fits = probe.fit(jobs, probe.settings(200, 64), np.random.default_rng(0))
        return np.mean([auc(one.log_odds, truth) for one, truth in zip(fits, told, strict=True)])

    # Scores along the direction are two normals of unit variance, snr apart.
    assert oracle == pytest.approx(stats.norm.cdf(snr / np.sqrt(2)), abs=0.01)
    assert abs(reached(selector) - oracle) < 0.02
    assert reached(RandomCoordinates()) < 0.6


@named(EVERY)
def test_no_column_is_favoured_on_noise(selector, rng):
    draws = 200 if selector.name == "l1-path" else 1000
    matrices = [rng.normal(size=(40, 12)).astype(np.float32) for _ in range(draws)]
    if selector.name.endswith("nonzero-mean"):
        matrices = [np.abs(matrix) for matrix in matrices]
    jobs = [Job(each, rng.permutation(40) < 20, np.arange(40), np.arange(5)) for each in matrices]
    first = np.array([ranked[0] for ranked in selector.rank(jobs, 1, rng)])
    assert stats.chisquare(np.bincount(first, minlength=12)).pvalue > 1e-3


def test_the_l1_path_drops_what_another_column_already_says(rng):
    """Two copies of one cause and one weaker cause: F takes the copies first, the path does not."""
    cause, weaker = rng.normal(size=(2, 400))
    labels = cause + 0.5 * weaker + 0.3 * rng.normal(size=400) > 0
    copies = np.column_stack([cause, cause + 0.1 * rng.normal(size=400), weaker, rng.normal(size=(400, 5))])
    job = Job(copies.astype(np.float32), labels, np.arange(400), np.arange(5))
    assert sorted(FStatistic().rank([job], 2, rng)[0]) == [0, 1]
    assert sorted(L1Path().rank([job], 2, rng)[0]) == [0, 2]


def test_random_coordinates_differ_by_job_and_follow_the_seed(rng):
    jobs = [Job(latents(rng), np.arange(60) % 2 == 0, np.arange(40), np.arange(40, 60))] * 20
    drawn = RandomCoordinates().rank(jobs, 5, np.random.default_rng(4))
    assert len({tuple(columns) for columns in drawn}) == 20
    np.testing.assert_array_equal(drawn, RandomCoordinates().rank(jobs, 5, np.random.default_rng(4)))


def test_a_fixed_list_keeps_its_order_and_knows_the_width(rng):
    jobs = some_jobs(rng, latents(rng), 2)
    assert [r.tolist() for r in FixedList((7, 2, 5)).rank(jobs, 2, rng)] == [[7, 2], [7, 2]]
    assert [r.tolist() for r in FixedList((7, 2, 5)).rank(jobs, 9, rng)] == [[7, 2, 5], [7, 2, 5]]
    with pytest.raises(RequestError, match="There is no column 25"):
        FixedList((1, 25)).rank(jobs, 2, rng)
    assert FixedList((1,)).rank([], 2, rng) == []
