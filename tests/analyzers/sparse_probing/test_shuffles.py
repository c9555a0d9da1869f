"""The p of a site that was chosen on the rows: right where nothing is, small where something is."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from biaskit.analyzers.sparse_probing.bench import Bench, Folds
from biaskit.analyzers.sparse_probing.findings import Scribe
from biaskit.analyzers.sparse_probing.floors import Floors
from biaskit.analyzers.sparse_probing.measure import Subject, profile
from biaskit.analyzers.sparse_probing.questions import Question
from biaskit.analyzers.sparse_probing.results import Results
from biaskit.probing.k_sparse import KSparse
from biaskit.probing.problem import Problem
from biaskit.probing.selectors import RandomCoordinates
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from biaskit.session import Session

SITES = tuple(Site.parse(f"resid_post.{layer}") for layer in range(3))
ROWS, WIDTH, SHUFFLES, SETS = 40, 4, 19, 40


def judged(seed, *, planted=0.0):
    """Return the nulls of the focus, of the layer chosen inside, and of the focus as if it were given."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(ROWS) % 2 == 0
    rows = {site: rng.normal(size=(ROWS, WIDTH)).astype(np.float32) for site in SITES}
    rows[SITES[1]][:, 0] += planted * labels
    question = Question(
        Problem("noise", labels, np.arange(ROWS), "rows"), (Prompt("x"),) * ROWS, False, ("a", "b"), "noise"
    )
    session = Session(model=None, comparisons=(), store=None, seed=seed)
    bench, _ = Bench.of(session, [question], Folds(1, 3, 2))
    reader = SimpleNamespace(rows=lambda _, site: rows[site])
    subject = Subject(reader, (question,), SITES, SITES[0], None)
    results = Results(found=profile(bench, subject, SITES))
    best = max(results.found, key=lambda one: np.mean([fold.validation_auc for fold in one.evaluation.folds]))
    floors = Floors(bench, subject, KSparse(RandomCoordinates(), (1,)), SHUFFLES)
    results.found += floors.measure(["shuffled-labels"]).found
    shown = [
        {one.metric.rpartition(".")[2]: one.estimate.null for one in found if one.headline}
        for found in (list(Scribe(results, question, best.site, given).findings()) for given in (False, True))
    ]
    return shown[0]["auc"], shown[0]["chosen_layer_auc"], shown[1]["auc"]


@pytest.fixture(scope="module")
def noise():
    """The p-values of many data sets of noise: of the focus, of the layer chosen inside, and as if given."""
    return np.array([[null.p for null in judged(seed)] for seed in range(SETS)])


def test_a_planted_site_is_found_and_its_null_says_what_was_repeated():
    focus, chosen, _ = judged(0, planted=6.0)
    assert focus.p == chosen.p == pytest.approx(1 / (SHUFFLES + 1))
    assert "validates best chosen anew" in focus.kind
    assert "chosen anew" in chosen.kind


@pytest.mark.slow
def test_noise_is_called_read_no_more_often_than_it_should_be(noise):
    most = stats.binom.ppf(0.99, SETS, 1 / (SHUFFLES + 1)) / SETS
    focus, chosen, as_if_given = noise.T
    for p in (focus, chosen):
        assert (p <= 0.05).mean() <= most
        assert stats.kstest(p - 0.5 / (SHUFFLES + 1), "uniform").pvalue > 0.01
    assert stats.ttest_rel(focus, as_if_given).statistic > 2, "without the choice repeated p is too small"
