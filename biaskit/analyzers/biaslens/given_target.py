"""References given the target: what follows a stem with the target in it.

The oriented axis is u_l = mean over neutral controls c of d log-odds(first pole : second pole | stem
with c) / d h_l. A noun t has the score

    (h_l(t) - mean_c h_l(c)) . (u_l + d log-odds(stem with t) / d h_l) / 2,

the trapezoidal rule for the change in log-odds on the way from the neutral controls' activation to the
noun's: what would happen, to second order, if a neutral noun's activation were replaced by the noun's. It
is attribution patching (Nanda 2023; Syed et al. 2023) with neutral controls as the base, and with the slope
taken at both ends as in integrated gradients (Sundararajan et al. 2017). The rule `tangent` uses u_l alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.analyzers.biaslens.grid import target_grid
from biaskit.analyzers.biaslens.measured import Measured, agreement, best_point, centred
from biaskit.analyzers.biaslens.read_point import ReadPoint, residual_sites
from biaskit.concepts.nouns import Nouns
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.biaslens.grid import Grid
    from biaskit.concepts.pole_tokens import PoleTokens
    from biaskit.hooks.pooling import Pooling
    from biaskit.records.site import Site
    from biaskit.session import Comparison, Session

Rule = Literal["trapezoid", "tangent"]
ENOUGH = 0.95
"""Where the first token predicts this share of the controls' behaviour, no other token is tried."""


@dataclass(frozen=True, slots=True)
class How:
    """How the inside is read.

    Attributes:
        poolings: The tokens at which it may be read, the first one first.
        axis_controls: Controls on which the other tokens are tried where the first does not do.
        rule: `trapezoid`, or `tangent` for the first-order score.
        sites: Where the inside is read; the residual stream after every block if empty.
    """

    poolings: Sequence[Pooling]
    axis_controls: int = 16
    rule: Rule = "trapezoid"
    sites: Sequence[Site] = ()


def measure(session: Session, comparison: Comparison, tokens: PoleTokens, how: How) -> Measured:
    """Read behaviour and inside for every noun of a comparison, references given the target.

    One forward and one backward pass a prompt give behaviour, activations and gradients at every layer.
    Another token is tried only where the first predicts too little of the controls' behaviour.

    Args:
        session: The model and its store.
        comparison: The targets, the pair and the controls.
        tokens: The next tokens that stand for the poles.
        how: Tokens, controls and rule.
    """
    nouns = Nouns.of(comparison, session.model)
    grid = target_grid(comparison, nouns)
    reader = _Reader(session, grid, tokens, how)
    first, *others = how.poolings
    found = reader.read(first, range(len(nouns.words)), nouns.controls)
    trials: dict[ReadPoint, float] = {}
    if max(found.agreements.values()) < ENOUGH:
        few = _few_controls(session, comparison, nouns, how.axis_controls)
        for pooling in others:
            trials |= reader.read(pooling, few, tuple(range(len(few)))).agreements
        if trials and max(trials.values()) > max(found.agreements.values()):
            trials, first = dict(found.agreements), best_point(trials).pooling
            found = reader.read(first, range(len(nouns.words)), nouns.controls)
    point = best_point(found.agreements)
    return Measured(
        reading=Reading.GIVEN_TARGET,
        nouns=nouns,
        grid=grid,
        behaviour=found.behaviour,
        scores=found.scores,
        axes=found.axes,
        agreement=trials | found.agreements,
        point=point,
        activations=found.activations[point],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What one pass over stems x columns gave, at every layer.

    Attributes:
        behaviour: Log-odds, centred on the controls.
        scores: The score.
        axes: The oriented axis of each stem.
        activations: What was read.
        agreements: How well the score predicts the controls' behaviour.
    """

    behaviour: Float[ndarray, "g c"]
    scores: dict[ReadPoint, Float[ndarray, "g c"]]
    axes: dict[ReadPoint, Float[Tensor, "g d"]]
    activations: dict[ReadPoint, Float[Tensor, "g c d"]]
    agreements: dict[ReadPoint, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    session: Session
    grid: Grid
    tokens: PoleTokens
    how: How

    def read(self, pooling: Pooling, columns: Sequence[int], controls: tuple[int, ...]) -> _Read:
        """Read some columns of the grid; `controls` counts within them."""
        stems, fillers = self.grid.shape
        prompts = self.grid.prompts
        rows = [prompts[stem * fillers + column] for stem in range(stems) for column in columns]
        groups = (self.tokens.first, self.tokens.second)
        sites = self.how.sites or residual_sites(self.session.model)
        found = self.session.model.log_odds_gradients(rows, groups, sites, pooling)
        shape = (stems, len(columns))
        behaviour = centred(found.odds.double().view(shape).numpy(), controls)
        scores, axes, activations = {}, {}, {}
        for site in sites:
            point = ReadPoint(site, pooling)
            activations[point] = found.activations[site].view(*shape, -1)
            gradients = found.gradients[site].view(*shape, -1)
            axes[point] = gradients[:, list(controls)].double().mean(1)
            scores[point] = _score(activations[point], gradients, axes[point], controls, self.how.rule)
        agreements = {point: agreement(score, behaviour, controls) for point, score in scores.items()}
        return _Read(behaviour, scores, axes, activations, agreements)


def _score(
    activations: Float[Tensor, "g n d"],
    gradients: Float[Tensor, "g n d"],
    axis: Float[Tensor, "g d"],
    controls: tuple[int, ...],
    rule: Rule,
) -> Float[ndarray, "g n"]:
    wide = activations.double()
    moved = wide - wide[:, list(controls)].mean(1, keepdim=True)
    slope = axis[:, None].expand_as(moved) if rule == "tangent" else (gradients.double() + axis[:, None]) / 2
    return centred(torch.einsum("gnd,gnd->gn", moved, slope).numpy(), controls)


def _few_controls(session: Session, comparison: Comparison, nouns: Nouns, count: int) -> list[int]:
    """Draw the controls on which the token is chosen; the same ones for both orders of the poles."""
    rng = session.rng(f"biaslens/axis/{comparison.targets.name}/{comparison.pair.name}")
    drawn = rng.choice(len(nouns.controls), size=min(count, len(nouns.controls)), replace=False)
    return sorted(nouns.controls[index] for index in drawn)
