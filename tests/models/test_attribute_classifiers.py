"""Who tells a group from an image: the organism's own reading, zero-shot texts, mapped classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit import models, organisms
from biaskit.errors import ModelLoadError, RequestError, UnknownNameError
from biaskit.models.attribute_classifiers import Mapped, ZeroShot
from biaskit.organisms.portraits_people import AGES, GENDERS, OCCUPATIONS, PEOPLE, draw
from biaskit.protocols import AttributeClassifier

PICTURES = torch.from_numpy(np.stack([draw(one) for one in PEOPLE])).float().permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("classes", "trait"), [(GENDERS, "gender"), (AGES[::-1], "age"), (OCCUPATIONS, "occupation")]
)
def test_the_organism_reads_every_person_it_draws(classes, trait):
    names = {"gender": GENDERS, "age": AGES, "occupation": OCCUPATIONS}[trait]
    found = models.load_classifier("organism:portraits", "x", dict.fromkeys(classes, ()))
    assert isinstance(found, AttributeClassifier)
    assert (found.attribute, found.classes) == ("x", tuple(classes))
    probabilities = found.probabilities(PICTURES)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(len(PEOPLE)))
    said = [found.classes[number] for number in probabilities.argmax(dim=1)]
    assert said == [names[getattr(person, trait)] for person in PEOPLE]
    assert probabilities.max(dim=1).values.min() > 0.99


def test_a_reading_of_its_own_is_told_apart_by_its_classes():
    prints = {
        models.load_classifier("organism:portraits", "x", dict.fromkeys(classes, ())).fingerprint
        for classes in (GENDERS, GENDERS[::-1], AGES)
    }
    assert len(prints) == 3


def test_what_the_organism_cannot_tell_is_refused():
    with pytest.raises(UnknownNameError, match="female"):
        models.load_classifier("organism:portraits", "x", {"femal": (), "male": ()})
    with pytest.raises(RequestError, match="not all those of one trait"):
        models.load_classifier("organism:portraits", "x", {"female": (), "old": ()})
    reading = models.load_classifier("organism:portraits", "x", {"female": (), "male": ()})
    with pytest.raises(RequestError, match="16 by 16"):
        reading.probabilities(torch.zeros(1, 3, 32, 32))


class _Encoder:
    """Embeds an image by the mean of its channels, and a text by the colours it names."""

    name, fingerprint, width = "colours", "f" * 64, 3

    def encode_images(self, pixels):
        return torch.nn.functional.normalize(pixels.mean(dim=(2, 3)), dim=1)

    def encode_texts(self, texts):
        rows = torch.tensor(
            [[float(colour in text) for colour in ("red", "green", "blue")] for text in texts]
        )
        return torch.nn.functional.normalize(rows, dim=1)


def test_zero_shot_is_the_softmax_of_scaled_cosines():
    found = ZeroShot(
        _Encoder(), "colour", {"warm": ("a red wall",), "cold": ("blue", "a blue wall")}, scale=2.0
    )
    assert isinstance(found, AttributeClassifier)
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None].expand(2, 3, 4, 4)
    expected = torch.tensor([2.0, 0.0]).softmax(dim=0)
    assert torch.allclose(found.probabilities(red), expected.expand(2, 2), atol=1e-6)
    other = ZeroShot(_Encoder(), "colour", {"warm": ("a red wall",), "cold": ("blue",)}, scale=2.0)
    assert found.fingerprint != other.fingerprint


@pytest.mark.parametrize("classes", [{"warm": ("red",)}, {"warm": ("red",), "cold": ()}])
def test_an_attribute_needs_two_classes_and_something_for_each(classes):
    with pytest.raises(RequestError, match="cannot be told from images"):
        ZeroShot(_Encoder(), "colour", classes)


def test_an_image_classifiers_classes_are_gathered():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 4))
    model = models.load(net, classes=("a", "b", "c", "d"), size=(8, 8))
    first, second, third = model.classes[:3]
    found = Mapped(model, "kind", {"one": (first, second), "other": (third,)})
    pixels = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    probabilities = found.probabilities(pixels)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(3))
    sized = torch.nn.functional.interpolate(
        pixels, size=model.size, mode="bicubic", antialias=True, align_corners=False
    ).clamp(0, 1)
    own = model.logits(sized).softmax(dim=1)
    expected = (own[:, 0] + own[:, 1]) / own[:, :3].sum(dim=1)
    assert torch.allclose(probabilities[:, 0], expected, atol=1e-6)
    with pytest.raises(UnknownNameError):
        Mapped(model, "kind", {"one": ("no such class",), "other": (third,)})
    with pytest.raises(RequestError, match="counts both"):
        Mapped(model, "kind", {"one": (first,), "other": (first,)})


def test_names_of_other_models_open_what_they_are():
    model = models.load("organism:shapes")
    mapped = models.load_classifier(
        "organism:shapes", "kind", {"one": model.classes[:1], "other": model.classes[1:2]}
    )
    assert isinstance(mapped, Mapped)
    encoder = str(organisms.folder("shapes") / "clip")
    shot = models.load_classifier(encoder, "kind", {"one": ("a zero",), "other": ("a one",)})
    assert isinstance(shot, ZeroShot)
    with pytest.raises(ModelLoadError):
        models.load_classifier("organism:reviews", "kind", {"one": ("a",), "other": ("b",)})


def test_a_pipeline_without_a_plant_reads_nothing(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "w.safetensors").write_bytes(b"")
    with pytest.raises(RequestError, match="tells nothing"):
        models.load_classifier(str(tmp_path), "kind", {"one": ("a",), "other": ("b",)})
