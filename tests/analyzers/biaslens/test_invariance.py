"""What must not change the numbers: the order of the poles, the basis, the style of the stated sentences."""

from dataclasses import replace

import numpy as np
import pytest

from biaskit.analyzers.biaslens import BiasLens
from biaskit.records.probe_set import ReferencePair
from biaskit.records.reading import Reading
from tests.analyzers.biaslens.planted import new_session, some_targets
from tests.analyzers.biaslens.rotated import Rotated

SMALL = {"random_directions": 3, "autoencoder": "none"}
SCALE = 7.0
SIGNED = (
    "score",
    "behaviour",
    "patching",
    "profile",
    *(f"axis_{name}" for name in ("stated", "cav", "readout")),
)
UNSIGNED = (
    "erasure",
    "random_erasure",
    "reliability",
    "control_sd",
    "agreement",
    "kl",
    "patching_slope",
    "patching_r2",
)


def analysed(model, comparison, **settings):
    return BiasLens(**SMALL | settings).analyze(new_session(model, comparison))


def by_key(analysis):
    """Findings by what they are about."""
    found = {}
    for finding in analysis.findings:
        found[
            finding.metric.removeprefix("biaslens."),
            finding.concepts,
            finding.group,
            str(finding.site),
        ] = finding
    assert len(found) == len(analysis.findings)
    return found


@pytest.fixture(scope="module", params=["sentiment", "wealth"])
def few(request, organism):
    """Six targets from both ends of the doses, on one pair."""
    doses = organism.doses[request.param]
    ranked = sorted(doses, key=doses.get)
    return some_targets(request.param, (*ranked[:3], *ranked[-3:]), controls=16)


@pytest.fixture(scope="module")
def analysis(model, few):
    return analysed(model, few)


@pytest.fixture(scope="module")
def swapped(model, few):
    return by_key(analysed(model, replace(few, pair=few.pair.swapped())))


@pytest.fixture(scope="module")
def turned(model, few):
    return by_key(analysed(Rotated(model, SCALE), few, axes=("stated", "readout")))


def test_swapping_the_poles_turns_every_sign_exactly(swapped, analysis):
    seen = set()
    for key, finding in by_key(analysis).items():
        one, other = finding.estimate, swapped[key].estimate
        assert swapped[key].references == finding.references[::-1]
        if key[0] not in SIGNED:
            continue
        seen.add(key[0])
        if "cav" in key[0]:
            # A solver that starts from other labels ends a rounding error elsewhere.
            assert (one.value is None) == (other.value is None)
            continue
        assert (other.value is None and one.value is None) or other.value == -one.value
        assert other.null == one.null
        if one.interval is not None:
            assert (other.interval.low, other.interval.high) == (-one.interval.high, -one.interval.low)
    assert {"score", "behaviour", "patching", "profile"} <= seen


def test_swapping_the_poles_leaves_what_has_no_sign(swapped, analysis):
    compared = 0
    for key, finding in by_key(analysis).items():
        if key[0] in UNSIGNED:
            one, other = finding.estimate, swapped[key].estimate
            assert (other.value, other.interval, other.null) == (one.value, one.interval, one.null), key
            compared += one.value is not None
    assert compared > 10


def test_turning_and_scaling_the_residual_stream_changes_nothing(turned, analysis):
    """The CAV is left out: it standardises coordinates, so its penalty depends on the basis."""
    compared, straight = 0, by_key(analysis)
    for key, finding in straight.items():
        one, kind = finding.estimate, key[0]
        if "cav" in kind or kind in {"random_erasure", "calibration_stated", "calibration_readout"}:
            continue  # beside random directions, or per unit of activation: they belong to a basis
        if kind in {"agreement", "reliability"}:
            continue  # a share of next to nothing in the reading that the text did not teach
        other = turned[key].estimate
        if kind.startswith("axis_") and None in (one.value, other.value):
            continue  # a near thing beside 20 random axes, which are others in another basis
        assert (one.value is None) == (other.value is None), key
        if one.value is not None:
            # A share of a small gap is as exact as the gap.
            gap = (
                abs(straight["behaviour", key[1], key[2], "None"].estimate.value) if kind == "erasure" else 1
            )
            assert other.value * gap == pytest.approx(one.value * gap, abs=1e-4), key
            compared += 1
    assert compared > 40


def test_a_slope_along_an_axis_shrinks_as_the_activations_grow(turned, analysis):
    straight = by_key(analysis)
    for name in ("stated", "readout"):
        (key,) = (key for key in straight if key[0] == f"calibration_{name}")
        one, other = straight[key].estimate.value, turned[key].estimate.value
        assert other * SCALE == pytest.approx(one, rel=2e-3, abs=1e-4)


class Styled(ReferencePair):
    """A pair whose first pole's sentences all begin in the same manner."""

    def examples(self, pole):
        plain = super().examples(pole)
        if pole == "positive-sentiment":
            opening = "Well, "
            plain = tuple(
                example.model_copy(
                    update={
                        "text": opening + example.text,
                        "span": tuple(end + len(opening) for end in example.span),
                    }
                )
                for example in plain
            )
        return plain


def test_a_style_on_one_poles_sentences_moves_no_score(model, organism):
    doses = organism.doses["sentiment"]
    ranked = sorted(doses, key=doses.get)
    plain = some_targets("sentiment", (*ranked[:3], *ranked[-3:]), controls=16)
    styled = replace(plain, pair=Styled(**plain.pair.model_dump()))
    assert styled.pair.examples("positive-sentiment")[0].text.startswith("Well, ")
    readings = (str(Reading.GIVEN_TARGET),)
    before, after = (by_key(analysed(model, one, readings=readings)) for one in (plain, styled))
    for key, finding in before.items():
        one, other = finding.estimate, after[key].estimate
        if key[0] in {"score", "behaviour", "patching", "profile", "erasure", "axis_readout"}:
            assert other == one, key
        elif key[0].startswith("axis_") and None not in (one.value, other.value):
            half = (one.interval.high - one.interval.low) / 2
            assert abs(other.value - one.value) <= half, key


def test_readings_and_signs_are_all_there(analysis, few):
    groups = {finding.group for finding in analysis.findings if finding.metric == "biaslens.score"}
    assert groups == {str(Reading.GIVEN_TARGET), str(Reading.GIVEN_REFERENCE)}
    assert np.all([finding.references == few.pair.poles for finding in analysis.findings])
