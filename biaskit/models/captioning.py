"""Captions where none came with the images: the phrase of a bank that lies nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.protocols import TextImageEncoder


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalCaptioner:
    """Captions an image with argmax_t cos(image, t) over a bank of phrases.

    It can say nothing that is not in the bank, and it sees what its encoder sees.

    Attributes:
        encoder: Compares images with phrases.
        phrases: The bank.
    """

    encoder: TextImageEncoder
    phrases: Sequence[str]
    _embedded: Float[Tensor, "p d"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Embed the bank once.

        Raises:
            RequestError: It is empty.
        """
        if not self.phrases:
            raise RequestError("The bank of phrases is empty.", fix="Give phrases to choose captions from.")
        object.__setattr__(self, "_embedded", self.encoder.encode_texts(list(self.phrases)))

    def caption(self, pixels: Float[Tensor, "n c h w"]) -> list[str]:
        """Return the nearest phrase for each image; of equally near ones the first."""
        likeness = self.encoder.encode_images(pixels) @ self._embedded.T
        return [self.phrases[int(row)] for row in torch.argmax(likeness, dim=1)]
