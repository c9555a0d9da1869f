"""Exact answers for Gaussians, in nats and float64; each coordinate stands for itself, so sums are totals."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.polynomial.hermite_e import hermegauss

_NODES = 200


def gaussian_log_density(x: Float[ndarray, ...], mean: Float[ndarray, ...], variance: ndarray) -> ndarray:
    """Return `log N(x; mean, variance)` of each coordinate."""
    return np.asarray(-0.5 * (np.log(2 * math.pi * variance) + (x - mean) ** 2 / variance))


def gaussian_standard(x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray]) -> ndarray:
    """Return i^s of each coordinate, `1/2 [ln(l0/l1) + a^2/l0 - b^2/l1]`, a = x - mean0, b = x - mean1.

    Args:
        x: The point.
        given: Mean and variance without the added condition.
        added: Mean and variance with it.
    """
    return np.asarray(gaussian_log_density(x, *added) - gaussian_log_density(x, *given))


def gaussian_orthogonal(
    x: ndarray, given: tuple[ndarray, ndarray], added: tuple[ndarray, ndarray]
) -> ndarray:
    """Return i^o of each coordinate over all log-SNRs.

    `1/2 [a^2/l0 + b^2/l1 - 2 a b L + (l0 + l1) L - 2]` with `L = ln(l0/l1) / (l0 - l1)`, 1/l where both are
    l.
    """
    (mean0, l0), (mean1, l1) = given, added
    away0, away1 = x - mean0, x - mean1
    apart = l0 - l1
    equal = np.abs(apart) < 1e-9 * (l0 + l1)
    slope = np.where(equal, 2 / (l0 + l1), np.log(l0 / l1) / np.where(equal, 1.0, apart))
    squares = away0**2 / l0 + away1**2 / l1 - 2 * away0 * away1 * slope
    return np.asarray(0.5 * (squares + (l0 + l1) * slope - 2))


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
    groups' losses differ by their cross-entropies.
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


def _channel(alpha: ndarray) -> tuple[ndarray, ndarray]:
    signal = 1 / (1 + np.exp(-np.asarray(alpha, dtype=float)))
    return signal, 1 - signal
