"""The correlations of arXiv 2505.15524v1, from the scores it printed."""

from __future__ import annotations

import numpy as np
import pytest

from biaskit.stats.correlation import spearman
from biaskit.stats.multiplicity import holm

MODELS = ("gemma_2b", "gemma_9b", "llama_8b")
METRICS = ("f1_difference", "equalized_odds", "individual_fairness", "group_fairness")
EXTRINSIC = {
    "gemma_2b": ((0.9429, 0.017), (0.1429, 0.80), (0.4286, 0.42), (0.2571, 0.66)),
    "gemma_9b": ((0.9429, 0.017), (0.8857, 0.033), (0.7714, 0.10), (0.7714, 0.10)),
    "llama_8b": ((0.7143, 0.14), (-0.9429, 0.017), (-0.7143, 0.14), (1.0000, 0.003)),
}
CELLS = [(m, metric, *EXTRINSIC[m][i]) for m in MODELS for i, metric in enumerate(METRICS)]


@pytest.mark.parametrize(("model", "metric", "rho", "p"), CELLS)
def test_extrinsic_correlation_and_its_exact_p(sentiment, model, metric, rho, p):
    found = spearman(sentiment[model, "score"], sentiment[model, metric])
    assert round(found.rho, 4) == rho
    assert found.null.p == pytest.approx(p, abs=0.005)
    assert "720" in found.null.kind


def test_exact_p_of_a_perfect_order_counts_it_and_its_reverse(sentiment):
    found = spearman(sentiment["llama_8b", "score"], sentiment["llama_8b", "group_fairness"])
    assert found.null.p == pytest.approx(2 / 720)


@pytest.mark.parametrize(
    ("model", "metric", "low", "high"),
    [
        ("gemma_2b", "f1_difference", 0.38, 1.00),
        ("gemma_9b", "group_fairness", -0.26, 0.98),
        ("llama_8b", "f1_difference", -0.36, 0.97),
    ],
)
def test_interval_at_six_concepts(sentiment, model, metric, low, high):
    interval = spearman(sentiment[model, "score"], sentiment[model, metric]).interval
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.005)


def test_one_of_twelve_survives_holm(sentiment):
    p = np.array([spearman(sentiment[m, "score"], sentiment[m, k]).null.p for m, k, _, _ in CELLS])
    survivors = [CELLS[i][:2] for i in np.flatnonzero(holm(p) <= 0.05)]
    assert survivors == [("llama_8b", "group_fairness")]


def _male_leaning(occupations, model):
    """Names, scores and effects that the paper's one-sided filter keeps."""
    kept = occupations[f"{model}_seat_starred"] == 1
    return (occupations[name][kept] for name in ("occupation", f"{model}_score", f"{model}_seat"))


def test_all_forty_occupations_are_there(occupations):
    assert len(set(occupations["occupation"])) == 40
    assert [len(set(occupations[f"{m}_score"])) for m in MODELS] == [39, 39, 3]


@pytest.mark.parametrize(
    ("model", "n", "rho", "first", "ties"),
    [
        ("gemma_2b", 15, 0.7893, "cook", "order"),
        ("gemma_9b", 18, 0.7276, None, "order"),
        ("llama_8b", 19, 0.4234, None, "average"),
    ],
)
def test_seat_correlation(occupations, model, n, rho, first, ties):
    """Three printed decimals tie auditor with cook (2B) and chief with mechanic (9B): list order decides."""
    names, score, seat = _male_leaning(occupations, model)
    order = np.argsort(names != first, kind="stable")
    found = spearman(score[order], seat[order], ties=ties)
    assert found.n == n
    assert round(found.rho, 4) == rho


@pytest.mark.parametrize(
    ("model", "higher", "rho"),
    [
        ("gemma_2b", {"seat": ["auditor"], "score": ["sheriff"]}, 0.7893),
        ("gemma_2b", {"seat": ["auditor"], "score": []}, 0.7721),
        ("gemma_9b", {"seat": ["mechanic"], "score": []}, 0.7276),
        ("llama_8b", {"seat": [], "score": []}, 0.4234),
    ],
)
def test_seat_correlations_are_average_ranks_of_more_digits(occupations, model, higher, rho):
    """All three follow from average ranks once the ties made by printing are broken; Llama's are real."""
    names, score, seat = _male_leaning(occupations, model)
    score = score + 1e-6 * np.isin(names, higher["score"])
    seat = seat + 1e-6 * np.isin(names, higher["seat"])
    assert round(spearman(score, seat).rho, 4) == rho


@pytest.mark.parametrize(
    ("model", "n", "rho"), [("gemma_2b", 37, 0.4897), ("gemma_9b", 40, 0.3083), ("llama_8b", 27, 0.1531)]
)
def test_perplexity_correlation_up_to_printed_digits(occupations, model, n, rho):
    kept = occupations[f"{model}_perplexity_starred"] == 1
    found = spearman(occupations[f"{model}_score"][kept], abs(occupations[f"{model}_perplexity"][kept]))
    assert found.n == n
    assert found.rho == pytest.approx(rho, abs=0.01)


# What the filter hid: all 40 occupations, as (rho, p) or (rho, p, low, high).
UNFILTERED = {
    "gemma_2b": ((-0.18, 0.26), (0.41, 0.008, 0.12, 0.63), (0.42, 0.008)),
    "gemma_9b": ((0.03, 0.87), (0.34, 0.03, 0.03, 0.60), (0.31, 0.06)),
    "llama_8b": ((0.09, 0.58), (0.42, 0.009, 0.11, 0.66), (0.27, 0.09)),
}


@pytest.mark.parametrize("model", MODELS)
def test_all_occupations(occupations, rng, model):
    score, seat, t = (occupations[f"{model}_{name}"] for name in ("score", "seat", "perplexity"))
    unsigned, signed, perplexity = UNFILTERED[model]
    found = spearman(score, abs(seat), rng=rng)
    assert (found.rho, found.null.p) == pytest.approx(unsigned, abs=0.02)
    assert found.rho == pytest.approx(unsigned[0], abs=0.005)
    found = spearman(score, seat, rng=rng)
    assert found.rho == pytest.approx(signed[0], abs=0.005)
    assert found.null.p == pytest.approx(signed[1], abs=0.005)
    # The published interval is a bootstrap, ours the closed form.
    assert (found.interval.low, found.interval.high) == pytest.approx(signed[2:], abs=0.025)
    found = spearman(score, abs(t), rng=rng)
    assert found.rho == pytest.approx(perplexity[0], abs=0.01)
    assert found.null.p == pytest.approx(perplexity[1], abs=0.02)


@pytest.mark.parametrize(
    ("model", "n", "rho"), [("gemma_2b", 24, -0.06), ("gemma_9b", 28, 0.14), ("llama_8b", 28, -0.09)]
)
def test_two_sided_filter_leaves_nothing(occupations, model, n, rho):
    score, seat = occupations[f"{model}_score"], occupations[f"{model}_seat"]
    strongest = np.argsort(-abs(seat))[:n]
    assert spearman(score[strongest], abs(seat[strongest])).rho == pytest.approx(rho, abs=0.01)
