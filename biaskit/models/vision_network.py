"""Running a vision model: whatever it gives, one logit a class comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import BiaskitError, RequestError, RunError
from biaskit.hooks.trace import Run, trace
from biaskit.models.batches import is_out_of_memory
from biaskit.models.network import at_rest
from biaskit.models.vision_input import VisionInput

PROBES = 2
_NAMES = ("logits", "main")


class Ending(StrEnum):
    """What a model's output is before it is turned into logits."""

    LOGITS = "logits"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A forward pass of a few random images, as it was seen.

    Attributes:
        runs: Every module that ran, in the order in which they ended.
        logits: What the model's output was read as.
        ending: What it was before.
    """

    runs: list[Run]
    logits: Float[Tensor, "n k"]
    ending: Ending


class VisionNetwork:
    """A module that is called with normalised images.

    Attributes:
        module: The module.
        input: What it takes.
        device: Where its weights are.
        dtype: Number format of its weights.
        ending: What its output is before it is turned into logits.
    """

    def __init__(self, module: nn.Module, taken: VisionInput) -> None:
        self.module, self.input = module, taken
        held = next(
            (part for part in (*module.parameters(), *module.buffers()) if part.is_floating_point()), None
        )
        self.device = torch.device("cpu") if held is None else held.device
        self.dtype = torch.float32 if held is None else held.dtype
        self.ending = Ending.LOGITS

    def probe(self) -> Probe:
        """Run a few random images and settle how the output is read.

        Raises:
            RequestError: The model does not run on images of its size, or does not give one logit a class.
        """
        generator = torch.Generator().manual_seed(0)
        pixels = torch.rand(PROBES, self.input.channels, *self.input.size, generator=generator)
        with at_rest(self.module), torch.no_grad():
            try:
                with trace(self.module) as runs:
                    raw = self.raw(pixels)
            except BiaskitError:
                raise
            except Exception as error:
                raise self._refused(error) from error
        self.ending = _ending(raw, runs)
        return Probe(runs, self._as_logits(raw), self.ending)

    def logits(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Return the logits, float32, in the caller's gradient mode; one logit gets a 0 in front."""
        logits = self._as_logits(self.raw(pixels))
        return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits

    def raw(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Return the model's own output, one row an image, float32."""
        with at_rest(self.module):
            return logits_of(self.module(self.taken(pixels)), len(pixels)).float()

    def taken(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return what the first layer is given: normalised, on the model's device, in its number format."""
        return self.input.normalise(pixels.to(self.device)).to(self.dtype)

    def _as_logits(self, raw: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        if self.ending is Ending.SOFTMAX:
            return raw.clamp_min(torch.finfo(raw.dtype).tiny).log()
        return raw.logit(eps=1e-7) if self.ending is Ending.SIGMOID else raw

    def _refused(self, error: Exception) -> BiaskitError:
        height, width = self.input.size
        if is_out_of_memory(error):
            return RunError("Memory does not suffice for two images.", fix="Use a smaller model or dtype.")
        first = next(iter(str(error).splitlines()), "")
        return RequestError(
            f"The model does not run on images of {self.input.channels} x {height} x {width}.",
            why=f"{type(error).__name__}: {first}",
            fix="Give the size and the mean and std of each channel that it was trained with.",
        )


def logits_of(output: Any, rows: int) -> Float[Tensor, "n k"]:
    """Find the logits: a tensor, `.logits`, `["logits"]`, `["main"]` or the first part of a tuple.

    A batch of one that was squeezed gets its axis back; trailing axes of length 1 are dropped.

    Raises:
        RequestError: There is no such tensor, or it does not hold one row an image.
    """
    found = _inside(output)
    if found is None:
        raise RequestError(
            f"The model gives {type(output).__name__}, in which no logits are found.",
            fix="Wrap it so that it returns a tensor of one logit a class, or an object with `.logits`.",
        )
    while found.ndim > 2 and found.shape[-1] == 1:
        found = found[..., 0]
    if found.ndim < 2:
        found = found.reshape(rows, -1) if rows == 1 or found.shape == (rows,) else found
    if found.ndim != 2 or found.shape[0] != rows or not found.is_floating_point():
        raise RequestError(
            f"For {rows} image(s) the model gives {tuple(found.shape)} numbers of {found.dtype}.",
            why="A classifier gives one row an image and one logit a class.",
            fix="Pass a classifier, not a segmentation, detection or embedding model.",
        )
    return found


def _inside(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        return next((_inside(output[name]) for name in _NAMES if name in output), None)
    if hasattr(output, "logits"):
        return _inside(output.logits)
    return _inside(output[0]) if isinstance(output, tuple | list) and output else None


def _ending(raw: Float[Tensor, "n k"], runs: list[Run]) -> Ending:
    if any(_is_sigmoid_of(run.output, raw) for run in runs):
        return Ending.SIGMOID
    sums = raw.sum(dim=1)
    shares = (
        raw.shape[1] > 1 and bool((raw >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
    )
    return Ending.SOFTMAX if shares else Ending.LOGITS


def _is_sigmoid_of(output: Tensor | None, raw: Float[Tensor, "n k"]) -> bool:
    if output is None or output.shape != raw.shape or not output.is_floating_point():
        return False
    return torch.allclose(output.float().sigmoid(), raw, atol=1e-6)
