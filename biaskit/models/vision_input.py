"""What a vision model is shown: from pictures to pixels in [0, 1], and from pixels to its first layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from biaskit.errors import RequestError, UnknownNameError

if TYPE_CHECKING:
    from biaskit.saliency.layout import Layout

# In Pillow's own numbering, which model configs use.
INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_MODES = {1: "L", 3: "RGB"}


class VisionSettings(TypedDict, total=False):
    """What a vision model's files do not say, or say otherwise.

    Attributes:
        classes: Names of the classes, in the order of the logits.
        size: Height and width of the pixels it takes.
        mean: Of each channel, subtracted from pixels in [0, 1].
        std: Of each channel, what the difference is divided by.
        resize: What an image is resized to before it is cropped to `size`; see `VisionInput`.
        interpolation: How it is resized; see `VisionInput`.
        layouts: How the activations of modules lie over the image, by the module's dotted path.
    """

    classes: Sequence[str]
    size: tuple[int, int]
    mean: Sequence[float]
    std: Sequence[float]
    resize: int | tuple[int, int] | None
    interpolation: str
    layouts: Mapping[str, Layout]


@dataclass(frozen=True, slots=True)
class VisionInput:
    """What a vision model takes: x = (pixels - mean) / std, channel by channel.

    Attributes:
        size: Height and width of the pixels it takes.
        mean: One number a channel; there are as many channels as means (1: grey, 3: colour).
        std: One number a channel.
        resize: What an image is resized to before its centre of `size` is cut out: its shorter side, or both;
            None: straight to `size`.
        interpolation: `nearest`, `lanczos`, `bilinear`, `bicubic`, `box` or `hamming`.
        reverse: Whether the model takes its channels in the order blue, green, red.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    resize: int | tuple[int, int] | None = None
    interpolation: str = "bilinear"
    reverse: bool = False

    def __post_init__(self) -> None:
        """Refuse what no image can be brought to."""
        if self.interpolation not in INTERPOLATIONS:
            raise UnknownNameError("interpolation", self.interpolation, INTERPOLATIONS)
        if min(self.size) < 1:
            raise RequestError(f"Images of {self.size[0]} x {self.size[1]} pixels cannot be made.")
        if len(self.mean) not in _MODES or len(self.mean) != len(self.std) or not all(self.std):
            raise RequestError(
                f"Mean {self.mean} and std {self.std} do not fit a grey or colour image.",
                fix="Give one mean and one std (not 0) for each channel, 1 or 3 of each.",
            )

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return len(self.mean)

    def prepare(self, images: Sequence[Image.Image]) -> Float[Tensor, "n c h w"]:
        """Resize and crop; values in [0, 1], not yet normalised.

        Raises:
            RequestError: There is no image.
        """
        if not images:
            raise RequestError("There is no image to prepare.")
        pixels = torch.empty(len(images), self.channels, *self.size)
        for row, image in enumerate(images):
            pixels[row] = self._one(image)
        return pixels

    def normalise(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return what the model's first layer takes, on the pixels' graph.

        Raises:
            RequestError: The pixels have another size or number of channels.
        """
        wanted = (self.channels, *self.size)
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != wanted:
            raise RequestError(
                f"Pixels of shape {tuple(pixels.shape)} do not fit a model that takes n x {wanted}.",
                fix="Make them with the model's own `prepare`.",
            )
        mean, std = (pixels.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        normal = (pixels - mean) / std
        return normal.flip(1) if self.reverse else normal

    def _one(self, image: Image.Image) -> Float[Tensor, "c h w"]:
        image = image.convert(_MODES[self.channels])
        target = self.size if self.resize is None else _target(self.resize, image)
        if (image.height, image.width) != target:
            filtering = Image.Resampling(INTERPOLATIONS.index(self.interpolation))
            image = image.resize((target[1], target[0]), filtering)
        values = np.asarray(_centre(image, self.size), dtype=np.float32) / np.float32(255)
        return torch.from_numpy(values.reshape(*self.size, self.channels)).permute(2, 0, 1)


class Described(NamedTuple):
    """What settings say about a model's input and output.

    Attributes:
        input: What it takes.
        classes: Names of its classes; empty where nobody named them.
        layouts: Layouts that were declared, by the module's dotted path.
    """

    input: VisionInput
    classes: tuple[str, ...]
    layouts: Mapping[str, Layout]


def described(found: VisionInput | None, settings: VisionSettings, classes: Sequence[str]) -> Described:
    """Put together what a model's files say and what the user says; the user wins.

    Raises:
        RequestError: Neither says at what size the model takes its images.
    """
    own: dict[str, Any] = {
        key: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for key, value in settings.items()
        if key not in {"classes", "layouts"}
    }
    if found is not None:
        own = {name: getattr(found, name) for name in found.__dataclass_fields__} | own
    if "size" not in own:
        raise RequestError(
            "Nothing says at what size this model takes its images.",
            fix="Say it: load(model, size=(height, width), mean=(...), std=(...)), or put a "
            "preprocessor_config.json beside the weights.",
        )
    if "mean" in own:
        own.setdefault("std", (1.0,) * len(own["mean"]))
    return Described(
        VisionInput(**own), tuple(settings.get("classes", ())) or tuple(classes), settings.get("layouts", {})
    )


def _target(resize: int | tuple[int, int], image: Image.Image) -> tuple[int, int]:
    if not isinstance(resize, int):
        return resize
    short, long = sorted((image.height, image.width))
    longer = int(resize * long / short)
    return (resize, longer) if image.height <= image.width else (longer, resize)


def _centre(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cut the centre out; what lies beyond the image is black."""
    if (image.height, image.width) == size:
        return image
    top, left = ((have - want) // 2 for have, want in zip((image.height, image.width), size, strict=True))
    return image.crop((left, top, left + size[1], top + size[0]))
