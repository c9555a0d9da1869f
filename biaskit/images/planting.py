"""Images with a shortcut of known strength: real digits on real backgrounds, every factor known."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int, UInt8
from numpy import ndarray
from PIL import Image

from biaskit.errors import RequestError, UnknownNameError
from biaskit.images.image_set import ImageSet, Part
from biaskit.images.planting_captions import captions
from biaskit.images.planting_draw import Rows, draw
from biaskit.images.planting_material import DIGITS, INKS, LICENCE, PATCHES, SCENES, SOURCE, TEXTURES, WORDS
from biaskit.images.planting_render import NONE, Look, ink_share, patch_mask, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Shortcut(StrEnum):
    """What agrees with the label."""

    PATCH = "patch"
    SCENE = "scene"
    TEXTURE = "texture"
    INK = "ink"


CONTEXTS: Mapping[Shortcut, tuple[str, ...]] = {
    Shortcut.PATCH: tuple(PATCHES),
    Shortcut.SCENE: SCENES,
    Shortcut.TEXTURE: TEXTURES,
    Shortcut.INK: tuple(INKS),
}
_LARGEST_SIDE = 10


def _known(shortcut: str) -> Shortcut:
    try:
        return Shortcut(shortcut)
    except ValueError as error:
        raise UnknownNameError("shortcut", shortcut, list(Shortcut)) from error


@dataclass(frozen=True, slots=True)
class Plant:
    """How images are drawn; the same plant gives the same bytes.

    Each class has home contexts: context c is at home in class c modulo `classes` (with fewer contexts
    than classes, class k is at home in context k modulo `contexts`). A share `rho` of a class's training
    images lies in its home contexts, the rest evenly in the others; counts are exact up to rounding.

    Attributes:
        shortcut: What agrees with the label: `patch`, `scene`, `texture` or `ink`.
        rho: Share of the training images whose context agrees with the label.
        classes: Number of classes, 2 to 10; each is one digit.
        contexts: Number of contexts, 2 to 4.
        side: Side of the patch in pixels, 1 to 10; one way to make it more available.
        strength: Opacity of the patch, share of the scene, contrast of the texture or saturation of the
            ink, above 0 to 1.
        jitter: Whether the digit's place varies.
        nuisance: Whether scene, ink and patch vary apart from the label where they are not the shortcut;
            otherwise backgrounds are grey noise and the ink is white.
        n: Number of training images.
        held_out: Number of validation images, and of test images.
        held_out_rho: `rho` of validation and test; None where contexts are balanced there.
        seed: Seed of every draw.
    """

    shortcut: Shortcut = Shortcut.PATCH
    rho: float = 0.98
    classes: int = 2
    contexts: int = 2
    side: int = 8
    strength: float = 1.0
    jitter: bool = False
    nuisance: bool = True
    n: int = 2000
    held_out: int = 600
    held_out_rho: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            RequestError: A number is out of its range.
        """
        object.__setattr__(self, "shortcut", _known(self.shortcut))
        ranges = {
            "rho": (self.rho, 0.0, 1.0),
            "held_out_rho": (self.balanced if self.held_out_rho is None else self.held_out_rho, 0.0, 1.0),
            "strength": (self.strength, 0.01, 1.0),
            "classes": (self.classes, 2, len(DIGITS)),
            "contexts": (self.contexts, 2, len(CONTEXTS[self.shortcut])),
            "side": (self.side, 1, _LARGEST_SIDE),
            "n": (self.n, self.classes * self.contexts, 10**6),
            "held_out": (self.held_out, self.classes * self.contexts, 10**6),
            "seed": (self.seed, 0, 2**63),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise RequestError(f"{name} is {value}; it must lie between {low} and {high}.")

    @property
    def balanced(self) -> float:
        """The `rho` at which context and label are independent: 1/contexts where each class has one home."""
        return len(self.home(0)) / self.contexts

    @property
    def null(self) -> Plant:
        """The twin whose contexts say nothing about the label."""
        return replace(self, rho=self.balanced)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their labels."""
        return tuple(WORDS[value] for value in DIGITS[: self.classes])

    @property
    def context_names(self) -> tuple[str, ...]:
        """Names of the contexts."""
        return CONTEXTS[self.shortcut][: self.contexts]

    @property
    def look(self) -> Look:
        """How strongly each factor is drawn."""
        strengths: dict[str, Any] = {str(self.shortcut): self.strength}
        return Look(side=self.side, **strengths)

    def home(self, label: int) -> tuple[int, ...]:
        """Return the contexts in which a class is at home."""
        if self.contexts < self.classes:
            return (label % self.contexts,)
        return tuple(range(label % self.classes, self.contexts, self.classes))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data; `Plant(**fields)` gives the plant again."""
        return {**asdict(self), "shortcut": str(self.shortcut)}

    def draw(self) -> Planted:
        """Draw the images; they are rendered on first use."""
        return Planted(self, draw(self))


CASES: Mapping[str, Plant] = {
    "2x2": Plant(),
    "4x4": Plant(classes=4, contexts=4, rho=0.9, n=3000, held_out=3000, held_out_rho=0.9),
    "2x4": Plant(classes=2, contexts=4, rho=0.95, n=2000, held_out=2000, held_out_rho=0.95),
}
"""Cases in which discovery is tested; `4x4` has 12 minority groups of 25 in each part."""


@dataclass(frozen=True, eq=False)
class Planted:
    """Drawn images and all that is known about them, one entry a row; training first, then validation, test.

    Attributes:
        plant: How they were drawn.
        drawn: Label, context, part and factors of each image.
    """

    plant: Plant
    drawn: Rows

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.drawn.labels)

    @property
    def labels(self) -> Int[ndarray, " n"]:
        """Index of the true class."""
        return self.drawn.labels

    @property
    def contexts(self) -> Int[ndarray, " n"]:
        """Index of the context, which is the shortcut's value."""
        return self.drawn.contexts

    @property
    def parts(self) -> tuple[Part, ...]:
        """What each image is for; parts share no digit."""
        return self.drawn.parts

    @property
    def clusters(self) -> Int[ndarray, " n"]:
        """Which digit was drawn; images of the same digit are not independent."""
        return self.drawn.factors.digit

    @property
    def groups(self) -> Int[ndarray, " n"]:
        """Index of the group: label x contexts + context."""
        groups: Int[ndarray, " n"] = self.labels * self.plant.contexts + self.contexts
        return groups

    @cached_property
    def minority(self) -> Bool[ndarray, " n"]:
        """Whether the context is none of the class's home contexts."""
        home = np.zeros((self.plant.classes, self.plant.contexts), bool)
        for label in range(self.plant.classes):
            home[label, list(self.plant.home(label))] = True
        at_home: Bool[ndarray, " n"] = home[self.labels, self.contexts]
        return ~at_home

    @cached_property
    def implied(self) -> Int[ndarray, " n"]:
        """The class that the context alone implies; the first one at home there."""
        implied: Int[ndarray, " n"] = self.contexts % self.plant.classes
        return implied

    @cached_property
    def images(self) -> UInt8[ndarray, "n h w 3"]:
        """The images, 8-bit RGB of 32 x 32 pixels; not to be written to."""
        return _sealed(render(self.drawn.factors, self.plant.look))

    @cached_property
    def captions(self) -> tuple[str, ...]:
        """A sentence for each image, in which each attribute is left out at a rate of 0.3."""
        return captions(self.drawn.factors, np.random.default_rng([self.plant.seed, 2]))

    def rows(self, part: Part) -> Int[ndarray, " m"]:
        """Return the rows of a part."""
        return np.flatnonzero(np.array([one == part for one in self.parts]))

    def swapped(self, rows: Int[ndarray, " m"], contexts: Int[ndarray, " m"]) -> UInt8[ndarray, "m h w 3"]:
        """Return the same images in other contexts; nothing outside the shortcut's region changes."""
        factors = self.drawn.factors.take(rows)
        return render(factors.with_factor(str(self.plant.shortcut), np.asarray(contexts)), self.plant.look)

    def erased(self, rows: Int[ndarray, " m"]) -> UInt8[ndarray, "m h w 3"]:
        """Return the same images without the shortcut.

        That is without the patch or the texture, on flat grey instead of a scene, or in the colour between
        the inks.
        """
        return self.swapped(rows, np.full(len(rows), NONE))

    def shortcut_mask(self, rows: Int[ndarray, " m"]) -> Bool[ndarray, "m h w"]:
        """Return where the context shows: the patch, the background or the digit's ink."""
        factors = self.drawn.factors.take(rows)
        ink = ink_share(factors)
        patch = patch_mask(self.plant.side)[None] & (factors.patch != NONE)[:, None, None]
        masks = {Shortcut.INK: ink > 0, Shortcut.PATCH: patch & (ink < 1)}
        mask: Bool[ndarray, "m h w"] = masks.get(self.plant.shortcut, (ink < 1) & ~patch)
        return mask

    def core_mask(self, rows: Int[ndarray, " m"]) -> Bool[ndarray, "m h w"]:
        """Return where the digit has ink."""
        mask: Bool[ndarray, "m h w"] = ink_share(self.drawn.factors.take(rows)) > 0
        return mask

    def image_set(self, parts: tuple[Part, ...] = tuple(Part)) -> ImageSet:
        """Return the images of some parts as a set that can be audited."""
        rows = np.concatenate([self.rows(part) for part in parts])
        names, kept = self.plant.class_names, [self.captions[row] for row in rows]
        pictures = _Rendered(tuple(f"{self.parts[row]}/{row:05d}" for row in rows), self.images[rows])
        labels = tuple(names[label] for label in self.labels[rows])
        return ImageSet(
            name=f"planted-{self.plant.shortcut}",
            pictures=pictures,
            labels=labels,
            parts=tuple(self.parts[row] for row in rows),
            attributes=self._attributes(rows),
            clusters=tuple(f"digit-{digit}" for digit in self.clusters[rows]),
            captions=tuple(kept),
            digest=_digest(pictures, labels),
            source=SOURCE,
            licence=LICENCE,
        )

    def _attributes(self, rows: Int[ndarray, " m"]) -> dict[str, tuple[str, ...]]:
        """Return the names of what varies: the shortcut first, then the nuisances."""
        found = {}
        factors = self.drawn.factors.take(rows)
        for shortcut in sorted(Shortcut, key=lambda one: one is not self.plant.shortcut):
            values = getattr(factors, str(shortcut))
            if len(np.unique(values)) > 1:
                found[str(shortcut)] = tuple(CONTEXTS[shortcut][value] for value in values)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Rendered:
    """Images that are held as an array."""

    names: tuple[str, ...]
    images: UInt8[ndarray, "n h w 3"]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, row: int) -> str:
        """Name of an image."""
        return self.names[row]

    def read(self, row: int) -> Image.Image:
        """Return an image."""
        return Image.fromarray(self.images[row])


def _sealed(images: UInt8[ndarray, "n h w 3"]) -> UInt8[ndarray, "n h w 3"]:
    images.setflags(write=False)
    return images


def _digest(pictures: _Rendered, labels: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\n".join((*pictures.names, *labels)).encode())
    digest.update(pictures.images.tobytes())
    return digest.hexdigest()
