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
from torch import Tensor

from biaskit.analyzers.biaslens.grid import Nouns, Reading, target_grid
from biaskit.analyzers.biaslens.measured import Measured, agreement, best_point, centred, project
from biaskit.analyzers.biaslens.read_point import ReadPoint, log_odds, residual_sites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import ndarray

    from biaskit.analyzers.biaslens.grid import Grid, PoleTokens
    from biaskit.hooks.pooling import Pooling
    from biaskit.records.site import Site
    from biaskit.session import Comparison, Session

Rule = Literal["trapezoid", "tangent"]


@dataclass(frozen=True, slots=True)
class How:
    """How the inside is read.

    Attributes:
        poolings: The tokens at which it may be read.
        axis_controls: How many controls the gradient is averaged over while the token is chosen.
        rule: `trapezoid`, or `tangent` for the first-order score.
    """

    poolings: Sequence[Pooling]
    axis_controls: int = 40
    rule: Rule = "trapezoid"


def measure(session: Session, comparison: Comparison, tokens: PoleTokens, how: How) -> Measured:
    """Read behaviour and inside for every noun of a comparison, references given the target.

    Args:
        session: The model and its store.
        comparison: The targets, the pair and the controls.
        tokens: The next tokens that stand for the poles.
        how: Tokens, controls and rule.
    """
    nouns = Nouns.of(comparison)
    grid = target_grid(comparison, nouns)
    logprobs = session.model.next_token_logprobs(grid.prompts, tokens.all)
    odds = log_odds(logprobs, len(tokens.first)).view(grid.shape).numpy()
    reader = _Reader(session, grid, nouns, tokens, centred(odds, nouns.controls))
    base = _base_columns(session, comparison, nouns, how.axis_controls)
    tangents = {
        point: score for pooling in how.poolings for point, score in reader.tangent(pooling, base).items()
    }
    chosen = best_point(reader.agreements({point: score for point, (score, _) in tangents.items()}))
    if how.rule == "trapezoid":
        tangents |= reader.trapezoid(chosen.pooling)
    scores = {point: score for point, (score, _) in tangents.items()}
    agreements = reader.agreements(scores)
    own = {point: value for point, value in agreements.items() if point.pooling is chosen.pooling}
    axes = {point: axis for point, (_, axis) in tangents.items()}
    return Measured(
        Reading.GIVEN_TARGET, nouns, grid, reader.behaviour, scores, axes, agreements, best_point(own)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    session: Session
    grid: Grid
    nouns: Nouns
    tokens: PoleTokens
    behaviour: Float[ndarray, "g n"]

    def tangent(
        self, pooling: Pooling, columns: list[int]
    ) -> dict[ReadPoint, tuple[Float[ndarray, "g n"], Float[Tensor, "g d"]]]:
        """Return the first-order score and its axis at every layer."""
        found = {}
        for site, gradient in self._gradients(pooling, columns).items():
            axis = gradient.mean(1)
            found[ReadPoint(site, pooling)] = (
                project(self._cells(site, pooling), axis, self.nouns.controls),
                axis,
            )
        return found

    def trapezoid(
        self, pooling: Pooling
    ) -> dict[ReadPoint, tuple[Float[ndarray, "g n"], Float[Tensor, "g d"]]]:
        """Return the second-order score and the axis over all controls at every layer."""
        controls = list(self.nouns.controls)
        found = {}
        for site, gradient in self._gradients(pooling, list(range(len(self.nouns.words)))).items():
            axis = gradient[:, controls].mean(1)
            cells = self._cells(site, pooling).double()
            moved = cells - cells[:, controls].mean(1, keepdim=True)
            score = torch.einsum("gnd,gnd->gn", moved, (gradient + axis[:, None]) / 2)
            found[ReadPoint(site, pooling)] = (centred(score.numpy(), self.nouns.controls), axis)
        return found

    def agreements(self, scores: dict[ReadPoint, Float[ndarray, "g n"]]) -> dict[ReadPoint, float]:
        """Return how well each score predicts the controls' behaviour."""
        return {
            point: agreement(score, self.behaviour, self.nouns.controls) for point, score in scores.items()
        }

    def _cells(self, site: Site, pooling: Pooling) -> Float[Tensor, "g n d"]:
        sites = residual_sites(self.session.model)
        return self.session.activations(self.grid.prompts, sites, pooling)[site].view(*self.grid.shape, -1)

    def _gradients(self, pooling: Pooling, columns: list[int]) -> dict[Site, Float[Tensor, "g c d"]]:
        stems, fillers = self.grid.shape
        prompts = self.grid.prompts
        rows = [prompts[stem * fillers + column] for stem in range(stems) for column in columns]
        groups = (self.tokens.first, self.tokens.second)
        sites = residual_sites(self.session.model)
        _, found = self.session.model.log_odds_gradients(rows, groups, sites, pooling)
        return {site: found[site].double().view(stems, len(columns), -1) for site in sites}


def _base_columns(session: Session, comparison: Comparison, nouns: Nouns, count: int) -> list[int]:
    """Draw the controls over which the gradient is averaged; the same ones for both orders of the poles."""
    rng = session.rng(f"biaslens/axis/{comparison.targets.name}/{comparison.pair.name}")
    drawn = rng.choice(len(nouns.controls), size=min(count, len(nouns.controls)), replace=False)
    return sorted(nouns.controls[index] for index in drawn)
