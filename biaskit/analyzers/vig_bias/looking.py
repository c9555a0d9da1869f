"""One pass over the images: what the model says, what it looks at, and where each image lies.

Images are read a batch at a time and forgotten again; what is kept of each is its probabilities, its features
and its embeddings, so memory does not grow with the size of the images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.analyzers.vig_bias.reliance import Flips, flips, joined
from biaskit.errors import RequestError
from biaskit.images.selecting import batches
from biaskit.saliency.explain import explain
from biaskit.saliency.grounding import Control, Masking, ground
from biaskit.slices.observations import Observations

if TYPE_CHECKING:
    from PIL import Image

    from biaskit.images.image_set import ImageSet
    from biaskit.protocols import VisionModel
    from biaskit.saliency.choosing import Choice
    from biaskit.session import VisionSession

RAW, GROUNDED = "raw", "grounded"
VIEWS = (RAW, GROUNDED, str(Control.RANDOM), str(Control.INVERSE))
BATCH = 64
_DEEPEST = 4


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What was seen of some images, one row each, in the order they were asked for.

    Attributes:
        rows: Their rows in the image set.
        labels: Index of the true class.
        probabilities: What the model gave each class.
        features: What the classifier head was given; no columns where the model has no such head.
        embeddings: By view (whole image, grounded, control masks), where the image lies.
        flips: What became of the prediction when the region was erased or swapped.
        degenerate: Whether the map pointed nowhere, so that the image was left whole.
        captions: By view, one sentence an image; no view where nobody captions.
    """

    rows: Int[ndarray, " n"]
    labels: Int[ndarray, " n"]
    probabilities: Float[ndarray, "n k"]
    features: Float[ndarray, "n d"]
    embeddings: Mapping[str, Float[ndarray, "n _"]]
    flips: Flips
    degenerate: Bool[ndarray, " n"]
    captions: Mapping[str, tuple[str, ...]]

    def observed(self, view: str) -> Observations:
        """Return what a slicer is given in one view."""
        return Observations(self.embeddings[view], self.labels, self.probabilities)

    @property
    def predictions(self) -> Int[ndarray, " n"]:
        """The class the model puts each image in."""
        highest: ndarray = self.probabilities.argmax(axis=1)
        return highest

    @property
    def correct(self) -> Bool[ndarray, " n"]:
        """Whether that is the true class."""
        right: ndarray = self.predictions == self.labels
        return right


