"""Where in log-SNR a model's prompts say something: measured once on a pool, then reused for every image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.plan import Plan
from biaskit.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from biaskit.decomposition.denoiser import Denoiser

STRATA = 48
REPLICATES = 16
_REACH = 2
_LEAST = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """Visits per nat of log-SNR, a step function.

    Attributes:
        edges: Edges of the steps, ascending.
        heights: Visits per nat in each step; their mean over the range is 1.
        fingerprint: What identifies the model that it was calibrated on.
    """

    edges: Float[ndarray, " _"]
    heights: Float[ndarray, " s"]
    fingerprint: str = ""

    def on(self, log_snrs: Float[ndarray, " levels"]) -> Float[ndarray, " levels"]:
        """Return the density at each level of a model.

        Raises:
            RequestError: The model was trained on another range of log-SNRs.
        """
        ends, own = log_snrs[[0, -1]], self.edges[[0, -1]]
        if not np.allclose(ends, own, atol=1e-6):
            raise RequestError(
                "This density was calibrated on a model of other noise levels.",
                why=f"It spans {own[0]:.2f} to {own[1]:.2f}, the model {ends[0]:.2f} to {ends[1]:.2f}.",
                fix="Calibrate one on this model.",
            )
        step = np.searchsorted(self.edges, log_snrs, side="right") - 1
        return np.asarray(self.heights[step.clip(0, len(self.heights) - 1)])

    def save(self, path: Path) -> None:
        """Write the density as safetensors."""
        save_file({"edges": self.edges, "heights": self.heights}, path, {"fingerprint": self.fingerprint})

    @classmethod
    def read(cls, path: Path, fingerprint: str = "") -> Density:
        """Read a density.

        Args:
            path: The file.
            fingerprint: What identifies the model it must have been calibrated on; empty: any.

        Raises:
            RequestError: It cannot be read, or belongs to another model.
        """
        try:
            with safe_open(path, "numpy") as file:
                owner = (file.metadata() or {}).get("fingerprint", "")
                found = cls(file.get_tensor("edges"), file.get_tensor("heights"), owner)
        except (OSError, SafetensorError) as error:
            raise RequestError(
                f"'{path}' is no density.", why=str(error), fix="Calibrate one anew."
            ) from error
        if fingerprint and owner != fingerprint:
            raise RequestError(
                f"The density in '{path}' was calibrated on another model.",
                fix="Calibrate one on this model.",
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What a density is calibrated on.

    Attributes:
        latents: Some images.
        prompts: Some prompts.
        contrasts: Which are compared.
        fingerprint: What identifies the model.
    """

    latents: Tensor
    prompts: Sequence[str]
    contrasts: Sequence[Contrast]
    fingerprint: str = ""


def calibrate(denoiser: Denoiser, pool: Pool, plan: Plan | None = None) -> Density:
    """Allocate visits by how much the integrand varies (Neyman 1934).

    In steps of equal width in log-SNR, visits are proportional to the root mean square of the orthogonal
    integrand over images, contrasts and noise, with each contrast scaled to the same information; a tenth
    of the visits stays spread evenly, so that nothing that the pool did not show is missed. One density
    serves a model: a pilot of each image's own was measured not to help (it is too short to know where
    the information lies).

    Args:
        denoiser: The model.
        pool: Images and prompts.
        plan: How much is computed; by default 48 nodes and 16 replicates an image.
    """
    asked = Asked(plan=plan or Plan(nodes=STRATA, replicates=REPLICATES))
    found = measure(denoiser, pool.latents, pool.prompts, pool.contrasts, asked)
    differences = found.curves.differences
    whole = differences.sum(axis=2, keepdims=True).clip(min=1e-30)
    height = np.sqrt(_smooth(np.square(differences / whole).mean(axis=(0, 1))))
    log_snrs = denoiser.log_snrs.numpy()
    edges = np.linspace(log_snrs[0], log_snrs[-1], len(height) + 1)
    mixed = (1 - _LEAST) * height / height.mean() + _LEAST
    return Density(edges, mixed / mixed.mean(), pool.fingerprint)


def _smooth(squares: Float[ndarray, " s"]) -> Float[ndarray, " s"]:
    """Average over neighbours: a step that few draws happened to show as empty must not be visited rarely."""
    padded = np.pad(squares, _REACH, mode="edge")
    return np.convolve(padded, np.full(2 * _REACH + 1, 1 / (2 * _REACH + 1)), mode="valid")


def described(density: Density) -> str:
    """Say in JSON where most visits go, for a report's notes."""
    order = np.argsort(-density.heights)
    share = np.cumsum(density.heights[order]) / density.heights.sum()
    kept = np.sort(order[: int(np.searchsorted(share, 0.5)) + 1])
    span = [round(float(density.edges[kept[0]]), 2), round(float(density.edges[kept[-1] + 1]), 2)]
    return json.dumps({"half_of_the_visits_between": span})
