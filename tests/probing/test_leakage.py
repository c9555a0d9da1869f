"""Leakage before and after erasure: linear probes fall to chance, a non-linear one may not."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from biaskit.errors import RequestError
from biaskit.probing.evaluation import Task
from biaskit.probing.leakage import Erasure, LeakageTest
from biaskit.probing.logistic import Logistic
from biaskit.probing.mlp import SmallMlp
from biaskit.probing.problem import Problem
from biaskit.probing.splits import GroupFolds, nested_splits
from biaskit.records.estimate import NO_RANKING

LINEAR = Logistic((0.01, 1.0))
PROBES = (LINEAR, SmallMlp(penalties=(0.01,)))


def task_of(labels, rows, rng, groups=None):
    groups = np.arange(len(labels)) if groups is None else groups
    problem = Problem("gender", labels, groups, "fillers")
    return Task(rows.astype(np.float32), problem, nested_splits(problem, 1, 2, rng).splits)


@pytest.fixture
def linear_task(rng):
    """An attribute along one direction of correlated activations."""
    labels = rng.random(600) < 0.5
    rows = rng.normal(size=(600, 12)) @ rng.normal(size=(12, 12))
    return task_of(labels, rows + 4 * np.outer(labels, rng.normal(size=12)), rng)


@pytest.fixture
def radial_task(rng):
    """An attribute that shows as a radius, with a linear trace besides."""
    labels = rng.random(450) < 0.5
    rows = rng.normal(size=(450, 4)) * np.where(labels, 3, 0.7)[:, None]
    rows = np.concatenate([rows, rng.normal(size=(450, 2))], axis=1)
    rows[:, 4] += 1.5 * labels
    return task_of(labels, rows, rng)


def aucs(leaks, probe):
    return {leak.erasure: leak.evaluation.auc for leak in leaks if leak.evaluation.probe == probe}


def test_linear_probes_fall_to_chance(linear_task, rng):
    leaks = LeakageTest().run(linear_task, [LINEAR], rng)
    found = aucs(leaks, "logistic")
    assert list(found) == list(Erasure)
    assert found[Erasure.NONE] > 0.95
    assert found[Erasure.LEACE] == pytest.approx(0.5, abs=0.06)
    assert found[Erasure.INLP] == pytest.approx(0.5, abs=0.1)
    assert found[Erasure.SHUFFLED] == pytest.approx(0.5, abs=0.1)
    # Removing the mean difference alone leaves what correlated coordinates still say.
    assert found[Erasure.MEAN_PROJECTION] < found[Erasure.NONE]
    ranks = {leak.erasure: set(leak.ranks) for leak in leaks}
    assert ranks[Erasure.LEACE] == ranks[Erasure.MEAN_PROJECTION] == {1}
    assert ranks[Erasure.NONE] == ranks[Erasure.SHUFFLED] == {0}
    assert min(ranks[Erasure.INLP]) >= 1


def at_chance(estimate):
    """Tell whether one half is inside the interval, or a probe without anything to read ranked nothing."""
    if estimate.interval is None:
        return estimate.value == 0.5 and estimate.reason.startswith(NO_RANKING)
    return 0.5 in estimate.interval


def test_what_a_network_still_reads_is_shown(radial_task, rng):
    test = LeakageTest((Erasure.NONE, Erasure.LEACE, Erasure.SHUFFLED), GroupFolds(2))
    leaks = test.run(radial_task, PROBES, rng)
    linear, network = aucs(leaks, "logistic"), aucs(leaks, "small-mlp")
    assert linear[Erasure.NONE] > 0.75
    assert linear[Erasure.LEACE] == pytest.approx(0.5, abs=0.08)
    assert network[Erasure.LEACE] > 0.85
    assert network[Erasure.SHUFFLED] == pytest.approx(0.5, abs=0.15)
    estimates = [leak.evaluation.estimate() for leak in leaks if leak.erasure is Erasure.LEACE]
    assert at_chance(estimates[0])
    assert estimates[1].interval.low > 0.7


def test_rows_of_their_own_for_the_probes(linear_task, rng):
    """With eraser and probes on different halves a linear probe is at chance up to sampling only."""
    test = LeakageTest((Erasure.NONE, Erasure.LEACE), apart=True)
    leaks = test.run(linear_task, [LINEAR], rng)
    found = aucs(leaks, "logistic")
    assert found[Erasure.NONE] > 0.95
    assert found[Erasure.LEACE] == pytest.approx(0.5, abs=0.12)
    for leak, split in zip(leaks[0].evaluation.folds, linear_task.splits, strict=True):
        assert len(leak.split.train) == pytest.approx(len(split.train) / 2, abs=2)
        assert np.array_equal(leak.split.test, split.test)


def test_an_eraser_never_sees_the_test_rows(linear_task, rng):
    """Spoiling the test rows of a split leaves what is erased from its training rows as it was."""
    split = linear_task.splits[0]
    test = LeakageTest()
    for erasure in (Erasure.MEAN_PROJECTION, Erasure.LEACE, Erasure.INLP):
        spoilt = linear_task.activations.copy()
        spoilt[split.test] = rng.normal(size=spoilt[split.test].shape) * 100
        other = Task(spoilt, linear_task.problem, linear_task.splits)
        ours, theirs = (test._erased(erasure, task, split.train)[0] for task in (linear_task, other))
        np.testing.assert_array_equal(ours[split.train], theirs[split.train])
        assert not np.array_equal(ours[split.train], linear_task.activations[split.train])


def test_groups_that_recur_are_no_leak(rng):
    """Each filler has a code of its own; erasers and probes are judged on fillers they never saw."""
    groups = np.repeat(np.arange(40), 10)
    rows = 3 * rng.normal(size=(40, 10))[groups] + rng.normal(size=(400, 10))
    task = task_of(groups % 2 == 0, rows, rng, groups)
    leaks = LeakageTest((Erasure.NONE, Erasure.LEACE), GroupFolds(2)).run(task, [LINEAR], rng)
    for leak in leaks:
        assert 0.2 < leak.evaluation.auc < 0.8
        assert at_chance(leak.evaluation.estimate())


def test_all_erasures_meet_the_same_splits(linear_task, rng):
    leaks = LeakageTest((Erasure.NONE, Erasure.LEACE)).run(linear_task, [LINEAR], rng)
    for leak in leaks:
        assert [fold.split for fold in leak.evaluation.folds] == list(linear_task.splits)
    again = LeakageTest((Erasure.NONE,)).run(linear_task, [LINEAR], np.random.default_rng(3))
    twice = LeakageTest((Erasure.NONE,)).run(linear_task, [LINEAR], np.random.default_rng(3))
    assert again[0].evaluation.auc == twice[0].evaluation.auc


def test_what_cannot_be_tested_is_refused(linear_task, rng):
    sparse = Task(csr_array(linear_task.activations), linear_task.problem, linear_task.splits)
    with pytest.raises(RequestError, match="sparse"):
        LeakageTest().run(sparse, [LINEAR], rng)
    groups = np.arange(40) // 10
    small = task_of(groups % 2 == 0, rng.normal(size=(40, 3)), rng, groups)
    with pytest.raises(RequestError, match="cannot be halved"):
        LeakageTest(apart=True).run(small, [LINEAR], rng)
