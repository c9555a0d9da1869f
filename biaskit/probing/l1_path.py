"""The order in which columns enter an L1-penalised logistic regression as its penalty is loosened.

At each penalty the columns with a weight are solved by Newton steps with their signs held, beginning where
the stronger penalty ended; one that would change its sign is dropped, and the column outside that pulls most
is taken in until none pulls more than the penalty allows. That is the optimum on all columns, not on some.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_array
from scipy.special import expit

from biaskit.probing.probe import Rows

# From the first entry to a penalty this many times weaker, in this many steps.
_REACH, _STEPS = 1e3, 40
_NO_PULL, _SLACK, _EXACT = 1e-9, 1e-3, 1e-4
_NEWTON, _HALVINGS, _RIDGE = 200, 30, 1e-10
# The path ends where so little of the deviance is left to explain: the rows are told apart.
_TOLD_APART = 0.01


def entered(rows: Rows, labels: Bool[ndarray, " a"], k: int) -> Int[ndarray, " e"]:
    """Return up to `k` columns in the order in which they enter the path.

    Those that enter at the same of 40 steps stand by the size of their weight there. The path ends once `k`
    columns are in, 99 % of the deviance is explained, or the penalty is a thousandth of the first.
    """
    if labels.all() or not labels.any():
        return np.empty(0, dtype=np.int64)
    path = _Path(rows, labels.astype(np.float64))
    first = float(np.abs(path.pull()).max(initial=0.0))
    if first < _NO_PULL * len(labels):
        return np.empty(0, dtype=np.int64)
    order: dict[int, None] = {}
    for penalty in np.geomspace(first, first / _REACH, _STEPS):
        path.solve(float(penalty))
        by_size = np.argsort(-np.abs(path.weights), kind="stable")
        order |= dict.fromkeys(path.columns[place] for place in by_size if path.columns[place] not in order)
        if len(order) >= k or path.unexplained() < _TOLD_APART:
            break
    return np.array(list(order)[:k], dtype=np.int64)


@dataclass(slots=True, eq=False)
class _Path:
    """Minimise sum log(1 + exp(-y (w . x + b))) + penalty |w|_1, at one penalty after the other."""

    rows: Rows
    labels: Float[ndarray, " a"]
    columns: list[int] = field(default_factory=list)
    weights: Float[ndarray, " c"] = field(default_factory=lambda: np.zeros(0))
    signs: Float[ndarray, " c"] = field(default_factory=lambda: np.zeros(0))
    design: Float[ndarray, "a c1"] = field(init=False)
    intercept: float = field(init=False)

    def __post_init__(self) -> None:
        self.design = np.ones((len(self.labels), 1))
        base = self.labels.mean()
        self.intercept = float(np.log(base / (1 - base)))

    def solve(self, penalty: float) -> None:
        """Move to the optimum at this penalty."""
        while True:
            self._settle(penalty)
            pull = self.pull()
            outside = np.abs(pull)
            outside[self.columns] = 0.0
            strongest = int(outside.argmax())
            if outside[strongest] <= penalty * (1 + _SLACK):
                return
            self._take(strongest, float(np.sign(pull[strongest])))

    def pull(self) -> Float[ndarray, " d"]:
        """What each column would change the likelihood by: x' (y - p)."""
        return np.asarray(self.rows.T @ (self.labels - expit(self._log_odds(self._all()))))

    def unexplained(self) -> float:
        """Share of the deviance of an intercept alone that is left."""
        base = self.labels.mean()
        null = -(base * np.log(base) + (1 - base) * np.log1p(-base)) * len(self.labels)
        return self._loss(self._all(), 0.0) / float(null)

    def _take(self, column: int, sign: float) -> None:
        own = self.rows[:, [column]]
        dense = own.toarray() if isinstance(own, csr_array) else own
        self.design = np.column_stack([self.design[:, :-1], dense.astype(np.float64), self.design[:, -1]])
        self.columns.append(column)
        self.weights, self.signs = np.append(self.weights, 0.0), np.append(self.signs, sign)

    def _drop(self, place: int) -> None:
        self.columns.pop(place)
        self.design = np.delete(self.design, place, axis=1)
        self.weights, self.signs = np.delete(self.weights, place), np.delete(self.signs, place)

    def _settle(self, penalty: float) -> None:
        """Take Newton steps on the columns inside until their slopes vanish."""
        for _ in range(_NEWTON):
            chances = expit(self._log_odds(self._all()))
            slope = self.design.T @ (chances - self.labels) + penalty * np.append(self.signs, 0.0)
            if np.abs(slope).max() <= _EXACT * penalty:
                return
            curve = (self.design.T * (chances * (1 - chances))) @ self.design
            curve.flat[:: len(curve) + 1] += _RIDGE * (1 + np.trace(curve))
            if not self._step(-np.linalg.solve(curve, slope), slope, penalty):
                return

    def _step(self, move: Float[ndarray, " c1"], slope: Float[ndarray, " c1"], penalty: float) -> bool:
        """Go as far as no weight changes its sign and the loss falls; tell whether anything moved."""
        start = self._all()
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(self.signs * move[:-1] < 0, -self.weights / move[:-1], np.inf)
        crossing = float(reach.min(initial=np.inf))
        length, loss = min(1.0, crossing), self._loss(start, penalty)
        for _ in range(_HALVINGS):
            if self._loss(start + length * move, penalty) <= loss + 1e-4 * length * float(slope @ move):
                break
            length /= 2
        else:
            return False
        ended = start + length * move
        self.weights, self.intercept = ended[:-1], float(ended[-1])
        if length == crossing:
            self._drop(int(reach.argmin()))
        return True

    def _all(self) -> Float[ndarray, " c1"]:
        return np.append(self.weights, self.intercept)

    def _log_odds(self, weights: Float[ndarray, " c1"]) -> Float[ndarray, " a"]:
        return np.asarray(self.design @ weights)

    def _loss(self, weights: Float[ndarray, " c1"], penalty: float) -> float:
        log_odds = self._log_odds(weights)
        likelihood = np.logaddexp(0.0, log_odds).sum() - self.labels @ log_odds
        return float(likelihood + penalty * np.abs(weights[:-1]).sum())
