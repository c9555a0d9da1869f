"""A number never travels alone: unit, n, unit of resampling, method, interval and null, or a reason."""

from __future__ import annotations

import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from biaskit.records.estimate import Estimate, Interval, Null, Unit

INTERVAL = Interval(low=0.1, high=0.5, level=0.95, method="percentile")
NULL = Null(p=0.01, kind="conformal against neutral controls")
FULL = {
    "value": 0.3,
    "unit": Unit.NAT,
    "n": 160,
    "resampling_unit": "templates x fillers",
    "method": "mean difference",
    "interval": INTERVAL,
    "null": NULL,
}


def test_a_whole_estimate_stands():
    assert Estimate(**FULL).value == 0.3


@pytest.mark.parametrize("key", ["value", "unit", "n", "resampling_unit", "method"])
def test_a_naked_number_is_refused(key):
    with pytest.raises(ValidationError) as caught:
        Estimate(**{name: value for name, value in FULL.items() if name != key})
    assert caught.value.errors()[0]["loc"] == (key,)


@pytest.mark.parametrize("key", ["value", "interval", "null"])
def test_what_is_missing_needs_a_reason(key):
    with pytest.raises(ValidationError, match="must give its reason"):
        Estimate(**(FULL | {key: None}))
    with pytest.raises(ValidationError, match="must give its reason"):
        Estimate(**(FULL | {key: None, "reason": ""}))
    assert Estimate(**(FULL | {key: None, "reason": "not oriented"})).reason == "not oriented"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("key", ["value", "minimum_detectable_effect"])
def test_a_value_is_a_finite_number(key, bad):
    with pytest.raises(ValidationError):
        Estimate(**(FULL | {key: bad}))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("key", ["low", "high", "level"])
def test_an_interval_is_finite(key, bad):
    with pytest.raises(ValidationError):
        Interval(**({"low": 0.0, "high": 1.0, "level": 0.9, "method": "m"} | {key: bad}))


@pytest.mark.parametrize(
    ("key", "bad"), [("n", -1), ("unit", "furlong"), ("resampling_unit", ""), ("method", ""), ("sigma", 1.0)]
)
def test_the_other_fields_are_watched(key, bad):
    with pytest.raises(ValidationError):
        Estimate(**(FULL | {key: bad}))


@pytest.mark.parametrize("p", [-0.01, 1.01, math.nan])
def test_a_p_value_lies_between_0_and_1(p):
    with pytest.raises(ValidationError):
        Null(p=p, kind="k")


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_lies_inside_0_and_1(level):
    with pytest.raises(ValidationError):
        Interval(low=0, high=1, level=level, method="m")


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge, max])
def test_estimates_are_not_ordered(compare):
    with pytest.raises(TypeError, match="biaskit compare"):
        compare(Estimate(**FULL), Estimate(**(FULL | {"value": 0.4})))
    with pytest.raises(TypeError, match="biaskit compare"):
        compare(Estimate(**FULL), 0.1)


def test_an_estimate_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Estimate(**FULL).value = 0.0


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE)
def test_an_interval_has_its_ends_in_order(first, second):
    low, high = sorted((first, second))
    interval = Interval(low=low, high=high, level=0.95, method="m")
    assert low in interval
    assert high in interval
    if low < high:
        with pytest.raises(ValidationError, match="low end"):
            Interval(low=high, high=low, level=0.95, method="m")


@given(FINITE)
def test_a_value_survives_json_to_the_last_bit(value):
    estimate = Estimate(**(FULL | {"value": value}))
    assert Estimate.model_validate_json(estimate.model_dump_json()) == estimate
