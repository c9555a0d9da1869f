from collections import Counter

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import roc_auc_score

from biaskit.errors import RequestError
from biaskit.probing.evaluation import Task, evaluate
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.paper import (
    INVERSE_PENALTIES,
    LEFT_OUT,
    REPRODUCED,
    Defect,
    PublishedFolds,
    Ranking,
    baselines,
    evaluate_published,
    published_split,
    sparse_probe,
)
from biaskit.probing.problem import Problem
from biaskit.probing.selectors import MeanDifference
from biaskit.probing.split import Split
from biaskit.probing.splits import GroupFolds

TESTED = 400
PUBLISHED_CODE_ON_NOISE = {
    (16, 16): 0.972,
    (16, 128): 1.000,
    (32, 16): 0.974,
    (32, 128): 0.998,
    (64, 16): 0.921,
    (64, 128): 0.999,
    (120, 16): 0.880,
    (120, 128): 0.996,
}
"""Validation AUC of the released code's rule on 4,000 sparse random features, by training rows and k."""


def noise(rng, rows, width=4000, density=0.1):
    """Sparse random features, balanced labels that have nothing to do with them, `rows` to train on."""
    total = rows + TESTED
    features = np.where(rng.random((total, width)) < density, rng.exponential(size=(total, width)), 0)
    labels = np.concatenate([rng.permutation(rows) % 2 == 0, np.arange(TESTED) % 2 == 0])
    problem = Problem("noise", labels, np.arange(total), "rows")
    return Task(
        csr_array(features.astype(np.float32)), problem, (Split(np.arange(rows), np.arange(rows, total)),)
    )


def figures(found):
    return {name: (one.folds[0].validation_auc, one.auc) for name, one in found.items()}


@pytest.mark.parametrize("rows", [16, 32, 64, 120])
def test_on_noise_the_paper_preset_is_as_optimistic_as_the_released_code_and_nesting_is_not(rng, rows):
    paper, nested = [], []
    for _ in range(6):
        task = noise(rng, rows)
        paper.append(figures(evaluate_published([task], sparse_probe(ks=(16, 128)), rng)[0]))
        probe = KSparse(MeanDifference("nonzero-mean"), ks=(16, 128))
        nested.append(figures(evaluate(task, probe, GroupFolds(5), rng)))
    test_error = np.sqrt((TESTED + 1) / (3 * TESTED**2) / 6)
    validation_error = np.sqrt((rows + 1) / (3 * rows**2) / 6)
    for k in (16, 128):
        validation, test = np.mean([one[f"k={k}"] for one in paper], axis=0)
        assert validation == pytest.approx(PUBLISHED_CODE_ON_NOISE[rows, k], abs=0.05)
        assert abs(test - 0.5) < 3 * test_error
        honest, honest_test = np.mean([one[f"k={k}"] for one in nested], axis=0)
        # Folds share training rows, which spreads a validation AUC half as far again.
        assert abs(honest - 0.5) < 3 * 1.5 * validation_error
        assert abs(honest_test - 0.5) < 3 * test_error
        assert validation > honest + 0.2


def test_both_rankings_are_on_offer_and_rank_on_all_training_rows(rng):
    task = noise(rng, 40)
    train, labels = task.splits[0].train, task.problem.labels[:40]
    rows = task.activations[train].toarray()
    gap = np.abs(rows[labels].mean(0) - rows[~labels].mean(0))
    entries = np.where(rows > 0, rows, np.nan)
    scale = np.nanmean(np.where(np.isnan(entries).all(0), 1.0, entries), axis=0)
    for ranking, score in ((Ranking.FIRST, gap), (Ranking.CURRENT, gap / scale)):
        found = evaluate_published([task], sparse_probe(ranking, ks=(8,)), rng)[0]["k=8"].folds[0]
        assert set(found.columns) == set(np.argsort(-score)[:8])
        assert (found.variant, found.k) == ("k=8", 8)


def test_binarised_latents_lose_their_size(rng):
    task = noise(rng, 60)
    doubled = Task(task.activations * 2, task.problem, task.splits)
    found = [
        evaluate_published([one], sparse_probe(Ranking.FIRST, (8,), binarise=0.0), np.random.default_rng(0))
        for one in (task, doubled)
    ]
    assert found[0][0]["k=8"].auc == found[1][0]["k=8"].auc


@pytest.mark.parametrize("count", [2, 3])
def test_three_rows_or_fewer_are_validated_on_themselves_at_the_default(rng, count):
    task = noise(rng, 16)
    train = np.concatenate(
        [np.flatnonzero(task.problem.labels[:16])[:1], np.flatnonzero(~task.problem.labels[:16])[: count - 1]]
    )
    tiny = Task(task.activations, task.problem, (Split(train, task.splits[0].test),))
    fold = evaluate_published([tiny], sparse_probe(ks=(128,)), rng)[0]["k=128"].folds[0]
    assert fold.values == {"C": 1.0}
    assert fold.validation_auc == 1.0


