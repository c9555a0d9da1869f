"""Where the answer is a formula, the analyzer must give it."""

import numpy as np
import pytest
import torch

from biaskit.analyzers.biaslens import BiasLens, given_reference, given_target
from biaskit.analyzers.biaslens.calibration import Calibrator
from biaskit.analyzers.biaslens.cause import Readout, erase, patch
from biaskit.analyzers.biaslens.neutral import neutral_prompts
from biaskit.concepts.pole_tokens import PoleTokens, pole_tokens
from biaskit.hooks.pooling import Pooling
from tests.analyzers.biaslens import toys

POOLINGS = (Pooling.LAST, Pooling.SPAN)
AXIS = toys.drawn("the axis of the log-odds", 0.7)
CURVE = torch.outer(toys.drawn("bend"), toys.drawn("bend")) * 0.3


def linear(h):
    return h @ AXIS


def quadratic(h):
    return h @ AXIS + torch.einsum("nd,de,ne->n", h, CURVE, h) / 2


def measured_given_target(function, rule="trapezoid"):
    compared = toys.comparison()
    session = toys.session(toys.Toy(function, toys.by_word), compared)
    tokens = pole_tokens(session.model, compared)
    how = given_target.How(POOLINGS, 12, rule)
    return session, tokens, given_target.measure(session, compared, tokens, how)


def truth(function, measured):
    """f(h) of every cell, less the controls' mean, straight from the activations' formula."""
    h = torch.stack([toys.by_word(prompt).float().double() for prompt in measured.grid.prompts])
    cells = function(h).view(measured.grid.shape).numpy()
    return cells - cells[:, list(measured.nouns.controls)].mean(1, keepdims=True)


@pytest.mark.parametrize("rule", ["trapezoid", "tangent"])
def test_a_linear_models_score_is_its_behaviour(rule):
    _, _, measured = measured_given_target(linear, rule)
    expected = truth(linear, measured)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(measured.behaviour, expected, atol=1e-6)
    np.testing.assert_allclose(measured.score, expected, atol=1e-6)
    assert measured.agreement[measured.point] == pytest.approx(1, abs=1e-9)


def test_no_other_token_is_tried_where_the_first_one_does():
    _, _, measured = measured_given_target(linear)
    assert measured.point.pooling is Pooling.LAST
    assert {point.pooling for point in measured.agreement} == {Pooling.LAST}


def test_the_next_token_is_tried_where_the_first_is_silent():
    compared = toys.comparison()
    session = toys.session(toys.Toy(linear, toys.by_word), compared)
    how = given_target.How((Pooling.SPAN, Pooling.LAST), 12)
    measured = given_target.measure(session, compared, pole_tokens(session.model, compared), how)
    assert measured.point.pooling is Pooling.LAST
    np.testing.assert_allclose(measured.score, truth(linear, measured), atol=1e-6)
    silent = max(value for point, value in measured.agreement.items() if point.pooling is Pooling.SPAN)
    assert silent < given_target.ENOUGH < measured.agreement[measured.point]


def test_the_trapezoid_is_exact_where_the_slope_changes_evenly_and_the_tangent_is_not():
    for rule, error in (("trapezoid", 0.0), ("tangent", 0.2)):
        _, _, measured = measured_given_target(quadratic, rule)
        worst = np.abs(measured.score - truth(quadratic, measured)).max()
        assert worst < 1e-6 if error == 0 else worst > error


def test_patching_a_linear_model_agrees_exactly():
    session, tokens, measured = measured_given_target(linear)
    columns = [*measured.nouns.columns["soup"], *measured.nouns.controls[:9]]
    patching = patch(session, measured, tokens, columns)
    seen = ~np.isnan(patching.effect)
    assert seen.sum() == len(columns) * measured.grid.shape[0]
    np.testing.assert_allclose(patching.effect[seen], patching.predicted[seen], atol=1e-5)
    assert np.abs(patching.effect[seen]).max() > 1


def test_erasing_the_axis_leaves_nothing_and_random_directions_leave_nearly_all():
    session, tokens, measured = measured_given_target(linear)
    prompts, _ = neutral_prompts(session, session.comparisons[0])
    erasure = erase(session, measured, Readout(tokens.all, len(tokens.first)), prompts, 40)
    assert erasure.rank == 1
    assert np.abs(erasure.axis).max() < 1e-5
    columns = list(measured.nouns.columns["soup"])
    left = erasure.random[:, :, columns].mean((1, 2)) / measured.behaviour[:, columns].mean()
    # What a random direction takes away averages to one dimension's share of the width.
    assert left.mean() == pytest.approx(1 - 1 / toys.WIDTH, abs=0.25)
    assert erasure.kl.mean() > 0


