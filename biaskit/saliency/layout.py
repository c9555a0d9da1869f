"""How an activation's axes map onto the image."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isqrt

from jaxtyping import Float
from torch import Tensor

from biaskit.errors import LayoutError

MOST_PREFIX_TOKENS = 16
_DECLARE = "Declare it: load(..., layouts={'path.of.module': Layout(Axes.TOKENS, height, width, prefix)})."


class Axes(StrEnum):
    """Order of an activation's axes after the batch axis."""

    NCHW = "nchw"
    NHWC = "nhwc"
    TOKENS = "tokens"
    CHANNELS_FIRST_TOKENS = "channels-first-tokens"
    MULTI_SCALE = "multi-scale"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where height, width and channels stand in an activation.

    Attributes:
        axes: The order: `[n c h w]`, `[n h w c]`, `[n prefix+h*w c]`, `[n c prefix+h*w]` or `[n h*w s c]`.
        height: Cells of the grid from top to bottom.
        width: Cells of the grid from left to right.
        prefix: Tokens before the grid's, such as a class token and registers.
    """

    axes: Axes
    height: int
    width: int
    prefix: int = 0

    def to_nchw(self, activation: Tensor) -> Float[Tensor, "n c h w"]:
        """Return the activation (or its gradient) with its axes in the order n, c, h, w.

        The scales of a multi-scale activation are laid side by side as channels, the channels of the first
        scale first. Prefix tokens are left out.

        Raises:
            LayoutError: The activation's shape is not this layout's.
        """
        if not self.fits(activation.shape):
            raise LayoutError(
                f"An activation of shape {tuple(activation.shape)} does not lie as {self} says.",
                fix=_DECLARE,
            )
        if self.axes is Axes.NCHW:
            return activation
        if self.axes is Axes.NHWC:
            return activation.permute(0, 3, 1, 2)
        if self.axes is Axes.MULTI_SCALE:
            return self._grid(activation.permute(0, 2, 3, 1).flatten(1, 2))
        tokens = activation.transpose(1, 2) if self.axes is Axes.TOKENS else activation
        return self._grid(tokens[:, :, self.prefix :])

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an activation of this shape, batch axis first, can lie so."""
        grid, cells = (self.height, self.width), self.height * self.width
        match self.axes:
            case Axes.NCHW:
                return len(shape) == 4 and tuple(shape[2:]) == grid
            case Axes.NHWC:
                return len(shape) == 4 and tuple(shape[1:3]) == grid
            case Axes.MULTI_SCALE:
                return len(shape) == 4 and shape[1] == cells
            case Axes.TOKENS:
                return len(shape) == 3 and shape[1] == self.prefix + cells
            case Axes.CHANNELS_FIRST_TOKENS:
                return len(shape) == 3 and shape[2] == self.prefix + cells

    def __str__(self) -> str:
        """Return such as `tokens 14 x 14 after 1 prefix`."""
        behind = f" after {self.prefix} prefix" if self.prefix else ""
        return f"{self.axes} {self.height} x {self.width}{behind}"

    def _grid(self, channels_first: Float[Tensor, "n c t"]) -> Float[Tensor, "n c h w"]:
        return channels_first.reshape(*channels_first.shape[:2], self.height, self.width)


def infer_layout(
    shape: Sequence[int], size: tuple[int, int], *, grids: Collection[tuple[int, int]] = ()
) -> Layout:
    """Tell how an activation lies over the image from its shape alone.

    A reading is possible where the grid has the image's aspect ratio (each side within one cell of it) and is
    no finer than the image. Among readings of tokens the smallest prefix (0 to 16) wins. Channels first are
    possible only where they need no longer prefix, and win only where tokens first are impossible.

    Args:
        shape: Shape of the activation, batch axis first.
        size: Height and width of the model's input in pixels.
        grids: Grids that are known from other activations of the same model; a reading whose grid is among
            them wins over one whose grid is not.

    Raises:
        LayoutError: No reading fits, or several do and nothing decides between them.
    """
    readings = possible_layouts(shape, size, grids=grids)
    if len(readings) == 1:
        return readings[0]
    image = f"{size[0]} x {size[1]} pixels"
    if readings:
        raise LayoutError(
            f"An activation of shape {tuple(shape)} can be read as {' or as '.join(map(str, readings))}.",
            why=f"Each is a grid over an input of {image}.",
            fix=_DECLARE,
        )
    raise LayoutError(
        f"An activation of shape {tuple(shape)} has no spatial axes.",
        why=f"No axis reads as a grid of the shape of the input, {image}.",
        fix=f"Choose another layer or a method that works on pixels, such as occlusion. {_DECLARE}",
    )


def possible_layouts(
    shape: Sequence[int], size: tuple[int, int], *, grids: Collection[tuple[int, int]] = ()
) -> tuple[Layout, ...]:
    """Return the readings of a shape between which `infer_layout` cannot decide; empty where none fits."""
    found = tuple(_readings(tuple(shape), size))
    known = tuple(reading for reading in found if (reading.height, reading.width) in grids)
    if known or not grids:
        return known or found
    # So many square channel counts read as cells that scales are believed on a known grid only.
    return tuple(reading for reading in found if reading.axes is not Axes.MULTI_SCALE)


def _readings(shape: tuple[int, ...], size: tuple[int, int]) -> Iterator[Layout]:
    if len(shape) == 3:
        # A single channel is what pooling leaves of tokens, not a grid of channels.
        tokens = _tokens(shape[1], size) if shape[2] > 1 else None
        channels_first = _tokens(shape[2], size) if shape[1] > 1 else None
        if tokens:
            yield Layout(Axes.TOKENS, *tokens)
        if channels_first and (not tokens or channels_first[2] <= tokens[2]):
            yield Layout(Axes.CHANNELS_FIRST_TOKENS, *channels_first)
    elif len(shape) == 4:
        if _is_grid(*shape[2:], size):
            yield Layout(Axes.NCHW, *shape[2:])
        if _is_grid(*shape[1:3], size):
            yield Layout(Axes.NHWC, *shape[1:3])
        scales = _tokens(shape[1], size, most=0) if shape[2] > 1 else None
        if scales and not (_is_grid(*shape[2:], size) or _is_grid(*shape[1:3], size)):
            yield Layout(Axes.MULTI_SCALE, *scales)


def _tokens(count: int, size: tuple[int, int], most: int = MOST_PREFIX_TOKENS) -> tuple[int, int, int] | None:
    """Return height, width and prefix of the reading with the smallest prefix, exact aspect ratios first."""
    for exact in (True, False):
        for prefix in range(min(most, count - 1) + 1):
            cells = count - prefix
            near = isqrt(cells * size[0] // size[1])
            for height in range(max(near - 1, 1), near + 3):
                if cells % height == 0 and _is_grid(height, cells // height, size, exact=exact):
                    return height, cells // height, prefix
    return None


def _is_grid(height: int, width: int, size: tuple[int, int], *, exact: bool = False) -> bool:
    if height * width == 1 or height > size[0] or width > size[1]:
        return False
    if height * size[1] == width * size[0]:
        return True
    # Strides that do not divide the input round its sides, each by less than one cell.
    tall, wide = height - width * size[0] / size[1], width - height * size[1] / size[0]
    return not exact and abs(tall) < 1 and abs(wide) < 1