def folds(labels, train=None):
    labels = np.asarray(labels, dtype=bool)
    train = np.arange(len(labels)) if train is None else train
    return PublishedFolds().folds(labels, np.arange(len(labels)), train, np.random.default_rng(0))


def test_up_to_twelve_rows_leave_out_each_pair_once():
    labels = np.arange(12) < 5
    pairs = Counter(tuple(sorted(held.tolist())) for _, held in folds(labels))
    assert pairs == dict.fromkeys([(i, j) for i in range(5) for j in range(5, 12)], 1)
    assert all(sorted([*fit, *held]) == list(range(12)) for fit, held in folds(labels))


@pytest.mark.parametrize("rows", [13, 127])
def test_up_to_127_rows_make_six_stratified_folds(rows):
    labels = np.arange(rows) % 2 == 0
    pairs = folds(labels)
    assert len(pairs) == 6
    assert sorted(np.concatenate([held for _, held in pairs])) == list(range(rows))
    assert max(len(held) for _, held in pairs) - min(len(held) for _, held in pairs) <= 2


@pytest.mark.parametrize(("rows", "held_out"), [(128, 25), (400, 80), (1024, 100)])
def test_more_rows_hold_out_the_last_ones_in_the_order_of_the_split(rows, held_out):
    train = np.random.default_rng(1).permutation(rows)
    [(fit, held)] = folds(np.arange(rows) % 2 == 0, train)
    assert held.tolist() == train[-held_out:].tolist()
    assert sorted([*fit, *held]) == list(range(rows))


def test_folds_that_validate_on_one_class_are_dropped():
    assert len(folds(np.arange(30) < 3)) == 3
    assert folds(np.arange(200) < 100) == []


def test_the_published_sample_is_balanced_and_the_rest_is_tested():
    problem = Problem("x", np.arange(3000) % 2 == 0, np.arange(3000), "rows")
    split = published_split(problem)
    assert (len(split.train), problem.labels[split.train].sum()) == (1024, 512)
    assert sorted([*split.train, *split.test]) == list(range(3000))
    small = published_split(Problem("x", np.arange(300) % 2 == 0, np.arange(300), "rows"))
    assert (len(small.train), len(small.test)) == (200, 100)
    assert 0.3 < problem.labels[split.train[-100:]].mean() < 0.7


def test_too_few_rows_for_the_published_sample_are_refused():
    with pytest.raises(RequestError, match=r"smaller class has 50(.|\n)*51 rows of each class"):
        published_split(Problem("x", np.arange(100) % 2 == 0, np.arange(100), "rows"))


def test_the_grid_runs_from_the_largest_cost_down():
    assert len(INVERSE_PENALTIES) == 10
    assert (INVERSE_PENALTIES[0], INVERSE_PENALTIES[-1]) == pytest.approx((1e5, 1e-5))
    assert sorted(INVERSE_PENALTIES, reverse=True) == list(INVERSE_PENALTIES)


def test_ties_go_to_the_largest_cost(rng):
    labels = np.arange(220) % 2 == 0
    rows = (labels[:, None] * 10 + rng.random((220, 1))).astype(np.float32)
    problem = Problem("easy", labels, np.arange(220), "rows")
    logistic = baselines()[0]
    fold = evaluate_published([Task(rows, problem, (published_split(problem),))], logistic, rng)[0][""].folds[
        0
    ]
    assert fold.validation_auc == 1.0
    assert fold.values == {"C": 1e5}


def test_every_known_defect_is_either_reproduced_somewhere_or_left_out_with_a_reason():
    shown = {defect for method in (*baselines(), sparse_probe()) for defect in method.defects}
    assert shown == set(REPRODUCED)
    assert set(REPRODUCED) | set(LEFT_OUT) == set(Defect)
    assert not set(REPRODUCED) & set(LEFT_OUT)
    assert all(sentence.endswith(".") for sentence in (*REPRODUCED.values(), *LEFT_OUT.values()))


@pytest.mark.parametrize("method", baselines(), ids=lambda method: method.name)
def test_every_baseline_finds_a_strong_signal_and_nothing_in_noise(rng, method):
    labels = np.arange(300) % 2 == 0
    quiet = rng.normal(size=(300, 12)).astype(np.float32)
    loud = quiet.copy()
    loud[:, :3] += 1.5 * labels[:, None]
    problem = Problem("x", labels, np.arange(300), "rows")
    split = (Split(rng.permutation(100), np.arange(100, 300)),)
    found = evaluate_published([Task(rows, problem, split) for rows in (loud, quiet)], method, rng)
    strong, none = (one[""] for one in found)
    assert strong.auc > 0.85
    assert abs(none.auc - 0.5) < 0.13
    assert strong.probe == method.name
    assert roc_auc_score(labels[100:], strong.folds[0].log_odds) == pytest.approx(strong.auc)
