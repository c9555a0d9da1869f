"""Does the model rely on the region its map points at? Erase or swap it and count the flips.

A region is the part of the image that the mask keeps. It is erased (filled with the image's mean colour) or
taken from another image that the model puts in another class. The same is done to a region of the same size
and form elsewhere; what a region does beyond that is what the model relies on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.saliency.classifier import Classifier


@dataclass(frozen=True, slots=True, eq=False)
class Flips:
    """What became of each prediction, one row an image.

    Attributes:
        erased: It changed when the region was erased.
        erased_elsewhere: It changed when a region of the same size elsewhere was erased.
        followed: It became the donor's class when the region was taken from the donor.
        followed_elsewhere: The same with the region elsewhere.
        has_donor: Whether there was an image of another predicted class to take the region from.
    """

    erased: Bool[ndarray, " n"]
    erased_elsewhere: Bool[ndarray, " n"]
    followed: Bool[ndarray, " n"]
    followed_elsewhere: Bool[ndarray, " n"]
    has_donor: Bool[ndarray, " n"]

    def take(self, rows: Int[ndarray, " m"]) -> Flips:
        """Return the flips of some images."""
        return Flips(*(getattr(self, name)[rows] for name in Flips.__dataclass_fields__))


def flips(
    classifier: Classifier,
    pixels: Float[Tensor, "n c h w"],
    masks: tuple[Bool[Tensor, "n h w"], Bool[Tensor, "n h w"]],
    predictions: Int[Tensor, " n"],
    rng: np.random.Generator,
) -> Flips:
    """Erase and swap the region of every image in a batch, and a region elsewhere.

    Args:
        classifier: The audited model.
        pixels: A batch in random order, so that it holds donors of other classes.
        masks: The region of each image, and one of the same size and form elsewhere.
        predictions: The class that the model gives each image as it is.
        rng: Draws the donors.
    """
    donors, has_donor = _donors(predictions, rng)
    filled = pixels.mean(dim=(2, 3), keepdim=True).expand_as(pixels)
    erased, followed = [], []
    for region in masks:
        where = region[:, None]
        erased.append(_predicted(classifier, torch.where(where, filled, pixels)) != predictions)
        swapped = _predicted(classifier, torch.where(where, pixels[donors], pixels))
        followed.append((swapped == predictions[donors]) & has_donor)
    columns = [*erased, *followed, has_donor]
    return Flips(*(column.numpy() for column in columns))


def joined(parts: list[Flips]) -> Flips:
    """Return the flips of several batches, one after the other."""
    return Flips(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Flips.__dataclass_fields__)
    )


def _predicted(classifier: Classifier, pixels: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
    return classifier.logits(pixels).argmax(dim=1)


def _donors(
    predictions: Int[Tensor, " n"], rng: np.random.Generator
) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"]]:
    """Return for each image another one that the model puts in another class, where the batch has one."""
    order = torch.from_numpy(rng.permutation(len(predictions)))
    donors = torch.arange(len(predictions))
    for row, own in enumerate(predictions):
        others = order[predictions[order] != own]
        if len(others):
            donors[row] = others[int(rng.integers(len(others)))]
    return donors, donors != torch.arange(len(predictions))
