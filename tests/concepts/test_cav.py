"""A logistic probe: what it finds, what it admits, and that no filler leaks into its own test."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from biaskit.concepts.cav import CavFitter
from biaskit.concepts.probe_auc import FoldScores, clustered_auc
from biaskit.errors import RequestError

WIDTH = 16


def planted(shift, seed=0, fillers=30, repeats=6):
    """Rows of `fillers` words, half of them showing a concept along the first axis."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(fillers) % 2
    words = torch.randn(fillers, WIDTH, generator=generator) * 0.3
    words[:, 0] += shift * labels
    rows = words.repeat_interleave(repeats, 0) + torch.randn(fillers * repeats, WIDTH, generator=generator)
    groups = [f"word{index}" for index in range(fillers) for _ in range(repeats)]
    return rows, labels.repeat_interleave(repeats), groups


def test_finds_a_planted_axis():
    fitted = CavFitter().fit(*planted(shift=3.0))
    assert fitted.direction.vector[0] > 0.8
    assert fitted.held_out_auc.value > 0.9
    assert fitted.held_out_auc.interval.low > 0.8
    assert fitted.held_out_auc.n == 30
    assert fitted.converged
    assert fitted.stability > 0.9


def test_word_identity_alone_gives_chance_on_unseen_words():
    """Words that are easy to tell apart but carry no concept: row-wise folds would report almost 1."""
    values, covered = [], []
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        words = 4 * torch.randn(24, WIDTH, generator=generator)
        rows = words.repeat_interleave(8, 0) + torch.randn(192, WIDTH, generator=generator)
        labels = (torch.randperm(24, generator=generator) % 2).repeat_interleave(8)
        groups = [f"word{index}" for index in range(24) for _ in range(8)]
        auc = CavFitter(seed=seed).fit(rows, labels, groups).held_out_auc
        values.append(auc.value)
        covered.append(0.5 in auc.interval)
    assert np.mean(values) == pytest.approx(0.5, abs=0.12)
    assert sum(covered) >= 8
    leaking = CavFitter().fit(rows, labels, [str(row) for row in range(192)])
    assert leaking.held_out_auc.value > 0.8


def test_logits_are_those_of_the_probe_in_raw_space():
    rows, labels, groups = planted(shift=1.0)
    rows = rows * torch.logspace(-2, 2, WIDTH) + 5
    fitted = CavFitter().fit(rows, labels, groups)
    scaled = (rows.double() - rows.double().mean(0)) / rows.double().std(0, correction=0)
    probe = LogisticRegression(max_iter=1000).fit(scaled.numpy(), labels.numpy())
    np.testing.assert_allclose(fitted.logits(rows), probe.decision_function(scaled.numpy()), atol=1e-8)
    boundary = fitted.logits(fitted.direction.midpoint[None])
    assert float(boundary[0]) == pytest.approx(0, abs=1e-9)


def test_paper_variant_is_scikit_learns_default_on_raw_rows():
    rows, labels, groups = planted(shift=1.0)
    fitted = CavFitter.paper().fit(rows, labels, groups)
    probe = LogisticRegression().fit(rows.double().numpy(), labels.numpy())
    np.testing.assert_allclose(fitted.weight, probe.coef_[0])
    np.testing.assert_allclose(
        fitted.direction.vector, probe.coef_[0] / np.linalg.norm(probe.coef_[0]), rtol=1e-12
    )
    assert fitted.bias == pytest.approx(probe.intercept_[0])
    assert fitted.direction.norm == pytest.approx(np.linalg.norm(probe.coef_[0]))


