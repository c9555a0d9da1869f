"""Many L2-penalised logistic regressions of one shape, solved to a stated gradient norm."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg import lapack
from scipy.special import logit

TOLERANCE = 5e-5
"""A problem is solved once its gradient's norm is below this."""
DISTANCE = 2e-5
"""It is solved, too, once Newton's step is sure to be shorter than this."""

# Most steps of a descent, in single and in double precision.
_QUICK_STEPS, _STEPS = 20, 60
# Single precision leaves about this share of C sqrt(n k) of a gradient's norm.
_ROUNDING = 3e-6
# Up to this many coordinates a Hessian costs little more than a gradient, so each step has its own.
_SMALL = 48
# The Hessian is renewed where more steps than this seem to be left, `_AGE` steps after the last one.
_PATIENCE = {np.float32: 4, np.float64: 2}
_AGE = 2
# Share of the Hessian's weight on the rows that a large one is formed from.
_BEARING = 0.985
# Most lengths tried along a direction; one is taken once the slope has fallen to this share.
_TRIALS, _SLACK = 12, 0.2
# How to factor a positive matrix and to solve with its factor.
_LAPACK = {np.float32: (lapack.spotrf, lapack.spotrs), np.float64: (lapack.dpotrf, lapack.dpotrs)}


@dataclass(frozen=True, slots=True, eq=False)
class Problems:
    """Logistic regressions of one shape: minimise |w|^2 / 2 + C sum_i log(1 + exp(-y_i (<w, x_i> + b))).

    Attributes:
        design: Coordinates by rows of each problem, float64; the first coordinate is 1 and bears the
            intercept, which is not penalised. A row of zeros is padding and counts for nothing.
        single: The same in single precision, for Hessians and for the first steps.
        labels: 1 where the row shows the property, else 0.
        inverse_penalty: scikit-learn's C.
    """

    design: Float[ndarray, "p k n"]
    single: Float[ndarray, "p k n"]
    labels: Float[ndarray, "p n"]
    inverse_penalty: float


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Where the descent came to.

    Attributes:
        weights: The intercept, then w, of each problem, float64.
        gradient_norm: Euclidean norm of the objective's gradient there.
        converged: Whether that norm, or the length of Newton's step there, reached its tolerance. The
            objective's curvature in w is at least 1, so both bound the distance to the optimal w.
    """

    weights: Float[ndarray, "p k"]
    gradient_norm: Float[ndarray, " p"]
    converged: Bool[ndarray, " p"]


def minimise(problems: Problems, start: Float[ndarray, "p k"] | None = None) -> Solution:
    """Solve each problem by conjugate gradients that Newton's Hessian preconditions.

    The first steps run in single precision, the last in double. The Hessian is renewed only where the steps
    since have been slow, and is formed in double precision where single does not get there. A gradient norm
    of `TOLERANCE` min(1, C n / 20) is asked for, plus what rounding may leave of it, 1e-13 C n; or a Newton
    step of `DISTANCE`, counted exp(drift) times longer where log-odds have moved by up to `drift` since the
    Hessian was formed.

    Problems are taken one by one: a problem's rows then stay in the processor's cache from step to step, and
    numpy spends less than torch around operations as small as these.

    Args:
        problems: What to solve.
        start: Weights to begin from; the best constant prediction if None.
    """
    weights = _constant(problems) if start is None else start.copy()
    double, single, labels = problems.design, problems.single, problems.labels
    norms, done = np.zeros(len(weights)), np.zeros(len(weights), dtype=bool)
    # Without bounds log-odds may overflow; a norm that is no number is never below a tolerance.
    with np.errstate(all="ignore"):
        for place, begin in enumerate(weights):
            signs = 2 * labels[place] - 1
            fixed = _Fixed(double[place], single[place], signs, problems.inverse_penalty, 0.0)
            reached = _solved(fixed, begin)
            weights[place], norms[place], done[place] = reached.weights, reached.norm, reached.done
    return Solution(weights, norms, done)


def _constant(problems: Problems) -> Float[ndarray, "p k"]:
    rows = problems.design[:, 0]
    share = (problems.labels * rows).sum(axis=1) / rows.sum(axis=1)
    weights = np.zeros(problems.design.shape[:2])
    with np.errstate(divide="ignore"):
        weights[:, 0] = logit(share)
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class _Fixed:
    """What stays during a descent; `design` gives the gradient and `curved` the Hessian."""

    design: Float[ndarray, "k n"]
    curved: Float[ndarray, "k n"]
    signs: Float[ndarray, " n"]
    cost: float
    tolerance: float

    @property
    def small(self) -> bool:
        return len(self.design) <= _SMALL

    def gradient(self, weights: Float[ndarray, " k"], lean: Float[ndarray, " n"]) -> Float[ndarray, " k"]:
        """C/2 X (t - y) + w, where t = 2p - 1 and y is 1 or -1."""
        gradient: ndarray = self.design @ (lean - self.signs)
        gradient *= self.cost / 2
        gradient[1:] += weights[1:]
        return gradient

    def factor(self, lean: Float[ndarray, " n"]) -> Float[ndarray, "k k"]:
        """Return the lower Cholesky factor of the Hessian, C/4 X diag(1 - t^2) X^T + diag(0, 1, ..., 1)."""
        # Padding lies at log-odds of 0, where a row would weigh most.
        spread = (self.cost / 4 * (1 - lean * lean) * self.design[0]).astype(self.curved.dtype)
        rows = self.curved * np.sqrt(spread) if self.small else _bearing(self.curved, spread)
        # numpy knows that a matrix times its own transpose takes half the work.
        hessian = rows @ rows.T
        diagonal = hessian.reshape(-1)[:: len(hessian) + 1]
        kind = np.finfo(hessian.dtype)
        diagonal *= 1 + 4 * kind.eps
        diagonal[1:] += 1.0
        diagonal[0] += kind.tiny
        scale = np.sqrt(diagonal)
        lower, info = _LAPACK[hessian.dtype.type][0](hessian.T, lower=1, overwrite_a=1, clean=0)
        # Without a usable Hessian its diagonal still takes the scale of each coordinate into account.
        return np.asfortranarray(np.diag(scale)) if info else lower


def _bearing(rows: Float[ndarray, "k n"], spread: Float[ndarray, " n"]) -> Float[ndarray, "k m"]:
    """X diag(s)^(1/2) at the rows that bear `_BEARING` of the sum of s: few, where the classes part well."""
    rising = np.sort(spread)
    total = rising.cumsum()
    light = int(np.searchsorted(total, (1 - _BEARING) * total[-1]))
    if 5 * light > len(spread):
        index = np.flatnonzero(spread >= rising[light])
        rows, spread = rows.take(index, axis=1), spread[index]
    scaled: ndarray = rows * np.sqrt(spread)
    return scaled


@dataclass(frozen=True, slots=True, eq=False)
class _Preconditioner:
    """The Cholesky factor of a Hessian from which log-odds have moved by at most `drift` since."""

    lower: Float[ndarray, "k k"]
    drift: float

    def solve(self, gradient: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
        kind = self.lower.dtype
        solved: ndarray = _LAPACK[kind.type][1](self.lower, gradient.astype(kind), lower=1)[0]
        return solved.astype(gradient.dtype)


def _solved(fixed: _Fixed, begin: Float[ndarray, " k"]) -> _Descent:
    """Return where the descents in single and in double precision end."""
    total = fixed.cost * fixed.design.shape[1]
    # The intercept's curvature is C sum p (1 - p), which is below 1 where C n is small.
    tolerance = TOLERANCE * min(1.0, total / 20) + 1e-13 * total
    coarse = _ROUNDING * fixed.cost * math.sqrt(fixed.design.size)
    hessian = None
    if coarse > tolerance and not fixed.small:
        single, signs = fixed.curved, fixed.signs.astype(np.float32)
        near = _Descent(_Fixed(single, single, signs, fixed.cost, coarse), begin.astype(np.float32))
        near.go(_QUICK_STEPS)
        begin, hessian = near.weights.astype(np.float64), near.hessian
    exact = _Descent(replace(fixed, tolerance=tolerance), begin, hessian)
    exact.go(_STEPS)
    if exact.done:
        return exact
    again = _Descent(replace(fixed, tolerance=tolerance, curved=fixed.design), exact.weights)
    again.go(_STEPS)
    return again


class _Descent:
    """Where a descent stands.

    `pulled` is the preconditioned gradient and `reach` its product with the gradient, both of the step
    before; `age` counts the steps since the Hessian was formed, at gradient norm `reference`.
    """

    def __init__(
        self, fixed: _Fixed, weights: Float[ndarray, " k"], hessian: _Preconditioner | None = None
    ) -> None:
        self.fixed, self.weights, self.hessian = fixed, weights, hessian
        self.scores: ndarray = weights @ fixed.design
        # tanh(z / 2) = 2p - 1 for log-odds z: it cannot overflow.
        self.lean: ndarray = np.tanh(self.scores / 2)
        self.gradient = fixed.gradient(weights, self.lean)
        self.norm = self.reference = _norm(self.gradient)
        self.age, self.reach = 0, 1.0
        self.pulled = self.direction = np.zeros_like(weights)
        self.done = self.norm <= fixed.tolerance

    def go(self, steps: int) -> None:
        """Go on until the tolerance is met or `steps` are done."""
        for _ in range(steps):
            if self.done or not math.isfinite(self.norm):
                return
            if self.hessian is None or self._slow():
                self.hessian = _Preconditioner(self.fixed.factor(self.lean), 0.0)
                self.age, self.reference = 0, self.norm
            self._aim(self.hessian)
            if not self.done:
                self._step(self.hessian)

    def _slow(self) -> bool:
        """Tell whether more steps seem to be left than a new Hessian is worth."""
        if self.fixed.small or self.age < _AGE:
            return self.fixed.small
        rate = math.log(min(max(self.norm / self.reference, 1e-12), 0.999)) / self.age
        steps_left = math.log(self.fixed.tolerance / self.norm) / rate
        return steps_left > _PATIENCE[self.weights.dtype.type]

    def _aim(self, hessian: _Preconditioner) -> None:
        """Precondition the gradient and make it conjugate to the last direction (Polak and Ribiere)."""
        pulled = hessian.solve(self.gradient)
        reach = _dot(pulled, self.gradient)
        direction = -pulled
        if self.age > 0:
            # <P g, g'> = <g, P g'> as the preconditioner P has not changed since the step before.
            share = (reach - _dot(self.pulled, self.gradient)) / self.reach
            turned = max(share, 0.0) * self.direction - pulled
            direction = turned if _dot(turned, self.gradient) < 0 else direction
        self.direction, self.pulled, self.reach = direction, pulled, reach
        # p (1 - p) falls at most by exp(-drift) where log-odds move by drift: the true step is at most this.
        self.done = _norm(pulled) * math.exp(min(hessian.drift, 700.0)) <= DISTANCE

    def _step(self, hessian: _Preconditioner) -> None:
        along = self.direction @ self.fixed.design
        length, self.lean = self._length(along)
        self.weights = self.weights + length * self.direction
        self.scores = self.scores + length * along
        self.gradient = self.fixed.gradient(self.weights, self.lean)
        self.norm = _norm(self.gradient)
        self.age += 1
        drift = hessian.drift + abs(length) * float(np.abs(along).max())
        self.hessian = _Preconditioner(hessian.lower, drift)
        self.done = self.norm <= self.fixed.tolerance

    def _length(self, along: Float[ndarray, " n"]) -> tuple[float, Float[ndarray, " n"]]:
        """Return how far to go and 2p - 1 there: Newton's method on the slope, kept inside a bracket."""
        weights, direction, half = self.weights[1:], self.direction[1:], self.fixed.cost / 2
        enough = _SLACK * abs(_dot(self.direction, self.gradient))
        square = _dot(direction, direction)
        linear = _dot(weights, direction) - half * _dot(self.fixed.signs, along)
        length, low, high = 1.0, 0.0, math.inf
        for _ in range(_TRIALS):
            lean = np.tanh((self.scores + length * along) / 2)
            slope = linear + length * square + half * _dot(lean, along)
            if abs(slope) <= enough:
                return length, lean
            bend = square + half / 2 * _dot((1 - lean * lean) * along, along)
            low, high = (length, high) if slope < 0 else (low, length)
            tried = length - slope / bend if bend > 0 else math.inf
            halved = 2 * length if math.isinf(high) else (low + high) / 2
            length = tried if low < tried < high else halved
        return length, np.tanh((self.scores + length * along) / 2)


def _dot(first: Float[ndarray, " m"], second: Float[ndarray, " m"]) -> float:
    return float(first @ second)


def _norm(vector: Float[ndarray, " m"]) -> float:
    return math.sqrt(_dot(vector, vector))
