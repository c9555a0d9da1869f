"""Sparse probing: logistic regression on the few coordinates that a selector ranks first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy.sparse import csr_array

from biaskit.errors import RequestError
from biaskit.probing.designs import ByColumn, batches, designs
from biaskit.probing.logistic import check_penalties, fit_settings, part_of, two_classes, undecided
from biaskit.probing.probe import Fitted, Job, Rows, Setting
from biaskit.probing.selectors import Selector
from biaskit.probing.workers import shared_out

KS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class KSparse:
    """L2-penalised logistic regression on the k coordinates that a selector ranks first on the training rows.

    One ranking serves all k, and each k begins where the next smaller one ended. Sources: Gurnee et al. 2023
    (arXiv 2305.01610); Kantamneni et al. 2025 (arXiv 2502.16681), there with the selection outside the folds.

    Attributes:
        selector: What ranks the coordinates.
        ks: How many coordinates to use, one variant each; those above the width are dropped.
        inverse_penalties: The values of C to try within each variant, the simplest (smallest) first.
        standardise: Divide each coordinate by its standard deviation over the training rows.
        binarise: Turn every activation z into z > binarise before anything else; None leaves it as it is.
    """

    selector: Selector
    ks: tuple[int, ...] = KS
    inverse_penalties: tuple[float, ...] = (1.0,)
    standardise: bool = True
    binarise: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers of coordinates and penalties that are not positive.

        Raises:
            RequestError: One of them is missing or not positive.
        """
        check_penalties(self.inverse_penalties)
        if not self.ks or min(self.ks) < 1:
            raise RequestError(
                f"A sparse probe on {self.ks} coordinates is not possible.",
                fix="Give at least one number of coordinates, each 1 or more.",
            )

    @property
    def name(self) -> str:
        """`k-sparse`, the selector's name, and whether activations are binarised."""
        return f"k-sparse-{self.selector.name}{'' if self.binarise is None else '-binarised'}"

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - k may exceed the rows
        """Return one variant for each k up to `width`, each with every inverse penalty.

        Raises:
            RequestError: Every k is above the width.
        """
        ks = [k for k in self.ks if k <= width]
        if not ks:
            raise RequestError(
                f"The smallest number of coordinates asked for, {min(self.ks)}, is above the width, {width}.",
                fix="Ask for fewer coordinates.",
            )
        return tuple(Setting(f"k={k}", k, {"C": cost}) for k in ks for cost in self.inverse_penalties)

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit every setting on every job; see `Probe.fit`.

        Raises:
            RequestError: Sparse activations are to be binarised at a threshold below 0, where every zero
                would become a one.
        """
        most = max((setting.k or 0 for setting in settings), default=0)
        told = self._binarised([job for job in jobs if two_classes(job)])
        ranked = self.selector.rank(told, most, rng) if told else []
        widths = [len(columns) for columns in ranked]
        parts = [
            part_of((told[part], ranked[part]), told[part], settings, widths[part])
            for part in batches(told, widths)
        ]
        batched = shared_out(partial(self._fit_batches, settings), parts)
        fits = chain.from_iterable(batched)
        for job in jobs:
            if two_classes(job):
                yield next(fits)
            else:
                yield undecided(job, (np.empty(0, dtype=np.int64),) * len(settings))

    def _fit_batches(
        self, settings: Sequence[Setting], parts: Sequence[tuple[Sequence[Job], Sequence[Int[ndarray, " _"]]]]
    ) -> list[list[Fitted]]:
        reader, fits = ByColumn(), []
        for jobs, ranked in parts:
            laid = designs(jobs, ranked, reader, standardise=self.standardise)
            columns = [tuple(row[: setting.k] for setting in settings) for row in ranked]
            fits.append(list(fit_settings(laid, jobs, settings, columns)))
        return fits

    def _binarised(self, jobs: Sequence[Job]) -> list[Job]:
        if self.binarise is None:
            return list(jobs)
        matrices = {id(job.activations): job.activations for job in jobs}
        turned = {key: _above(matrix, self.binarise) for key, matrix in matrices.items()}
        return [replace(job, activations=turned[id(job.activations)]) for job in jobs]


def _above(activations: Rows, threshold: float) -> Rows:
    if not isinstance(activations, csr_array):
        return (activations > threshold).astype(np.float32)
    if threshold < 0:
        raise RequestError(
            f"Sparse activations cannot be binarised at {threshold}: every zero would become a one.",
            fix="Give a threshold of 0 or more.",
        )
    above = csr_array(
        ((activations.data > threshold).astype(np.float32), activations.indices, activations.indptr),
        shape=activations.shape,
    )
    above = above.copy()
    above.eliminate_zeros()
    return above
