"""The default score on a model whose association is known, because it was planted there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import linregress, spearmanr

from biaskit.analyzers.biaslens.cause import Readout, erase
from biaskit.analyzers.biaslens.estimates import target_estimates
from biaskit.analyzers.biaslens.measured import centred
from biaskit.analyzers.biaslens.neutral import neutral_prompts
from biaskit.analyzers.biaslens.read_point import logprobs_with
from biaskit.records.reading import Reading

PAIRS = ("sentiment", "gender", "wealth")


@pytest.fixture(params=PAIRS)
def pair(request):
    return request.param


@pytest.fixture
def ladder(planted, pair):
    return planted[pair]


def test_the_score_ranks_the_doses_with_their_sign(ladder, pair):
    assert len(ladder.targets) >= 32
    assert ladder.rank(ladder.measured.behaviour, pair) >= 0.95
    assert ladder.rank(ladder.measured.score, pair) >= 0.95
    strong = abs(ladder.dose(pair)) >= 1
    assert (np.sign(ladder.by_target(ladder.measured.score)) == np.sign(ladder.dose(pair)))[strong].all()


def test_the_score_is_in_nats_of_behaviour(ladder):
    behaviour, score = map(ladder.by_target, (ladder.measured.behaviour, ladder.measured.score))
    assert 0.8 <= linregress(behaviour, score).slope <= 1.2


def test_the_score_stays_off_the_other_ladders(ladder, pair):
    for other in set(PAIRS) - {pair}:
        own = abs(spearmanr(ladder.dose(pair), ladder.dose(other))[0])
        assert abs(ladder.rank(ladder.measured.score, other)) <= own + 0.15


def test_random_axes_rank_worse(ladder, pair):
    """The floor is high: at the stem's last token the dose is most of what tells the targets apart."""
    floor = [abs(ladder.rank(cells, pair)) for cells in random_scores(ladder, 50)]
    assert ladder.rank(ladder.measured.score, pair) > np.quantile(floor, 0.95)


def random_scores(ladder, count):
    """The score with a random axis in the place of the oriented one, at the same point."""
    measured, session = ladder.measured, ladder.session
    width = measured.activations.shape[2]
    axes = torch.randn(count, width, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    if measured.reading is Reading.GIVEN_TARGET:
        for axis in axes:
            yield centred((measured.activations.double() @ axis).numpy(), measured.nouns.controls)
        return
    rows = measured.activations.double().flatten(0, 1)
    known = session.model.single_token_words(measured.nouns.words)
    tokens = [known[word] for word in measured.nouns.words]
    for axis in axes:
        step = 0.05 * axis / axis.norm() * measured.axes[measured.point].norm(dim=1).mean()
        up, down = (
            logprobs_with(session.model, measured.grid.prompts, measured.point, moved.float(), tokens)
            for moved in (rows + step, rows - step)
        )
        slopes = (up - down).double().view(*measured.grid.shape, -1).mean(1).numpy()
        yield centred(slopes, measured.nouns.controls)


def test_strong_doses_are_found_and_controls_are_not(ladder, pair):
    estimates = target_estimates(ladder.measured.score, ladder.measured, "score", np.random.default_rng(0))
    p = np.array([estimates[target].null.p for target in ladder.targets])
    strong = abs(ladder.dose(pair)) >= 1
    assert (p[strong] <= 0.05).mean() >= 0.9


def test_intervals_hold_the_behaviour_of_strong_doses(ladder, pair):
    """Only a sanity check: the interval is about other words, not about the dose."""
    estimates = target_estimates(ladder.measured.behaviour, ladder.measured, "b", np.random.default_rng(0))
    dose = dict(zip(ladder.targets, ladder.dose(pair), strict=True))
    signed = [target for target in ladder.targets if abs(dose[target]) >= 1]
    right = [0.0 not in estimates[target].interval for target in signed]
    assert np.mean(right) >= 0.9


def erased(ladder, directions=8):
    measured, comparison = ladder.measured, ladder.comparison
    prompts, _ = neutral_prompts(ladder.session, comparison)
    if measured.reading is Reading.GIVEN_TARGET:
        readout = Readout(ladder.tokens.all, len(ladder.tokens.first))
    else:
        known = ladder.session.model.single_token_words(measured.nouns.words)
        readout = Readout([known[word] for word in measured.nouns.words])
    return erase(ladder.session, measured, readout, prompts, directions)


def test_erasing_the_axis_takes_the_association_away_and_random_directions_do_not(ladder, pair):
    before = ladder.slope(ladder.measured.behaviour, pair)
    erasure = erased(ladder)
    assert abs(ladder.slope(erasure.axis, pair)) <= 0.2 * before
    left = np.array([ladder.slope(cells, pair) / before for cells in erasure.random])
    assert np.median(left) >= 0.8
    assert left.min() >= 0.5


def test_controls_that_pose_as_a_target_are_found_as_often_as_chance_says(planted):
    """Cells are read once; each split gives some neutral nouns a target's place."""
    ladder = planted["sentiment"]
    p = np.array([_fake_target_p(ladder.measured, split) for split in range(400)])
    # 400 draws at .05: the binomial 99.9 % band is 7 to 36.
    assert 7 <= (p <= 0.05).sum() <= 36
    assert abs(p.mean() - 0.5) < 0.06


def _fake_target_p(measured, split):
    rng = np.random.default_rng([9, split])
    controls = rng.permutation(measured.nouns.controls)
    fake, rest = tuple(map(int, controls[:4])), tuple(map(int, controls[4:]))
    nouns = replace(measured.nouns, columns={"fake": fake}, controls=rest)
    moved = centred(measured.score, rest)
    return target_estimates(moved, replace(measured, nouns=nouns), "fake", rng)["fake"].null.p
