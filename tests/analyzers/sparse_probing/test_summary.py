"""What the report says in words."""

import pytest

from biaskit.analyzers.sparse_probing.summary import below_chance
from biaskit.records.estimate import Estimate, Interval, Unit
from biaskit.records.finding import Direction, Finding


def control(value, low, high, method):
    return Finding(
        metric="sparse_probing.shuffled",
        concepts=("food",),
        direction=Direction.NONE,
        headline=True,
        estimate=Estimate(
            value=value,
            unit=Unit.AUC,
            n=20,
            resampling_unit="shuffles",
            method="mean",
            interval=Interval(low=low, high=high, level=0.9, method=method),
            reason="null",
        ),
    )


@pytest.mark.parametrize(
    ("value", "low", "high", "method", "said"),
    [
        (0.43, 0.28, 0.60, "range of 20 shuffles", True),
        (0.49, 0.28, 0.70, "range of 20 shuffles", False),
        (0.43, 0.38, 0.48, "cluster-robust", True),
        (0.43, 0.28, 0.60, "cluster-robust", False),
    ],
)
def test_a_control_clearly_below_chance_is_explained(value, low, high, method, said):
    sentences = list(below_chance([control(value, low, high, method)]))
    assert bool(sentences) is said
    assert all("food (shuffled labels)" in one and "small test folds" in one for one in sentences)
