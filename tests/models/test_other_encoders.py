"""Precomputed embeddings, retrieval captions, and open_clip's format behind a stand-in for the library."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from biaskit.errors import MissingExtraError, ModelLoadError, RequestError
from biaskit.images.in_memory import image_set
from biaskit.models import load_encoder
from biaskit.models.captioning import RetrievalCaptioner
from biaskit.models.precomputed import array_encoder
from biaskit.protocols import Captioner, TextImageEncoder

PIXELS = np.random.default_rng(0).integers(0, 256, (70, 4, 4, 3), np.uint8)
ROWS = np.random.default_rng(1).normal(size=(70, 5))


def prepare(images):
    return torch.stack([torch.from_numpy(np.array(one, np.float32) / 255).permute(2, 0, 1) for one in images])


def texts(listed):
    return torch.tensor([[len(one), 1.0, 0, 0, 0] for one in listed])


@pytest.fixture
def images():
    return image_set(PIXELS, ["a", "b"] * 35)


@pytest.fixture
def encoder(images):
    return array_encoder(images, ROWS, texts, prepare)


def test_embeddings_are_found_by_their_pixels(images, encoder):
    pixels = prepare([images.pictures.read(row) for row in (69, 3, 3)])
    expected = torch.tensor(ROWS[[69, 3, 3]], dtype=torch.float32)
    assert torch.allclose(encoder.encode_images(pixels), expected / expected.norm(dim=1, keepdim=True))
    assert torch.allclose(encoder.encode_texts(["abc"]).norm(dim=1), torch.ones(1))
    assert isinstance(encoder, TextImageEncoder)
    assert encoder.width == 5
    assert encoder.fingerprint != array_encoder(images, ROWS + 1, texts, prepare).fingerprint


def test_masked_pixels_have_no_embedding(images, encoder):
    pixels = prepare([images.pictures.read(0)])
    pixels[0, :, :2] = 0.5
    with pytest.raises(RequestError, match="1 of 1 images have no precomputed embedding"):
        encoder.encode_images(pixels)


@pytest.mark.parametrize("rows", [ROWS[:-1], ROWS[0], np.full_like(ROWS, np.nan)])
def test_embeddings_that_do_not_fit(images, rows):
    with pytest.raises(RequestError, match="Embeddings of shape"):
        array_encoder(images, rows, texts, prepare)


def test_a_text_function_of_another_width(images):
    made = array_encoder(images, ROWS, lambda listed: torch.ones(len(listed), 3), prepare)
    with pytest.raises(RequestError, match="5 numbers a text"):
        made.encode_texts(["a"])


class Colours:
    """Embeds an image as its mean colour and a text as the colour it names."""

    name, fingerprint, width = "colours", "0" * 64, 3

    def encode_images(self, pixels):
        return torch.nn.functional.normalize(pixels.mean(dim=(2, 3)) + 1e-3, dim=1)

    def encode_texts(self, listed):
        return torch.eye(3)[[("red", "green", "blue").index(one.split()[-1]) for one in listed]]


def test_the_nearest_phrase_is_the_caption():
    phrases = ("something blue", "something red", "a thing in green", "also red")
    captioner = RetrievalCaptioner(Colours(), phrases)
    pixels = torch.zeros(3, 3, 4, 4)
    pixels[0, 1], pixels[1, 0], pixels[2, 2] = 1, 1, 1
    assert captioner.caption(pixels) == ["a thing in green", "something red", "something blue"]
    assert isinstance(captioner, Captioner)
    with pytest.raises(RequestError, match="empty"):
        RetrievalCaptioner(Colours(), ())


class OpenClipModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(9.0).reshape(3, 3))

    def encode_image(self, pixels):
        assert pixels.shape[1:] == (3, 8, 8)
        return pixels.mean(dim=(2, 3)) @ self.weight + 1

    def encode_text(self, tokens):
        return tokens.float() @ self.weight + 1


@pytest.fixture
def stand_in(monkeypatch):
    """The three names of open_clip that are used."""
    asked = []
    library = ModuleType("open_clip")
    library.OPENAI_DATASET_MEAN, library.OPENAI_DATASET_STD = (0.5,) * 3, (0.25,) * 3
    library.create_model = lambda name, **options: asked.append((name, options)) or OpenClipModel()
    library.get_tokenizer = lambda name: lambda listed: torch.tensor([[len(one), 1, 2] for one in listed])
    monkeypatch.setitem(sys.modules, "open_clip", library)
    monkeypatch.delitem(sys.modules, "biaskit.models.open_clip_encoder", raising=False)
    return asked


@pytest.fixture
def folder(tmp_path):
    config = {"model_cfg": {"vision_cfg": {"image_size": 8}}, "preprocess_cfg": {"std": [0.5] * 3}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_a_folder_of_open_clip(stand_in, folder):
    encoder = load_encoder(str(folder), device="cpu")
    pixels = torch.rand(3, 3, 8, 8)
    expected = ((pixels - 0.5) / 0.5).mean(dim=(2, 3)) @ torch.arange(9.0).reshape(3, 3) + 1
    assert torch.allclose(
        encoder.encode_images(pixels), expected / expected.norm(dim=1, keepdim=True), atol=1e-5
    )
    assert encoder.encode_images(torch.rand(2, 3, 20, 30)).shape == (2, 3)
    assert torch.allclose(encoder.encode_texts(["a", "bb"]).norm(dim=1), torch.ones(2))
    assert (encoder.width, isinstance(encoder, TextImageEncoder)) == (3, True)
    ((name, options),) = stand_in
    assert name == f"local-dir:{folder}"
    assert options["require_pretrained"] is options["weights_only"] is True


def test_pickled_weights_of_open_clip_are_refused(stand_in, folder):
    (folder / "open_clip_model.safetensors").rename(folder / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelLoadError, match="pickle"):
        load_encoder(str(folder))
    assert stand_in == []


def test_a_config_of_open_clip_that_says_nothing(stand_in, folder):
    (folder / "open_clip_config.json").write_text("{}")
    with pytest.raises(ModelLoadError, match="how images are prepared"):
        load_encoder(str(folder))


def test_without_open_clip_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    monkeypatch.delitem(sys.modules, "biaskit.models.open_clip_encoder", raising=False)
    with pytest.raises(MissingExtraError, match=r"biaskit\[timm\]"):
        load_encoder(str(folder))


def test_a_broken_torchvision_is_answered_with_its_remedy(folder, monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "open_clip":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "open_clip", raising=False)
    monkeypatch.delitem(sys.modules, "biaskit.models.open_clip_encoder", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(RequestError, match="pip uninstall torchvision"):
        load_encoder(str(folder))
