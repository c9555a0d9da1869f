"""Axes that do not come from the behaviour: stated, CAV, readout and SAE.

Each is fitted on sentences that state the poles, or on the output embedding, and knows nothing of what
the model does next. Its sign and scale mean nothing until it has been calibrated (`calibration`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from biaskit.concepts.cav import CavFitter, ConceptActivationVector
from biaskit.concepts.mean_difference import fit_mean_difference
from biaskit.hooks.pooling import Pooling
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from biaskit.concepts.pole_tokens import PoleTokens
    from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
    from biaskit.records.site import Site
    from biaskit.session import Comparison, Session

STATED, CAV, READOUT, SAE = "stated", "cav", "readout", "sae"


def pole_activations(
    session: Session, comparison: Comparison, site: Site
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
    """Return last-token activations of the sentences that state the first and the second pole."""
    first, second = (
        session.activations(
            [Prompt(example.text, example.span) for example in comparison.pair.examples(pole)],
            [site],
            Pooling.LAST,
        )[site]
        for pole in comparison.pair.poles
    )
    return first, second


def stated(session: Session, comparison: Comparison, site: Site) -> Float[Tensor, " d"]:
    """Return the unit vector from the second pole's mean to the first's."""
    return fit_mean_difference(*pole_activations(session, comparison, site)).vector


def cav(session: Session, comparison: Comparison, site: Site) -> ConceptActivationVector:
    """Return the logistic boundary between the poles (TCAV, Kim et al. 2018); its unit normal is the axis."""
    first, second = pole_activations(session, comparison, site)
    labels = torch.cat([torch.ones(len(first)), torch.zeros(len(second))])
    groups = [example.filler for pole in comparison.pair.poles for example in comparison.pair.examples(pole)]
    fitter = CavFitter(seed=session.seed)
    return fit_without_warning(fitter, torch.cat([first, second]), labels, groups)


def fit_without_warning(
    fitter: CavFitter, rows: Float[Tensor, "n d"], labels: Float[Tensor, " n"], groups: Sequence[str]
) -> ConceptActivationVector:
    """Fit a probe whose caller says in a note, rather than in a warning, where it did not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fitter.fit(rows, labels, groups)


def readout(session: Session, tokens: PoleTokens) -> Float[Tensor, " d"]:
    """Return the unit difference of the poles' mean output embeddings, the final norm's weight in it."""
    first, second = (
        session.model.unembedding(group).double().mean(0) for group in (tokens.first, tokens.second)
    )
    return torch.nn.functional.normalize(first - second, dim=0)


def sae(
    session: Session, comparison: Comparison, site: Site, autoencoder: SparseAutoencoder
) -> Float[Tensor, " d"]:
    """Return the unit decoder image of the difference between the poles' mean latents."""
    first, second = pole_activations(session, comparison, site)
    difference = autoencoder.encode(first).double().mean(0) - autoencoder.encode(second).double().mean(0)
    return torch.nn.functional.normalize(difference @ autoencoder.dictionary.double(), dim=0)
