"""Tiny CLIP and SigLIP models with random weights, against direct calls of models and processors."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from transformers import (
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from biaskit.errors import ActivationError, BiaskitError, ModelLoadError, RequestError
from biaskit.models import load_encoder
from biaskit.models.encoder_pixels import Fixed
from biaskit.models.text_image import embedding, wrap_encoder
from biaskit.models.vision_input import VisionInput
from biaskit.protocols import TextImageEncoder
from tests.models.conftest import make_tokenizer

TEXTS = ["the food was good", "she", "the nurse said he was late; the doctor said she was early"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
_TEXT = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 24,
    "vocab_size": 400,
}
_IMAGE = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 8,
}


def clip():
    tower = {**_IMAGE, "image_size": 32, "projection_dim": 12}
    text = {**_TEXT, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "projection_dim": 12}
    config = CLIPConfig(text_config=text, vision_config=tower, projection_dim=12)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, resample=3
    )
    return CLIPModel(config), processor


def siglip():
    config = SiglipConfig(text_config=_TEXT, vision_config={**_IMAGE, "image_size": 32})
    processor = SiglipImageProcessorPil(
        size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3
    )
    return SiglipModel(config), processor


def siglip2():
    config = Siglip2Config(text_config=_TEXT, vision_config={**_IMAGE, "num_patches": 16})
    return Siglip2Model(config), Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)


KINDS = {"clip": clip, "siglip": siglip, "siglip2": siglip2}


@pytest.fixture
def saved(tmp_path):
    """Write a tiny model with tokenizer and processor; returns its folder, the model and both of them."""

    def write(kind, place="model"):
        torch.manual_seed(1)
        module, processor = KINDS[kind]()
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        folder = tmp_path / place
        for part in (module, processor, make_tokenizer("words")):
            part.save_pretrained(folder)
        # SigLIP 2's name makes the library read any folder with a tokenizer of its own.
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return SimpleNamespace(folder=folder, module=module.eval(), processor=processor, tokenizer=tokenizer)

    return write


def photographs(height=40, width=56, count=3):
    """Smooth images, as photographs are: on noise every filter differs."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 6, 8, 3), np.uint8)
    return [Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC) for one in coarse]


def as_pixels(images):
    arrays = np.stack([np.asarray(one, np.float32) / 255 for one in images])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2).contiguous()


def direct(made, kind, images, texts):
    """What the library itself gives, projected, rows brought to length 1."""
    with torch.inference_mode():
        seen = made.module.get_image_features(**made.processor(images, return_tensors="pt"))
        said = (
            {"padding": True, "truncation": True}
            if kind == "clip"
            else {"padding": "max_length", "truncation": True, "max_length": 24}
        )
        read = made.module.get_text_features(**made.tokenizer(texts, return_tensors="pt", **said))
    rows = [one if isinstance(one, torch.Tensor) else one.pooler_output for one in (seen, read)]
    return [row / row.norm(dim=1, keepdim=True) for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_the_library(saved, kind):
    made = saved(kind)
    encoder = load_encoder(str(made.folder), device="cpu")
    images = photographs()
    seen, read = direct(made, kind, images, TEXTS)
    assert torch.allclose(encoder.encode_texts(TEXTS), read, atol=1e-5)
    # The library resizes 8-bit numbers, the encoder fractions: at most a few 1/255 apart.
    assert torch.allclose(encoder.encode_images(as_pixels(images)), seen, atol=2e-2)
    assert isinstance(encoder, TextImageEncoder)
    assert encoder.width == seen.shape[1]


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_encoders_own_size_rows_are_equal(saved, kind):
    made = saved(kind)
    images = photographs(32, 32)
    seen, _ = direct(made, kind, images, TEXTS)
    assert torch.allclose(load_encoder(str(made.folder)).encode_images(as_pixels(images)), seen, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(16, 16), (40, 56), (70, 30)])
def test_pixels_are_prepared_as_the_processor_does(saved, kind, size):
    made = saved(kind)
    images = photographs(*size)
    own = load_encoder(str(made.folder)).prepare(as_pixels(images))
    theirs = made.processor(images, return_tensors="pt")
    for key in set(theirs) - {"pixel_values"}:
        assert torch.equal(own[key], torch.as_tensor(theirs[key]).to(own[key].dtype))
    # Pillow rounds to 8 bits after each of its two passes; in units of the std of about .26.
    assert (own["pixel_values"] - theirs["pixel_values"]).abs().max() < 3.5 / 255 / 0.26


@pytest.mark.parametrize("kind", KINDS)
def test_rows_have_length_1_whatever_the_batching(saved, kind, monkeypatch):
    encoder = load_encoder(str(saved(kind).folder))
    pixels = as_pixels(photographs(count=5))
    whole = encoder.encode_images(pixels), encoder.encode_texts(TEXTS)
    monkeypatch.setattr("biaskit.models.text_image.BATCH", 2)
    for one, other in zip(whole, (encoder.encode_images(pixels), encoder.encode_texts(TEXTS)), strict=True):
        assert torch.allclose(one.norm(dim=1), torch.ones(len(one)), atol=1e-6)
        assert one.dtype == torch.float32
        # A longest text of its own in each batch changes the last digit.
        assert torch.allclose(one, other, atol=1e-5)
        assert not one.requires_grad
        assert not one.is_inference()


