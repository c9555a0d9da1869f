"""When a score is worth a word."""

import pytest

from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.reporting.standing import Standing, standing


def score(low, high, *, q=0.001, unit=Unit.NAT, reason=None):
    return Estimate(
        value=(low + high) / 2,
        unit=unit,
        n=9,
        resampling_unit="stems",
        method="m",
        interval=Interval(low=low, high=high, level=0.95, method="m"),
        null=Null(p=q / 2, kind="neutral nouns", adjusted=q),
        reason=reason,
    )


@pytest.mark.parametrize(
    ("estimate", "more", "expected"),
    [
        (score(0.9, 1.1), {}, Standing.LEANS),
        (score(-1.1, -0.9), {}, Standing.LEANS),
        (score(-0.1, 1.1), {}, Standing.UNCLEAR),
        (score(0.0, 1.0), {}, Standing.UNCLEAR),
        (score(0.9, 1.1, q=0.06), {}, Standing.UNCLEAR),
        (score(0.9, 1.1), {"band": 0.99}, Standing.LEANS),
        (score(0.9, 1.1), {"band": 1.01}, Standing.UNCLEAR),
        (score(0.9, 1.1, reason="undecided: signs disagree"), {}, Standing.UNCLEAR),
        (score(0.001, 0.003, q=0.02), {}, Standing.SLIGHT),
        (score(-0.003, 0.003, q=0.9), {}, Standing.SLIGHT),
        (score(0.04, 0.06), {"limit": 0.5}, Standing.UNCLEAR),
        (score(0.05, 0.07), {"limit": 0.5}, Standing.LEANS),
        (score(0.05, 0.07), {"limit": 5.0}, Standing.SLIGHT),
        (score(0.001, 0.003, unit=Unit.COSINE), {}, Standing.LEANS),
        (None, {}, Standing.NOT_MEASURED),
    ],
)
def test_a_word_needs_all_of_it(estimate, more, expected):
    assert standing(estimate, **more) is expected


def test_a_number_that_should_have_been_tested_and_was_not_does_not_lean():
    bare = score(0.9, 1.1).model_copy(update={"null": None, "reason": "untested: too few neutral nouns"})
    assert standing(bare) is Standing.UNCLEAR
    assert standing(bare.model_copy(update={"reason": "nothing is tested"})) is Standing.LEANS


def test_a_number_without_interval_and_null_is_judged_by_its_size():
    bare = Estimate(value=1.0, unit=Unit.NAT, n=1, resampling_unit="x", method="m", reason="one stem")
    assert standing(bare) is Standing.LEANS
    assert standing(bare, limit=20.0) is Standing.SLIGHT
    assert standing(bare.model_copy(update={"value": None})) is Standing.NOT_MEASURED
