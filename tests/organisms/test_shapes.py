"""The organism of images: shortcuts are learnt, null twins read the digit, folders are ordinary."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.stats import spearmanr
from transformers import AutoConfig, AutoModelForImageClassification

from biaskit import models, organisms
from biaskit.cli.organism import organism
from biaskit.errors import InstrumentError, RequestError, UnknownNameError
from biaskit.images.image_set import Part
from biaskit.images.planting import Plant
from biaskit.organisms.shapes import ShapesRecipe, build, draw, require_plant
from biaskit.organisms.shapes_subjects import BODIES, ShapesConfig, ShapesForImageClassification
from biaskit.organisms.shapes_training import SubjectRecipe, Took, logits, measure, train_subject

SHORTCUTS = ("patch", "scene", "texture", "ink")


def took(architecture: str = "cnn", steps: int | None = None, **plant: float | str) -> Took:
    planted = Plant(**plant).draw()
    return measure(train_subject(planted, SubjectRecipe(architecture, steps=steps)), planted)


def test_a_quick_subject_follows_the_shortcut_and_its_twin_does_not() -> None:
    found = {rho: took("mlp", rho=rho, seed=1) for rho in (0.5, 1.0)}
    assert found[1.0].worst == 0.0
    assert found[1.0].follows >= 0.95
    assert found[0.5].worst >= 0.65
    assert found[0.5].follows <= 0.2


def test_a_larger_patch_is_followed_more() -> None:
    follows = [took("mlp", rho=0.95, side=side, seed=1).follows for side in (2, 4, 8)]
    assert follows[0] < follows[1] < follows[2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("architecture", ["cnn", "vit", "mixer", "mlp"])
def test_shortcuts_are_learnt_by_every_architecture(architecture: str, seed: int) -> None:
    certain = took(architecture, rho=1.0, seed=seed)
    assert certain.worst <= 0.05
    assert certain.follows >= 0.95
    assert took(architecture, rho=0.5, seed=seed).worst >= 0.65
    if architecture != "mixer":
        assert took(architecture, rho=0.98, seed=seed).worst <= 0.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_every_shortcut_is_learnt_by_the_cnn(shortcut: str, seed: int) -> None:
    assert took(shortcut=shortcut, rho=0.98, seed=seed).worst <= 0.2


@pytest.mark.slow
def test_reliance_grows_with_the_patch() -> None:
    sides = (2, 4, 8, 10)
    means = [
        np.mean([took("mlp", rho=0.95, side=side, seed=seed).follows for seed in (1, 2, 3)]) for side in sides
    ]
    assert spearmanr(sides, means)[0] >= 0.9


def test_the_shipped_organism_is_an_ordinary_folder_whose_plant_took() -> None:
    folder = organisms.folder("shapes")
    plant = json.loads((folder / "plant.json").read_text(encoding="utf-8"))
    assert plant["plant"]["rho"] == 0.98
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 2**20
    model = AutoModelForImageClassification.from_pretrained(folder)
    assert isinstance(model, ShapesForImageClassification)
    assert not model.training
    found = measure(model, draw(folder))
    assert found.worst <= 0.2
    assert found._asdict() == pytest.approx(plant["took"], abs=0.02)


def test_the_images_are_drawn_again_bit_for_bit() -> None:
    first, second = organisms.images("shapes"), organisms.images(organisms.folder("shapes"))
    assert first.digest == second.digest
    assert first.name == "shapes"
    assert set(first.labels) == set(AutoConfig.from_pretrained(organisms.folder("shapes")).id2label.values())
    assert {part: first.parts.count(part) for part in Part} == {"train": 2000, "validation": 600, "test": 600}


def test_the_adapter_gives_the_logits_of_the_training_code() -> None:
    folder = organisms.folder("shapes")
    planted, images = draw(folder), organisms.images("shapes")
    rows = planted.rows(Part.TEST)[:8]
    adapter = models.load("organism:shapes")
    found = adapter.logits(adapter.prepare([images.pictures.read(int(row)) for row in rows]))
    model = AutoModelForImageClassification.from_pretrained(folder)
    assert torch.allclose(found, logits(model, planted.images[rows]), atol=1e-4)
    assert adapter.classes == planted.plant.class_names


@pytest.mark.parametrize("architecture", sorted(BODIES))
def test_a_folder_gives_the_same_model_again(architecture: str, tmp_path) -> None:
    torch.manual_seed(1)
    model = ShapesForImageClassification(ShapesConfig(architecture)).eval()
    model.save_pretrained(tmp_path)
    again = AutoModelForImageClassification.from_pretrained(tmp_path)
    pixels = torch.rand(3, 3, 32, 32)
    assert torch.equal(model(pixel_values=pixels).logits, again(pixel_values=pixels).logits)
    loss = model(pixel_values=pixels, labels=torch.tensor([0, 1, 0])).loss
    wanted = torch.nn.functional.cross_entropy(model(pixel_values=pixels).logits, torch.tensor([0, 1, 0]))
    assert torch.equal(loss, wanted)


def test_attention_weights_are_given_on_request_and_change_nothing() -> None:
    model = ShapesForImageClassification(ShapesConfig("vit")).eval()
    pixels = torch.rand(2, 3, 32, 32)
    with_weights = model(pixel_values=pixels, output_attentions=True)
    assert [tuple(weights.shape) for weights in with_weights.attentions] == [(2, 4, 65, 65)] * 2
    assert torch.allclose(with_weights.attentions[0].sum(-1), torch.ones(2, 4, 65))
    assert torch.allclose(with_weights.logits, model(pixel_values=pixels).logits, atol=1e-6)
    assert (
        ShapesForImageClassification(ShapesConfig("cnn"))(pixels, output_attentions=True).attentions is None
    )


def test_training_repeats_and_leaves_the_global_generator_alone() -> None:
    planted = Plant(n=100, held_out=40).draw()
    before = torch.get_rng_state()
    first, again = (train_subject(planted, SubjectRecipe("mlp", steps=3)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("rho", "worst", "fine"),
    [
        (0.98, 0.2, True),
        (0.98, 0.21, False),
        (0.95, 0.5, False),
        (0.9, 0.9, True),
        (0.5, 0.65, True),
        (0.5, 0.6, False),
    ],
)
def test_a_plant_that_did_not_take_is_refused(rho: float, worst: float, fine: bool) -> None:
    found = Took(worst, 0.8, 0.5)
    if fine:
        require_plant(Plant(rho=rho), found)
        return
    with pytest.raises(InstrumentError, match=f"Found {worst:.2f}"):
        require_plant(Plant(rho=rho), found)


def test_a_refused_plant_writes_nothing(tmp_path) -> None:
    recipe = ShapesRecipe(Plant(n=200, held_out=40), SubjectRecipe("mlp", steps=2), "none")
    with pytest.raises(InstrumentError):
        build(replace(recipe, plant=recipe.plant.null), tmp_path / "weak")
    assert not (tmp_path / "weak").exists()


def test_the_command_builds_what_it_is_told(tmp_path) -> None:
    out = tmp_path / "built"
    told = ["--option", "architecture=mlp", "--option", "shortcut=scene", "--option", "jitter=no", "-q"]
    result = CliRunner().invoke(
        organism, ["build", "shapes", "--seed", "2", "--null", "--out", str(out), *told]
    )
    assert result.exit_code == 0, result.output
    plant = json.loads((out / "plant.json").read_text(encoding="utf-8"))
    assert plant["plant"]["shortcut"] == "scene"
    assert plant["plant"]["rho"] == 0.5
    assert plant["subject"]["architecture"] == "mlp"
    assert (out / "clip" / "model.safetensors").is_file()
    assert organisms.images(out).name == "built"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"architecture": "cn"}, UnknownNameError, "cnn"),
        ({"rhoo": "1"}, UnknownNameError, "rho"),
        ({"encoder": "biassed"}, UnknownNameError, "biased"),
        ({"rho": "much"}, RequestError, "a number"),
        ({"jitter": "maybe"}, RequestError, "yes or no"),
        ({"rho": 2}, RequestError, "between"),
    ],
)
def test_a_wrong_option_is_answered(options: dict[str, str], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        ShapesRecipe.from_options(1, options)


def test_only_organisms_of_images_have_images_and_options(tmp_path) -> None:
    with pytest.raises(RequestError, match="no organism of images"):
        organisms.images("reviews")
    with pytest.raises(RequestError, match="no options"):
        organisms.build("reviews", seed=1, out=tmp_path, rho=0.9)
