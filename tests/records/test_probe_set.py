"""Templates x fillers: ids and places are kept, and the digest is of the content, not of the layout."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from biaskit.catalogue import probe_set, probe_sets
from biaskit.records.any_probe_set import AnyProbeSet
from biaskit.records.probe_set import SLOT, ControlSet, NounClass, expand, fill
from tests.catalogue.texts import PAIR, TARGETS

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=12)
TEMPLATES = st.tuples(WORDS, WORDS).map(SLOT.join)
ADAPTER = TypeAdapter(AnyProbeSet)


@given(st.lists(TEMPLATES, max_size=5), st.lists(WORDS, max_size=5))
def test_expand_keeps_ids_and_places(templates, fillers):
    examples = expand(tuple(templates), tuple(fillers))
    assert [(e.template, e.filler) for e in examples] == [(t, f) for t in templates for f in fillers]
    for example in examples:
        start, end = example.span
        assert example.text[start:end] == example.filler
        assert example.text[:start] + SLOT + example.text[end:] == example.template


@given(WORDS)
def test_a_filler_that_holds_a_slot_is_put_in_once(word):
    example = fill("a {x} b", f"{word}{SLOT}")
    assert example.text == f"a {word}{SLOT} b"


def test_other_slots():
    assert fill("The {target} was", "soup", "{target}").span == (4, 8)


def test_fill_needs_its_slot():
    with pytest.raises(ValueError, match="substring"):
        fill("The soup was", "soup")


def test_positives_and_matched_negatives_share_their_templates():
    food, controls = probe_set("food"), probe_set("neutral-nouns")
    negatives = food.matched_negatives(controls)
    assert len(negatives) == len(food.templates) * len(controls.fillers)
    assert {e.template for e in negatives} == {e.template for e in food.positives("food")}


def test_swapping_turns_the_poles_and_nothing_else():
    pair = probe_set("gender")
    swapped = pair.swapped()
    assert swapped.poles == pair.poles[::-1]
    assert swapped.swapped() == pair
    assert swapped.examples("male") == pair.examples("male")
    assert swapped.digest != pair.digest


@pytest.mark.parametrize("name", ["food", "gender", "neutral-people"])
def test_a_set_survives_json(name):
    found = probe_set(name)
    again = ADAPTER.validate_json(found.model_dump_json())
    assert again == found
    assert again.digest == found.digest


def test_digest_ignores_layout_comments_and_order_of_keys():
    relaid = TARGETS.replace(
        'templates = ["We talked about the {x}.", "The {x} came up."]',
        'templates = [  # two\n  "We talked about the {x}.",\n\n  "The {x} came up.",\n]',
    ).replace('format = 1\nkind = "target"', 'kind = "target"\nformat = 1  # the only one')
    assert relaid != TARGETS
    first, second = (ADAPTER.validate_python(tomllib.loads(text)) for text in (TARGETS, relaid))
    assert first.digest == second.digest


def test_digest_ignores_a_default_that_is_written_out():
    short = ADAPTER.validate_python(tomllib.loads(TARGETS.replace('modality = "text"\n', "")))
    assert short.digest == ADAPTER.validate_python(tomllib.loads(TARGETS)).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("green tea", "black tea"),
        ("came up.", "came up!"),
        ('"CC0-1.0"', '"MIT"'),
        ('["warmth"]', '["gender"]'),
    ],
)
def test_digest_sees_every_change_of_content(old, new):
    first, second = (
        ADAPTER.validate_python(tomllib.loads(text)) for text in (TARGETS, TARGETS.replace(old, new))
    )
    assert first.digest != second.digest


def test_shipped_digests_differ():
    digests = {probe_set(name).digest for name in probe_sets()}
    assert len(digests) == len(probe_sets())


def test_checks_hold_for_sets_made_in_python_too():
    given_ = tomllib.loads(PAIR)
    with pytest.raises(ValidationError, match="both poles"):
        ADAPTER.validate_python(given_ | {"fillers": {"warm": ["a"], "cold": ["A"]}})
    with pytest.raises(ValidationError, match="twice"):
        ControlSet(
            format=1,
            kind="controls",
            name="plain",
            description="d",
            source="s",
            licence="l",
            noun_class=NounClass.THING,
            fillers=("straße", "STRASSE"),
        )


@pytest.mark.parametrize("name", ["Food", "food_1", "-food", "food-", "fo od", "", "../food"])
def test_names_are_plain(name):
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(tomllib.loads(TARGETS) | {"name": name})
