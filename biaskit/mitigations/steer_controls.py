"""What stands beside a steered share: dose and response, and random latents, as many and moved as far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from biaskit.mitigations.steer_rows import effect_rows, fall_rows, random_rows
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.stats.paired import mcnemar, paired_interval

if TYPE_CHECKING:
    from biaskit.mitigations.steer_numbers import Compared
    from biaskit.steering.doses import Response

IMAGES = "images"


def rise(about: Compared, found: Response) -> Finding:
    """Return the largest fall of the share from one strength to the next, with the test of a rise."""
    estimate = Estimate(
        value=found.falls,
        unit=Unit.PROPORTION,
        n=len(found.hits),
        resampling_unit=IMAGES,
        method=f"largest fall of the share of '{about.group}' from one strength to the next; 0 is monotone",
        null=found.trend(),
        reason="A largest fall has no interval; the p is that of a rise over all strengths.",
    )
    fall = about.finding("mitigation.largest_fall", estimate, Direction.LOWER)
    return fall.model_copy(update={"rows": fall_rows(about.target)})


def beside_random(
    about: Compared,
    pair: tuple[Bool[ndarray, " n"], Bool[ndarray, " n"]],
    random: Float[ndarray, " draws"],
) -> list[Finding]:
    """Return the change of the share by the remedy and by random latents.

    p counts random sets that move the share as far, either way: `(1 + #) / (draws + 1)`. Without random sets,
    as where a remedy was read from disk, it is McNemar's, of no change at all.
    """
    before, steered = pair
    value, count = float(steered.mean() - before.mean()), len(random)
    reached = int((np.abs(random) >= abs(value) - 1e-12).sum())
    against = Null(
        p=(1 + reached) / (count + 1),
        kind=f"{count} random sets of as many latents, equal in size of edit",
    )
    effect = Estimate(
        value=value,
        unit=Unit.PROPORTION,
        n=len(before),
        resampling_unit=IMAGES,
        method=f"change of the share of '{about.group}', {about.way} less before, same noises",
        interval=paired_interval(steered, before),
        null=against if count else mcnemar(steered, before),
    )
    whole = about.finding("mitigation.effect", effect)
    found = [whole.model_copy(update={"rows": effect_rows(about.target, about.way)})]
    return [*found, _random(about, np.abs(random))] if count else found


def _random(about: Compared, moved: Float[ndarray, " draws"]) -> Finding:
    count = len(moved)
    estimate = Estimate(
        value=float(moved.mean()),
        unit=Unit.PROPORTION,
        n=count,
        resampling_unit="random sets of latents",
        method="mean absolute change of the share by random latents, equal in number and size of edit",
        interval=Interval(
            low=float(moved.min()),
            high=float(moved.max()),
            level=(count - 1) / (count + 1) or 0.5,
            method=f"range of {count} draws",
        ),
        reason="It is the null that the effect is tested against.",
    )
    found = about.finding("mitigation.random_effect", estimate)
    return found.model_copy(update={"rows": random_rows(about.target)})
