"""Many L2-penalised logistic regressions of one shape, solved at once to a stated gradient norm."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

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
_PATIENCE = {torch.float32: 4, torch.float64: 2}
_AGE = 2
# Share of the Hessian's weight on the rows that a large one is formed from.
_BEARING = 0.985
# Most lengths tried along a direction; one is taken once the slope has fallen to this share.
_TRIALS, _SLACK = 12, 0.2


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

    design: Float[Tensor, "p k n"]
    single: Float[Tensor, "p k n"]
    labels: Float[Tensor, "p n"]
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

    weights: Float[Tensor, "p k"]
    gradient_norm: Float[Tensor, " p"]
    converged: Bool[Tensor, " p"]


@torch.inference_mode()
def minimise(problems: Problems, start: Float[Tensor, "p k"] | None = None) -> Solution:
    """Solve all problems by conjugate gradients that Newton's Hessian preconditions.

    The first steps run in single precision, the last in double. The Hessian is renewed only where the steps
    since have been slow, and is formed in double precision where single does not get there. A gradient norm
    of `TOLERANCE` min(1, C n / 20) is asked for, plus what rounding may leave of it, 1e-13 C n; or a Newton
    step of `DISTANCE`, counted exp(drift) times longer where log-odds have moved by up to `drift` since the
    Hessian was formed.

    Args:
        problems: What to solve.
        start: Weights to begin from; the best constant prediction if None.
    """
    double, single, cost = problems.design, problems.single, problems.inverse_penalty
    weights = _constant(problems) if start is None else start
    total = cost * double.shape[2]
    # The intercept's curvature is C sum p (1 - p), which is below 1 where C n is small.
    tolerance = TOLERANCE * min(1.0, total / 20) + 1e-13 * total
    coarse = _ROUNDING * cost * math.sqrt(double[0].numel())
    begin = _Begin(weights)
    if coarse > tolerance and double.shape[1] > _SMALL:
        quick = _Fixed(single, single, problems.labels.float(), cost, coarse)
        near = _descend(quick, _Begin(weights.float()), _QUICK_STEPS)
        begin = _Begin(near.weights.double(), near.factor, near.drift.double())
    exact = _Fixed(double, single, problems.labels, cost, tolerance)
    reached = _descend(exact, begin, _STEPS)
    left = (~reached.done).nonzero()[:, 0]
    if len(left):
        again = _descend(replace(exact, curved=double).take(left), _Begin(reached.weights[left]), _STEPS)
        reached.weights[left], reached.norm[left], reached.done[left] = again.weights, again.norm, again.done
    return Solution(reached.weights, reached.norm, reached.done)


def _constant(problems: Problems) -> Float[Tensor, "p k"]:
    rows = problems.design[:, 0]
    weights = torch.zeros_like(problems.design[:, :, 0])
    weights[:, 0] = torch.logit((problems.labels * rows).sum(dim=1) / rows.sum(dim=1))
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class _Fixed:
    """What stays during a descent; `design` gives the gradient and `curved` the Hessian."""

    design: Float[Tensor, "p k n"]
    curved: Float[Tensor, "p k n"]
    labels: Float[Tensor, "p n"]
    cost: float
    tolerance: float

    def take(self, index: Int[Tensor, " q"]) -> _Fixed:
        design = self.design[index]
        curved = design if self.curved is self.design else self.curved[index]
        return replace(self, design=design, curved=curved, labels=self.labels[index])

    def scores(self, weights: Float[Tensor, "p k"]) -> Float[Tensor, "p n"]:
        return torch.bmm(weights[:, None], self.design)[:, 0]

    def gradient(self, weights: Float[Tensor, "p k"], chance: Float[Tensor, "p n"]) -> Float[Tensor, "p k"]:
        gradient = torch.bmm((chance - self.labels)[:, None], self.design.mT)[:, 0].mul_(self.cost)
        gradient[:, 1:] += weights[:, 1:]
        return gradient

    def factor(self, index: Int[Tensor, " q"], chance: Float[Tensor, "q n"]) -> Float[Tensor, "q k k"]:
        """Return the lower Cholesky factors of the Hessians of the problems in `index`."""
        spread = (self.cost * chance * (1 - chance)).to(self.curved.dtype)
        if self.curved.shape[1] > _SMALL:
            products = [_product(self.curved[place], row) for place, row in zip(index, spread, strict=True)]
            hessian = torch.stack(products)
        else:
            rows = self.curved if len(index) == len(self.curved) else self.curved[index]
            hessian = torch.bmm(rows * spread[:, None], rows.mT)
        diagonal = hessian.diagonal(dim1=1, dim2=2)
        kind = torch.finfo(hessian.dtype)
        diagonal.mul_(1 + 4 * kind.eps)
        diagonal[:, 1:] += 1.0
        diagonal[:, 0] += kind.tiny
        scale = diagonal.sqrt()
        lower: Tensor
        lower, info = torch.linalg.cholesky_ex(hessian)
        # Without a usable Hessian its diagonal still takes the scale of each coordinate into account.
        lower[info > 0] = torch.diag_embed(scale[info > 0])
        return lower


def _product(rows: Float[Tensor, "k n"], spread: Float[Tensor, " n"]) -> Float[Tensor, "k k"]:
    """X diag(s) X^T over the rows that bear `_BEARING` of the sum of s: few, where the classes part well."""
    order = spread.sort(descending=True)
    bearing = int(torch.searchsorted(order.values.cumsum(0), _BEARING * order.values.sum())) + 1
    if 5 * bearing < 4 * len(spread):
        index = order.indices[:bearing].sort().values
        rows, spread = rows.index_select(1, index), spread[index]
    half = (rows * spread.sqrt()).numpy()
    # numpy knows that a matrix times its own transpose takes half the work.
    return torch.from_numpy(half @ half.T)


@dataclass(frozen=True, slots=True, eq=False)
class _Begin:
    """Where a descent begins, with a factor of a Hessian that was formed `drift` away where there is one."""

    weights: Float[Tensor, "p k"]
    factor: Float[Tensor, "p k k"] | None = None
    drift: Float[Tensor, " p"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Reached:
    """Where a descent ended."""

    weights: Float[Tensor, "p k"]
    norm: Float[Tensor, " p"]
    done: Bool[Tensor, " p"]
    drift: Float[Tensor, " p"]
    factor: Float[Tensor, "p k k"]

    def put(self, where: Int[Tensor, " q"], state: _State) -> None:
        self.weights[where], self.norm[where] = state.weights, state.norm
        self.done[where], self.drift[where] = state.done, state.drift
        if self.factor is not state.factor:
            self.factor[where] = state.factor


@dataclass(slots=True, eq=False)
class _State:
    """Where each problem of a descent stands; the first axis of every tensor is the problem.

    `pulled` is the preconditioned gradient and `reach` its product with the gradient, both of the step
    before; `age` counts the steps since the Hessian was formed, at gradient norm `reference`.
    """

    weights: Float[Tensor, "p k"]
    scores: Float[Tensor, "p n"]
    chance: Float[Tensor, "p n"]
    gradient: Float[Tensor, "p k"]
    norm: Float[Tensor, " p"]
    factor: Float[Tensor, "p k k"]
    pulled: Float[Tensor, "p k"]
    reach: Float[Tensor, " p"]
    direction: Float[Tensor, "p k"]
    age: Int[Tensor, " p"]
    reference: Float[Tensor, " p"]
    drift: Float[Tensor, " p"]
    done: Bool[Tensor, " p"]

    @classmethod
    def at(cls, fixed: _Fixed, begin: _Begin) -> _State:
        weights = begin.weights
        scores = fixed.scores(weights)
        chance = torch.sigmoid(scores)
        gradient = fixed.gradient(weights, chance)
        norm = torch.linalg.vector_norm(gradient, dim=1)
        count, width = weights.shape
        factor = fixed.curved.new_zeros(count, width, width) if begin.factor is None else begin.factor
        age = (factor[:, 0, 0] > 0).long() - 1
        none = torch.zeros_like(weights)
        drift = torch.zeros_like(norm) if begin.drift is None else begin.drift
        done = norm <= fixed.tolerance
        return cls(
            weights, scores, chance, gradient, norm, factor, none, norm, none, age, norm.clone(), drift, done
        )

    def take(self, index: Int[Tensor, " q"]) -> _State:
        return _State(*(getattr(self, item.name)[index] for item in fields(self)))


def _descend(fixed: _Fixed, begin: _Begin, steps: int) -> _Reached:
    """Go on until the tolerance is met or `steps` are done; a problem that is done is left alone."""
    state = _State.at(fixed, begin)
    ended = _Reached(
        state.weights.clone(), state.norm.clone(), state.done.clone(), state.drift.clone(), state.factor
    )
    where = torch.arange(len(state.norm))
    for _ in range(steps):
        live = ~state.done
        if 3 * int(live.sum()) <= len(live):
            ended.put(where, state)
            index = live.nonzero()[:, 0]
            where, state, fixed, live = where[index], state.take(index), fixed.take(index), live[index]
        if not len(live):
            return ended
        _renew(fixed, state, live)
        _aim(state)
        _step(fixed, state, ~state.done)
    ended.put(where, state)
    return ended


def _renew(fixed: _Fixed, state: _State, live: Bool[Tensor, " p"]) -> None:
    """Form the Hessian anew where there is none yet or where the steps since have been slow."""
    due = live
    if fixed.design.shape[1] > _SMALL:
        rate = (state.norm / state.reference).clamp(1e-12, 0.999).log() / state.age.clamp_min(1)
        steps_left = (fixed.tolerance / state.norm).log() / rate
        patience = _PATIENCE[fixed.design.dtype]
        due = live & ((state.age < 0) | ((state.age >= _AGE) & (steps_left > patience)))
    index = due.nonzero()[:, 0]
    if len(index) == len(due):
        state.factor[:] = fixed.factor(index, state.chance)
    elif len(index):
        state.factor[index] = fixed.factor(index, state.chance[index])
    state.age[index] = 0
    state.reference[index] = state.norm[index]
    state.drift[index] = 0.0


def _aim(state: _State) -> None:
    """Precondition the gradient and make it conjugate to the last direction (Polak and Ribiere)."""
    right = state.gradient.to(state.factor.dtype)[:, :, None]
    half = torch.linalg.solve_triangular(state.factor, right, upper=False)
    pulled = torch.linalg.solve_triangular(state.factor.mT, half, upper=True)[:, :, 0].to(
        state.gradient.dtype
    )
    reach = _dot(pulled, state.gradient)
    # <P g, g'> = <g, P g'> as the preconditioner P has not changed since the step before.
    overlap = _dot(state.pulled, state.gradient)
    share = ((reach - overlap) / state.reach).clamp_min(0.0)
    share = torch.where((state.age > 0) & share.isfinite(), share, 0.0)
    direction = share[:, None] * state.direction - pulled
    downhill = _dot(direction, state.gradient) < 0
    state.direction = torch.where(downhill[:, None], direction, -pulled)
    state.pulled, state.reach = pulled, reach
    # p (1 - p) falls at most by exp(-drift) where log-odds move by drift, so the true step is at most this.
    distance = torch.linalg.vector_norm(pulled, dim=1) * state.drift.exp()
    state.done = state.done | (distance <= DISTANCE)


def _step(fixed: _Fixed, state: _State, live: Bool[Tensor, " p"]) -> None:
    # A problem that is done may have no Hessian yet, and so no direction that is a number.
    state.direction = torch.where(live[:, None], state.direction, 0.0)
    along = fixed.scores(state.direction)
    length, chance = _length(fixed, state, along, live)
    length = torch.where(live, length, 0.0)[:, None]
    state.weights = state.weights + length * state.direction
    state.scores = state.scores + length * along
    state.chance = torch.where(live[:, None], chance, state.chance)
    gradient = fixed.gradient(state.weights, state.chance)
    state.gradient = torch.where(live[:, None], gradient, state.gradient)
    state.norm = torch.linalg.vector_norm(state.gradient, dim=1)
    state.age = state.age + 1
    state.drift = state.drift + length[:, 0].abs() * along.abs().amax(dim=1)
    state.done = state.done | (state.norm <= fixed.tolerance)


def _length(
    fixed: _Fixed, state: _State, along: Float[Tensor, "p n"], live: Bool[Tensor, " p"]
) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n"]]:
    """Return how far to go and the chances there: Newton's method on the slope, kept inside a bracket."""
    weights, direction = state.weights[:, 1:], state.direction[:, 1:]
    enough = _SLACK * _dot(state.direction, state.gradient).abs()
    linear, square = _dot(weights, direction), _dot(direction, direction)
    length = torch.ones_like(linear)
    low, high = torch.zeros_like(length), torch.full_like(length, torch.inf)
    for _ in range(_TRIALS):
        chance = torch.sigmoid(state.scores + length[:, None] * along)
        slope = linear + length * square + fixed.cost * _dot(chance - fixed.labels, along)
        settled = (slope.abs() <= enough) | ~live
        if bool(settled.all()):
            break
        bend = square + fixed.cost * _dot(chance * (1 - chance) * along, along)
        low, high = torch.where(slope < 0, length, low), torch.where(slope > 0, length, high)
        tried = length - slope / bend
        halved = torch.where(high.isinf(), 2 * length, (low + high) / 2)
        tried = torch.where((tried > low) & (tried < high), tried, halved)
        length = torch.where(settled, length, tried)
    else:
        chance = torch.sigmoid(state.scores + length[:, None] * along)
    return length, chance


def _dot(first: Float[Tensor, "p m"], second: Float[Tensor, "p m"]) -> Float[Tensor, " p"]:
    return (first * second).sum(dim=1)
