"""One number that may be shown: never without unit, sample size, interval, method and null."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn, Self

from pydantic import Field, model_validator

from biaskit.records.base import Record

UNTESTED = "untested:"
"""A reason that starts so says why a number that must be tested could not be: chance is not ruled out."""

NO_RANKING = "no ranking:"
"""A reason that starts so says why an AUC has no interval: nothing was put in any order."""


class Unit(StrEnum):
    """The closed list of units a number can have."""

    PROPORTION = "proportion"
    LOGIT = "logit"
    NAT = "nat"
    BIT = "bit"
    AUC = "auc"
    COSINE = "cosine"
    SD = "sd"
    POINT = "point"
    PIXEL_SHARE = "pixel_share"
    COUNT = "count"
    ONE = "1"


class Interval(Record):
    """Where the true value lies, at a stated level."""

    low: float
    """Lower end, in the estimate's unit."""
    high: float
    """Upper end, in the estimate's unit."""
    level: float = Field(gt=0, lt=1)
    """Confidence level, such as 0.95."""
    method: str = Field(min_length=1)
    """How it was computed, such as `two-way cluster bootstrap, percentile`."""
    degrees_of_freedom: float | None = Field(default=None, gt=0)
    """Degrees of freedom of its scale, where it follows Student's t."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("an interval's low end must not exceed its high end")
        return self

    def cut(self, low: float, high: float) -> Self:
        """Return the interval within what the number can be; the method says so where an end was beyond."""
        if low <= self.low and self.high <= high:
            return self
        ends = {"low": max(low, self.low), "high": min(high, self.high)}
        return self.model_copy(update=ends | {"method": f"{self.method}, cut at {low:g} and {high:g}"})

    def __contains__(self, value: float) -> bool:
        """Tell whether `value` lies inside, ends included."""
        return self.low <= value <= self.high


class Null(Record):
    """How surprising the value would be if there were nothing to find."""

    p: float = Field(ge=0, le=1)
    """Two-sided p-value under `kind`."""
    kind: str = Field(min_length=1)
    """The null, named: what was shuffled or compared against."""
    adjusted: float | None = Field(default=None, ge=0, le=1)
    """The p- or q-value after correction for the declared family."""
    correction: str | None = None
    """The correction and its family, such as `Benjamini-Hochberg over 36 targets`."""


class Estimate(Record):
    """One number with all that must travel with it.

    A number that could not be measured has `value` None and says why in `reason`; it is never NaN
    and never a silent zero. A number without interval or null says why it has none.
    """

    value: float | None
    """The number, in `unit`; None when it could not be measured."""
    unit: Unit
    """What the number counts in."""
    n: int = Field(ge=0)
    """How many units of resampling it rests on."""
    resampling_unit: str = Field(min_length=1)
    """What was sampled, and so what is resampled, such as `templates x fillers`."""
    method: str = Field(min_length=1)
    """How the number was computed, one phrase."""
    interval: Interval | None = None
    """Where the true value lies."""
    null: Null | None = None
    """What chance alone would give."""
    minimum_detectable_effect: float | None = Field(default=None, ge=0)
    """The smallest true effect this design would find with power 0.8 at level 0.05, in `unit`."""
    reason: str | None = None
    """Why the value, its interval or its null is missing."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = self.value is None or self.interval is None or self.null is None
        if missing and not self.reason:
            raise ValueError("an estimate without value, interval or null must give its reason")
        return self

    @property
    def untested(self) -> bool:
        """Whether the number must be tested against a null and could not be."""
        return self.null is None and (self.reason or "").startswith(UNTESTED)

    def _refuse(self, _other: object) -> NoReturn:
        raise TypeError(
            "estimates have intervals and are not ordered; compare two runs with `biaskit compare`"
        )

    __lt__ = __le__ = __gt__ = __ge__ = _refuse