def test_standardising_makes_the_fit_indifferent_to_units():
    rows, labels, groups = planted(shift=1.0)
    units = torch.logspace(-2, 2, WIDTH, dtype=torch.float64)
    plain = CavFitter().fit(rows, labels, groups)
    scaled = CavFitter().fit(rows.double() * units, labels, groups)
    torch.testing.assert_close(scaled.weight * units, plain.weight, rtol=1e-4, atol=1e-6)
    raw = CavFitter(standardise=False, iterations=5000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        moved = raw.fit(rows.double() * units, labels, groups).weight * units
    assert not torch.allclose(moved, raw.fit(rows, labels, groups).weight, rtol=0.1)


@pytest.mark.parametrize(("probability", "step"), [(0.999, 1.0), (0.9, 0.25)])
def test_steering_steps_are_those_of_the_loop(probability, step):
    rows, labels, groups = planted(shift=2.0)
    fitted = CavFitter.paper().fit(rows, labels, groups)
    expected = []
    for row in rows.double():
        count, moved = 0, row.clone()
        while torch.sigmoid(fitted.weight @ moved + fitted.bias) < probability:
            moved, count = moved + step * fitted.direction.vector, count + 1
        expected.append(count)
    steps = fitted.steering_steps(rows, probability, step)
    assert steps.tolist() == expected
    assert max(expected) > 0
    far = rows[:1] + 1e3 * fitted.direction.vector
    assert fitted.steering_steps(far, probability, step).tolist() == [0]


def test_steering_refuses_certainty():
    fitted = CavFitter().fit(*planted(shift=2.0))
    with pytest.raises(RequestError):
        fitted.steering_steps(torch.zeros(1, WIDTH), 1.0)


def test_a_solver_that_stops_early_says_so():
    rows, labels, groups = planted(shift=0.5)
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 iterations"):
        fitted = CavFitter(iterations=2).fit(rows * 100, labels, groups)
    assert not fitted.converged
    assert fitted.iterations == 2


def test_stability_falls_where_there_is_nothing_to_find():
    assert CavFitter().fit(*planted(shift=0.0)).stability < CavFitter().fit(*planted(shift=4.0)).stability


def test_no_held_out_figure_without_a_second_filler():
    rows, labels, _ = planted(shift=2.0)
    fitted = CavFitter().fit(rows, labels, ["yes" if label else "no" for label in labels])
    assert fitted.held_out_auc.value is None
    assert "fewer than two fillers" in fitted.held_out_auc.reason
    assert fitted.stability is None


def test_same_seed_same_numbers():
    data = planted(shift=1.0)
    one, other = CavFitter(seed=4).fit(*data), CavFitter(seed=4).fit(*data)
    assert one.held_out_auc == other.held_out_auc
    assert torch.equal(one.weight, other.weight)


@pytest.mark.parametrize("labels", [torch.ones(180), torch.arange(180) % 3])
def test_refuses_labels_that_are_not_binary(labels):
    rows, _, groups = planted(shift=1.0)
    with pytest.raises(RequestError, match="0 and 1"):
        CavFitter().fit(rows, labels, groups)
    with pytest.raises(RequestError, match="180 labels and 2 groups"):
        CavFitter().fit(rows, labels, groups[:2])


def test_auc_agrees_with_scikit_learn_ties_included():
    rng = np.random.default_rng(0)
    scores, target = rng.integers(0, 6, 80).astype(float), rng.random(80) < 0.4
    fold = FoldScores(scores, target, np.arange(80) // 4)
    assert clustered_auc([fold]).value == pytest.approx(roc_auc_score(target, scores))


def test_interval_covers_when_rows_of_a_filler_go_together():
    """20 fillers of 5 equal rows carry 20 draws, not 100: row-wise resampling covers far less."""
    rng = np.random.default_rng(1)
    truth, hits, row_hits = 0.7602, 0, 0
    for _ in range(80):
        target = np.arange(20) % 2 == 1
        scores = np.repeat(rng.normal(size=20) + target, 5)
        hit = [
            clustered_auc([FoldScores(scores, target.repeat(5), groups)]).interval
            for groups in (np.arange(100) // 5, np.arange(100))
        ]
        hits += truth in hit[0]
        row_hits += truth in hit[1]
    assert 0.86 <= hits / 80 <= 1.0
    assert row_hits / 80 < 0.75


def test_perfect_order_still_has_an_interval():
    fold = FoldScores(np.arange(8.0), np.arange(8) > 3, np.arange(8))
    estimate = clustered_auc([fold])
    assert estimate.value == 1.0
    assert 0.5 < estimate.interval.low < 0.8
    assert estimate.interval.high == 1.0
