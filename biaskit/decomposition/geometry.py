"""The local geometry of a denoiser: which directions it keeps, how many, and whether it could be a posterior.

With y = x + s eps, s^2 = exp(-log-SNR), a denoiser f(y) = E[x | y] has the Jacobian J = df/dy = Cov[x | y] /
s^2 (Tweedie's second-order formula): symmetric, with eigenvalues at or above 0. Its leading modes are the
directions that the model takes for structure rather than noise ("geometry-adaptive harmonic bases",
Kadkhodaie et al., arXiv 2310.02557), its trace is how many there are, and s^2 tr J the squared error that
the model expects. A trained network need not obey; how far its Jacobian is from symmetric is measured too.

Everything is read off products with vectors: J v by forward and J^T v by reverse differentiation, so no
Jacobian is ever formed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import stats
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from biaskit.decomposition.denoiser import Conditioning, Denoiser
from biaskit.errors import RequestError
from biaskit.records.estimate import Interval

OVERSAMPLED = 4
ROUNDS = 6
LEVEL = 0.95


@runtime_checkable
class DifferentiableDenoiser(Denoiser, Protocol):
    """A denoiser whose noise predictions can be differentiated."""

    def forward(
        self, noisy: Float[Tensor, "n c h w"], levels: Int[Tensor, " n"], conditioning: Conditioning
    ) -> Float[Tensor, "n c h w"]:
        """Predict eps of one batch in the caller's gradient mode, on the caller's graph."""


@dataclass(frozen=True, slots=True)
class Look:
    """How closely a Jacobian is looked at.

    Attributes:
        modes: Leading modes.
        probes: Random vectors for trace and asymmetry.
        rounds: Rounds of subspace iteration; each multiplies the error of a mode by the square of its ratio
            to the first singular value that is left out.
        seed: Seed of noise and probes.
    """

    modes: int = 8
    probes: int = 32
    rounds: int = ROUNDS
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers out of their range.

        Raises:
            RequestError: Nothing would be computed.
        """
        if self.modes < 1 or self.probes < 2 or self.rounds < 1:
            raise RequestError("A look at a Jacobian needs 1 mode, 2 probes and 1 round at least.")


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """The Jacobian of a denoiser at one noisy image.

    Attributes:
        log_snr: Where it was taken, in nats.
        modes: Leading right singular vectors, of length 1, the largest first.
        singular_values: Their singular values, descending.
        eigenvalues: Eigenvalues of the symmetric part on the same directions (Rayleigh-Ritz), descending;
            above 1 where the posterior is wider than the noise, as between two modes of a mixture.
        effective_dimension: tr J: how many directions are kept.
        interval: Interval of tr J over the probes.
        asymmetry: ||(J - J^T) v|| / ||J v||, root mean square over the probes; 0 for a posterior mean.
        inhomogeneity: ||J y - f(y)|| / ||f(y)||; 0 for a network without biases.
        expected_error: s^2 tr J: the squared error of the denoised image that the model expects.
    """

    log_snr: float
    modes: Float[Tensor, "k c h w"]
    singular_values: Float[Tensor, " k"]
    eigenvalues: Float[Tensor, " k"]
    effective_dimension: float
    interval: Interval
    asymmetry: float
    inhomogeneity: float
    expected_error: float


