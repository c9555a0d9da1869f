"""What a sparse autoencoder shows: how well it fits, and the latents that carry a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.biaslens.estimates import Basis, plain_estimate
from biaskit.concepts.latents import CarryingLatent, carrying_latents, contributions, firing_examples
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.analyzers.biaslens.findings import Scribe
    from biaskit.concepts.sae_source import View

LATENTS = 5


def latent_findings(scribe: Scribe, view: View) -> Iterator[Finding]:
    """Yield the latents that carry each target's difference from the controls, with what fires them.

    A latent's value is what it adds to the score: its mean difference from the controls times its decoder
    row's product with the oriented axis, in nats.
    """
    if view.autoencoder is None:
        return
    measured = scribe.measured
    stems, fillers = measured.grid.shape
    latents = view.autoencoder.encode(measured.activations.flatten(0, 1))
    axis = measured.axes[measured.point].mean(0)
    cells = latents.view(stems, fillers, -1)
    control = cells[:, list(measured.nouns.controls)].flatten(0, 1)
    for target, columns in measured.nouns.columns.items():
        if not columns:
            continue
        own = cells[:, list(columns)].flatten(0, 1)
        moved = own.double().mean(0) - control.double().mean(0)
        nats = contributions(view.autoencoder.dictionary, moved, axis) * axis.norm()
        for latent in carrying_latents(own, control, LATENTS):
            yield _finding(scribe, target, latent, float(nats[latent.index]), latents)


def _finding(
    scribe: Scribe, target: str, latent: CarryingLatent, nats: float, latents: Float[Tensor, "n s"]
) -> Finding:
    examples = scribe.measured.grid.examples
    fired = firing_examples(latents, latent.index, 5)
    estimate = plain_estimate(
        nats,
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
    rows = tuple(
        Evidence(
            text=examples[example.row].text,
            value=example.activation,
            template=examples[example.row].template,
            filler=examples[example.row].filler,
        )
        for example in fired
    )
    group = f"{scribe.measured.reading} / latent {latent.index}"
    return scribe.finding("latent", target, estimate, group=group, direction=Direction.NONE, evidence=rows)


def fvu_finding(scribe: Scribe, view: View) -> Iterator[Finding]:
    """Yield the autoencoder's fraction of variance unexplained on the audited text, where there is one."""
    if view.fvu is not None:
        yield scribe.finding("fvu", scribe.comparison.targets.name, view.fvu, direction=Direction.LOWER)
