"""Prompts taken apart on a model that is known exactly."""

from __future__ import annotations

import math

import pytest
from analyzers.diffusion_pid.conftest import KnownModel
from analyzers.recomputing import recomputed, silent

from biaskit.analyzers.diffusion_pid import DiffusionPid
from biaskit.analyzers.diffusion_pid.taking_apart import intervened, left_out, pairs
from biaskit.decomposition.quantities import without
from biaskit.gates.rows import rows_of
from biaskit.records.prompt_set import PromptCase, PromptSet
from biaskit.session import DiffusionSession

CASES = (
    PromptCase(text="the old female baker", words=("old", "female", "baker")),
    PromptCase(text="the young guest", words=("young", "guest"), replacements={"young": "old"}),
)
STUDY = PromptSet(
    format=1,
    kind="prompts",
    name="words",
    modality="text-to-image",
    description="known",
    source="tests",
    licence="CC0-1.0",
    study="words",
    cases=CASES,
)


@pytest.fixture(scope="module")
def found():
    asked = DiffusionPid(images=6, nodes=12, replicates=1, shown=2)
    return asked.analyze(DiffusionSession(model=KnownModel(), prompts=(STUDY,)))


def value(found, metric, *concepts):
    (one,) = [
        each
        for each in found.findings
        if each.metric == f"diffusion_pid.{metric}" and each.concepts[: len(concepts)] == concepts
    ]
    return one.estimate.value


def test_words_add_what_they_exclude(found):
    """Half of all people are old: the word is worth log 2. A tenth of the bakers are women."""
    assert value(found, "cmi", "old") == pytest.approx(math.log(2), abs=0.3)
    assert value(found, "cmi", "female") == pytest.approx(math.log(10), abs=0.7)
    assert value(found, "cmi", "guest") == 0.0


def test_parts_of_a_pair_add_up_to_what_both_say(found):
    parts = [
        one.estimate.value
        for one in found.findings
        if one.group == "young and guest" and one.metric != "diffusion_pid.cmi"
    ]
    assert sum(parts) == pytest.approx(math.log(2), abs=0.3)
    assert value(found, "uniqueness", "guest") == pytest.approx(0, abs=1e-9)


def test_every_number_is_computed_again_from_the_images(found):
    parts = {"redundancy", "uniqueness", "synergy"}
    assert recomputed(found) == {"cmi", "prior_dominance", "intervention"} | parts
    assert silent(found) == set()
    (one,) = [each for each in found.findings if each.metric == "diffusion_pid.intervention"]
    kept = rows_of(found, one)
    assert len({row.unit for row in kept}) == one.estimate.n == 4


def test_a_word_that_says_nothing_changes_nothing_when_it_is_dropped(found):
    """Its map is flat, and so it takes no part in the check; the others do."""
    (one,) = [each for each in found.findings if each.metric == "diffusion_pid.intervention"]
    assert one.estimate.n == 4
    assert -1 <= one.estimate.value <= 1
    assert "maps of other images" in one.estimate.null.kind


def test_every_case_is_shown_with_the_map_of_each_word(found):
    assert [len(sheet.tiles) for sheet in found.sheets] == [2 * 3, 2 * 2]


def test_prompts_are_taken_apart_at_whole_words():
    assert without("a bat, and a batter", ["bat"]) == "a, and a batter"
    assert without("a cow by a cow", ["cow"]) == "a by a"
    assert without("in the building site", ["building site"]) == "in the"
    assert left_out(CASES[0])["female"] == "the old baker"
    assert intervened(CASES[1], "young") == "the old guest"
    assert intervened(CASES[1], "guest") == "the young"
    assert len(pairs(CASES[0])) == 3
    (one,) = pairs(CASES[1])
    assert (one.neither, one.first, one.second, one.both) == ("the", "the young", "the guest", CASES[1].text)
