"""What must not change a number: order, company, shards, a killed run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.ledger import Ledger
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.plan import Enough, Plan
from biaskit.errors import RequestError

PLAN = Plan(nodes=6, replicates=2)
PROMPTS = ["", "a quarter", "one"]
PAIRS = [Contrast(1, 0), Contrast(2, 0), Contrast(2, 1)]


def values(found):
    return np.concatenate([found.standard.values, found.orthogonal.values])


@pytest.fixture(scope="module")
def whole(hard):
    return measure(*hard, PROMPTS, PAIRS, Asked(plan=PLAN, maps=True))


def test_equal_prompts_say_exactly_nothing(hard):
    found = measure(*hard, ["one", "one"], [Contrast(1, 0)], Asked(plan=PLAN))
    assert (values(found) == 0).all()
    assert found.passes == 4 * 2 * 12, "and are run once"


def test_the_chain_rule_holds_image_by_image(whole):
    first, both, second = np.moveaxis(whole.standard.values, 1, 0)
    assert first + second == pytest.approx(both, abs=1e-10)


def test_maps_add_up_to_the_image(whole):
    assert whole.maps.standard.sum(axis=(2, 3)) == pytest.approx(whole.standard.mean, abs=1e-9)
    assert whole.maps.orthogonal.sum(axis=(2, 3)) == pytest.approx(whole.orthogonal.mean, abs=1e-9)
    assert whole.maps.orthogonal.min() >= 0


def test_the_order_of_the_prompts_changes_no_bit(hard, whole):
    turned = measure(*hard, PROMPTS[::-1], [Contrast(1, 2), Contrast(0, 2), Contrast(0, 1)], Asked(plan=PLAN))
    assert (values(turned) == values(whole)).all()


def test_one_image_alone_is_what_it_is_in_company(hard, whole):
    denoiser, points = hard
    alone = measure(denoiser, points[2:3], PROMPTS, PAIRS, Asked(plan=PLAN))
    assert (alone.standard.values[0] == whole.standard.values[2]).all()


def test_more_replicates_keep_those_that_were_there(hard, whole):
    more = measure(*hard, PROMPTS, PAIRS, Asked(plan=Plan(nodes=6, replicates=3)))
    assert (more.standard.values[:, :, :2] == whole.standard.values).all()


def test_images_have_noise_of_their_own_unless_it_is_shared(hard):
    denoiser, points = hard
    twice = torch.stack([points[0], points[0]])
    keys = ("one", "other")
    own = measure(denoiser, twice, PROMPTS, PAIRS, Asked(plan=PLAN, keys=keys))
    assert (own.standard.values[0] != own.standard.values[1]).all()
    shared = Plan(nodes=6, replicates=2, shared=True)
    same = measure(denoiser, twice, PROMPTS, PAIRS, Asked(plan=shared, keys=keys))
    assert (same.standard.values[0] == same.standard.values[1]).all()


class Killed(BaseException):
    pass


class Mortal:
    """A denoiser that is killed after some calls."""

    def __init__(self, denoiser, calls):
        self.denoiser, self.left = denoiser, calls

    def __getattr__(self, name):
        return getattr(self.denoiser, name)

    def predict_noise(self, *given):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return self.denoiser.predict_noise(*given)


def test_a_killed_run_goes_on_and_gives_the_same_bytes(hard, whole, tmp_path):
    denoiser, points = hard
    asked = Asked(plan=PLAN, maps=True, ledger=Ledger(tmp_path, "model"))
    with pytest.raises(Killed):
        measure(Mortal(denoiser, 5), points, PROMPTS, PAIRS, asked)
    kept = len(list(tmp_path.glob("*.safetensors")))
    assert 0 < kept < 8
    second = Mortal(denoiser, 1000)
    again = measure(second, points, PROMPTS, PAIRS, asked)
    assert (values(again) == values(whole)).all()
    assert (again.maps.standard == whole.maps.standard).all()
    third = measure(Mortal(denoiser, 0), points, PROMPTS, PAIRS, asked)
    assert (values(third) == values(whole)).all(), "a finished run asks the model nothing"


def test_a_damaged_replicate_is_computed_again(hard, whole, tmp_path):
    asked = Asked(plan=PLAN, ledger=Ledger(tmp_path, "model"))
    measure(*hard, PROMPTS, PAIRS, asked)
    sorted(tmp_path.glob("*.safetensors"))[0].write_bytes(b"not a tensor")
    assert (values(measure(*hard, PROMPTS, PAIRS, asked)) == values(whole)).all()


def test_a_ledger_knows_models_and_plans_apart(hard, tmp_path):
    denoiser, points = hard
    measure(denoiser, points[:1], PROMPTS, PAIRS, Asked(plan=PLAN, ledger=Ledger(tmp_path, "model")))
    for other in (
        Asked(plan=PLAN, ledger=Ledger(tmp_path, "another")),
        Asked(plan=Plan(nodes=6, replicates=2, seed=1), ledger=Ledger(tmp_path, "model")),
        Asked(plan=PLAN, maps=True, ledger=Ledger(tmp_path, "model")),
    ):
        with pytest.raises(Killed):
            measure(Mortal(denoiser, 0), points[:1], PROMPTS, PAIRS, other)


def test_memory_is_bounded_by_a_batch(hard):
    """However many images: no call gets more rows than a batch."""
    denoiser, points = hard
    rows = []

    class Counting(Mortal):
        def predict_noise(self, noisy, *given):
            rows.append(len(noisy))
            return self.denoiser.predict_noise(noisy, *given)

    measure(Counting(denoiser, 0), points.repeat(3, 1, 1, 1), PROMPTS, PAIRS, Asked(plan=PLAN))
    assert max(rows) <= denoiser.batch_size


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda points: points[:, :, :16], "shape"),
        (lambda points: points * float("nan"), "not a number"),
        (lambda points: points[:0], "shape"),
    ],
)
def test_images_that_do_not_fit_are_refused_before_any_pass(hard, change, said):
    denoiser, points = hard
    with pytest.raises(RequestError, match=said):
        measure(Mortal(denoiser, 0), change(points), PROMPTS, PAIRS, Asked(plan=PLAN))


def test_contrasts_and_keys_must_fit(hard):
    with pytest.raises(RequestError, match="3 prompts"):
        measure(*hard, PROMPTS, [Contrast(3, 0)], Asked(plan=PLAN))
    with pytest.raises(RequestError, match="key of its own"):
        measure(*hard, PROMPTS, PAIRS, Asked(plan=PLAN, keys=("a", "a", "b", "c")))


@pytest.mark.parametrize("wrong", [{"nodes": 1}, {"replicates": 0}, {"level": 1.0}])
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(RequestError, match="2 nodes"):
        Plan(**wrong)


def test_a_stopping_rule_without_meaning_is_refused():
    with pytest.raises(RequestError, match="above 0"):
        Enough()
    with pytest.raises(RequestError, match="2 replicates"):
        Enough(half_width=1.0, most_replicates=1)
    with pytest.raises(RequestError, match="to look at"):
        Enough(half_width=1.0, kinds=())


@pytest.mark.parametrize(
    ("plan", "looks"),
    [
        (Plan(replicates=3), [3]),
        (Plan(replicates=3, enough=Enough(relative=0.1, most_replicates=5)), [5]),
        (Plan(replicates=3, enough=Enough(relative=0.1, most_replicates=20)), [8, 12, 18, 20]),
        (Plan(replicates=30, enough=Enough(relative=0.1, most_replicates=20)), [30]),
    ],
)
def test_it_is_asked_late_and_seldom_whether_it_is_enough(plan, looks):
    assert list(plan.looks()) == looks


def test_what_lies_outside_the_trained_levels_is_told(spectrum, far_corners):
    inside = measure(spectrum.denoiser, spectrum.latents, ["", "said"], PAIRS[:1], Asked(plan=Plan(nodes=16)))
    assert inside.remarks() == ()
    told = measure(*far_corners, PROMPTS, PAIRS[:1], Asked(plan=Plan(nodes=16))).remarks()
    assert "'a quarter' says over '' lies outside" in told[0]
