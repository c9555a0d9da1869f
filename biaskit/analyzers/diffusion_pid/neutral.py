"""Neutral nouns measured as targets are: what a gap must exceed to be the target's own.

A model may lean with every noun, and a target's images may lean by the luck of the draw. Neutral nouns
have both, so a target is accused only where it lies further out than one more neutral noun would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.diffusion_pid.bias_study import given_target
from biaskit.analyzers.diffusion_pid.gaps import (
    NOUNS,
    Grouped,
    Quantity,
    beyond_source,
    each_column,
    finding,
    over,
)
from biaskit.analyzers.diffusion_pid.numbers import corrected
from biaskit.analyzers.diffusion_pid.wordings import wordings
from biaskit.records.estimate import Estimate
from biaskit.stats.power import minimum_detectable_effect
from biaskit.stats.single_case import FEWEST, SingleCase, single_case
from biaskit.stats.within_rows import advantages

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.asking import Asker
    from biaskit.analyzers.diffusion_pid.scenes import Painter
    from biaskit.records.finding import Finding
    from biaskit.session import GroupComparison


def neutral_nouns(compared: GroupComparison, count: int) -> GroupComparison:
    """Return the comparison with `count` of its neutral nouns, evenly spread over their list, as targets.

    There are none where they are too few to have a spread.
    """
    fillers = compared.controls.fillers
    kept = min(count, len(fillers))
    places = np.linspace(0, len(fillers) - 1, kept if kept >= FEWEST else 0).round().astype(int)
    nouns = {fillers[place]: (fillers[place],) for place in places.tolist()}
    return replace(compared, targets=compared.targets.model_copy(update={"targets": nouns}))


def neutral_gaps(nouns: GroupComparison, noun: str, painter: Painter, asker: Asker, each: int) -> Grouped:
    """Return i(x; group | noun) of the images of a noun, standard, one column a group."""
    worded = wordings(nouns, noun)
    scenes = painter.of_target(noun, worded, each)
    parts = [given_target(asker, *pair) for pair in zip(scenes, worded, strict=True)]
    return Grouped(
        target=noun,
        values=np.concatenate(parts),
        units=np.repeat(np.arange(len(scenes)), [len(scene) for scene in scenes]),
        names=tuple(name for scene in scenes for name in scene.names),
        templates=tuple(
            wording.template for scene, wording in zip(scenes, worded, strict=True) for _ in scene.names
        ),
    )


def beyond_neutral(
    found: Sequence[Grouped],
    neutral: Sequence[Grouped],
    groups: Sequence[str],
    quantity: Quantity,
) -> list[Finding]:
    """Return, for each target and group, its gap less the mean gap of neutral nouns; none where they are few.

    p: one more neutral noun lies as far out (`single_case`); q over all targets and groups. Nouns have
    images and noise of their own, as targets have, so their spread holds the luck of both.
    """
    if len(neutral) < FEWEST:
        return []
    named = replace(quantity, metric=f"{quantity.metric}_beyond_neutral", table="")
    controls = np.stack([advantages(each.values).mean(axis=0) for each in neutral])
    places = list(each_column(found, groups))
    cases = [
        single_case(float(advantages(each.values)[:, column].mean()), controls[:, column])
        for each, column in places
    ]
    nulls = corrected([one.null for one in cases], f"gaps of {named.metric}")
    tested = [one._replace(null=null or one.null) for one, null in zip(cases, nulls, strict=True)]
    said = [
        finding(each, groups, column, named, _estimate(one, over(groups, column), quantity, len(neutral)))
        for (each, column), one in zip(places, tested, strict=True)
    ]
    if not quantity.table:
        return said
    return [
        one.model_copy(update={"rows": beyond_source(quantity, each.target, groups[column])})
        for one, (each, column) in zip(said, places, strict=True)
    ]


def _estimate(one: SingleCase, gap: str, quantity: Quantity, nouns: int) -> Estimate:
    return Estimate(
        value=one.excess,
        unit=quantity.unit,
        n=nouns,
        resampling_unit=NOUNS,
        method=f"{quantity.method}, {gap}; less the mean of {nouns} neutral nouns",
        interval=one.interval,
        null=one.null,
        minimum_detectable_effect=minimum_detectable_effect(one.standard_error, df=nouns - 1),
    )
