"""An encoder made of embeddings that were computed elsewhere, for images that it has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from biaskit.errors import RequestError
from biaskit.images.image_set import ImageSet
from biaskit.images.selecting import batches

if TYPE_CHECKING:
    from PIL import Image

TextEncoder = Callable[[Sequence[str]], Tensor]
"""From texts to one row each, in the space of the image embeddings."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrayEncoder:
    """Embeddings found again by the pixels they belong to; other pixels, such as masked ones, are refused.

    Attributes:
        rows: One embedding an image, of length 1.
        places: Row of each image by the digest of its pixels.
        texts: From texts to the same space.
        name: What the embeddings are called in a report.
        fingerprint: SHA-256 over the embeddings, in hex.
    """

    rows: Float[Tensor, "n d"]
    places: Mapping[str, int]
    texts: TextEncoder
    name: str
    fingerprint: str

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.rows.shape[1]

    def encode_images(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Look the embeddings of these pixels up.

        Raises:
            RequestError: Some pixels are not those of an image that was embedded.
        """
        keys = [_digest(one) for one in pixels]
        unseen = [row for row, key in enumerate(keys) if key not in self.places]
        if unseen:
            raise RequestError(
                f"{len(unseen)} of {len(keys)} images have no precomputed embedding.",
                why="Precomputed embeddings are those of whole images: a masked image has none.",
                fix="Give an encoder that can be run, or discover slices without grounding.",
            )
        return self.rows[torch.tensor([self.places[key] for key in keys])]

    def encode_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Embed texts with the function that was given.

        Raises:
            RequestError: It gives rows of another number or length.
        """
        found = torch.as_tensor(self.texts(texts), dtype=torch.float32).cpu()
        if found.shape != (len(texts), self.width):
            raise RequestError(
                f"The text function gave an array of shape {tuple(found.shape)} for {len(texts)} texts.",
                fix=f"It must give {self.width} numbers a text, as the image embeddings have.",
            )
        return normalize(found, dim=1)


def array_encoder(
    images: ImageSet,
    embeddings: object,
    texts: TextEncoder,
    prepare: Callable[[list[Image.Image]], Tensor],
    *,
    name: str = "precomputed embeddings",
) -> ArrayEncoder:
    """Make an encoder of embeddings that are there already.

    Args:
        images: The images, in the order of the embeddings; they are read once.
        embeddings: One row an image.
        texts: From texts to rows in the same space.
        prepare: The audited model's `prepare`: pixels are told apart as the analyzers will hand them over.
        name: What the embeddings are called in a report.

    Raises:
        RequestError: The embeddings are not one finite row an image.
        ImageError: An image cannot be read.
    """
    rows = torch.as_tensor(embeddings, dtype=torch.float32).cpu()
    if rows.ndim != 2 or len(rows) != len(images) or not rows.isfinite().all():
        raise RequestError(
            f"Embeddings of shape {tuple(rows.shape)} do not fit {len(images)} images, or are not numbers.",
            fix="Give one row an image, in the order of the set.",
        )
    places: dict[str, int] = {}
    for numbers, read in batches(images):
        places |= {_digest(one): row for row, one in zip(numbers, prepare(read), strict=True)}
    digest = hashlib.sha256(rows.contiguous().numpy().tobytes()).hexdigest()
    return ArrayEncoder(normalize(rows, dim=1), places, texts, name, digest)


def _digest(pixels: Float[Tensor, "c h w"]) -> str:
    data = pixels.detach().to("cpu", torch.float32).contiguous().numpy()
    return hashlib.blake2b(data.tobytes(), digest_size=16).hexdigest()
