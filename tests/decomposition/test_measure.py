"""What must not change a number: order, company, shards, a killed run."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.ledger import Ledger
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.passes import Replicate
from biaskit.decomposition.plan import Enough, Plan
from biaskit.errors import RequestError
from biaskit.organisms.oracles import gaussian_integrand

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


def test_memory_is_bounded_whatever_the_number_of_images(hard):
    """Calls get full batches, and replicates are summed up image by image."""
    denoiser, points = hard
    rows, alive = [], []

    class Counting(Mortal):
        def predict_noise(self, noisy, *given):
            rows.append(len(noisy))
            if len(rows) % 7 == 0:
                alive.append(sum(type(one) is Replicate for one in gc.get_objects()))
            return self.denoiser.predict_noise(noisy, *given)

    small = replace(denoiser, batch_size=8)
    many = measure(Counting(small, 0), points.repeat(3, 1, 1, 1), PROMPTS, PAIRS, Asked(plan=PLAN, maps=True))
    assert rows == [8, 8, 8, 8, 4] * 12 * PLAN.replicates
    assert max(alive) <= PLAN.replicates
    assert many.passes == sum(rows)


def test_the_size_of_a_batch_changes_nothing_but_rounding(hard, whole):
    denoiser, points = hard
    for size in (1, 5, 36, 1000):
        found = measure(replace(denoiser, batch_size=size), points, PROMPTS, PAIRS, Asked(plan=PLAN))
        assert values(found) == pytest.approx(values(whole), rel=1e-9)


def test_the_mean_over_images_knows_clusters(whole):
    mean = whole.standard.mean[:, 0].mean()
    alone, paired = (whole.standard.over_images(0, each) for each in (None, np.array([0, 0, 1, 1])))
    values = whole.standard.mean[:, 0]
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert (alone.low, alone.high) == pytest.approx((mean - half, mean + half))
    assert (paired.low + paired.high) / 2 == pytest.approx(mean)
    middles = values.reshape(2, 2).mean(axis=1)
    assert paired.high - mean == pytest.approx(stats.t.ppf(0.975, 1) * abs(middles[1] - middles[0]) / 2)
    for wrong in (np.zeros(4), np.arange(3)):
        with pytest.raises(RequestError, match="two clusters"):
            whole.standard.over_images(0, wrong)


def test_an_image_has_an_interval_over_its_replicates(whole):
    values = whole.orthogonal.values[1, 2]
    half = stats.t.ppf(0.975, 1) * values.std(ddof=1) / 2**0.5
    interval = whole.orthogonal.interval(1, 2)
    assert (interval.low, interval.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert "2 replicates" in interval.method


def test_one_replicate_has_no_interval(hard):
    denoiser, points = hard
    found = measure(denoiser, points[:1], PROMPTS, PAIRS, Asked(plan=Plan(nodes=4, replicates=1)))
    assert found.standard.interval(0, 0) is None


def test_losses_and_curves_add_up_to_the_information(hard, whole):
    """Losses of two prompts differ by what one says over the other."""
    over = whole.losses.values[:, [0]] - whole.losses.values[:, [1]]
    assert over == pytest.approx(whole.standard.values[:, [0]], abs=1e-8)
    width = float(hard[0].log_snrs[-1] - hard[0].log_snrs[0]) / PLAN.nodes
    assert whole.curves.errors.sum(axis=2) * width / 2 == pytest.approx(whole.losses.mean, rel=0.02)


def test_losses_alone_need_no_contrast(hard, whole):
    found = measure(*hard, PROMPTS, [], Asked(plan=PLAN))
    assert (found.losses.values == whole.losses.values).all()


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


def test_tails_are_what_lies_outside(spectrum):
    """Against the integrand beyond both ends, from nodes that lie within a stratum of them."""
    plan = Plan(nodes=16, replicates=20)
    found = measure(spectrum.denoiser, spectrum.latents, ["", "said"], PAIRS[:1], Asked(plan=plan))
    log_snrs = spectrum.denoiser.log_snrs
    for tail, span in (
        (found.tails.low, (float(log_snrs[0]) - 25, float(log_snrs[0]))),
        (found.tails.high, (float(log_snrs[-1]), float(log_snrs[-1]) + 25)),
    ):
        alphas = np.linspace(*span, 1001)
        integrand = [
            gaussian_integrand(alpha, spectrum.x, spectrum.given, spectrum.added).sum() for alpha in alphas
        ]
        assert tail[0, 0] == pytest.approx(np.trapezoid(integrand, alphas) / 2, rel=0.35)


def test_what_lies_outside_the_trained_levels_is_told(spectrum, far_corners):
    inside = measure(spectrum.denoiser, spectrum.latents, ["", "said"], PAIRS[:1], Asked(plan=Plan(nodes=16)))
    assert inside.remarks() == ()
    told = measure(*far_corners, PROMPTS, PAIRS[:1], Asked(plan=Plan(nodes=16))).remarks()
    assert "'a quarter' says over '' lies outside" in told[0]
