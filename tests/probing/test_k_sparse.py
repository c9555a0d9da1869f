import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array
from sklearn.metrics import roc_auc_score

from biaskit.errors import RequestError
from biaskit.probing import designs
from biaskit.probing.auc import auc
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.logistic import Logistic
from biaskit.probing.probe import Job
from biaskit.probing.selectors import FixedList, MeanDifference


def job(rng, n=300, d=50, *, planted=(), strength=2.0):
    labels = rng.random(n) < 0.5
    rows = rng.standard_normal((n, d))
    rows[:, list(planted)] += strength * labels[:, None]
    order = rng.permutation(n)
    return Job(rows.astype(np.float32), labels, order[100:], order[:100])


def fit(jobs, probe):
    return list(probe.fit(jobs, probe.settings(200, jobs[0].activations.shape[1]), np.random.default_rng(0)))


def truth(given):
    return given.labels[given.held_out]


def test_settings_name_each_k_that_fits():
    probe = KSparse(MeanDifference("sd"), ks=(1, 4, 64), inverse_penalties=(0.1, 1.0))
    found = probe.settings(1000, 50)
    assert [(one.variant, one.k, one.values["C"]) for one in found] == [
        ("k=1", 1, 0.1),
        ("k=1", 1, 1.0),
        ("k=4", 4, 0.1),
        ("k=4", 4, 1.0),
    ]
    with pytest.raises(RequestError, match="above the width"):
        KSparse(MeanDifference(), ks=(8,)).settings(100, 4)


@pytest.mark.parametrize(("ks", "costs"), [((), (1.0,)), ((0, 1), (1.0,)), ((1,), ()), ((1,), (-1.0,))])
def test_impossible_settings_are_refused(ks, costs):
    with pytest.raises(RequestError):
        KSparse(MeanDifference(), ks=ks, inverse_penalties=costs)


def test_a_planted_column_is_found_and_read_as_well_as_by_an_oracle(rng):
    jobs = [job(rng, planted=(17,)) for _ in range(10)]
    lost = []
    for given, fitted in zip(jobs, fit(jobs, KSparse(MeanDifference("sd"), ks=(1, 8))), strict=True):
        assert fitted.columns[0].tolist() == [17]
        assert fitted.columns[1][0] == 17
        oracle = roc_auc_score(truth(given), given.activations[given.held_out, 17])
        assert abs(auc(fitted.log_odds, truth(given))[0] - oracle) < 1e-9
        lost.append(oracle - auc(fitted.log_odds, truth(given))[1])
    assert np.mean(lost) < 0.03


def test_chance_labels_are_told_apart_by_chance(rng):
    jobs = [job(rng) for _ in range(40)]
    values = np.array(
        [
            auc(fitted.log_odds, truth(given))
            for given, fitted in zip(
                jobs, fit(jobs, KSparse(MeanDifference("sd"), ks=(1, 4, 32))), strict=True
            )
        ]
    )
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert (np.abs(values.mean(axis=0) - 0.5) < 3 * error).all()


@pytest.mark.parametrize("k", [1, 3, 20, 50])
def test_the_path_is_what_separate_dense_fits_on_the_chosen_columns_are(rng, k):
    jobs = [job(rng, planted=(3, 9), strength=strength) for strength in (0.0, 1.0, 6.0)]
    probe = KSparse(MeanDifference("sd"), ks=(1, 2, 3, 8, 20, 50), inverse_penalties=(0.1, 100.0))
    settings = probe.settings(200, 50)
    for given, fitted in zip(jobs, fit(jobs, probe), strict=True):
        columns = fitted.columns[[one.k for one in settings].index(k)]
        chosen = Job(given.activations[:, columns].copy(), given.labels, given.train, given.held_out)
        alone = fit([chosen], Logistic((0.1, 100.0)))[0]
        path = fitted.log_odds[[one.k == k for one in settings]]
        np.testing.assert_allclose(path, alone.log_odds, atol=1e-3 * max(1, np.abs(alone.log_odds).max()))
        assert all(fitted.converged)


def test_any_settings_in_any_order_get_their_own_answer(rng):
    given, probe = (
        job(rng, planted=(3,)),
        KSparse(MeanDifference("sd"), ks=(1, 8), inverse_penalties=(0.1, 1.0)),
    )
    settings = probe.settings(200, 50)
    whole = next(probe.fit([given], settings, rng))
    order = [3, 0, 2]
    part = next(probe.fit([given], [settings[place] for place in order], rng))
    np.testing.assert_allclose(part.log_odds, whole.log_odds[order], atol=1e-3)


