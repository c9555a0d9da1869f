"""How much of the activations' variance a reconstruction leaves unexplained, and how sparse latents are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from biaskit.records.estimate import Estimate, Interval, Unit

LEVEL = 0.95
_METHOD = "sum ||x - x_hat||^2 / sum ||x - mean||^2"


def fraction_of_variance_unexplained(
    rows: Float[Tensor, "n d"], reconstructed: Float[Tensor, "n d"], groups: Sequence[str] | None = None
) -> Estimate:
    """FVU = sum ||x - x_hat||^2 / sum ||x - mean||^2, with a linearised interval over rows or groups.

    The ratio r = E / V has the standard error sqrt(g / (g - 1) * sum_g d_g^2) / V with
    d_g = sum over the group's rows of (e_i - r v_i) (Taylor linearisation of a ratio, Cochran 1977, 6.4),
    and a t interval with g - 1 degrees of freedom; the low end is never below 0.
    """
    errors, spread = squares(rows, reconstructed)
    total = float(spread.sum())
    if total == 0:
        return _estimate(None, len(rows), groups, "all activations are equal")
    ratio = float(errors.sum()) / total
    if not math.isfinite(ratio):
        return _estimate(None, len(rows), groups, "the reconstruction is not finite")
    return _with_interval(ratio, _by_group(errors - ratio * spread, groups), total, groups)


def squares(
    rows: Float[Tensor, "n d"], reconstructed: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Return ||x - x_hat||^2 and ||x - mean||^2 of every row, the mean that of all rows."""
    wide = rows.double()
    errors = ((rows - reconstructed).double() ** 2).sum(dim=1)
    return errors, ((wide - wide.mean(dim=0)) ** 2).sum(dim=1)


def squares_by_group(
    rows: Float[Tensor, "n d"], reconstructed: Float[Tensor, "n d"], groups: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return the sums of `squares` of every group, whose ratio over all groups is the FVU."""
    errors, spread = (_by_group(one, groups).tolist() for one in squares(rows, reconstructed))
    return dict(zip(dict.fromkeys(groups), zip(errors, spread, strict=True), strict=True))


def mean_l0(latents: Float[Tensor, "n s"]) -> float:
    """Mean number of latents that fire for a row."""
    return float((latents != 0).sum(dim=1).double().mean())


def dead_share(latents: Float[Tensor, "n s"]) -> float:
    """Share of latents that fire for no row, 0 to 1."""
    return float((~(latents != 0).any(dim=0)).double().mean())


def _with_interval(
    ratio: float, deviations: Float[Tensor, " g"], total: float, groups: Sequence[str] | None
) -> Estimate:
    count = len(deviations)
    if count < 2:
        return _estimate(ratio, count, groups, "one unit of resampling gives no interval")
    error = math.sqrt(count / (count - 1) * float((deviations**2).sum())) / total
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error
    interval = Interval(
        low=max(0.0, ratio - half), high=ratio + half, level=LEVEL, method="linearised ratio, t"
    )
    return _estimate(ratio, count, groups, "1 is the null: the mean activation", interval)


def _estimate(
    value: float | None,
    count: int,
    groups: Sequence[str] | None,
    reason: str,
    interval: Interval | None = None,
) -> Estimate:
    unit = "rows" if groups is None else "groups"
    return Estimate(
        value=value,
        unit=Unit.ONE,
        n=count,
        resampling_unit=unit,
        method=_METHOD,
        interval=interval,
        reason=reason,
    )


def _by_group(values: Float[Tensor, " n"], groups: Sequence[str] | None) -> Float[Tensor, " g"]:
    if groups is None:
        return values
    position = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    index = torch.tensor([position[name] for name in groups])
    return torch.zeros(len(position), dtype=values.dtype).index_add(0, index, values)
