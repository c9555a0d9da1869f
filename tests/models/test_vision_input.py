"""From pictures to pixels: what transformers' own processors give, grey images, what cannot be done."""

import json

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from biaskit.errors import ModelLoadError, RequestError, UnknownNameError
from biaskit.models.vision_config import timm_input, transformers_input
from biaskit.models.vision_input import VisionInput, described

RNG = np.random.default_rng(0)


def picture(height, width, channels=3):
    """A smooth picture: edges of noise would make any difference of resampling large."""
    coarse = Image.fromarray(RNG.integers(0, 256, (6, 7, 3), dtype=np.uint8)).resize((width, height))
    return coarse if channels == 3 else coarse.convert("L")


PICTURES = [picture(*shape) for shape in [(48, 48), (40, 61), (93, 50), (20, 22)]]
SQUARE = {"height": 32, "width": 32}
CROPPED = {"size": {"shortest_edge": 32}, "crop_size": SQUARE}
AROUND_ONE = {"image_mean": [1.0] * 3, "image_std": [1.0] * 3}
PROCESSORS = {
    "vit": ("ViTImageProcessor", {"size": {"height": 32, "width": 24}}),
    "vit-cubic": ("ViTImageProcessor", {"size": SQUARE, "resample": 3}),
    "deit": ("DeiTImageProcessor", {"size": {"height": 36, "width": 36}, "crop_size": SQUARE}),
    "clip": ("CLIPImageProcessor", CROPPED),
    "convnext": ("ConvNextImageProcessor", {"size": {"shortest_edge": 32}, "crop_pct": 0.8}),
    "convnext-384": ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
    "poolformer": ("PoolFormerImageProcessor", {**CROPPED, "crop_pct": 0.9}),
    "levit": ("LevitImageProcessor", CROPPED),
    "mobilevit": ("MobileViTImageProcessor", {"size": {"shortest_edge": 36}, "crop_size": SQUARE}),
    "efficientnet": ("EfficientNetImageProcessor", {"size": SQUARE, "rescale_offset": True}),
    "no-normalisation": ("ViTImageProcessor", {"size": SQUARE, "do_normalize": False}),
    "signed": ("ViTImageProcessor", {"size": SQUARE, "rescale_factor": 1 / 127.5, **AROUND_ONE}),
}


@pytest.mark.parametrize("kind", PROCESSORS)
def test_it_is_what_the_models_own_processor_gives(kind, tmp_path):
    name, settings = PROCESSORS[kind]
    processor = getattr(transformers, f"{name}Pil")(**settings)
    processor.save_pretrained(tmp_path)
    found = transformers_input(tmp_path, {"num_channels": 3})
    wanted = torch.tensor(np.stack(processor(PICTURES)["pixel_values"]))
    pixels = found.prepare(PICTURES)
    assert pixels.shape == wanted.shape
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    normal = found.normalise(pixels)
    assert (normal - wanted).abs().max() <= 1 / 255 / min(found.std) + 1e-5
    assert (normal - wanted).abs().mean() < 1e-3


def test_old_folders_give_one_number_as_size(tmp_path):
    """Feature extractors of before 2022: both sides of a ViT, the shorter one of a CLIP."""
    path = tmp_path / "preprocessor_config.json"
    old = {"size": 32, "resample": 2, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    path.write_text(json.dumps({**old, "feature_extractor_type": "ViTFeatureExtractor"}))
    assert transformers_input(tmp_path, {}) == VisionInput((32, 32), (0.5,) * 3, (0.5,) * 3, (32, 32))
    path.write_text(json.dumps({**old, "crop_size": 24, "feature_extractor_type": "CLIPFeatureExtractor"}))
    assert transformers_input(tmp_path, {}) == VisionInput((24, 24), (0.5,) * 3, (0.5,) * 3, 32)


def test_a_folder_without_and_one_with_nonsense(tmp_path):
    assert transformers_input(tmp_path, {}) is None
    for text in ("{", "[]", '{"size": "large"}', '{"image_mean": [0.5]}'):
        (tmp_path / "preprocessor_config.json").write_text(text)
        with pytest.raises(ModelLoadError, match="does not say how images are prepared"):
            transformers_input(tmp_path, {})


def test_timm_settings():
    found = timm_input(
        {"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic", "std": [1, 2, 4]}
    )
    assert (found.size, found.resize, found.interpolation, found.std) == (
        (224, 224),
        248,
        "bicubic",
        (1, 2, 4),
    )
    grey = timm_input({"input_size": [1, 28, 28], "mean": [0.1], "std": [0.3], "crop_pct": 1.0})
    assert (grey.channels, grey.resize) == (1, 28)
    assert timm_input({"input_size": [3, 20, 40], "crop_pct": 0.5}).resize == (40, 80)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "1", "LA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_picture_has_the_models_channels(mode, channels):
    taken = VisionInput((8, 8), (0.0,) * channels, (1.0,) * channels)
    pixels = taken.prepare([PICTURES[0].convert(mode)])
    assert pixels.shape == (1, channels, 8, 8)
    assert 0 < pixels.mean() < 1


def test_a_picture_of_the_right_size_is_untouched():
    pixels = VisionInput((40, 61)).prepare([PICTURES[1]])
    assert torch.equal(
        (pixels[0] * 255).round().byte().permute(1, 2, 0), torch.tensor(np.asarray(PICTURES[1]))
    )


def test_a_small_picture_is_put_on_black():
    pixels = VisionInput((32, 32), resize=(20, 22)).prepare([PICTURES[3]])
    assert pixels[0, :, :6].eq(0).all()
    assert pixels[0, :, 6:26, 5:27].gt(0).any()


def test_what_the_user_says_wins():
    found = VisionInput((8, 8), (0.5,) * 3, (0.5,) * 3, interpolation="bicubic")
    says = described(found, {"size": (16, 16), "classes": ["a", "b"]}, ("c", "d"))
    assert says.input == VisionInput((16, 16), (0.5,) * 3, (0.5,) * 3, interpolation="bicubic")
    assert says.classes == ("a", "b")
    assert described(None, {"size": (4, 4), "mean": [0.1]}, ()).input == VisionInput((4, 4), (0.1,), (1.0,))


def test_what_cannot_be_done():
    with pytest.raises(RequestError, match="at what size"):
        described(None, {"mean": (0.5,)}, ())
    with pytest.raises(UnknownNameError, match="bicubic"):
        VisionInput((8, 8), interpolation="bicubik")
    for mean, std in [((0.5,), (0.5, 0.5)), ((0.0,) * 2, (1.0,) * 2), ((0.0,) * 3, (1.0, 1.0, 0.0))]:
        with pytest.raises(RequestError, match="do not fit"):
            VisionInput((8, 8), mean, std)
    with pytest.raises(RequestError, match="no image"):
        VisionInput((8, 8)).prepare([])
    with pytest.raises(RequestError, match="0 x 8"):
        VisionInput((0, 8))