def test_sparse_rows_give_what_dense_ones_give(rng):
    given = job(rng, planted=(3, 9))
    rows = np.maximum(given.activations - 1, 0)
    probe = KSparse(MeanDifference("nonzero-mean"), ks=(1, 8, 50))
    dense, sparse = (
        fit([Job(kind, given.labels, given.train, given.held_out)], probe)[0]
        for kind in (rows, csr_array(rows))
    )
    np.testing.assert_allclose(sparse.log_odds, dense.log_odds, atol=1e-4)


def test_only_chosen_columns_are_made_dense(rng, monkeypatch):
    labels, index = rng.random(200) < 0.5, np.arange(200)
    rows = csr_array((np.ones(200, np.float32), (index, index * 1000)), shape=(200, 200_000))
    given = Job(rows, labels, index[:150], index[150:])
    widest = []
    turned = csc_array.toarray
    monkeypatch.setattr(
        csc_array, "toarray", lambda self, **kind: widest.append(self.shape[1]) or turned(self, **kind)
    )
    monkeypatch.setattr(csr_array, "toarray", lambda *_: pytest.fail("the whole matrix was made dense"))
    fitted = fit([given], KSparse(FixedList((0, 3000)), ks=(1, 2)))[0]
    assert fitted.log_odds.shape == (2, 50)
    assert max(widest) == 2


def test_binarising_is_fitting_on_ones_and_zeros(rng):
    given = job(rng, planted=(3,))
    rows = np.maximum(given.activations, 0)
    turned = Job((rows > 1).astype(np.float32), given.labels, given.train, given.held_out)
    plain = fit([turned], KSparse(MeanDifference("sd"), ks=(1, 8)))[0]
    for kind in (rows, csr_array(rows)):
        given = Job(kind, given.labels, given.train, given.held_out)
        found = fit([given], KSparse(MeanDifference("sd"), ks=(1, 8), binarise=1.0))[0]
        np.testing.assert_allclose(found.log_odds, plain.log_odds, atol=1e-6)
    with pytest.raises(RequestError, match="every zero would become a one"):
        fit([given], KSparse(MeanDifference("sd"), ks=(1,), binarise=-0.5))


def test_one_class_is_undecided(rng):
    good = job(rng)
    lone = Job(good.activations, np.zeros(300, dtype=bool), good.train, good.held_out)
    first, second = fit([lone, good], KSparse(MeanDifference("sd"), ks=(1, 8)))
    assert (first.log_odds == 0).all()
    assert first.converged == (False, False)
    assert [len(columns) for columns in first.columns] == [0, 0]
    assert second.converged == (True, True)


def test_more_coordinates_than_rows(rng):
    given = job(rng, 140, 200, planted=(3,))
    fitted = fit([given], KSparse(MeanDifference("sd"), ks=(64, 200), inverse_penalties=(1.0, 1e4)))[0]
    assert all(fitted.converged)
    alone = fit([given], Logistic((1.0, 1e4)))[0]
    np.testing.assert_allclose(fitted.log_odds[2:], alone.log_odds, atol=1e-2)


def test_batches_change_nothing(rng, monkeypatch):
    jobs = [job(rng, n, planted=(3,)) for n in (150, 300, 120, 300, 200)]
    probe = KSparse(MeanDifference("sd"), ks=(1, 8, 50))
    together = fit(jobs, probe)
    monkeypatch.setattr(designs, "BUDGET", 1)
    for one, other in zip(together, fit(jobs, probe), strict=True):
        np.testing.assert_allclose(one.log_odds, other.log_odds, atol=1e-3)
        assert [row.tolist() for row in one.columns] == [row.tolist() for row in other.columns]


def test_columns_that_say_nothing_more_leave_the_answer_where_it_was():
    """Each k begins where the last one ended; with constant columns added it has nothing left to do."""
    rng = np.random.default_rng(0)
    rows = np.zeros((12, 200), dtype=np.float32)
    rows[:, :5] = rng.normal(size=(12, 5))
    labels = np.arange(12) % 2 == 0
    job = Job(rows, labels, np.array([0, 1, 2, 3]), np.arange(4, 12))
    probe = KSparse(MeanDifference("sd"), (5, 120, 200))
    fitted = next(iter(probe.fit([job], probe.settings(4, 200), rng)))
    np.testing.assert_allclose(fitted.log_odds[1:], fitted.log_odds[:1].repeat(2, axis=0), atol=1e-4)
    assert all(fitted.converged)
