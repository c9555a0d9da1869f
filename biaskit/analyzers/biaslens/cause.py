"""Cause: does the behaviour follow when the inside is changed?

Patching puts a noun's activation in a neutral noun's place. Erasing takes the axis out of every
activation and looks at what is left of the behavioural gap, beside random directions of equal rank and
beside the damage done to neutral text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from biaskit.analyzers.biaslens.measured import between_poles, centred
from biaskit.analyzers.biaslens.read_point import log_odds, logprobs_with
from biaskit.concepts.erasure import Eraser, mean_projection, random_erasers
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.biaslens.grid import Grid
    from biaskit.analyzers.biaslens.measured import Measured
    from biaskit.concepts.pole_tokens import PoleTokens
    from biaskit.records.prompt import Prompt
    from biaskit.session import Session

ENERGY = 0.95
LARGEST_RANK = 3


@dataclass(frozen=True, slots=True, eq=False)
class Erasure:
    """Behaviour with something erased at the reported point.

    Attributes:
        axis: Behaviour cells with the axis erased, centred on the controls.
        random: The same for each random eraser of equal rank.
        rank: How many directions are erased.
        kl: KL divergence (nats) of each neutral prompt's next-token distribution from the erased one.
        random_kl: The same for each random eraser.
    """

    axis: Float[ndarray, "g n"]
    random: Float[ndarray, "r g n"]
    rank: int
    kl: Float[ndarray, " p"]
    random_kl: Float[ndarray, "r p"]


@dataclass(frozen=True, slots=True)
class Readout:
    """The tokens whose log-probabilities make the behaviour.

    Attributes:
        tokens: Token ids.
        first: How many of them stand for the first pole; None for the target given the references, where each
            token is a noun.
    """

    tokens: Sequence[int]
    first: int | None = None


def erase(
    session: Session, measured: Measured, readout: Readout, neutral: Sequence[Prompt], directions: int
) -> Erasure:
    """Erase the axis, and as many random directions `directions` times, at the reported point.

    Args:
        session: The model and its store.
        measured: The reading whose axis is erased.
        readout: How the behaviour is read.
        neutral: Prompts on which the damage is measured.
        directions: How many random erasers stand beside the axis.
    """
    point = measured.point
    activations = measured.activations.double().flatten(0, 1)
    mean = activations.mean(0)
    axis = mean_projection(principal_directions(measured.axes[point]), mean)
    generator = session.torch_rng(f"biaslens/erase/{measured.reading}")
    erasers = (axis, *random_erasers(directions, axis.rank, mean, generator))

    def behaviour(eraser: Eraser) -> Float[ndarray, "g n"]:
        vectors = eraser(activations).float()
        logprobs = logprobs_with(session.model, measured.grid.prompts, point, vectors, readout.tokens)
        return centred(cells_of(logprobs, measured.grid, readout.first), measured.nouns.controls)

    label = f"erasing, {measured.reading}"
    gaps = np.stack([behaviour(eraser) for eraser in session.progress.track(erasers, label)])
    damage = _damage(session, measured, erasers, neutral)
    return Erasure(gaps[0], gaps[1:], axis.rank, damage[0], damage[1:])


def principal_directions(axes: Float[Tensor, "g d"]) -> Float[Tensor, "k d"]:
    """Return the fewest orthonormal directions, at most 3, that hold 95 % of the stems' axes' energy."""
    _, sizes, basis = torch.linalg.svd(axes.double(), full_matrices=False)
    share = (sizes**2).cumsum(0) / (sizes**2).sum()
    rank = int((share < ENERGY).sum()) + 1
    kept: Tensor = basis[: min(rank, LARGEST_RANK)]
    return kept


def cells_of(logprobs: Float[Tensor, "n k"], grid: Grid, first: int | None) -> Float[ndarray, "g m"]:
    """Turn log-probabilities into behaviour cells, before they are centred on the controls.

    Given a target: the log-odds of the two groups of tokens. Given the references: the mean over the
    first pole's words minus the mean over the second's, for each token.
    """
    if first is not None:
        return log_odds(logprobs, first).view(grid.shape).numpy()
    return between_poles(logprobs, grid).numpy()


def _damage(
    session: Session, measured: Measured, erasers: Sequence[Eraser], neutral: Sequence[Prompt]
) -> Float[ndarray, "e p"]:
    """Return KL(before || after) of the next-token distribution for each eraser and neutral prompt, nats.

    What is erased is the spread along the directions: the neutral text keeps its own mean.
    """
    point = measured.point
    found = session.activations(neutral, [point.site], point.pooling)[point.site].double()
    erasers = [replace(eraser, mean=found.mean(0)) for eraser in erasers]
    before = session.model.next_token_logprobs(neutral).double()
    rows = []
    for eraser in erasers:
        after = logprobs_with(session.model, neutral, point, eraser(found).float(), None).double()
        rows.append((before.exp() * (before - after)).sum(1).clamp(min=0).numpy())
    return np.stack(rows)


@dataclass(frozen=True, slots=True, eq=False)
class Patching:
    """What putting a noun's activation in a neutral noun's place does to the log-odds.

    Attributes:
        effect: Real change of the log-odds, one for each stem and noun; NaN where it was not measured.
        predicted: What the score says it should be.
    """

    effect: Float[ndarray, "g n"]
    predicted: Float[ndarray, "g n"]


def patch(session: Session, measured: Measured, tokens: PoleTokens, columns: Sequence[int]) -> Patching:
    """Patch the nouns in `columns` into one neutral noun's prompt each, stem by stem.

    Args:
        session: The model and its store.
        measured: The reading, references given the target.
        tokens: The next tokens that stand for the poles.
        columns: The nouns that are patched in.

    Returns:
        Effects and predictions, in nats; both are changes from the neutral prompt that was patched.
    """
    if measured.reading is not Reading.GIVEN_TARGET:
        raise ValueError("patching replaces a noun, which only the references given the target have")
    stems, fillers = measured.grid.shape
    rng = session.rng("biaslens/patch")
    bases = rng.choice(measured.nouns.controls, size=(stems, len(columns)))
    point, prompts = measured.point, measured.grid.prompts
    rows = np.arange(stems)[:, None] * fillers
    vectors = measured.activations[:, list(columns)].flatten(0, 1)
    base_prompts = [prompts[row] for row in (rows + bases).ravel()]
    patched = logprobs_with(session.model, base_prompts, point, vectors, tokens.all)
    plain = session.model.next_token_logprobs(base_prompts, tokens.all)
    change = log_odds(patched, len(tokens.first)) - log_odds(plain, len(tokens.first))
    effect = np.full((stems, fillers), np.nan)
    predicted = np.full((stems, fillers), np.nan)
    effect[:, list(columns)] = change.view(stems, -1).numpy()
    stem = np.arange(stems)[:, None]
    predicted[:, list(columns)] = measured.score[:, list(columns)] - measured.score[stem, bases]
    return Patching(effect, predicted)
