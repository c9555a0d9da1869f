"""Every probe under the nested preset: chance where there is nothing to find, well above where there is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from biaskit.probing.attention import AttentionPooling
from biaskit.probing.boosting import GradientBoosting
from biaskit.probing.evaluation import Task, evaluate_many
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.knn import NearestNeighbours
from biaskit.probing.lasso import LassoLogistic
from biaskit.probing.logistic import Logistic
from biaskit.probing.mean_difference import MeanDifferenceProbe
from biaskit.probing.mlp import SmallMlp
from biaskit.probing.pca import PcaLogistic
from biaskit.probing.problem import Problem
from biaskit.probing.selectors import FStatistic, L1Path, MeanDifference, RandomCoordinates
from biaskit.probing.split import Split
from biaskit.probing.splits import GroupFolds, nested_splits
from biaskit.probing.tokens import Tokens

TRAINED, TESTED, SETS = 80, 400, 4
PLANTED = 5
QUICK = [
    Logistic(inverse_penalties=(0.001, 0.1)),
    Logistic(inverse_penalties=(0.1,), standardise=False),
    KSparse(MeanDifference(), ks=(1, 16), inverse_penalties=(0.01, 1.0)),
    KSparse(MeanDifference("nonzero-mean"), ks=(16,)),
    KSparse(MeanDifference("sd"), ks=(16,)),
    KSparse(FStatistic(), ks=(16,), binarise=0.0),
    KSparse(RandomCoordinates(), ks=(16,)),
    LassoLogistic(),
    LassoLogistic(selector=MeanDifference(), ks=(16,)),
    MeanDifferenceProbe(),
    PcaLogistic(),
    NearestNeighbours(),
]
SLOW = [KSparse(L1Path(), ks=(16,)), GradientBoosting(), SmallMlp(), AttentionPooling()]
PROBES = [*QUICK, *(pytest.param(probe, marks=pytest.mark.slow) for probe in SLOW)]


def tasks(rng, *, width, shift):
    """Pairs of a nested task on `TRAINED` rows and the same rows tested on `TESTED` fresh ones."""
    for _ in range(SETS):
        rows = TRAINED + TESTED
        features = np.where(rng.random((rows, width)) < 0.3, rng.exponential(size=(rows, width)), 0.0)
        labels = np.concatenate([rng.permutation(TRAINED) % 2 == 0, np.arange(TESTED) % 2 == 0])
        features[:, :PLANTED] += shift * labels[:, None]
        activations = csr_array(features.astype(np.float32))
        inside = Problem("noise", labels[:TRAINED], np.arange(TRAINED), "rows")
        yield Task(activations[:TRAINED], inside, nested_splits(inside, 1, 5, rng).splits)
        fresh = Split(np.arange(TRAINED), np.arange(TRAINED, rows))
        yield Task(activations, Problem("noise", labels, np.arange(rows), "rows"), (fresh,))


def as_tokens(activations):
    """Three tokens each that say the same."""
    return Tokens(
        np.repeat(activations.toarray()[:, None], 3, axis=1), np.ones((activations.shape[0], 3), bool)
    )


def aucs(probe, rng, **given):
    """Mean nested AUC and mean AUC on fresh rows over the sets, for each variant."""
    made = list(tasks(rng, **given))
    if isinstance(probe, AttentionPooling):
        made = [replace(task, activations=as_tokens(task.activations)) for task in made]
    found = evaluate_many(made, probe, GroupFolds(4), rng)
    return {
        variant: [np.mean([one[variant].auc for one in found[side::2]]) for side in (0, 1)]
        for variant in found[0]
    }


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_noise_reads_as_chance(rng, probe):
    fresh_error = np.sqrt((TESTED + 1) / (3 * TESTED**2) / SETS)
    # Folds train each other: the spread of a cross-validated null is half as large again.
    nested_error = 1.5 * np.sqrt((TRAINED + 1) / (3 * TRAINED**2) / SETS)
    width = 100 if probe in SLOW else 600
    for nested, fresh in aucs(probe, rng, width=width, shift=0.0).values():
        assert abs(nested - 0.5) < 3 * nested_error
        assert abs(fresh - 0.5) < 3 * fresh_error


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_planted_signal_does_not(rng, probe):
    width = 30 if probe in SLOW else 60 if "random" in probe.name else 200
    for nested, fresh in aucs(probe, rng, width=width, shift=1.5).values():
        assert nested > 0.65
        assert fresh > 0.65
