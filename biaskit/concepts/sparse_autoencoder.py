"""A sparse autoencoder, frozen, with what it must know about the site it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.concepts.direction import as_float64
from biaskit.concepts.hook_names import same_activation
from biaskit.concepts.processing import Processing, expected_norm_scale
from biaskit.concepts.reconstruction import fraction_of_variance_unexplained, squares_by_group
from biaskit.errors import ActivationError, RequestError, SparseAutoencoderMismatchError
from biaskit.records.estimate import Estimate
from biaskit.records.site import Site

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 1024
FVU_BOUND = 1.0
"""At 1 an autoencoder tells no more of an activation than the mean of all activations does."""

_BY_ROW = ("constant_norm_rescale", "layer_norm")


@dataclass(frozen=True, slots=True, eq=False)
class SparseAutoencoder:
    """A trained sparse autoencoder of sae-lens and the processing that its inputs need.

    Rows are raw activations of the model, as biaskit reads them; `encode` applies `processing` and the
    autoencoder's own normalisation. Latents are float32, n x d_sae, in the autoencoder's own units.
    sae-lens itself applies `constant_norm_rescale`, `layer_norm` and the decoder bias when it encodes.
    `expected_average_only_in` it does not: the factor is folded into the weights when it trains or loads
    a release whose factor its catalogue holds, and is unknown otherwise; see `scaled_on`.

    Attributes:
        module: The sae-lens inference module; never trained or changed here.
        site: Where it reads.
        processing: What is done to raw activations first.
        name: Release and id, or folder.
        model_name: The model it was trained on, where its configuration says.
        prepend_bos: Whether its training texts began with the BOS token; None where it does not say.
    """

    module: Any
    site: Site
    processing: Processing = field(default_factory=Processing)
    name: str = ""
    model_name: str | None = None
    prepend_bos: bool | None = None

    @property
    def d_in(self) -> int:
        """Width of the activations it reads."""
        return int(self.module.cfg.d_in)

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.module.cfg.d_sae)

    @property
    def normalisation(self) -> str:
        """The input normalisation its configuration asks for, in sae-lens's words."""
        return str(self.module.cfg.normalize_activations)

    @property
    def dictionary(self) -> Float[Tensor, "s d"]:
        """What one unit of each latent adds to the reconstruction, before any rescaling by row."""
        weights: Tensor = self.module.W_dec.detach().float().cpu()
        if getattr(self.module.cfg, "rescale_acts_by_decoder_norm", False):
            weights = weights / torch.linalg.vector_norm(weights, dim=1, keepdim=True)
        return weights if self.processing.scale is None else weights / self.processing.scale

    def encode(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, "n s"]:
        """Return the latents of raw activations.

        Raises:
            ActivationError: There is no row, or a value or a latent is NaN or infinite.
            SparseAutoencoderMismatchError: The width differs, or the input scale is not known.
        """
        return torch.cat([self._encode(batch) for batch in self._batches(activations)])

    def decode(self, latents: Float[Tensor, "n s"]) -> Float[Tensor, "n d"]:
        """Return the activations that the latents stand for, in the units of raw activations.

        Where the processing centres rows, the decoded rows are centred too.

        Raises:
            RequestError: The normalisation is undone with each row's own norm, which latents do not hold.
        """
        if self.normalisation in _BY_ROW:
            raise RequestError(
                f"Latents alone cannot be decoded under '{self.normalisation}' normalisation.",
                why="Each row is rescaled by its own norm, which is known only beside the activation.",
                fix="Use reconstruct() on the activations.",
            )
        return torch.cat([self._decode(batch) for batch in _split(latents)])

    def reconstruct(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Encode and decode each row; comparable with `processed(activations)`.

        Raises:
            ActivationError: There is no row, or a value is NaN or infinite.
            SparseAutoencoderMismatchError: The width differs, or the input scale is not known.
        """
        return torch.cat([self._decode(self._encode(batch)) for batch in self._batches(activations)])

    def processed(self, activations: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """What `reconstruct` tries to give back: the rows, centred where the processing centres them."""
        return replace(self.processing, scale=None)(activations)

    def scaled_on(self, activations: Float[Tensor, "n d"]) -> SparseAutoencoder:
        """Take the missing input scale of `expected_average_only_in` from `activations`.

        The scale is sqrt(d) / E||x||. Without a scale to find, the autoencoder itself is returned.
        """
        if self.normalisation != "expected_average_only_in" or self.processing.scale is not None:
            return self
        scale = expected_norm_scale(self.processing(activations))
        return replace(self, processing=replace(self.processing, scale=scale))

    def fvu(self, activations: Float[Tensor, "n d"], groups: Sequence[str] | None = None) -> Estimate:
        """Fraction of variance unexplained on `activations`: sum ||x - x_hat||^2 / sum ||x - mean||^2.

        0 is perfect, 1 is no better than the mean. The interval resamples `groups` (rows without them).
        """
        rows = self.processed(activations)
        return fraction_of_variance_unexplained(rows, self.reconstruct(activations), groups)

    def squares(
        self, activations: Float[Tensor, "n d"], groups: Sequence[str]
    ) -> dict[str, tuple[float, float]]:
        """Squared errors and squares about the mean of every group; the ratio of their sums is the FVU."""
        return squares_by_group(self.processed(activations), self.reconstruct(activations), groups)

    def check(
        self,
        activations: Float[Tensor, "n d"],
        site: Site,
        groups: Sequence[str] | None = None,
        bound: float = FVU_BOUND,
    ) -> Estimate:
        """Return the FVU on the audited text, or refuse an autoencoder that does not fit the site.

        Raises:
            SparseAutoencoderMismatchError: The site or width differs, or the FVU is `bound` or more.
        """
        if not same_activation(self.site, site):
            raise SparseAutoencoderMismatchError(
                f"The autoencoder {self.name} reads {self.site}, but {site} was asked for.",
                fix=f"Audit {self.site}, or choose an autoencoder of {site}.",
            )
        estimate = self.fvu(activations, groups)
        if estimate.value is None or estimate.value >= bound:
            raise SparseAutoencoderMismatchError(
                f"The autoencoder {self.name} does not fit the audited text at {site}.",
                why=self._why_unfit(estimate, bound),
                fix="Use the autoencoder of this model and layer, or leave the autoencoder out.",
            )
        return estimate

    def named(self, name: str) -> SparseAutoencoder:
        """Return the same autoencoder under another name."""
        return replace(self, name=name)

    def save(self, folder: Path) -> None:
        """Write `cfg.json` and `sae_weights.safetensors`, as `load_folder` and sae-lens read them."""
        self.module.save_model(folder)

    def _why_unfit(self, estimate: Estimate, bound: float) -> str:
        if estimate.value is None:
            return f"Its FVU cannot be computed: {estimate.reason}."
        return f"Its FVU is {estimate.value:.3g}, not below {bound:g}; the mean activation alone gives 1."

    def _batches(self, activations: Float[Tensor, "n d"]) -> Iterator[Tensor]:
        if activations.shape[1] != self.d_in:
            raise SparseAutoencoderMismatchError(
                f"The autoencoder {self.name} reads {self.d_in} dimensions, "
                f"the activations have {activations.shape[1]}.",
                fix="Choose an autoencoder that was trained on this model.",
            )
        if self.normalisation == "expected_average_only_in" and self.processing.scale is None:
            raise SparseAutoencoderMismatchError(
                f"The autoencoder {self.name} expects inputs scaled to an average norm, and names no scale.",
                fix="Take the scale from the audited text with scaled_on(activations).",
            )
        yield from _split(as_float64(activations, "given"))

    @torch.no_grad()
    def _encode(self, batch: Tensor) -> Tensor:
        rows = self.processing(batch).to(self.module.device)
        latents: Tensor = self.module.encode(rows).float().cpu()
        if not torch.isfinite(latents).all():
            raise ActivationError(
                f"The autoencoder {self.name} gives latents that are NaN or infinite.",
                why="Its weights overflow at their precision, or it divides by the norm of a row of zeros.",
                fix="Load it in float32 and look for rows of zeros.",
            )
        return latents

    @torch.no_grad()
    def _decode(self, latents: Tensor) -> Tensor:
        rows: Tensor = self.module.decode(latents.to(self.module.device, self.module.dtype)).float().cpu()
        return rows if self.processing.scale is None else rows / self.processing.scale


def _split(rows: Tensor) -> Iterator[Tensor]:
    yield from (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
