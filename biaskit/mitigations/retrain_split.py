"""Images of a classifier in two parts: those that a head is fitted on, and those that it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.errors import NothingAuditedError, RequestError, UnknownNameError
from biaskit.images.image_set import ImageSet, Part
from biaskit.images.selecting import batches
from biaskit.retraining.examples import Examples

if TYPE_CHECKING:
    from biaskit.session import VisionSession

FEWEST = 20
"""Fewest images of a part."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One part of the images, as the classifier's head is given them.

    Attributes:
        rows: Which images they are.
        features: What the head is given.
        labels: The true classes, as the model numbers them.
        cells: The group of each: class and attribute.
        clusters: What was sampled together.
    """

    rows: tuple[int, ...]
    features: Float[Tensor, "n d"]
    labels: Int[Tensor, " n"]
    cells: tuple[str, ...]
    clusters: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups there are, in order."""
        return tuple(sorted(set(self.cells)))

    def examples(self, cells: Sequence[str] | None = None) -> Examples:
        """Return them as training examples, under other groups where some are given."""
        names, own = self.groups, self.cells if cells is None else cells
        return Examples(self.features, self.labels, torch.tensor([names.index(one) for one in own]))

    def right(self, head: tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]) -> Bool[ndarray, " n"]:
        """Tell which images a head puts into their class."""
        weight, bias = (part.detach().float().cpu() for part in head)
        return np.asarray(((self.features @ weight.T + bias).argmax(dim=1) == self.labels).numpy())


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Both parts.

    Attributes:
        attribute: The attribute that groups are told by, beside the class.
        fitted: What a head is fitted on.
        held: What it is judged on.
        name: Name of the image set.
    """

    attribute: str
    fitted: Side
    held: Side
    name: str


def split_of(session: VisionSession, attribute: str) -> Split:
    """Read the session's images once each, in two parts that share no cluster.

    A head is fitted on the validation part, as last-layer retraining is (images that the features have not
    seen), else on the part to train on, and judged on the test part; images without parts are halved at
    random. Where no attribute is named and there are several, it is the one over whose groups the accuracy
    differs most on the images that are fitted on; the held-out ones have no say in it.

    Raises:
        NothingAuditedError: There is no image.
        RequestError: There are several sets, no attribute, or too few images.
        UnknownNameError: The attribute is not there.
    """
    if not session.images:
        raise NothingAuditedError("No images were given.", fix="Name some, such as --images photos.csv.")
    if len(session.images) > 1:
        raise RequestError("A head is fitted on one set of images.", fix="Name one alone (--images).")
    images = session.images[0]
    _check_attribute(images, attribute)
    fitted, held = _parts(images, session)
    name = attribute or _most_telling(session, images, fitted)
    first, second = (_side(session, images, name, _told(images, name, rows)) for rows in (fitted, held))
    return Split(name, first, second, images.name)


def _check_attribute(images: ImageSet, asked: str) -> None:
    if asked and asked not in images.attributes:
        raise UnknownNameError("attribute of the images", asked, images.attributes)
    if not images.attributes:
        raise RequestError(
            f"Nothing tells the groups that the head should be fair to; '{images.name}' has no attribute.",
            fix="Give the column of one (--attribute-column background).",
        )


def _told(images: ImageSet, name: str, rows: set[int]) -> list[int]:
    """Rows whose attribute is known, in order."""
    return [row for row, cell in enumerate(images.attributes[name]) if cell and row in rows]


def _most_telling(session: VisionSession, images: ImageSet, fitted: set[int]) -> str:
    """Return the attribute over whose groups the model's accuracy differs most on these images."""
    names = list(images.attributes)
    if len(names) == 1:
        return names[0]
    spread = []
    for name in names:
        side = _side(session, images, name, _told(images, name, fitted))
        right, cells = side.right(session.model.head()), np.array(side.cells)
        shares = [float(right[cells == group].mean()) for group in side.groups]
        spread.append(max(shares) - min(shares))
    return names[int(np.argmax(spread))]


def _parts(images: ImageSet, session: VisionSession) -> tuple[set[int], set[int]]:
    by_part = {part: {row for row, one in enumerate(images.parts) if one is part} for part in Part}
    fitted = by_part[Part.VALIDATION] or by_part[Part.TRAIN]
    if fitted and by_part[Part.TEST]:
        return fitted, by_part[Part.TEST]
    owners = np.array(images.clusters or [str(row) for row in range(len(images))])
    chosen = session.rng("retrain-head/halves").permutation(np.unique(owners))
    first = set(chosen[: len(chosen) // 2].tolist())
    rows = range(len(images))
    return {row for row in rows if owners[row] in first}, {row for row in rows if owners[row] not in first}


def _side(session: VisionSession, images: ImageSet, name: str, rows: list[int]) -> Side:
    labels = [images.labels[row] for row in rows]
    lacking = [one for one in session.model.classes if one not in labels]
    if len(rows) < FEWEST or lacking:
        said = f"no image of the class '{lacking[0]}'" if lacking else f"{len(rows)} images"
        raise RequestError(
            f"There is too little to fit and judge a head: one part of '{images.name}' has {said}.",
            fix=f"Give at least {FEWEST} images a part that say the attribute '{name}', of every class.",
        )
    parts = [
        session.model.features(session.model.prepare(read)).float().cpu() for _, read in batches(images, rows)
    ]
    return Side(
        rows=tuple(rows),
        features=torch.cat(parts),
        labels=torch.tensor([session.model.classes.index(one) for one in labels]),
        cells=tuple(f"{images.labels[row]}, {images.attributes[name][row]}" for row in rows),
        clusters=tuple(images.clusters[row] if images.clusters else str(row) for row in rows),
    )
