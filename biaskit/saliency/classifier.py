"""What a map is computed from: the little that has to be known about a vision model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from jaxtyping import Float
from torch import Tensor

from biaskit.records.site import Site
from biaskit.saliency.layout import Layout

Score: TypeAlias = Callable[[Tensor], Tensor]
"""From logits `n k` to the one number a row that a map explains, differentiable."""


class Sensitivity(NamedTuple):
    """A score, and what it depends on; float32 on the CPU, axes n, c, h, w at every site.

    Attributes:
        scores: The score of each image.
        logits: The logits it was computed from.
        activations: At each site, the activation.
        gradients: At each site, the score's gradient with respect to it.
    """

    scores: Float[Tensor, " n"]
    logits: Float[Tensor, "n k"]
    activations: dict[Site, Float[Tensor, "n _ _ _"]]
    gradients: dict[Site, Float[Tensor, "n _ _ _"]]


class Classifier(Protocol):
    """A vision model that gives one logit a class.

    Pixels are what the model sees before its own normalisation: `n c h w`, in [0, 1], at the size it takes.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Run one batch, in the caller's gradient mode and on the caller's graph."""

    def logits(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits of any number of images, without gradients, in batches; float32 on the CPU."""

    def spatial_sites(self) -> tuple[Site, ...]:
        """The sites whose activation has a spatial layout, bottom first; empty where there is none."""

    def layout(self, site: Site) -> Layout:
        """How the activation at `site` lies over the image.

        Raises:
            LayoutError: It has no spatial axes, or two readings of its shape tie.
        """

    def sensitivity(
        self, pixels: Float[Tensor, "n c h w"], score: Score, sites: Sequence[Site]
    ) -> Sensitivity:
        """Run forward and backward once and return score, activations and gradients at `sites`."""

    def attentions(self, pixels: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n a t t"], ...]:
        """Attention weights of every block, bottom first.

        Raises:
            RequestError: The model has no attention that can be read.
        """
