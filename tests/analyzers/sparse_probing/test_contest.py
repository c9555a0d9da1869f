"""Do latents add anything: questions about one data set are not many, and noise is no gain."""

from types import SimpleNamespace

import numpy as np
import pytest
from analyzers.recomputing import recomputed

from biaskit.analyzers.sparse_probing.contest import cells_table, contest
from biaskit.analyzers.sparse_probing.results import LATENTS, RESIDUAL, Results
from biaskit.records.finding import Analysis
from biaskit.records.site import Site

SITE = Site.parse("resid_post.1")
FOLDS = 4


def results(sources, gain, spread, seed=0):
    """One question a source entry; latents are better by `gain` on average, `spread` between questions."""
    rng = np.random.default_rng(seed)
    found = []
    for number, source in enumerate(sources):
        question = SimpleNamespace(name=f"q{number}", source=source)
        lead = gain + spread * rng.normal()
        for view, variant, probe, auc in (
            (RESIDUAL, "", "logistic", 0.7),
            (LATENTS, "k=16", "k-sparse", 0.7 + lead),
        ):
            folds = tuple(
                SimpleNamespace(
                    split=SimpleNamespace(tags={"repeat": 0, "fold": fold}),
                    validation_auc=auc,
                    metrics=SimpleNamespace(auc=auc),
                )
                for fold in range(FOLDS)
            )
            found.append(
                SimpleNamespace(
                    question=question,
                    view=view,
                    site=SITE,
                    k=16 if view == LATENTS else None,
                    control="",
                    regime="",
                    evaluation=SimpleNamespace(variant=variant, probe=probe, folds=folds),
                )
            )
    return Results(found=found)


def judged(sources, gain, spread, seed=0):
    return contest(results(sources, gain, spread, seed), SITE, "", np.random.default_rng(0))


@pytest.mark.parametrize("sources", [["mine"] * 6, ["mine", "mine", "yours"] * 2])
def test_questions_about_one_file_are_no_sample_of_data_sets(sources):
    found = judged(sources, 0.1, 0.01)
    for one in found.findings:
        assert one.estimate.value > 0
        assert one.estimate.interval is None
        assert one.estimate.null is None
    assert f"{len(set(sources))} of the 3 data sets" in found.sentences[0]


def test_the_estimate_counts_data_sets():
    found = judged(["a", "a", "b", "c"], 0.1, 0.01)
    assert {one.estimate.n for one in found.findings} == {3}


def test_a_data_set_counts_once_however_many_cells_it_has():
    found = judged(["a", "a", "a", "b", "c"], 0.1, 0.05)
    analysis = Analysis(
        analyzer="sparse-probing", settings={}, findings=found.findings, tables=cells_table(found.rows)
    )
    assert recomputed(analysis) == {"sae_gain", "quiver_gain"}
    assert len(analysis.tables[0].rows) == 5 * FOLDS
    assert cells_table(()) == ()


def test_a_gain_on_too_few_data_sets_to_test_is_not_said():
    """Sign flips over four can give no p below 0.125, however narrow the interval is."""
    found = judged(list("abcd"), 0.1, 0.01)
    gain = found.findings[0].estimate
    assert gain.interval.low > 0
    assert gain.null.p > 0.05
    assert "no difference is shown" in found.sentences[0]


@pytest.mark.parametrize(("gain", "word"), [(0.1, "add"), (-0.1, "cost")])
def test_a_gain_on_many_is_said_with_its_sign(gain, word):
    assert f"the latents {word}" in judged(list("abcdefgh"), gain, 0.01).sentences[0]


def test_noise_between_questions_rarely_counts_as_a_difference():
    said = [
        "no difference is shown" not in judged(list("abcdefgh"), 0.0, 0.05, seed).sentences[0]
        for seed in range(200)
    ]
    assert np.mean(said) <= 0.09
