"""What a sparse autoencoder shows: how well it fits, and the latents that carry a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.analyzers.biaslens.estimates import Basis, plain_estimate
from biaskit.concepts.latents import CarryingLatent, carrying_latents, contributions, firing_examples
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Evidence, Finding, Statistic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.analyzers.biaslens.findings import Scribe
    from biaskit.concepts.sae_source import View

LATENTS = 5


def latent_findings(scribe: Scribe, view: View) -> Iterator[Finding]:
    """Yield the latents that carry each target's difference from the controls, with what fires them.

    A latent's value is what it adds to the score: its mean difference from the controls times its decoder
    row's product with the oriented axis, in nats. It is the mean of what it adds in each stem.
    """
    if view.autoencoder is None:
        return
    measured = scribe.measured
    stems, fillers = measured.grid.shape
    latents = view.autoencoder.encode(measured.activations.flatten(0, 1))
    axis = measured.axes[measured.point].mean(0)
    cells = latents.view(stems, fillers, -1)
    control = cells[:, list(measured.nouns.controls)]
    step = torch.ones(latents.shape[1], dtype=torch.float64)
    along = contributions(view.autoencoder.dictionary, step, axis) * axis.norm()
    for target, columns in measured.nouns.columns.items():
        if not columns:
            continue
        own = cells[:, list(columns)]
        nats = (own.mean(1, dtype=torch.float64) - control.mean(1, dtype=torch.float64)) * along
        for latent in carrying_latents(own.flatten(0, 1), control.flatten(0, 1), LATENTS):
            yield _finding(scribe, target, latent, nats[:, latent.index].numpy(), latents)


def _finding(
    scribe: Scribe,
    target: str,
    latent: CarryingLatent,
    nats: Float[ndarray, " g"],
    latents: Float[Tensor, "n s"],
) -> Finding:
    examples = scribe.measured.grid.examples
    fired = firing_examples(latents, latent.index, 5)
    estimate = plain_estimate(
        float(nats.mean()),
        Unit.NAT,
        Basis(
            n=len(scribe.measured.nouns.columns[target]),
            over="fillers",
            method=(
                f"latent {latent.index}: standardised difference {latent.standardised:.2f}, fires in "
                f"{latent.share_target:.0%} of the target's stems, {latent.share_control:.0%} of the others"
            ),
            reason="a latent is chosen for its difference, so it carries no test",
        ),
    )
    strongest = tuple(
        Evidence(
            text=examples[example.row].text,
            value=example.activation,
            template=examples[example.row].template,
            filler=examples[example.row].filler,
        )
        for example in fired
    )
    group = f"{scribe.measured.reading} / latent {latent.index}"
    rows = scribe.keep(f"latent {latent.index}", target, scribe.measured.grid.stems, nats)
    shown = {"evidence": strongest, "rows": rows}
    return scribe.finding("latent", target, estimate, group=group, direction=Direction.NONE, **shown)


def fvu_finding(scribe: Scribe, view: View) -> Iterator[Finding]:
    """Yield the autoencoder's fraction of variance unexplained on the audited text, where there is one."""
    if view.fvu is not None:
        target, (errors, spread) = scribe.comparison.targets.name, np.array([*view.squares.values()]).T
        rows = scribe.keep("fvu", target, view.squares, errors, spread, how=Statistic.SHARE)
        yield scribe.finding("fvu", target, view.fvu, direction=Direction.LOWER, rows=rows)
