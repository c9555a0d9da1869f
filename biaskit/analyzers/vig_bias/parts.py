"""Which images slices are found on, which they are tested on, and which a remedy is trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.images.image_set import ImageSet, Part

FEWEST = 20


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """Rows of an image set by what they are used for; `found` and `held` never share a cluster.

    Attributes:
        found: Rows on which slices are found and settings chosen.
        held: Rows on which every number is measured.
        train: Rows on which a remedy is trained; those of `found` where no others were given.
        notes: What was decided here, one sentence each.
    """

    found: Int[ndarray, " f"]
    held: Int[ndarray, " h"]
    train: Int[ndarray, " t"]
    notes: tuple[str, ...] = ()


def divide(images: ImageSet, most: int, rng: np.random.Generator) -> Division:
    """Divide an image set; images that the model was trained on are never what a number is measured on.

    Args:
        images: The set; its parts are kept to where there are any.
        most: Most rows of each part; more are drawn at random.
        rng: Draws the halves and the samples.

    Raises:
        RequestError: A part has fewer than 20 images, or all of one class.
    """
    of = {part: _rows(images, part) for part in Part}
    if len(of[Part.VALIDATION]) and len(of[Part.TEST]):
        found, held, notes = of[Part.VALIDATION], of[Part.TEST], []
    else:
        whole = of[Part.TEST] if len(of[Part.TEST]) else of[Part.VALIDATION]
        whole = whole if len(whole) else np.arange(len(images))
        _require_untrained(images, of)
        found, held = _halves(images, whole, rng)
        notes = [f"Slices are found on {len(found)} images and tested on the other {len(held)}."]
    train = of[Part.TRAIN] if len(of[Part.TRAIN]) else found
    sampled = [_sample(rows, most, rng) for rows in (found, held, train)]
    if any(len(rows) > most for rows in (found, held, train)):
        notes.append(f"At most {most} images of each part were drawn at random (`most_images`).")
    for what, rows in zip(("found", "tested"), sampled, strict=False):
        _require(images, rows, what)
    return Division(sampled[0], sampled[1], sampled[2], tuple(notes))


def _rows(images: ImageSet, part: Part) -> Int[ndarray, " n"]:
    return np.flatnonzero(np.array([one is part for one in images.parts], dtype=bool))


def _require_untrained(images: ImageSet, of: dict[Part, ndarray]) -> None:
    if images.parts and len(of[Part.TRAIN]) == len(images):
        raise RequestError(
            f"Every image of '{images.name}' is marked 'train'.",
            why="On images that a model was trained on its failures do not show.",
            fix="Mark some 'validation' and 'test', or leave the column out if the model never saw them.",
        )


def _halves(
    images: ImageSet, rows: ndarray, rng: np.random.Generator
) -> tuple[Int[ndarray, " f"], Int[ndarray, " h"]]:
    """Give each cluster to the half that has fewer images of the cluster's commonest class."""
    clusters: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        clusters[images.clusters[row] if images.clusters else str(row)].append(int(row))
    sizes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    halves: tuple[list[int], list[int]] = ([], [])
    names = list(clusters)
    for at in rng.permutation(len(names)):
        members = clusters[names[at]]
        label = _commonest([images.labels[row] for row in members])
        half = int(np.argmin(sizes[label]))
        sizes[label][half] += len(members)
        halves[half].extend(members)
    return np.sort(np.array(halves[0], dtype=int)), np.sort(np.array(halves[1], dtype=int))


def _commonest(labels: Sequence[str]) -> str:
    return max(sorted(set(labels)), key=labels.count)


def _sample(rows: ndarray, most: int, rng: np.random.Generator) -> Int[ndarray, " n"]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _require(images: ImageSet, rows: ndarray, what: str) -> None:
    if len(rows) < FEWEST:
        raise RequestError(
            f"'{images.name}' has {len(rows)} images on which slices would be {what}.",
            fix=f"Give at least {FEWEST} to find slices on and {FEWEST} others to test them on; "
            f"images without parts are halved, so at least {2 * FEWEST} of these.",
        )
    present = {images.labels[row] for row in rows}
    if len(present) < 2:
        raise RequestError(
            f"The images of '{images.name}' on which slices would be {what} are all '{present.pop()}'.",
            why="Where a model fails is asked against what it gets right in another class.",
            fix="Give images of at least two classes in each part.",
        )
