"""Edits that lead to a class: of the latents that carry it, of random ones, of a direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.concepts.feature_reader import FeatureReader
from biaskit.concepts.site_edit import EditRecord, Kind, SiteEdit, direction_edit
from biaskit.errors import RequestError

if TYPE_CHECKING:
    from biaskit.concepts.site_autoencoder import SiteAutoencoder
    from biaskit.steering.ranking import Codes


def feature_edit(
    autoencoder: SiteAutoencoder, codes: Codes, number: int, features: Sequence[int], kind: Kind = "add"
) -> SiteEdit:
    """Return the edit that leads to class `number` through `features`.

    At strength 1 `add` moves each latent, at each timestep, by the mean difference between the class and all
    others; `clamp` puts it at the mean of the class; `scale` doubles it.

    Raises:
        RequestError: No latent is named, or the kind is `balance` (see `balanced`).
    """
    if not features:
        raise RequestError("There is no latent to edit.", why="None carries the class.")
    if kind == "balance":
        raise RequestError("Balancing leads to every class; make it with balanced().")
    chosen = list(features)
    amounts = {
        "add": lambda: codes.differences()[number][:, chosen],
        "clamp": lambda: _means(codes, number)[:, chosen],
        "scale": lambda: torch.ones(len(codes.latents), len(chosen)),
    }[kind]()
    record = _record(autoencoder, kind, (codes.classes[number],), tuple(chosen))
    reader = None if kind == "add" else FeatureReader.of(autoencoder.sae, chosen)
    return SiteEdit(record, autoencoder.sae.dictionary[chosen], _steps(codes), amounts[None].float(), reader)


def balanced(
    autoencoder: SiteAutoencoder, codes: Codes, features: Sequence[int], shares: Sequence[float]
) -> SiteEdit:
    """Return the edit that deals a class to each image by its seed, in `shares`, and leads it there."""
    chosen = list(features)
    record = _record(autoencoder, "balance", codes.classes, tuple(chosen))
    record = record.model_copy(update={"shares": tuple(shares)})
    amounts = codes.differences()[:, :, chosen].float()
    return SiteEdit(record, autoencoder.sae.dictionary[chosen], _steps(codes), amounts)


def latent_direction(autoencoder: SiteAutoencoder, codes: Codes, number: int) -> SiteEdit:
    """Return the baseline without latents: the mean activation of the class less that of the others."""
    record = _record(autoencoder, "add", (codes.classes[number],), ())
    return direction_edit(record, list(codes.latents), codes.directions()[number].float())


def of_size(edit: SiteEdit, size: float) -> SiteEdit:
    """Return an edit whose amounts are scaled so that it adds `size` at strength 1 (root mean square).

    Raises:
        RequestError: The edit adds nothing.
    """
    own = edit.stronger(1.0).size
    if own == 0:
        raise RequestError("An edit that adds nothing cannot be scaled to a size.")
    return replace(edit, amounts=edit.amounts * (size / own))


def random_edits(
    autoencoder: SiteAutoencoder, edit: SiteEdit, rng: np.random.Generator, draws: int
) -> list[SiteEdit]:
    """Return edits of as many latents, drawn at random, with the amounts of `edit` and its size.

    Signs are drawn too, so that the edits lean to no side.
    """
    count, size = len(edit.decoder), edit.stronger(1.0).size
    made = []
    for _ in range(draws):
        chosen = rng.choice(autoencoder.sae.d_sae, size=count, replace=False).tolist()
        signs = torch.from_numpy(rng.choice([-1.0, 1.0], size=count)).float()
        other = replace(
            edit,
            record=edit.record.model_copy(update={"features": tuple(chosen), "classes": ()}),
            decoder=autoencoder.sae.dictionary[chosen],
            amounts=edit.amounts * signs,
        )
        made.append(of_size(other, size))
    return made


def _record(
    autoencoder: SiteAutoencoder, kind: Kind, classes: tuple[str, ...], features: tuple[int, ...]
) -> EditRecord:
    known = autoencoder.record
    return EditRecord(
        kind=kind,
        model=known.model,
        site=known.site,
        layout=known.layout,
        features=features,
        classes=classes,
    )


def _steps(codes: Codes) -> Float[Tensor, " t"]:
    return torch.tensor(list(codes.latents))


def _means(codes: Codes, number: int) -> Float[Tensor, "t s"]:
    own = codes.labels == number
    return torch.stack([one[own].mean(dim=0) for one in codes.latents.values()])
