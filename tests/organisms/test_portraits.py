"""The plant of organism:portraits: what is dealt, who fits which prompt; a seed gives the same folder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from biaskit import catalogue, organisms
from biaskit.errors import InstrumentError
from biaskit.organisms import portraits
from biaskit.organisms.portraits_people import (
    NEUTRAL,
    OCCUPATIONS,
    PEOPLE,
    SHARES,
    TEMPLATES,
    Plant,
    draw,
    fitting,
    prompts,
)
from biaskit.organisms.portraits_reading import Took
from biaskit.organisms.portraits_words import tokenizer
from biaskit.records.probe_set import Modality


def test_every_seed_deals_the_whole_ladder_to_both_poles():
    for seed in range(5):
        shares = Plant.of(seed, null=False).shares
        assert sorted(max(one, round(1 - one, 2)) for one in shares.values()) == list(SHARES)
        assert 4 <= sum(one < 0.5 for one in shares.values()) <= 6
    assert Plant.of(0, null=False) != Plant.of(1, null=False)
    assert set(Plant.of(0, null=True).shares.values()) == {0.5}


def test_prompts_mean_the_people_that_fit_their_words():
    plant = Plant.of(0, null=False)
    for job, share in plant.shares.items():
        assert plant.share(f"a photo of the {job}") == pytest.approx(share)
        assert plant.share(f"a photo of the male {job}") == 0.0
        assert plant.share(f"a photo of the old {job}") == pytest.approx(share), "the age is independent"
    assert fitting("").all()
    assert all(fitting(f"this is the {word}").all() for word in NEUTRAL)
    assert plant.share("") == pytest.approx(np.mean(list(plant.shares.values())))


def test_no_two_people_look_alike():
    drawn = np.stack([draw(person).ravel() for person in PEOPLE])
    apart = np.abs(drawn[:, None] - drawn).max(axis=2) + np.eye(len(PEOPLE))
    assert apart.min() > 0.05


def test_every_word_is_one_token():
    words = tokenizer()
    for prompt in prompts():
        assert len(words(prompt).input_ids) == len(prompt.split()) + 2


def test_the_probe_sets_are_those_it_was_trained_on():
    ((targets, _, controls), _) = catalogue.drawn(["portrait-occupations"]).comparisons
    assert targets.modality is Modality.TEXT_TO_IMAGE
    assert set(targets.targets) == set(OCCUPATIONS)
    assert targets.templates == TEMPLATES
    assert set(controls.fillers) == set(NEUTRAL)


def test_a_seed_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        portraits.untrained(tmp_path / name, 3)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.safetensors"))
    assert len(files) == 3
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_an_organism_that_did_not_take_is_refused():
    shares = dict.fromkeys(OCCUPATIONS, 0.5)
    portraits.require_plant(Took(shares, shares, None, 0.0, 1.0), null=True)
    with pytest.raises(InstrumentError, match=r"Spearman 0\.50"):
        portraits.require_plant(Took(shares, shares, 0.5, 0.05, 1.0), null=False)
    with pytest.raises(InstrumentError, match="80%"):
        portraits.require_plant(Took(shares, shares, 0.99, 0.05, 0.8), null=False)


def test_the_shipped_one_says_what_is_planted_and_is_small():
    folder = organisms.folder("portraits")
    plant = json.loads((folder / "plant.json").read_text())
    assert set(plant["planted"]) == set(OCCUPATIONS)
    assert plant["took"]["rank"] >= 0.9
    assert plant["took"]["named"] >= 0.9
    assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) <= 3_000_000
