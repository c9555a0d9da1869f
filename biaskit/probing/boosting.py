"""Gradient-boosted trees, by scikit-learn or by xgboost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from sklearn.ensemble import HistGradientBoostingClassifier

from biaskit.errors import MissingExtraError, UnknownNameError
from biaskit.probing.one_by_one import Matrices, one_by_one, standardised, undecided
from biaskit.probing.probe import Fitted, Job, Setting

XGBOOST: Any = import_module("xgboost") if find_spec("xgboost") else None
_ENGINES = ("sklearn", "xgboost")


@dataclass(frozen=True, slots=True)
class GradientBoosting:
    """Boosted decision trees on the logistic loss; the log-odds are the sum over the trees.

    A leaf holds at least one twentieth of the training rows, or 20 of them, so that a handful of rows can be
    split too. The number of trees is fixed beforehand: no row is set aside to stop early.

    Attributes:
        trees: Numbers of trees to try, fewest first.
        depths: Depths of a tree to try, shallowest first.
        rate: Learning rate.
        engine: `sklearn` (histogram boosting) or `xgboost`, which an extra installs.
    """

    trees: tuple[int, ...] = (50,)
    depths: tuple[int, ...] = (2, 4)
    rate: float = 0.1
    engine: Literal["sklearn", "xgboost"] = "sklearn"
    name: ClassVar[str] = "gradient-boosting"

    def __post_init__(self) -> None:
        """Refuse an engine that is not there.

        Raises:
            UnknownNameError: An engine nobody knows.
            MissingExtraError: xgboost is not installed.
        """
        if self.engine not in _ENGINES:
            raise UnknownNameError("engine", self.engine, _ENGINES)
        if self.engine == "xgboost" and XGBOOST is None:
            raise MissingExtraError("xgboost", "boosting")

    def settings(self, rows: int, width: int) -> tuple[Setting, ...]:  # noqa: ARG002 - the protocol's shape
        """Return every depth with every number of trees, the smallest model first."""
        grid = product(self.depths, self.trees)
        return tuple(Setting(values={"depth": depth, "trees": trees}) for depth, trees in grid)

    def fit(
        self, jobs: Sequence[Job], settings: Sequence[Setting], rng: np.random.Generator
    ) -> Iterator[Fitted]:
        """Fit each job and yield its held-out rows' log-odds, in the jobs' order; see `Probe`."""
        return one_by_one(jobs, settings, rng, self._fit_one)

    def _fit_one(self, job: Job, settings: Sequence[Setting], seed: int) -> Fitted:
        rows = standardised(job)
        if not rows.train.size:
            return undecided(job, settings)
        score = _xgboost if self.engine == "xgboost" else _sklearn
        return Fitted(
            log_odds=np.stack([score(rows, self._shape(setting), seed) for setting in settings]),
            columns=(None,) * len(settings),
            converged=(True,) * len(settings),
        )

    def _shape(self, setting: Setting) -> _Shape:
        return _Shape(int(setting.values["trees"]), int(setting.values["depth"]), self.rate)


@dataclass(frozen=True, slots=True)
class _Shape:
    trees: int
    depth: int
    rate: float


def _sklearn(rows: Matrices, shape: _Shape, seed: int) -> Float[ndarray, " b"]:
    model = HistGradientBoostingClassifier(
        max_iter=shape.trees,
        max_depth=shape.depth,
        learning_rate=shape.rate,
        min_samples_leaf=_leaf(rows),
        early_stopping=False,
        random_state=seed,
    )
    log_odds: Float[ndarray, " b"] = model.fit(rows.train, rows.labels).decision_function(rows.held_out)
    return log_odds


def _xgboost(rows: Matrices, shape: _Shape, seed: int) -> Float[ndarray, " b"]:
    # A row's hessian is at most 1/4, so this is the same smallest leaf, counted in xgboost's own unit.
    model = XGBOOST.XGBClassifier(
        n_estimators=shape.trees,
        max_depth=shape.depth,
        learning_rate=shape.rate,
        min_child_weight=_leaf(rows) / 4,
        tree_method="hist",
        random_state=seed,
        n_jobs=1,
    )
    margin = model.fit(rows.train, rows.labels).predict(rows.held_out, output_margin=True)
    log_odds: Float[ndarray, " b"] = margin.astype(np.float64)
    return log_odds


def _leaf(rows: Matrices) -> int:
    return max(1, min(20, len(rows.train) // 20))
