"""Which latents of a sparse autoencoder carry a difference, and what makes them fire."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import RequestError


@dataclass(frozen=True, slots=True)
class CarryingLatent:
    """One latent that differs between two groups of rows.

    Attributes:
        index: Its number in the dictionary.
        difference: Mean activation in the target rows minus that in the control rows, in latent units.
        standardised: The difference over the latent's standard deviation over all rows with both
            groups weighted equally; between -2 and 2.
        share_target: Share of target rows in which it fires.
        share_control: Share of control rows in which it fires.
    """

    index: int
    difference: float
    standardised: float
    share_target: float
    share_control: float


@dataclass(frozen=True, slots=True)
class FiringExample:
    """A row that makes a latent fire.

    Attributes:
        row: Number of the row.
        activation: How strongly it fires there, in latent units.
    """

    row: int
    activation: float


def carrying_latents(
    target: Float[Tensor, "n s"], control: Float[Tensor, "m s"], top: int = 10
) -> tuple[CarryingLatent, ...]:
    """Return the `top` latents with the largest standardised difference of means, largest first.

    d_j = mean_target(z_j) - mean_control(z_j); the standard deviation is
    sqrt((var_target + var_control) / 2 + d_j^2 / 4), so a latent that fires in one group only and always
    alike has |d_j| / sd = 2. Latents that do not differ are left out, so fewer may come back.

    Raises:
        RequestError: A group is empty, or `top` is not positive.
    """
    if not len(target) or not len(control) or top < 1:
        raise RequestError("Give at least one target row, one control row and a positive number of latents.")
    above, below = target.double(), control.double()
    difference = above.mean(dim=0) - below.mean(dim=0)
    within = (above.var(dim=0, correction=0) + below.var(dim=0, correction=0)) / 2
    spread = torch.sqrt(within + difference**2 / 4)
    standardised = torch.where(spread > 0, difference / spread, 0.0)
    order = torch.argsort(standardised.abs(), descending=True, stable=True)[:top]
    return tuple(
        CarryingLatent(
            index=index,
            difference=float(difference[index]),
            standardised=float(standardised[index]),
            share_target=float((above[:, index] != 0).double().mean()),
            share_control=float((below[:, index] != 0).double().mean()),
        )
        for index in order.tolist()
        if difference[index] != 0
    )


def firing_examples(latents: Float[Tensor, "n s"], index: int, count: int = 10) -> tuple[FiringExample, ...]:
    """Return the rows in which latent `index` fires most, strongest first; only rows in which it fires.

    Raises:
        RequestError: There is no such latent.
    """
    if not 0 <= index < latents.shape[1]:
        raise RequestError(f"There is no latent {index}; the dictionary has {latents.shape[1]}.")
    column = latents[:, index]
    order = torch.argsort(column, descending=True, stable=True)[:count].tolist()
    return tuple(FiringExample(row, float(column[row])) for row in order if column[row] > 0)


def decoder_cosines(dictionary: Float[Tensor, "s d"], direction: Float[Tensor, " d"]) -> Float[Tensor, " s"]:
    """Cosine of each latent's decoder row with a direction, -1 to 1; 0 for a row of zeros."""
    rows, vector = dictionary.double(), direction.double()
    lengths = torch.linalg.vector_norm(rows, dim=1) * torch.linalg.vector_norm(vector)
    return torch.where(lengths > 0, rows @ vector / lengths, 0.0)


def contributions(
    dictionary: Float[Tensor, "s d"], difference: Float[Tensor, " s"], direction: Float[Tensor, " d"]
) -> Float[Tensor, " s"]:
    """How much each latent moves the reconstruction along a direction: difference_j <dictionary_j, u>.

    The sum is the projection on u of the difference between the decoded means; u is scaled to length one.
    """
    vector = direction.double() / torch.linalg.vector_norm(direction.double())
    along: Tensor = dictionary.double() @ vector
    return difference.double() * along
