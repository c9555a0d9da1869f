"""What the report says in words."""

from types import SimpleNamespace

import pytest

from biaskit.analyzers.sparse_probing.summary import ALL, below_chance, unread
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


def test_a_mean_over_questions_names_those_that_were_not_read():
    asked = [SimpleNamespace(name=name) for name in ("food", "sentiment")]

    def found(name, low, metric="chosen_layer_auc"):
        own = control(0.8, low, 0.9, "cluster-robust")
        return own.model_copy(update={"concepts": (name,), "metric": f"sparse_probing.{metric}"})

    read = [found("food", 0.6), found("sentiment", 0.4)]
    (sentence,) = unread(asked, [*read, found(ALL, 0.4, "sae_gain")])
    assert "means over 2" in sentence
    assert sentence.endswith("not shown to be readable: sentiment.")
    assert not list(unread(asked, read)), "nothing is averaged"
    both = [found("food", 0.6), found("sentiment", 0.7), found(ALL, 0.4, "sae_gain")]
    assert not list(unread(asked, both))
