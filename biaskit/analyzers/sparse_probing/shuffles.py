"""The null of a probe: the same selection, choice and fit on shuffled labels, many times over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from biaskit.records.estimate import Estimate, Interval, Null, Unit

if TYPE_CHECKING:
    from biaskit.probing.evaluation import Evaluation


def against_shuffles(estimate: Estimate, evaluation: Evaluation, shuffles: Sequence[Evaluation]) -> Estimate:
    """Return the estimate with p = (1 + shuffles that reach the AUC of one repeat) / (1 + shuffles).

    A shuffle is judged on one division of the rows, and so compared with the first repeat alone.
    """
    reached = [one.auc for one in shuffles if one.auc is not None]
    first = [fold.metrics.auc for fold in evaluation.folds if fold.split.tags.get("repeat") == 0]
    known = [auc for auc in first if auc is not None]
    if not reached or not known:
        return estimate
    observed = float(np.mean(known))
    p = (1 + sum(auc >= observed for auc in reached)) / (1 + len(reached))
    null = Null(p=p, kind=f"labels shuffled over groups {len(reached)} times and all refitted, one-sided")
    missing = "no interval: too few groups" if estimate.interval is None else None
    return estimate.model_copy(update={"null": null, "reason": missing})


def mean_of_shuffles(shuffles: Sequence[Evaluation]) -> Estimate:
    """Return the mean AUC over shuffles with their range, in which a next one lies with (r - 1) / (r + 1)."""
    aucs = [one.auc for one in shuffles if one.auc is not None]
    count = len(aucs)
    return Estimate(
        value=float(np.mean(aucs)),
        unit=Unit.AUC,
        n=count,
        resampling_unit="shuffles of the labels",
        method=f"mean test AUC over {count} shuffles of the labels over groups, all refitted",
        interval=Interval(
            low=min(aucs), high=max(aucs), level=(count - 1) / (count + 1), method=f"range of {count} shuffles"
        )
        if count > 1
        else None,
        reason="it is the null of the figure beside it",
    )
