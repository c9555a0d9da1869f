"""L1-penalised logistic regression, on all coordinates or on the strongest of a selector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.probing.column_sums import column_sums, rescaled
from biaskit.probing.one_by_one import answerable, converges, l1_logistic, one_by_one, undecided
from biaskit.probing.probe import Fitted, Job, Rows, Setting
from biaskit.probing.selectors import Selector


@dataclass(frozen=True, slots=True)
class LassoLogistic:
    """Minimise |w|_1 + C sum log(1 + exp(-y (w . x + b))) by coordinate descent (liblinear).

    With a selector there is one variant for each k: the penalty then works on the k strongest columns of the
    training rows alone, as in the probe of Kantamneni et al., arXiv 2502.16681.

    Attributes:
        inverse_penalties: Values of C to try, in this order; of equals the first is taken.
        selector: Which columns may be used; None for all.
        ks: How many columns each variant may use; given with a selector, and only then.
        standardise: Divide each column by its standard deviation over the training rows. A sparse matrix
            stays sparse: as the intercept is free, centring would change nothing.
        tolerance: liblinear's stopping tolerance.
        iterations: Most of its iterations.
    """

    inverse_penalties: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)
    selector: Selector | None = None
    ks: tuple[int, ...] = ()
    standardise: bool = True
    tolerance: float = 1e-6
    iterations: int = 1000

    def __post_init__(self) -> None:
        """Refuse a selector without numbers of columns, and the reverse.

        Raises:
            RequestError: One of the two is missing.
        """
        if (self.selector is None) == bool(self.ks):
            raise RequestError(
                "A selector needs numbers of columns to keep, and these need a selector.",
                fix="Give both, such as selector=MeanDifference() and ks=(16, 128), or neither.",
            )

    @property
    def name(self) -> str:
        """`lasso-logistic`, or `k-sparse-lasso` and the selector's name."""
        return "lasso-logistic" if self.selector is None else f"k-sparse-lasso-{self.selector.name}"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - the protocol's shape
        """Return each k that `width` columns allow (the smallest at least) with each C."""
        fitting = tuple(k for k in self.ks if k <= width) or tuple(sorted(self.ks)[:1])
        variants = [Setting(variant=f"k={k}", k=k) for k in fitting] or [Setting()]
        return tuple(
            replace(variant, values={"C": strength})
            for variant in variants
            for strength in self.inverse_penalties
        )

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit each job and yield its held-out rows' log-odds, in the jobs' order; see `Probe`.

        The columns of a fit are those of the selector, strongest first, or without one those with a weight.
        """
        if self.selector is None:
            yield from one_by_one(jobs, settings, rng, self._all_columns)
            return
        most = max((setting.k or 0 for setting in settings), default=0)
        ranked = self.selector.rank(jobs, most, rng)
        seeds = rng.integers(2**31, size=len(jobs))
        for job, columns, seed in zip(jobs, ranked, seeds, strict=True):
            yield self._selected(job, columns, settings, int(seed))

    def _all_columns(self, job: Job, settings: Sequence[Setting], seed: int) -> Fitted:
        train, held_out = self._prepared(job)
        labels = job.labels[job.train]
        how = seed, self.tolerance, self.iterations
        models = [l1_logistic(float(one.values["C"]), *how) for one in settings]
        converged = tuple(converges(model, train, labels) for model in models)
        return Fitted(
            log_odds=np.stack([model.decision_function(held_out) for model in models]),
            columns=tuple(_used(model.coef_[0]) for model in models),
            converged=converged,
        )

    def _selected(
        self, job: Job, columns: Int[ndarray, " k"], settings: Sequence[Setting], seed: int
    ) -> Fitted:
        if not answerable(job):
            return undecided(job, settings)
        fits: list[Fitted] = []
        for setting in settings:
            narrow = replace(job, activations=job.activations[:, columns[: setting.k]])
            fits.append(self._all_columns(narrow, [setting], seed))
        return Fitted(
            log_odds=np.concatenate([fit.log_odds for fit in fits]),
            columns=tuple(columns[: setting.k] for setting in settings),
            converged=tuple(fit.converged[0] for fit in fits),
        )

    def _prepared(self, job: Job) -> tuple[Rows, Rows]:
        train, held_out = job.activations[job.train], job.activations[job.held_out]
        if not self.standardise:
            return train, held_out
        _, sums = next(column_sums([job]))
        shift, deviation = sums.shift()[0], sums.deviation()[0]
        return rescaled(train, shift, deviation), rescaled(held_out, shift, deviation)


def _used(weights: Float[ndarray, " d"]) -> Int[ndarray, " k"]:
    order = np.argsort(-np.abs(weights), kind="stable")
    used: Int[ndarray, " k"] = order[: np.count_nonzero(weights)]
    return used
