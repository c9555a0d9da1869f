"""A sparse autoencoder of a denoiser's site, with the model, place and timesteps it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import ValidationError
from torch import Tensor

from biaskit.concepts.sae_loading import load_folder
from biaskit.concepts.site_rows import Layout, rows_of
from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
from biaskit.errors import RequestError, SparseAutoencoderMismatchError
from biaskit.hooks.shelf import write_atomically
from biaskit.records.base import Record
from biaskit.records.site import Site

RECORD = "site.json"


class SiteRecord(Record):
    """What is known of an autoencoder of a site, apart from its weights."""

    format: Literal[1] = 1
    """Version of the file."""
    model: str
    """Fingerprint of the model it was trained on."""
    site: Site
    """Where it reads."""
    layout: Layout
    """How an activation becomes rows."""
    shape: tuple[int, ...]
    """Shape of one image's activation at the site."""
    timesteps: tuple[float, float]
    """Lowest and highest timestep it was trained at, as the network is told them."""
    images: int
    """How many drawn images it was trained on."""
    explained: dict[str, float]
    """Share of variance that it explains at each timestep, on images it was not trained on."""
    dead: float = 0.0
    """Share of latents that never fired on those images."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteAutoencoder:
    """An autoencoder and its record.

    Attributes:
        sae: The autoencoder.
        record: Where it comes from.
    """

    sae: SparseAutoencoder
    record: SiteRecord

    def encode(self, activation: Float[Tensor, "b ..."]) -> Float[Tensor, "n s"]:
        """Return the latents of activations of whole images, one row a row of `layout`."""
        return self.sae.encode(rows_of(activation, self.record.layout))

    @property
    def offset(self) -> Float[Tensor, " d"]:
        """What a code of zeros is decoded to."""
        return self.sae.decode(torch.zeros(1, self.sae.d_sae))[0]

    def require(self, model: str, site: Site) -> SiteAutoencoder:
        """Return itself where it was trained on this model and site.

        Raises:
            SparseAutoencoderMismatchError: It was trained on another model or at another site.
        """
        if self.record.site != site:
            raise SparseAutoencoderMismatchError(
                f"The autoencoder reads {self.record.site}, but {site} was asked for.",
                fix=f"Use it at {self.record.site}, or train one at {site}.",
            )
        if self.record.model != model:
            raise SparseAutoencoderMismatchError(
                "The autoencoder was trained on another model.",
                why=f"That model's fingerprint begins {self.record.model[:12]}, this one's {model[:12]}.",
                fix="Load the model it was trained on, or train one for this model.",
            )
        return self

    def save(self, folder: Path | str) -> None:
        """Write weights and configuration as sae-lens reads them, and `site.json`.

        Raises:
            RequestError: The folder cannot be written.
        """
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self.sae.save(path)
            write_atomically(path / RECORD, self.record.model_dump_json(indent=1).encode())
        except OSError as error:
            raise RequestError(f"The autoencoder cannot be written to {path}.", why=str(error)) from error

    @classmethod
    def load(cls, folder: Path | str) -> SiteAutoencoder:
        """Read an autoencoder that was saved; `require` tells whether it fits a model.

        Raises:
            RequestError: A file is missing or damaged.
        """
        path = Path(folder)
        try:
            record = SiteRecord.model_validate_json((path / RECORD).read_bytes())
        except OSError as error:
            raise RequestError(f"There is no saved autoencoder in {path}.", why=str(error)) from error
        except ValidationError as error:
            raise RequestError(f"The saved autoencoder in {path} is damaged.", why=str(error)) from error
        return cls(load_folder(path, site=record.site), record)


@dataclass(eq=False)
class Explained:
    """What an autoencoder explains of rows that come in parts; no row is kept.

    Sums of squares around the mean are merged part by part (Chan, Golub and LeVeque 1983).

    Attributes:
        sae: The autoencoder.
        fired: Which latents fired on any row.
        moments: By timestep: number of rows, their mean, squares around it, and squares that are missed.
    """

    sae: SparseAutoencoder
    fired: Bool[Tensor, " s"] = field(init=False)
    moments: dict[float, tuple[int, Float[Tensor, " d"], float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with no latent that fired."""
        self.fired = torch.zeros(self.sae.d_sae, dtype=torch.bool)

    def add(self, timestep: float, rows: Float[Tensor, "n d"]) -> None:
        """Take in rows of a timestep."""
        latents, own = self.sae.encode(rows), rows.double()
        self.fired |= (latents != 0).any(dim=0)
        missed = float((self.sae.decode(latents).double() - own).square().sum())
        count, mean = len(own), own.mean(dim=0)
        around = float((own - mean).square().sum())
        if timestep in self.moments:
            before, centre, held, lost = self.moments[timestep]
            both, apart = before + count, mean - centre
            around += held + float(apart.square().sum()) * before * count / both
            count, mean, missed = both, centre + apart * count / both, missed + lost
        self.moments[timestep] = (count, mean, around, missed)

    def found(self) -> tuple[dict[str, float], float]:
        """Return the share of variance explained at each timestep, and that of latents that never fired."""
        shares = {f"{step:g}": 1 - missed / around for step, (_, _, around, missed) in self.moments.items()}
        return shares, float((~self.fired).double().mean())


def explained_variance(
    sae: SparseAutoencoder, rows: Mapping[float, Float[Tensor, "n d"]]
) -> tuple[dict[str, float], float]:
    """Return the share of variance explained at each timestep, and the share of latents that never fire.

    `1 - sum ||x - x_hat||^2 / sum ||x - mean||^2`, with the mean of that timestep.
    """
    seen = Explained(sae)
    for timestep, each in rows.items():
        seen.add(timestep, each)
    return seen.found()
