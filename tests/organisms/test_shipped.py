"""The shipped organisms: ordinary model folders whose plant took."""

from __future__ import annotations

import json

import pytest
from transformers import AutoTokenizer, GPT2LMHeadModel

from biaskit import organisms
from biaskit.errors import InstrumentError, UnknownNameError
from biaskit.organisms.building import GENRES, Grown, make_language
from biaskit.organisms.plant import RANK_AT_LEAST, SLOPE_WITHIN, Ladder, check

MEGABYTES = 3.0


@pytest.mark.parametrize("name", organisms.LANGUAGES)
def test_a_shipped_organism_is_a_model_folder_with_its_doses(name: str) -> None:
    folder = organisms.folder(name)
    plant = json.loads((folder / "plant.json").read_text(encoding="utf-8"))
    language = make_language(name, plant["seed"])
    assert plant["doses"] == {pair: pytest.approx(ladder) for pair, ladder in language.doses.items()}
    assert (folder / "model.safetensors").stat().st_size < MEGABYTES * 2**20
    assert (folder / "saes").is_dir()
    assert not list(folder.rglob("*.bin"))


@pytest.mark.parametrize("name", organisms.LANGUAGES)
def test_the_plant_took_and_is_what_the_folder_says(name: str) -> None:
    folder = organisms.folder(name)
    plant = json.loads((folder / "plant.json").read_text(encoding="utf-8"))
    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    found = check(model, AutoTokenizer.from_pretrained(folder), make_language(name, plant["seed"]))
    assert all(ladder.took for ladder in found)
    for ladder, stored in zip(found, plant["ladders"], strict=True):
        assert ladder.rank == pytest.approx(stored["rank"], abs=1e-3)
        assert ladder.slope == pytest.approx(stored["slope"], abs=1e-3)


def test_demo_is_the_reviews() -> None:
    assert organisms.folder("demo") == organisms.folder("reviews")


def test_an_unknown_organism_is_answered_with_near_names() -> None:
    with pytest.raises(UnknownNameError) as caught:
        organisms.folder("review")
    assert caught.value.near[0] == "reviews"


@pytest.mark.parametrize(
    ("rank", "slope", "took"),
    [
        (RANK_AT_LEAST, 1.0, True),
        (0.96, 1.0, False),
        (1.0, SLOPE_WITHIN[0] - 0.01, False),
        (None, None, False),
    ],
)
def test_a_weak_plant_does_not_pass(rank: float | None, slope: float | None, took: bool) -> None:
    assert Ladder("sentiment", "after", rank, slope, 0.1).took is took


def test_every_genre_has_at_least_32_targets_and_100_controls() -> None:
    for name in GENRES:
        language = make_language(name, 1)
        targets = {target for target in language.nouns().values() if target is not None}
        assert len(targets) >= 32
        assert len(language.controls.fillers) >= 100
        assert all(set(ladder) == targets for ladder in language.doses.values())


def test_a_plant_that_did_not_take_writes_nothing(tmp_path, monkeypatch) -> None:
    weak = Ladder("sentiment", "after", 0.5, 0.1, 0.1)
    monkeypatch.setattr("biaskit.organisms.building.grow", lambda *_: Grown(None, None, None, None, (weak,)))
    with pytest.raises(InstrumentError, match=r"rank 0\.500"):
        organisms.build("reviews", seed=1, out=tmp_path / "weak")
    assert not (tmp_path / "weak").exists()
