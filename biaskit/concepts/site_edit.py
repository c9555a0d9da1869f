"""Edits of latents at a site while a model draws; they leave what the autoencoder misses as it is.

    h' = h + D(z') - D(z) = h + sum_f (z'_f - z_f) d_f

with z' one of: `scale` z (1 + s a), `add` z + s a, `clamp` z + s (a - z), `balance` z + s a_c, where c is the
class that an image's seed was dealt. s is the strength; with s = 0, and outside the window of timesteps, the
activation itself is returned, so nothing changes by a bit. After Shi et al. 2025 (DiffLens, arXiv
2503.20483), whose edits add the decoder's bias even where nothing is edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.concepts.feature_reader import FeatureReader
from biaskit.concepts.site_rows import Layout, as_activation, rows_of
from biaskit.errors import RequestError
from biaskit.hooks.moments import Moment
from biaskit.records.base import Record
from biaskit.records.site import Site

Kind: TypeAlias = Literal["scale", "add", "clamp", "balance"]
_GOLDEN = 0.6180339887498949


class EditRecord(Record):
    """What an edit is, apart from its tensors."""

    format: Literal[1] = 1
    """Version of the file."""
    kind: Kind
    """What becomes of a latent."""
    model: str
    """Fingerprint of the model it was made for."""
    site: Site
    """Where it acts."""
    layout: Layout
    """How an activation becomes rows."""
    strength: float = 1.0
    """s; 0 changes nothing."""
    window: tuple[float, float] | None = None
    """Lowest and highest timestep at which it acts, as the network is told them; None: at all of them."""
    features: tuple[int, ...] = ()
    """Numbers of the latents; empty for a direction that is no latent's."""
    classes: tuple[str, ...] = ()
    """What the edit leads to; the classes that `balance` deals."""
    shares: tuple[float, ...] = ()
    """Share of the images that `balance` deals to each class."""
    about: str = ""
    """How it was made, one sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteEdit:
    """An edit, ready to be given to `DenoisingModel.draw`.

    Attributes:
        record: What it is.
        decoder: d_f, what one unit of each latent adds.
        timesteps: Timesteps that amounts are known at; others take those of the nearest.
        amounts: a, for each class, timestep and latent; one class unless it balances.
        reader: Reads z; None where the edit does not depend on it.
    """

    record: EditRecord
    decoder: Float[Tensor, "f d"]
    timesteps: Float[Tensor, " t"]
    amounts: Float[Tensor, "c t f"]
    reader: FeatureReader | None = None

    def __post_init__(self) -> None:
        """Refuse an edit whose parts do not fit.

        Raises:
            RequestError: `scale` and `clamp` lack a reader, or `balance` shares for its classes.
        """
        if self.record.kind in {"scale", "clamp"} and self.reader is None:
            raise RequestError(f"An edit of the kind '{self.record.kind}' must read its latents.")
        dealt = len(self.amounts) if self.record.kind == "balance" else 0
        if len(self.record.shares) != dealt or (dealt and abs(sum(self.record.shares) - 1) > 1e-6):
            raise RequestError("An edit that balances needs one share a class, adding up to 1.")

    def stronger(self, strength: float) -> SiteEdit:
        """Return the same edit at another strength."""
        return replace(self, record=self.record.model_copy(update={"strength": strength}))

    def within(self, low: float, high: float) -> SiteEdit:
        """Return the same edit in another window of timesteps."""
        return replace(self, record=self.record.model_copy(update={"window": (low, high)}))

    def require(self, model: str) -> SiteEdit:
        """Return itself where it was made for this model.

        Raises:
            RequestError: It was made for another one.
        """
        if self.record.model != model:
            raise RequestError(
                "This edit was made for another model.",
                why=f"That model's fingerprint begins {self.record.model[:12]}, this one's {model[:12]}.",
                fix="Load the model that the edit was made for, or find an edit for this one.",
            )
        return self

    @property
    def size(self) -> float:
        """Root mean square length of what the edit adds at its strength, over timesteps and classes."""
        if self.record.kind in {"scale", "clamp"}:
            raise RequestError("The size of an edit that depends on its latents is not fixed.")
        added = self.record.strength * self.amounts.double() @ self.decoder.double()
        return float(added.square().sum(dim=-1).mean().sqrt())

    def __call__(self, activation: Float[Tensor, "b ..."], moment: Moment) -> Float[Tensor, "b ..."]:
        """Return the edited activation."""
        if self.record.strength == 0 or not self._acts_at(moment.timestep):
            return activation
        place = int((self.timesteps - moment.timestep).abs().argmin())
        amounts = self.amounts[:, place].to(activation.device)
        decoder = self.decoder.to(activation.device)
        if self.record.kind in {"add", "balance"}:
            return self._shifted(activation, moment, self.record.strength * amounts @ decoder)
        rows = rows_of(activation, self.record.layout).float()
        change = self.record.strength * self._change(self._read(rows), amounts[0]) @ decoder
        return activation + as_activation(change, self.record.layout, activation).to(activation.dtype)

    def _acts_at(self, timestep: float) -> bool:
        window = self.record.window
        return window is None or window[0] <= timestep <= window[1]

    def _change(self, latents: Float[Tensor, "n f"], amounts: Float[Tensor, " f"]) -> Float[Tensor, "n f"]:
        return latents * amounts if self.record.kind == "scale" else amounts - latents

    def _read(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n f"]:
        if self.reader is None:
            raise RequestError("This edit does not read latents.")
        return self.reader(rows)

    def _shifted(
        self, activation: Float[Tensor, "b ..."], moment: Moment, steps: Float[Tensor, "c d"]
    ) -> Float[Tensor, "b ..."]:
        """Add each image the step of its class, at every place where a place is a row."""
        own = steps.expand(len(moment.seeds), -1) if len(steps) == 1 else steps[self.dealt(moment.seeds)]
        rows = moment.repeated(own).to(activation.dtype)
        if self.record.layout == "map":
            return activation + rows.reshape(activation.shape)
        spread = rows[:, :, None, None] if activation.ndim == 4 else rows[:, None]
        return activation + spread

    def dealt(self, seeds: Sequence[int]) -> Int[Tensor, " n"]:
        """Return the class of each image: `frac(seed x golden ratio)` against the cumulative shares.

        Neighbouring seeds are dealt evenly, so that a batch comes close to the shares.
        """
        marks = torch.tensor([(seed + 0.5) * _GOLDEN % 1.0 for seed in seeds], dtype=torch.float64)
        ends = torch.tensor(self.record.shares, dtype=torch.float64).cumsum(0)[:-1]
        return torch.bucketize(marks, ends, right=True)


def direction_edit(
    record: EditRecord, timesteps: Sequence[float], directions: Float[Tensor, "t d"]
) -> SiteEdit:
    """Return an edit that adds a direction of its own at each timestep, which is no latent's."""
    count = len(timesteps)
    return SiteEdit(record, directions.float(), torch.tensor(timesteps), torch.eye(count)[None])
