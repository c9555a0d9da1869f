"""How alike images are to their prompts in a text-image encoder (CLIP-T), against shuffled prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.representation.numbers import IMAGES
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding, FromRows
from biaskit.stats.bootstrap import cluster_interval
from biaskit.stats.pairing import mispaired

if TYPE_CHECKING:
    from biaskit.analyzers.representation.seeing import Seen
    from biaskit.records.estimate import Interval, Null
    from biaskit.session import DiffusionSession

_ONE_PROMPT = "All images have one prompt, so prompts cannot be shuffled over them."


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How alike the images of a target are to their prompts.

    Attributes:
        values: Cosine of each image and its prompt, in [-1, 1].
        null: The test of their mean; None where there is one prompt alone.
    """

    values: Float[ndarray, " n"]
    null: Null | None


def fidelity(seen: Sequence[Seen], session: DiffusionSession) -> Mapping[str, Likeness]:
    """Return how alike images are to their prompts, target by target.

    The null deals the prompts of all targets' images anew over all of them. Without an encoder there is none.
    """
    looked = [one for one in seen if one.embedded]
    if session.encoder is None or not looked:
        return {}
    prompts = [prompt for one in looked for prompt in one.prompts]
    listed = list(dict.fromkeys(prompts))
    texts = session.encoder.encode_texts(listed).double().numpy()
    rows = torch.cat([part for one in looked for part in one.embedded]).double().numpy()
    alike, partners = rows @ texts.T, np.array([listed.index(one) for one in prompts])
    ends = np.cumsum([0, *(len(one) for one in looked)])
    rng, found = session.rng("representation/fidelity"), {}
    for number, one in enumerate(looked):
        own = np.arange(ends[number], ends[number + 1])
        null = mispaired(alike, partners, rng, own)
        found[one.target] = Likeness(alike[own, partners[own]], null)
    return found


def clip_text(target: str, alike: Likeness, rows: FromRows) -> Finding:
    """Return CLIP-T of a target: the mean cosine of image and prompt."""
    values, null = alike.values, alike.null
    interval = _interval(values)
    return Finding(
        metric="representation.clip_text",
        concepts=(target,),
        direction=Direction.NONE,
        rows=rows,
        estimate=Estimate(
            value=float(values.mean()),
            unit=Unit.COSINE,
            n=len(values),
            resampling_unit=IMAGES,
            method="CLIP-T: cosine of each image and its prompt, mean over images",
            interval=interval,
            null=null,
            reason=_ONE_PROMPT if null is None else None if interval else "All images are alike to it.",
        ),
    )


def _interval(values: Float[ndarray, " n"]) -> Interval | None:
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    return cluster_interval(values, np.arange(len(values)), level=0.95)