def test_grey_pixels_are_read_as_colours(saved):
    encoder = load_encoder(str(saved("clip").folder))
    grey = torch.rand(2, 1, 20, 20)
    assert torch.allclose(encoder.encode_images(grey), encoder.encode_images(grey.expand(-1, 3, -1, -1)))


def test_without_a_processor_the_config_says_the_size(saved):
    made = saved("clip")
    pixels = as_pixels(photographs())
    before = load_encoder(str(made.folder)).encode_images(pixels)
    (made.folder / "preprocessor_config.json").unlink()
    assert torch.allclose(load_encoder(str(made.folder)).encode_images(pixels), before, atol=1e-6)


def test_long_texts_are_cut(saved):
    encoder = load_encoder(str(saved("clip").folder))
    long = "she said " * 40
    assert torch.allclose(encoder.encode_texts([long]), encoder.encode_texts([long + "that he was late"]))


@pytest.mark.parametrize("shape", ["tensor", "pooler_output", "image_embeds", "text_embeds", "mapping"])
def test_every_generation_of_return_types(shape):
    row = torch.ones(1, 2)
    given = {"tensor": row, "mapping": {"image_embeds": row}}
    assert embedding(given[shape] if shape in given else SimpleNamespace(**{shape: row})) is row


def test_an_output_without_an_embedding_is_refused():
    with pytest.raises(RequestError, match="holds no embedding"):
        embedding(SimpleNamespace(last_hidden_state=torch.ones(1, 2)))


def test_an_encoder_opens_by_name_from_the_hubs_cache(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    made = saved("siglip", f"hub/models--owner--tiny/snapshots/{COMMIT}")
    (tmp_path / "hub/models--owner--tiny/refs").mkdir()
    (tmp_path / "hub/models--owner--tiny/refs/main").write_text(COMMIT)
    encoder = load_encoder("owner/tiny", offline=True)
    assert encoder.name == f"owner/tiny@{COMMIT}"
    own = load_encoder(str(made.folder))
    assert encoder.fingerprint == own.fingerprint
    assert torch.equal(encoder.encode_texts(TEXTS), own.encode_texts(TEXTS))
    with pytest.raises(ModelLoadError, match="not in the cache"):
        load_encoder("owner/other", offline=True)


def test_the_fingerprint_follows_the_preprocessing(saved):
    made = saved("clip")
    before = load_encoder(str(made.folder)).fingerprint
    path = made.folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace("0.48145466", "0.5"))
    assert load_encoder(str(made.folder)).fingerprint != before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "safetensors"),
        (lambda folder: (folder / "config.json").unlink(), "holds no model"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "cannot be opened"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{"), "images are prepared"),
    ],
    ids=["no weights", "no config", "broken weights", "broken processor"],
)
def test_a_folder_that_cannot_be_opened(saved, spoil, said):
    made = saved("clip")
    spoil(made.folder)
    with pytest.raises(BiaskitError, match=said):
        load_encoder(str(made.folder))


def test_a_model_of_another_kind_is_no_encoder(tiny):
    with pytest.raises(ModelLoadError, match=r"no text-image encoder \(its type is 'gpt2'\)"):
        load_encoder(str(tiny("gpt2")))
    with pytest.raises(ModelLoadError, match="has no text-image encoder"):
        load_encoder("organism:reviews")
    with pytest.raises(ModelLoadError, match="no revision"):
        load_encoder(str(tiny("gpt2")), revision="main")


def test_a_model_in_memory_is_wrapped(saved):
    made = saved("clip")
    opened = load_encoder(str(made.folder))
    wrapped = wrap_encoder(made.module.train(), made.tokenizer, opened.prepare)
    assert not made.module.training
    assert torch.equal(wrapped.encode_texts(TEXTS), opened.encode_texts(TEXTS))
    assert wrapped.name == "CLIPModel"
    with pytest.raises(ModelLoadError, match="get_image_features"):
        wrap_encoder(torch.nn.Linear(2, 2), made.tokenizer, Fixed(VisionInput((4, 4))))


def test_embeddings_that_are_not_numbers_stop_the_run(saved):
    made = saved("clip")
    torch.nn.init.constant_(made.module.visual_projection.weight, float("nan"))
    made.module.save_pretrained(made.folder)
    with pytest.raises(ActivationError, match="not numbers"):
        load_encoder(str(made.folder)).encode_images(torch.rand(1, 3, 8, 8))
    with pytest.raises(RequestError, match="nothing to embed"):
        load_encoder(str(made.folder)).encode_texts([])