@dataclass(frozen=True, slots=True, eq=False)
class Looker:
    """How images are looked at.

    Attributes:
        session: The model, the encoder and the generators.
        images: The set that is looked at.
        choice: How maps are computed.
        masking: How images are cut down to what the map ranks highest.
        views: Which embeddings are wanted.
    """

    session: VisionSession
    images: ImageSet
    choice: Choice
    masking: Masking
    views: tuple[str, ...] = VIEWS

    @property
    def has_head(self) -> bool:
        """Whether the model ends in a linear head whose input can be read."""
        try:
            self.session.model.head()
        except RequestError:
            return False
        return True

    def names(self, rows: Int[ndarray, " n"]) -> list[str]:
        """Return the names of some images."""
        return [self.images.pictures.name(row) for row in rows.tolist()]

    def look(self, rows: Int[ndarray, " n"], what: str) -> Looked:
        """Look at `rows`; they are taken in random order, so that a batch holds donors of other classes."""
        rng = self.session.rng(f"vig-bias/{self.images.name}/{what}")
        order = rng.permutation(rows)
        read = batches(self.images, order.tolist(), BATCH)
        told = self.session.progress.track(read, f"looking at {what} images", -(-len(order) // BATCH))
        parts = [self._batch(np.array(batch), pictures, rng) for batch, pictures in told]
        return _in_order(_together(parts), rows)

    def features(self, rows: Int[ndarray, " n"]) -> Float[ndarray, "n d"]:
        """Return what the classifier head is given, without a look at maps."""
        read = batches(self.images, rows.tolist(), BATCH)
        told = self.session.progress.track(read, "reading training images", -(-len(rows) // BATCH))
        return np.concatenate([self._features(self.session.model.prepare(pictures)) for _, pictures in told])

    def _batch(
        self, rows: Int[ndarray, " b"], pictures: Sequence[Image.Image], rng: np.random.Generator
    ) -> Looked:
        model = self.session.model
        pixels = model.prepare(pictures)
        logits = model.logits(pixels)
        maps = explain(model, pixels, logits.argmax(dim=1), self.choice, rng=rng).maps
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        # One generator serves all masks, so their order is part of what is drawn.
        masks = dict.fromkeys((*self.views, GROUNDED, str(Control.RANDOM)))
        cut = {
            view: ground(pixels, maps, self._masking(view), rng=generator) for view in masks if view != RAW
        }
        regions = (cut[GROUNDED].mask, cut[str(Control.RANDOM)].mask)
        shown = {view: pixels if view == RAW else cut[view].pixels for view in self.views}
        return Looked(
            rows=rows,
            labels=self.labels(rows),
            probabilities=logits.double().softmax(dim=1).numpy(),
            features=self._features(pixels),
            embeddings={view: self._embedded(one) for view, one in shown.items()},
            flips=flips(model, pixels, regions, logits.argmax(dim=1), rng),
            degenerate=maps.dead.numpy(),
            captions=self._captions(rows, shown),
        )

    def _captions(
        self, rows: Int[ndarray, " b"], shown: Mapping[str, Float[Tensor, "b c h w"]]
    ) -> dict[str, tuple[str, ...]]:
        """Return the captions that come with the images, else what the captioner says of each view."""
        if self.images.captions:
            return {RAW: tuple(self.images.captions[row] for row in rows)}
        captioner = self.session.captioner
        if captioner is None:
            return {}
        return {view: tuple(captioner.caption(_coloured(pixels))) for view, pixels in shown.items()}

    def _masking(self, view: str) -> Masking:
        control = None if view == GROUNDED else view
        return Masking(keep=self.masking.keep, fill=self.masking.fill, control=control)

    def labels(self, rows: Int[ndarray, " b"]) -> Int[ndarray, " b"]:
        """Return the index of each image's true class."""
        index = {name: place for place, name in enumerate(self.session.model.classes)}
        return np.array([index[self.images.labels[row]] for row in rows], dtype=np.int64)

    def _features(self, pixels: Float[Tensor, "b c h w"]) -> Float[ndarray, "b d"]:
        if not self.has_head:
            return np.zeros((len(pixels), 0), dtype=np.float32)
        return self.session.model.features(pixels).numpy()

    def _embedded(self, pixels: Float[Tensor, "b c h w"]) -> Float[ndarray, "b d"]:
        encoder = self.session.encoder
        if encoder is None:
            own = self._features(pixels) if self.has_head else _pooled(self.session.model, pixels)
            return own.astype(np.float64)
        return encoder.encode_images(_coloured(pixels)).double().numpy()


def _pooled(model: VisionModel, pixels: Float[Tensor, "b c h w"]) -> Float[ndarray, "b d"]:
    """Return the mean over the image of the deepest activation that is wider than the logits.

    For classifiers without a linear head, whose last spatial layer often gives the logits place by place.
    """
    sites = model.spatial_sites()[-_DEEPEST:]
    if not sites:
        raise RequestError(
            "The model gives nothing in which slices could be sought.",
            why="It ends in no linear layer, and no activation of it lies over the image.",
            fix="Name a text-image encoder, such as --encoder openai/clip-vit-base-patch32.",
        )
    seen = model.sensitivity(pixels, lambda logits: logits.sum(dim=1), sites)
    classes = seen.logits.shape[1]
    wide = [site for site in sites if seen.activations[site].shape[1] > classes]
    pooled: ndarray = seen.activations[(wide or sites)[-1]].mean(dim=(2, 3)).numpy()
    return pooled


def _coloured(pixels: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 h w"]:
    return pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels


def _together(parts: Sequence[Looked]) -> Looked:
    def column(name: str) -> ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    return Looked(
        rows=column("rows"),
        labels=column("labels"),
        probabilities=column("probabilities"),
        features=column("features"),
        embeddings={
            view: np.concatenate([part.embeddings[view] for part in parts]) for view in parts[0].embeddings
        },
        flips=joined([part.flips for part in parts]),
        degenerate=column("degenerate"),
        captions={
            view: tuple(one for part in parts for one in part.captions[view]) for view in parts[0].captions
        },
    )


def _in_order(seen: Looked, rows: Int[ndarray, " n"]) -> Looked:
    at = {int(row): place for place, row in enumerate(seen.rows)}
    order = np.array([at[int(row)] for row in rows], dtype=int)
    return Looked(
        rows=seen.rows[order],
        labels=seen.labels[order],
        probabilities=seen.probabilities[order],
        features=seen.features[order],
        embeddings={view: embedded[order] for view, embedded in seen.embeddings.items()},
        flips=seen.flips.take(order),
        degenerate=seen.degenerate[order],
        captions={
            view: tuple(sentences[place] for place in order) for view, sentences in seen.captions.items()
        },
    )
