"""The null of a probe: the same selection, choice and fit on shuffled labels, many times over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.sparse_probing.results import mean_validation
from biaskit.probing.evaluation import best_of
from biaskit.records.estimate import Estimate, Interval, Null, Unit

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.results import Result
    from biaskit.probing.evaluation import Evaluation
    from biaskit.records.site import Site


REFITTED = "all refitted"
BEST_SITE = "all refitted at every site, the one that validates best chosen anew"
CHOSEN_ANEW = "all refitted at every site, the site chosen anew inside the folds"


def against_shuffles(
    estimate: Estimate, evaluation: Evaluation, reached: Sequence[float], what: str
) -> Estimate:
    """Return the estimate with p = (1 + shuffles that reach the AUC of one repeat) / (1 + shuffles).

    A shuffle is judged on one division of the rows, and so compared with the first repeat alone.

    Args:
        estimate: The AUC that is tested.
        evaluation: What it was read from.
        reached: The AUC of each shuffle, any choice of a site repeated.
        what: What was done in each shuffle, one phrase.
    """
    first = [fold.metrics.auc for fold in evaluation.folds if fold.split.tags.get("repeat") == 0]
    known = [auc for auc in first if auc is not None]
    if not reached or not known:
        return estimate
    observed = float(np.mean(known))
    p = (1 + sum(auc >= observed for auc in reached)) / (1 + len(reached))
    null = Null(p=p, kind=f"labels shuffled over groups {len(reached)} times and {what}, one-sided")
    missing = (estimate.reason or "no interval: too few groups") if estimate.interval is None else None
    return estimate.model_copy(update={"null": null, "reason": missing})


def at_one_site(shuffles: Sequence[Result], site: Site) -> list[float]:
    """Return the AUC of each shuffle at one site, which was not chosen on these rows."""
    return _known(one.evaluation.auc for one in shuffles if one.site == site)


def at_best_site(shuffles: Sequence[Result]) -> list[float]:
    """Return the test AUC of each shuffle at the site that validates best in it, as with true labels.

    With several questions the site is chosen for all of them together; a choice for one alone, as here, gains
    at least as much on it, so that p is then on the safe side.
    """
    return _known(max(own.values(), key=mean_validation).auc for own in _by_shuffle(shuffles))


def at_chosen_site(shuffles: Sequence[Result]) -> list[float]:
    """Return the AUC of each shuffle where every fold chooses its site by validation, as with true labels."""
    return _known(best_of(own).auc for own in _by_shuffle(shuffles))


def _by_shuffle(shuffles: Sequence[Result]) -> list[dict[str, Evaluation]]:
    """Gather the sites of each shuffle; those of one share its labels."""
    gathered: dict[int, dict[str, Evaluation]] = {}
    for one in shuffles:
        if one.evaluation.auc is not None:
            gathered.setdefault(id(one.evaluation.problem), {})[str(one.site)] = one.evaluation
    return list(gathered.values())


def _known(aucs: Iterable[float | None]) -> list[float]:
    return [auc for auc in aucs if auc is not None]


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
            low=min(aucs),
            high=max(aucs),
            level=(count - 1) / (count + 1),
            method=f"range of {count} shuffles",
        )
        if count > 1
        else None,
        reason="it is the null of the figure beside it",
    )
