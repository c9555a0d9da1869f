"""Each probe over scikit-learn against the library's own objects, put together by hand."""

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biaskit.errors import MissingExtraError, UnknownNameError
from biaskit.probing import boosting
from biaskit.probing.boosting import GradientBoosting
from biaskit.probing.knn import NearestNeighbours
from biaskit.probing.mean_difference import MeanDifferenceProbe
from biaskit.probing.mlp import SmallMlp, _log_odds
from biaskit.probing.one_by_one import converges, log_spaced
from biaskit.probing.pca import PcaLogistic
from biaskit.probing.probe import Job


@pytest.fixture
def job(rng):
    matrix = (rng.normal(size=(260, 15)) * np.geomspace(0.1, 10, 15) + 2.0).astype(np.float32)
    score = matrix[:, 4] / matrix[:, 4].std() + rng.normal(size=260)
    return Job(matrix, score > np.median(score), rng.permutation(260)[:200], rng.permutation(260)[:70])


def fit(probe, job, rng):
    settings = probe.settings(len(job.train), job.activations.shape[1])
    return settings, next(iter(probe.fit([job], settings, rng)))


def parts(job):
    rows = job.activations.astype(np.float64)
    return rows[job.train], job.labels[job.train], rows[job.held_out]


def test_the_published_grids():
    assert log_spaced(100) == (1, 2, 3, 5, 8, 13, 22, 36, 60, 100)
    assert PcaLogistic().components == NearestNeighbours().neighbours == log_spaced(100)
    assert [s.values["components"] for s in PcaLogistic().settings(6, 40)] == [1, 2, 3, 5]
    assert [s.values["neighbours"] for s in NearestNeighbours().settings(6, 40)] == [5, 3, 2, 1]


def test_components_are_those_of_a_pipeline(job, rng):
    train, labels, held_out = parts(job)
    settings, fitted = fit(PcaLogistic(), job, rng)
    for setting, log_odds in zip(settings, fitted.log_odds, strict=True):
        judge = make_pipeline(
            StandardScaler(), PCA(setting.values["components"]), LogisticRegression(max_iter=1000)
        )
        judge.fit(train, labels)
        np.testing.assert_allclose(log_odds, judge.decision_function(held_out), atol=5e-3)


def test_votes_are_those_of_a_pipeline(job, rng):
    train, labels, held_out = parts(job)
    settings, fitted = fit(NearestNeighbours(), job, rng)
    for setting, log_odds in zip(settings, fitted.log_odds, strict=True):
        judge = make_pipeline(StandardScaler(), KNeighborsClassifier(setting.values["neighbours"]))
        share = judge.fit(train, labels).predict_proba(held_out)[:, 1]
        np.testing.assert_allclose(expit(log_odds), share, atol=1e-12)
    assert np.isinf(fitted.log_odds[-1]).all()


@pytest.mark.parametrize("standardise", [False, True])
def test_the_projection_is_on_the_difference_of_the_means(standardise, job, rng):
    train, labels, held_out = parts(job)
    scale = train.std(axis=0) if standardise else 1.0
    direction = (train[labels].mean(axis=0) - train[~labels].mean(axis=0)) / scale
    projection = (train / scale) @ direction
    judge = LogisticRegression().fit(((projection - projection.mean()) / projection.std())[:, None], labels)
    expected = ((held_out / scale) @ direction - projection.mean()) / projection.std()
    _, fitted = fit(MeanDifferenceProbe(standardise), job, rng)
    np.testing.assert_allclose(fitted.log_odds[0], judge.decision_function(expected[:, None]), rtol=1e-4)


def test_the_network_gives_log_odds_of_its_probabilities(job, rng):
    train, labels, held_out = parts(job)
    model = MLPClassifier((8, 4), max_iter=50, alpha=0.1, random_state=0)
    converges(model, train, labels)
    np.testing.assert_allclose(expit(_log_odds(model, held_out)), model.predict_proba(held_out)[:, 1])


def test_the_penalty_of_the_network_stands_strongest_first():
    assert [setting.values["penalty"] for setting in SmallMlp().settings(100, 10)] == [10.0, 1.0, 0.01]


def test_shallow_trees_stand_first():
    settings = GradientBoosting(trees=(20, 50), depths=(1, 3)).settings(100, 10)
    assert [(s.values["depth"], s.values["trees"]) for s in settings] == [(1, 20), (1, 50), (3, 20), (3, 50)]


def test_an_engine_that_is_not_there_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(boosting, "XGBOOST", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'biaskit\[boosting\]'"):
        GradientBoosting(engine="xgboost")
    with pytest.raises(UnknownNameError, match="Did you mean xgboost"):
        GradientBoosting(engine="xgbost")


@pytest.mark.skipif(boosting.XGBOOST is None, reason="xgboost is not installed")
def test_both_engines_tell_the_same_rows_apart(job, rng):
    one, other = (fit(GradientBoosting(engine=engine), job, rng)[1] for engine in ("sklearn", "xgboost"))
    for a, b in zip(one.log_odds, other.log_odds, strict=True):
        assert np.corrcoef(a, b)[0, 1] > 0.9


class Warns:
    def __init__(self, *categories):
        self.categories = categories

    def fit(self, rows, labels):
        for category in self.categories:
            warnings.warn("look", category, stacklevel=1)


def test_a_solver_that_gives_up_is_reported_and_other_warnings_pass():
    assert converges(Warns(), None, np.array([True]))
    assert not converges(Warns(ConvergenceWarning), None, np.array([True]))
    with pytest.warns(RuntimeWarning, match="look"):
        assert not converges(Warns(RuntimeWarning, ConvergenceWarning), None, np.array([True]))


def test_a_network_that_runs_out_of_epochs_says_so(rng):
    matrix = rng.normal(size=(300, 40)).astype(np.float32)
    job = Job(matrix, rng.random(300) < 0.5, np.arange(300), np.arange(5))
    _, fitted = fit(SmallMlp(penalties=(0.0,), rate=1e-5), job, rng)
    assert fitted.converged == (False,)
