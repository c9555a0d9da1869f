"""A mean difference is the pattern of a binary label, and moves as the rows do."""

import pytest
import torch

from biaskit.concepts.mean_difference import fit_mean_difference, fit_pattern
from biaskit.errors import ActivationError, RequestError, RunError


@pytest.fixture
def groups():
    generator = torch.Generator().manual_seed(3)
    positive = torch.randn(40, 12, generator=generator, dtype=torch.float64) + torch.arange(12) / 6
    negative = torch.randn(25, 12, generator=generator, dtype=torch.float64)
    return positive, negative


def test_equals_the_pattern_of_the_label(groups):
    positive, negative = groups
    rows = torch.cat([positive, negative])
    labels = torch.cat([torch.ones(40), torch.zeros(25)])
    difference, pattern = fit_mean_difference(positive, negative), fit_pattern(rows, labels)
    target = labels.double()
    slope = torch.linalg.lstsq(
        torch.stack([target, torch.ones(65, dtype=torch.float64)], dim=1), rows
    ).solution[0]
    torch.testing.assert_close(difference.vector * difference.norm, slope)
    torch.testing.assert_close(pattern.vector, difference.vector)
    torch.testing.assert_close(pattern.midpoint, difference.midpoint)
    assert pattern.norm == pytest.approx(difference.norm)


def test_poles_stand_at_plus_and_minus_one(groups):
    direction = fit_mean_difference(*groups)
    assert float(torch.linalg.vector_norm(direction.vector)) == pytest.approx(1)
    assert float(direction.position(groups[0]).mean()) == pytest.approx(1)
    assert float(direction.position(groups[1]).mean()) == pytest.approx(-1)
    assert float(direction.project(groups[0]).mean()) == pytest.approx(direction.norm / 2)


def test_swapping_the_poles_flips_the_sign_exactly(groups):
    there, back = fit_mean_difference(*groups), fit_mean_difference(*reversed(groups))
    assert torch.equal(there.vector, -back.vector)
    assert torch.equal(there.flipped().vector, back.vector)
    assert there.cosine(back) == pytest.approx(-1)


def test_rotating_and_scaling_the_space_changes_no_position(groups):
    generator = torch.Generator().manual_seed(5)
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64)).Q
    moved = [7.5 * rows @ rotation + 3 for rows in groups]
    before = fit_mean_difference(*groups).position(groups[0])
    torch.testing.assert_close(fit_mean_difference(*moved).position(moved[0]), before)


def test_a_graded_label_gives_the_regression_pattern():
    generator = torch.Generator().manual_seed(1)
    dose = torch.linspace(-2, 2, 200, dtype=torch.float64)
    planted = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64)
    rows = dose[:, None] * planted + 0.01 * torch.randn(200, 3, generator=generator, dtype=torch.float64)
    direction = fit_pattern(rows, dose)
    torch.testing.assert_close(direction.vector, planted / 5, atol=1e-3, rtol=0)
    assert direction.norm == pytest.approx(5, abs=1e-2)


def test_half_precision_rows_are_averaged_in_double():
    positive = torch.full((3000, 2), 1.0, dtype=torch.bfloat16)
    direction = fit_mean_difference(positive, torch.zeros(3000, 2, dtype=torch.bfloat16))
    assert direction.vector.dtype == torch.float64
    assert direction.norm == pytest.approx(2**0.5)


def test_refuses_what_has_no_direction(groups):
    with pytest.raises(RunError, match="do not differ"):
        fit_mean_difference(groups[0], groups[0])
    with pytest.raises(RequestError, match="labels are equal"):
        fit_pattern(groups[0], torch.ones(40))
    with pytest.raises(ActivationError, match="No negative"):
        fit_mean_difference(groups[0], groups[1][:0])
    broken = groups[0].clone()
    broken[7, 3] = float("nan")
    with pytest.raises(ActivationError, match="row 7"):
        fit_mean_difference(broken, groups[1])


def test_only_a_mean_difference_has_poles(groups):
    rows = torch.cat(groups)
    direction = fit_pattern(rows, torch.arange(65))
    with pytest.raises(RequestError, match="no poles"):
        direction.position(rows)
