"""Exact answers for Gaussians, in nats and float64; each coordinate stands for itself, so sums are totals."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit

Ends: TypeAlias = tuple[float, float]
EVERYWHERE: Ends = (-math.inf, math.inf)

_NODES = 200
_SMALL = 1e-8


def gaussian_log_density(x: Float[ndarray, ...], mean: Float[ndarray, ...], variance: ndarray) -> ndarray:
    """Return `log N(x; mean, variance)` of each coordinate."""
    return np.asarray(-0.5 * (np.log(2 * math.pi * variance) + (x - mean) ** 2 / variance))


def gaussian_standard(
    x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray], ends: Ends = EVERYWHERE
) -> ndarray:
    """Return i^s of each coordinate, `1/2 [ln(l0/l1) + a^2/l0 - b^2/l1]`, a = x - mean0, b = x - mean1.

    Between ends, half the difference at them of `ln(A0/A1) + (sm/A0) (1 - a^2/l0) - (sm/A1) (1 - b^2/l1)`,
    A = sp l + sm: the integral of the difference of two pointwise errors.

    Args:
        x: The point.
        given: Mean and variance without the added condition.
        added: Mean and variance with it.
        ends: Lowest and highest log-SNR that is integrated over.
    """
    inside = _errors_to(ends[1], x, given, added) - _errors_to(ends[0], x, given, added)
    return np.asarray(0.5 * inside)


def gaussian_orthogonal(
    x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray], ends: Ends = EVERYWHERE
) -> ndarray:
    """Return i^o of each coordinate.

    Over all log-SNRs, `1/2 [a^2/l0 + b^2/l1 - 2 a b L + (l0 + l1) L - 2]` with `L = ln(l0/l1) / (l0 - l1)`,
    1/l where both are l. Between ends, half the difference at them of
    `K (l0 + l1 - 2ab) + (sm/A0) (1 - a^2/l0) + (sm/A1) (1 - b^2/l1)`, with `K = ln(A0/A1) / (l0 - l1)`.

    Args:
        x: The point.
        given: Mean and variance without the added condition.
        added: Mean and variance with it.
        ends: Lowest and highest log-SNR that is integrated over.
    """
    inside = _differences_to(ends[1], x, given, added) - _differences_to(ends[0], x, given, added)
    return np.asarray(0.5 * inside)


def gaussian_integrand(
    alpha: ndarray, x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray]
) -> ndarray:
    """Return what `i^o = 1/2 INT f d alpha` integrates, with the average over the noise done.

    `f = sm sp (a/A0 - b/A1)^2 + sm^2 (1/A0 - 1/A1)^2`, A = sp l + sm; alpha and the coordinates broadcast.
    """
    signal, noise = _channel(alpha)
    spread0, spread1 = signal * given[1] + noise, signal * added[1] + noise
    means = (x - given[0]) / spread0 - (x - added[0]) / spread1
    return np.asarray(noise * signal * means**2 + noise**2 * (1 / spread0 - 1 / spread1) ** 2)


def gaussian_tails(
    x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray], ends: tuple[float, float]
) -> tuple[ndarray, ndarray]:
    """Return what of i^o lies below and above a range of log-SNR, to leading order.

    Below `lo`: `1/2 (mean1 - mean0)^2 e^lo`; above `hi`: `1/2 (a/l0 - b/l1)^2 e^-hi`.
    """
    low = 0.5 * (added[0] - given[0]) ** 2 * math.exp(ends[0])
    high = 0.5 * ((x - given[0]) / given[1] - (x - added[0]) / added[1]) ** 2 * math.exp(-ends[1])
    return np.asarray(low), np.asarray(high)


def gaussian_pixels(
    alpha: float,
    x: Float[ndarray, " d"],
    given: tuple[Float[ndarray, " d"], Float[ndarray, "d d"]],
    added: tuple[Float[ndarray, " d"], Float[ndarray, "d d"]],
) -> Float[ndarray, " d"]:
    """Return the integrand of i^o at each pixel for any two covariances.

    `sm sp [(A0^-1 a - A1^-1 b)_j]^2 + sm^2 [(A0^-1 - A1^-1)^2]_jj`, A = sp S + sm I.
    """
    signal, noise = _channel(np.asarray(alpha))
    one = np.eye(len(x))
    inverse0 = np.linalg.inv(signal * given[1] + noise * one)
    inverse1 = np.linalg.inv(signal * added[1] + noise * one)
    means = inverse0 @ (x - given[0]) - inverse1 @ (x - added[0])
    apart = inverse0 - inverse1
    return np.asarray(noise * signal * means**2 + noise**2 * np.diag(apart @ apart))


def gaussian_group_loss(
    alpha: ndarray, model: tuple[ndarray, ndarray], data: tuple[ndarray, ndarray]
) -> ndarray:
    """Return the denoising error of a model of N(mu0, l0) on a group's data N(mg, lg), each coordinate.

    `(sp l0 / A)^2 + sm sp ((mg - mu0)^2 + lg) / A^2`, A = sp l0 + sm; integrated over log-SNR and halved, two
    groups' losses differ by their cross-entropies. A group of variance 0 is a single image, and the value its
    pointwise error E_eps ||eps - e(z)||^2.
    """
    signal, noise = _channel(alpha)
    spread = signal * model[1] + noise
    away = (data[0] - model[0]) ** 2 + data[1]
    return np.asarray((signal * model[1] / spread) ** 2 + noise * signal * away / spread**2)


def binary_channel(c: float) -> float:
    """Return the information of a fair sign through `c y + n`, n standard normal, in bits.

    `1 - E[log2(1 + exp(-2 c^2 - 2 c Z))]`, by Gauss-Hermite quadrature.
    """
    places, weights = hermegauss(_NODES)
    values = np.logaddexp(0.0, -2 * c * c - 2 * c * places) / math.log(2)
    return float(1 - weights @ values / weights.sum())


def linear_gaussian_pair(
    effects: tuple[float, float], rho: float, noise: float
) -> tuple[float, float, float]:
    """Return I(x; y1), I(x; y2) and I(x; y1, y2) of `x = a1 y1 + a2 y2 + n`, in nats.

    Sources are standard normal with correlation rho; `Var x = a1^2 + a2^2 + 2 rho a1 a2 + s^2`,
    `I1 = -1/2 ln(1 - (a1 + rho a2)^2 / Var x)`, `I12 = 1/2 ln(Var x / s^2)` (Barrett 2015).

    Args:
        effects: a1 and a2.
        rho: Correlation of the sources.
        noise: Standard deviation s of n.
    """
    one, other = effects
    variance = one**2 + other**2 + 2 * rho * one * other + noise**2
    first = -0.5 * math.log(1 - (one + rho * other) ** 2 / variance)
    second = -0.5 * math.log(1 - (other + rho * one) ** 2 / variance)
    return first, second, 0.5 * math.log(variance / noise**2)


def _errors_to(
    alpha: float, x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray]
) -> ndarray:
    """Primitive of the difference of the two errors."""
    signal, noise = _channel(alpha)
    (mean0, l0), (mean1, l1) = given, added
    spread0, spread1 = signal * l0 + noise, signal * l1 + noise
    rest0 = noise / spread0 * (1 - (x - mean0) ** 2 / l0)
    rest1 = noise / spread1 * (1 - (x - mean1) ** 2 / l1)
    return np.asarray(np.log(spread0 / spread1) + rest0 - rest1)


def _differences_to(
    alpha: float, x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray]
) -> ndarray:
    """Primitive of the squared difference of the two predictions."""
    signal, noise = _channel(alpha)
    (mean0, l0), (mean1, l1) = given, added
    away0, away1, apart = x - mean0, x - mean1, np.asarray(l0 - l1, dtype=float)
    spread0, spread1 = signal * l0 + noise, signal * l1 + noise
    ratio = signal * apart / spread1
    small = np.abs(ratio) < _SMALL
    slope = np.where(small, signal / spread1 * (1 - ratio / 2), np.log1p(ratio) / np.where(small, 1.0, apart))
    rest = noise / spread0 * (1 - away0**2 / l0) + noise / spread1 * (1 - away1**2 / l1)
    return np.asarray(slope * (l0 + l1 - 2 * away0 * away1) + rest)


def _channel(alpha: float | ndarray) -> tuple[ndarray, ndarray]:
    """Shares of signal and noise, sigmoid(alpha) and sigmoid(-alpha), each to full precision."""
    return np.asarray(expit(alpha)), np.asarray(expit(-np.asarray(alpha, dtype=float)))
