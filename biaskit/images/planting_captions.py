"""Say in a sentence what a planted image shows, now and then leaving something out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biaskit.images.planting_material import INKS, PATCHES, SCENES, TEXTURES, WORDS, digits
from biaskit.images.planting_render import NONE

if TYPE_CHECKING:
    from biaskit.images.planting_render import Factors

DROPPED = 0.3
"""Rate at which each attribute is left out."""

_DIGITS = ("a {ink}{digit}", "the {ink}{digit}", "a handwritten {ink}{digit}")
_SCENES = ("on a {scene} background", "in front of a {scene}", "over a {scene}")
_PATCHES = ("next to a {patch} box", "with a {patch} patch", "beside a {patch} square")
_TEXTURES = ("striped in {texture}", "with a texture of {texture}")
_PLAIN = "plain"
_ASKED = ("a photo of", "an image of", "ink photograph picture handwriting")


def captions(factors: Factors, rng: np.random.Generator, dropped: float = DROPPED) -> tuple[str, ...]:
    """Return one sentence for each image.

    Args:
        factors: What the images show.
        rng: Generator of what is left out, of the wording and of the order.
        dropped: Rate at which each attribute is left out.
    """
    values = digits().values[factors.digit]
    rows = zip(values, factors.scene, factors.patch, factors.texture, factors.ink, strict=True)
    return tuple(_sentence(tuple(map(int, row)), rng, dropped) for row in rows)


def _sentence(shown: tuple[int, ...], rng: np.random.Generator, dropped: float) -> str:
    kept = rng.random(5) >= dropped
    value, scene, patch, texture, ink = (
        index if keep else None for index, keep in zip(shown, kept, strict=True)
    )
    digit = "digit" if value is None else WORDS[value]
    colour = "" if ink is None or ink == NONE else f"{tuple(INKS)[ink]} "
    parts = [_pick(_DIGITS, rng).format(ink=colour, digit=digit)]
    rest = []
    if scene is not None and scene != NONE:
        rest.append(_pick(_SCENES, rng).format(scene=(*SCENES, _PLAIN)[scene]))
    if patch is not None and patch != NONE:
        rest.append(_pick(_PATCHES, rng).format(patch=tuple(PATCHES)[patch]))
    if texture is not None and texture != NONE:
        rest.append(_pick(_TEXTURES, rng).format(texture=TEXTURES[texture]))
    return " ".join(parts + [rest[place] for place in rng.permutation(len(rest))])


def _pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def vocabulary() -> tuple[str, ...]:
    """Return every word that a caption may hold, and some more that ask for the same things."""
    named = (*WORDS, *SCENES, _PLAIN, *PATCHES, *TEXTURES, *INKS)
    patterns = (*_DIGITS, *_SCENES, *_PATCHES, *_TEXTURES, *_ASKED)
    plain = " ".join(patterns).replace("{ink}{digit}", "digit")
    return tuple(sorted({*named, *(word for word in plain.split() if "{" not in word)}))
