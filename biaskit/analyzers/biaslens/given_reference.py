"""The target given either reference: what follows a stem with a reference word in it.

A causal model trained on text that names the reference first holds the association here. Behaviour of a
noun t is log P(t | stem with the first pole) - log P(t | stem with the second), centred on the neutral
controls. The axis is the step between the poles, delta_l = mean h_l(first) - mean h_l(second), and the
score is the derivative of the control-centred log P(t) along delta_l, averaged over stems that hold either
pole: to first order, what replacing the second pole's activation by the first's would do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.analyzers.biaslens.grid import reference_grid
from biaskit.analyzers.biaslens.measured import Measured, agreement, best_point, between_poles, centred
from biaskit.analyzers.biaslens.read_point import ReadPoint, logprobs_with, residual_sites
from biaskit.concepts.nouns import Nouns
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.biaslens.grid import Grid
    from biaskit.hooks.pooling import Pooling
    from biaskit.records.site import Site
    from biaskit.session import Comparison, Session

STEP = 0.05
"""Half the width of the central difference, as a share of the step between the poles."""


def measure(
    session: Session,
    comparison: Comparison,
    poolings: Sequence[Pooling],
    words_per_pole: int,
    sites: Sequence[Site] = (),
) -> Measured | None:
    """Read behaviour and inside for every noun that is one token; None where too few are.

    Args:
        session: The model and its store.
        comparison: The targets, the pair and the controls.
        poolings: The tokens at which the inside may be read.
        words_per_pole: How many of a pole's words stand in the stems.
        sites: Where the inside is read; the residual stream after every block if empty.
    """
    nouns = Nouns.of(comparison, session.model, one_token=True)
    if len(nouns.controls) < 2 or len(nouns.words) == len(nouns.controls):
        return None
    grid = reference_grid(comparison, words_per_pole)
    known = session.model.single_token_words(nouns.words)
    tokens = [known[word] for word in nouns.words]
    logprobs = session.model.next_token_logprobs(grid.prompts, tokens)
    behaviour = centred(between_poles(logprobs, grid).numpy(), nouns.controls)
    scores, axes, cells = {}, {}, {}
    for pooling in poolings:
        places = sites or residual_sites(session.model)
        found = session.activations(grid.prompts, places, pooling)
        for site in session.progress.track(places, f"{comparison.pair.name}, {Reading.GIVEN_REFERENCE}"):
            point = ReadPoint(site, pooling)
            rows = found[site]
            cells[point] = rows.view(*grid.shape, -1)
            axes[point] = between_poles(rows, grid)
            scores[point] = centred(_slopes(session, grid, point, rows, tokens), nouns.controls)
    agreements = {point: agreement(score, behaviour, nouns.controls) for point, score in scores.items()}
    point = best_point(agreements)
    return Measured(
        reading=Reading.GIVEN_REFERENCE,
        nouns=nouns,
        grid=grid,
        behaviour=behaviour,
        scores=scores,
        axes=axes,
        agreement=agreements,
        point=point,
        activations=cells[point],
    )


def _slopes(
    session: Session, grid: Grid, point: ReadPoint, activations: Float[Tensor, "n d"], tokens: list[int]
) -> Float[ndarray, "g k"]:
    """Return each noun's derivative of log P along the step between the poles, stem by stem."""
    stems, words = grid.shape
    step = STEP * between_poles(activations, grid).repeat_interleave(words, dim=0)
    up, down = (
        logprobs_with(
            session.model, grid.prompts, point, (activations.double() + sign * step).float(), tokens
        )
        for sign in (1, -1)
    )
    slopes = (up.double() - down.double()) / (2 * STEP)
    return slopes.view(stems, words, -1).mean(1).numpy()
