"""Audits of text-to-image models from the call to the report, and what cannot be asked for."""

from __future__ import annotations

import re

import pytest

import biaskit
from biaskit.errors import RequestError, UnknownNameError
from biaskit.organisms import portraits
from biaskit.records.report import Status

FEW = {"images": 1, "neutral": 3, "nodes": 2, "replicates": 1, "steps": 2, "shown": 1}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    place = tmp_path_factory.mktemp("portraits") / "untrained"
    portraits.untrained(place, 0)
    return str(place)


@pytest.fixture(scope="module")
def run(pipeline, tmp_path_factory):
    return biaskit.audit(
        pipeline,
        concepts="portrait-occupations",
        references="portrait-gender",
        settings=FEW,
        limit=2,
        out_dir=tmp_path_factory.mktemp("run"),
    )


def test_concepts_of_prompts_choose_the_analyzer(run):
    assert [one.analyzer for one in run.analyses] == ["diffusion-pid"]
    assert run.run.status is Status.PARTIAL
    assert len(run.findings("diffusion_pid.gap")) == 10
    assert {one.name for one in run.probe_sets} == {
        "portrait-occupations",
        "portrait-gender",
        "portrait-neutral",
    }


def test_the_report_is_written_and_read_again(run):
    assert type(run).read(run.folder).findings() == run.findings()
    page = (run.folder / "report.html").read_text()
    assert "how much better images fit one group" in page
    assert "taken for" not in page, "a drawn image has no prediction"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"concepts": ["portrait-occupations", "food"]}, "text-to-image"),
        ({"concepts": "portrait-occupations", "analyzers": "biaslens"}, "does not open text-to-image"),
        ({"concepts": "portrait-occupations", "references": "gender"}, "set of groups"),
        ({"concepts": "food", "analyzers": "diffusion-pid"}, "reads prompts"),
    ],
)
def test_what_does_not_go_together_is_refused(pipeline, asked, said):
    with pytest.raises(RequestError, match=said):
        biaskit.audit(pipeline, **asked)


def test_a_language_model_draws_nothing():
    with pytest.raises(RequestError, match="text-to-image models"):
        biaskit.audit("demo", concepts="portrait-occupations", settings=FEW)


def test_near_names_are_given(pipeline):
    with pytest.raises(UnknownNameError, match="portrait-occupations"):
        biaskit.audit(pipeline, concepts="portrait-ocupations")


def test_a_prompt_of_words_it_cannot_spell_is_refused_in_words(pipeline):
    """The tiny encoder reads twelve tokens, and spells words that it does not know."""
    with pytest.raises(RequestError, match="tokens long"):
        biaskit.audit(pipeline, concepts="prompt-interventions", settings=FEW, limit=2)


def test_half_precision_is_told_with_what_it_adds(pipeline):
    """Words of an untrained model say next to nothing, so rounding to bfloat16 is most of it."""
    few = {**FEW, "neutral": 0, "log_odds": False, "shown": 0}
    asked = {"concepts": "portrait-occupations", "references": "portrait-gender", "limit": 2}
    half = biaskit.audit(pipeline, settings=few, dtype="bfloat16", **asked)
    (said,) = [one for one in half.analyses[0].caveats if "Rounding to bfloat16" in one]
    assert re.search(r"adds about [\d.e-]+ nats", said)
    whole = biaskit.audit(pipeline, settings=few, **asked)
    assert not [one for one in whole.analyses[0].caveats if "Rounding" in one]
