"""What preprocessing files of transformers and timm say, read without either library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from biaskit.errors import ModelLoadError
from biaskit.models.vision_input import INTERPOLATIONS, VisionInput

if TYPE_CHECKING:
    from pathlib import Path

_FILES = ("preprocessor_config.json", "processor_config.json")
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# Processors whose number for a size is the shorter side's; the others' is both sides'.
_SHORTER_SIDE = ("clip", "convnext", "poolformer", "levit", "bit", "mobilenet", "mobilevit", "videomae")
_CROPS_BY_DEFAULT = ("clip", "poolformer", "levit", "bit", "mobilenet", "mobilevit", "deit", "efficientnet")
_NEVER_NORMALISES = "mobilevit"
# Above this side ConvNeXt's processor squeezes an image instead of cutting it.
_CONVNEXT_SQUEEZES = 384


def transformers_input(folder: Path, config: Mapping[str, Any]) -> VisionInput | None:
    """Read a transformers folder's preprocessing; None where it has none.

    Args:
        folder: The model's folder.
        config: Its config.json, for channels and size where the preprocessing leaves them open.

    Raises:
        ModelLoadError: The file cannot be read or says something that cannot be done.
    """
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _Reading(found.get("image_processor", found), config).input()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelLoadError(
            f"'{path.name}' does not say how images are prepared.",
            why=f"{type(error).__name__}: {error}",
            fix="Check the file, or say it yourself: load(model, size=(height, width), mean=..., std=...).",
        ) from error


def timm_input(settings: Mapping[str, Any]) -> VisionInput:
    """Read a timm model's `pretrained_cfg`: the shorter side gets size / crop_pct, the centre is cut out."""
    channels, height, width = settings.get("input_size", (3, 224, 224))
    crop = float(settings.get("crop_pct") or 0.875)
    both = (int(height / crop), int(width / crop))
    shorter = height == width and settings.get("crop_mode", "center") != "squash"
    interpolation = settings.get("interpolation") or "bilinear"
    return VisionInput(
        size=(height, width),
        mean=_by_channel(settings.get("mean", _IMAGENET[0]), channels),
        std=_by_channel(settings.get("std", _IMAGENET[1]), channels),
        resize=both[0] if shorter else both,
        interpolation=interpolation if interpolation in INTERPOLATIONS else "bilinear",
    )


class _Reading:
    """A transformers image processor's settings."""

    def __init__(self, settings: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self.settings, self.config = settings, config
        kind = settings.get("image_processor_type") or settings.get("feature_extractor_type") or ""
        self.kind = kind.lower()

    def input(self) -> VisionInput:
        size, resize = self._sizes()
        mean, std = self._normalisation()
        resample = self.settings.get("resample")
        return VisionInput(
            size=size,
            mean=mean,
            std=std,
            resize=resize,
            interpolation=INTERPOLATIONS[2 if resample is None else int(resample)],
            reverse=bool(self.settings.get("do_flip_channel_order", False)),
        )

    def _sizes(self) -> tuple[tuple[int, int], int | tuple[int, int] | None]:
        resize = self._resize()
        crops = self.settings.get("do_center_crop", self.kind.startswith(_CROPS_BY_DEFAULT))
        crop = self._both(self.settings.get("crop_size")) if crops else None
        if self.kind.startswith("convnext") and isinstance(resize, int):
            return self._convnext(resize)
        if crop is None:
            # A side of its own for each image would fit into no batch.
            crop = (
                resize if isinstance(resize, tuple) else self._both(resize or self.config.get("image_size"))
            )
        if crop is None:
            raise KeyError("size")
        return crop, self._enlarged(resize)

    def _resize(self) -> int | tuple[int, int] | None:
        size = self.settings.get("size")
        if not self.settings.get("do_resize", True) or size is None:
            return None
        if isinstance(size, Mapping):
            return int(size["shortest_edge"]) if "shortest_edge" in size else self._both(size)
        if isinstance(size, int) and self.kind.startswith(_SHORTER_SIDE):
            return size
        return self._both(size)

    def _enlarged(self, resize: int | tuple[int, int] | None) -> int | tuple[int, int] | None:
        """Return what a processor resizes to that leaves a margin to cut off."""
        if self.kind.startswith("levit") and isinstance(resize, int):
            return int(256 / 224 * resize)
        crop = self.settings.get("crop_pct", 0.9)
        if not self.kind.startswith("poolformer") or resize is None or not crop:
            return resize
        if isinstance(resize, tuple) and resize[0] != resize[1]:
            return int(resize[0] / crop), int(resize[1] / crop)
        return int((resize if isinstance(resize, int) else resize[0]) / crop)

    def _convnext(self, side: int) -> tuple[tuple[int, int], int | None]:
        if side >= _CONVNEXT_SQUEEZES:
            return (side, side), None
        return (side, side), int(side / self.settings.get("crop_pct", 224 / 256))

    def _normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and std for pixels in [0, 1], with what the processor scales and shifts taken in."""
        said = self.settings
        channels = int(self.config.get("num_channels", 3))
        scale = 255 * float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 255.0
        shift = 1.0 if said.get("rescale_offset", False) else 0.0
        by_default = "image_mean" in said and not self.kind.startswith(_NEVER_NORMALISES)
        plain = not said.get("do_normalize", by_default)
        mean = _by_channel(0.0 if plain else said.get("image_mean", _HALF[0]), channels)
        std = _by_channel(said.get("image_std", _HALF[1]), channels)
        again = self.kind.startswith("efficientnet") and said.get("include_top", True)
        power = (0 if plain else 1) + (1 if again else 0)
        # EfficientNet's processor divides by the std once more, after the mean is gone.
        return (
            tuple((value + shift) / scale for value in mean),
            tuple(value**power / scale for value in std),
        )

    @staticmethod
    def _both(size: Any) -> tuple[int, int] | None:
        if size is None or isinstance(size, int):
            return None if size is None else (size, size)
        if isinstance(size, Mapping):
            return (int(size["height"]), int(size["width"])) if "height" in size else None
        height, width = size
        return int(height), int(width)


def _by_channel(values: Any, channels: int) -> tuple[float, ...]:
    numbers = [float(values)] if isinstance(values, int | float) else [float(value) for value in values]
    return tuple(numbers * channels if len(numbers) == 1 else numbers[:channels])