def geometry(
    denoiser: DifferentiableDenoiser,
    latent: Float[Tensor, "c h w"],
    log_snr: float,
    prompt: str = "",
    look: Look | None = None,
) -> Geometry:
    """Look at the Jacobian of a denoiser at an image with noise.

    Modes by randomised subspace iteration on J^T J (Halko, Martinsson and Tropp 2011), the trace by
    Hutchinson's estimator with random signs, `E v . J v = tr J`, with a t interval over them.

    Args:
        denoiser: The model; one that offers `forward`.
        latent: The clean image, as the model denoises it; its dtype is that of the computation.
        log_snr: How noisy; the nearest trained level is taken.
        prompt: The prompt.
        look: How closely; the defaults of `Look` where it is None.

    Raises:
        RequestError: The model cannot be differentiated, or there are more modes than pixels.
        TextTooLongError: The prompt is longer than the encoder reads.
    """
    wanted = look or Look()
    if not hasattr(denoiser, "forward"):
        raise RequestError(
            f"A {type(denoiser).__name__} cannot be differentiated.", fix="Give it a method `forward`."
        )
    if wanted.modes > latent.numel():
        raise RequestError(f"{wanted.modes} modes of {latent.numel()} pixels cannot be found.")
    jacobian = _Jacobian.at(denoiser, latent, log_snr, prompt, wanted.seed)
    values, modes, ritz = _leading(jacobian, wanted)
    kept, interval, asymmetry = _probed(jacobian, wanted)
    denoised = jacobian.denoised()
    away = (jacobian.forward(jacobian.point[None])[0] - denoised).norm() / denoised.norm()
    return Geometry(
        log_snr=jacobian.log_snr,
        modes=modes.T.reshape(-1, *latent.shape),
        singular_values=values,
        eigenvalues=ritz,
        effective_dimension=kept,
        interval=interval,
        asymmetry=asymmetry,
        inhomogeneity=float(away),
        expected_error=float(np.exp(-jacobian.log_snr)) * kept,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Jacobian:
    """Products with the Jacobian of f at y, rows of vectors at a time."""

    map: Callable[[Tensor], Tensor]
    point: Float[Tensor, " d"]
    log_snr: float
    rows: int

    @classmethod
    def at(
        cls,
        denoiser: DifferentiableDenoiser,
        latent: Float[Tensor, "c h w"],
        log_snr: float,
        prompt: str,
        seed: int,
    ) -> _Jacobian:
        level = int((denoiser.log_snrs - log_snr).abs().argmin())
        alpha = float(denoiser.log_snrs[level])
        signal, noise = (1 / (1 + np.exp(-sign * alpha)) for sign in (1.0, -1.0))
        encoded = denoiser.encode_prompts([prompt])
        # What was encoded in inference mode cannot take part in a graph; a copy can.
        told = Conditioning(encoded.prompts, {name: one.clone() for name, one in encoded.tensors.items()})
        eps = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        deviation = float(np.sqrt(noise / signal))

        def denoise(flat: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
            which = torch.zeros(len(flat), dtype=torch.long)
            noisy = (signal**0.5 * flat).reshape(-1, *latent.shape)
            found = denoiser.forward(noisy, which + level, told.select(which))
            return flat - deviation * found.reshape(len(flat), -1)

        point = (latent + deviation * eps.to(latent)).flatten()
        return cls(denoise, point, alpha, denoiser.batch_size)

    def denoised(self) -> Float[Tensor, " d"]:
        """Return f(y)."""
        with torch.no_grad():
            return self.map(self.point[None])[0]

    def forward(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return J v of each row; fused attention has no forward derivative, so the plain one runs."""
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            # torch scripts its own forward derivatives when they are first asked for.
            warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
            parts = [
                torch.func.jvp(self.map, (self._points(part),), (part,))[1]
                for part in torch.split(vectors, self.rows)
            ]
        return torch.cat(parts).detach()

    def reverse(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return J^T v of each row."""
        with torch.enable_grad():
            parts = [
                torch.func.vjp(self.map, self._points(part))[1](part)[0]
                for part in torch.split(vectors, self.rows)
            ]
        return torch.cat(parts).detach()

    def _points(self, part: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.point.expand(len(part), -1).contiguous()


def _leading(
    jacobian: _Jacobian, look: Look
) -> tuple[Float[Tensor, " k"], Float[Tensor, "d k"], Float[Tensor, " k"]]:
    """Leading singular values and right vectors, and Ritz values of the symmetric part."""
    size = jacobian.point.numel()
    width = min(size, look.modes + OVERSAMPLED)
    rng = torch.Generator().manual_seed(look.seed + 1)
    start = torch.randn(size, width, generator=rng, dtype=torch.float64).to(jacobian.point)
    basis = torch.linalg.qr(start)[0]
    for _ in range(look.rounds):
        image = torch.linalg.qr(jacobian.forward(basis.T.contiguous()).T)[0]
        basis = torch.linalg.qr(jacobian.reverse(image.T.contiguous()).T)[0]
    image = jacobian.forward(basis.T.contiguous()).T
    _, values, right = torch.linalg.svd(image, full_matrices=False)
    small = basis.T @ image
    ritz = torch.linalg.eigvalsh((small + small.T) / 2).flip(0)
    return values[: look.modes], (basis @ right.T)[:, : look.modes], ritz[: look.modes]


def _probed(jacobian: _Jacobian, look: Look) -> tuple[float, Interval, float]:
    """Trace with its interval, and asymmetry, over random signs."""
    rng = torch.Generator().manual_seed(look.seed + 2)
    shape = (look.probes, jacobian.point.numel())
    signs = (torch.randint(0, 2, shape, generator=rng) * 2 - 1).to(jacobian.point)
    ahead, back = jacobian.forward(signs), jacobian.reverse(signs)
    traces = (signs * ahead).sum(dim=1).double()
    value = float(traces.mean())
    half = float(stats.t.ppf((1 + LEVEL) / 2, look.probes - 1) * traces.std() / look.probes**0.5)
    method = f"t({look.probes - 1}) over {look.probes} random sign vectors"
    interval = Interval(low=value - half, high=value + half, level=LEVEL, method=method)
    asymmetry = ((ahead - back).square().sum() / ahead.square().sum()).sqrt()
    return value, interval, float(asymmetry)