def test_the_calibration_slope_is_the_length_of_the_gradient():
    session, tokens, measured = measured_given_target(linear)
    calibrator = Calibrator(session, measured, tokens)
    unit = AXIS / AXIS.norm()
    found = calibrator.calibrate(unit)
    assert found.slope == pytest.approx(float(AXIS.norm()), abs=1e-5)
    assert found.oriented
    assert not found.turned
    np.testing.assert_allclose(calibrator.scores(unit, found), truth(linear, measured), atol=1e-5)


def test_an_axis_that_points_the_other_way_is_turned():
    session, tokens, measured = measured_given_target(linear)
    calibrator = Calibrator(session, measured, tokens)
    found = calibrator.calibrate(-AXIS / AXIS.norm())
    assert found.turned
    scores = calibrator.scores(-AXIS / AXIS.norm(), found)
    np.testing.assert_allclose(scores, truth(linear, measured), atol=1e-5)


def test_an_axis_that_moves_nothing_is_not_oriented():
    session, tokens, measured = measured_given_target(linear)
    other = toys.drawn("some other direction")
    other = other - (other @ AXIS) / (AXIS @ AXIS) * AXIS
    found = Calibrator(session, measured, tokens).calibrate(other / other.norm())
    assert abs(found.slope) < 1e-5
    assert not found.oriented
    assert not found.turned


def test_token_groups_that_are_equal_in_effect_give_zero():
    compared = toys.comparison()
    session = toys.session(toys.Toy(linear, toys.by_word), compared)
    known = session.model.single_token_words(["good", "great"])
    same = tuple(known.values())
    measured = given_target.measure(session, compared, PoleTokens(same, same, ()), given_target.How(POOLINGS))
    assert not measured.behaviour.any()
    assert not measured.score.any()


def reverse_session(vectors=toys.by_word):
    compared = toys.comparison()
    model = toys.Toy(linear, vectors, nouns=toys.nouns(compared), vocabulary=60)
    return toys.session(model, compared), compared


def pole_step(measured):
    """Mean activation with the first pole's words less that with the second's, for each stem."""
    step = torch.zeros(len(measured.grid.stems), toys.WIDTH, dtype=torch.float64)
    for prompt, example in zip(measured.grid.prompts, measured.grid.examples, strict=True):
        sign = 1 if example.filler in toys.STATES["up"] else -1
        step[measured.grid.stems.index(example.template)] += sign * toys.by_word(prompt).float().double() / 3
    return step


def test_given_the_references_a_log_linear_models_score_is_its_behaviour():
    session, compared = reverse_session()
    measured = given_reference.measure(session, compared, POOLINGS, 3)
    step = pole_step(measured)
    rows = session.model.rows[[session.model.words.index(word) for word in measured.nouns.words]]
    expected = (step @ rows.T).numpy()
    expected -= expected[:, list(measured.nouns.controls)].mean(1, keepdims=True)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(measured.behaviour, expected, atol=1e-6)
    np.testing.assert_allclose(measured.score, expected, atol=1e-4)
    np.testing.assert_allclose(measured.axes[measured.point].numpy(), step.numpy(), atol=1e-6)


def test_erasing_the_step_between_the_references_leaves_nothing_where_every_stem_takes_the_same_step():
    session, compared = reverse_session(toys.separate)
    measured = given_reference.measure(session, compared, POOLINGS, 3)
    known = session.model.single_token_words(measured.nouns.words)
    readout = Readout([known[word] for word in measured.nouns.words])
    prompts, _ = neutral_prompts(session, compared)
    erasure = erase(session, measured, readout, prompts, 20)
    assert erasure.rank == 1
    assert np.abs(erasure.axis).max() < 1e-5
    assert np.abs(erasure.random).mean() > 0.6 * np.abs(measured.behaviour).mean()


def test_every_part_of_the_analysis_of_a_linear_model_says_the_same():
    compared = toys.comparison()
    session = toys.session(toys.Toy(linear, toys.by_word), compared)
    analysis = BiasLens(axes=("readout",), readings=("references given target",), autoencoder="none").analyze(
        session
    )
    found = {
        (f.metric, f.concepts[0]): f.estimate for f in analysis.findings if f.metric != "biaslens.profile"
    }
    for target in compared.targets.targets:
        score = found["biaslens.score", target].value
        assert found["biaslens.behaviour", target].value == pytest.approx(score, abs=1e-6)
        assert found["biaslens.axis_readout", target].value == pytest.approx(score, abs=1e-5)
    assert found["biaslens.patching_slope", "things"].value == pytest.approx(1, abs=1e-5)
    assert found["biaslens.patching_r2", "things"].value == pytest.approx(1, abs=1e-5)
    assert analysis.conflicts == ()
