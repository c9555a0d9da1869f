"""Layouts that an architecture fixes: how many tokens stand before the grid's, and how fine the grid is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from biaskit.saliency.layout import Axes, Layout

_CHANNELS_FIRST = (
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm2d,
    nn.InstanceNorm2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
)
_ELEMENTWISE = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Dropout,
    nn.Dropout2d,
    nn.Identity,
)
# Tokens before the image's in transformers' isotropic models, registers not counted.
_PREFIX = {
    "beit": 1,
    "clip_vision_model": 1,
    "data2vec-vision": 1,
    "deit": 2,
    "dinov2": 1,
    "dinov2_with_registers": 1,
    "dinov3_vit": 1,
    "ijepa": 0,
    "siglip_vision_model": 0,
    "siglip2_vision_model": 0,
    "vit": 1,
    "vit_msn": 1,
}


def declared_layout(model: nn.Module, shape: Sequence[int], size: tuple[int, int]) -> Layout | None:
    """Return the layout that an architecture gives an activation of this shape; None where it says nothing.

    Known are the models of transformers and timm whose tokens keep one grid from the first block to the last.
    """
    known = _transformers(model, size) or _timm(model)
    return known if known is not None and known.fits(shape) else None


def layer_layout(module: nn.Module, shape: Sequence[int]) -> Layout | None:
    """Return the layout of a layer, or chain of layers, that always gives channels first; None for others."""
    if isinstance(_deciding(module), _CHANNELS_FIRST) and len(shape) == 4 and shape[2] * shape[3] > 1:
        return Layout(Axes.NCHW, shape[2], shape[3])
    return None


def _deciding(module: nn.Module) -> nn.Module:
    """Return the layer of a chain that decides how its output lies; anything else is returned as it is."""
    while isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        parts = [part for part in module if not isinstance(part, _ELEMENTWISE)]
        if not parts:
            break
        module = parts[-1]
    return module


def _transformers(model: nn.Module, size: tuple[int, int]) -> Layout | None:
    config: Any = getattr(model, "config", None)
    config = getattr(config, "vision_config", config)
    kind, patch = getattr(config, "model_type", None), getattr(config, "patch_size", None)
    if kind not in _PREFIX or patch is None:
        return None
    height, width = (patch, patch) if isinstance(patch, int) else patch
    prefix = _PREFIX[kind] + (getattr(config, "num_register_tokens", 0) or 0)
    return Layout(Axes.TOKENS, size[0] // height, size[1] // width, prefix)


def _timm(model: Any) -> Layout | None:
    grid = getattr(getattr(model, "patch_embed", None), "grid_size", None)
    prefix = getattr(model, "num_prefix_tokens", None)
    if grid is None or not isinstance(prefix, int):
        return None
    return Layout(Axes.TOKENS, grid[0], grid[1], prefix)
