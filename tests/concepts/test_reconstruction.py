"""The unexplained share of variance in closed form, its interval's coverage, and sparsity counts."""

import pytest
import torch

from biaskit.concepts.reconstruction import dead_share, fraction_of_variance_unexplained, mean_l0


def test_closed_forms():
    rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    mean = rows.mean(0).expand_as(rows)
    assert fraction_of_variance_unexplained(rows, rows).value == 0
    assert fraction_of_variance_unexplained(rows, mean).value == pytest.approx(1)
    halved = mean + 0.5 * (rows - mean)
    assert fraction_of_variance_unexplained(rows, halved).value == pytest.approx(0.25, rel=1e-5)


def test_interval_covers_the_true_ratio_with_rows_and_with_groups():
    """Errors shared within a group of 5 rows: the truth is 0.2 / 1.2 whatever the grouping."""
    generator = torch.Generator().manual_seed(1)
    covered = {"groups": 0, "rows": 0}
    names = [str(index // 5) for index in range(200)]
    for _ in range(300):
        size = torch.rand(40, 1, generator=generator).repeat_interleave(5, 0) * 2
        signal = torch.randn(40, 8, generator=generator).repeat_interleave(5, 0)
        error = (0.2 * size).sqrt() * torch.randn(200, 8, generator=generator)
        rows = signal + error
        for kind, groups in (("groups", names), ("rows", None)):
            estimate = fraction_of_variance_unexplained(rows, signal, groups)
            covered[kind] += 0.2 / 1.2 in estimate.interval
    assert 0.9 <= covered["groups"] / 300 <= 0.99
    assert covered["rows"] < covered["groups"] - 30


def test_what_cannot_be_measured_gives_its_reason():
    assert fraction_of_variance_unexplained(torch.ones(5, 3), torch.zeros(5, 3)).value is None
    infinite = fraction_of_variance_unexplained(torch.eye(3), torch.full((3, 3), float("inf")))
    assert infinite.value is None
    assert "not finite" in infinite.reason
    one = fraction_of_variance_unexplained(torch.eye(4), torch.zeros(4, 4), ["a"] * 4)
    assert one.interval is None
    assert one.n == 1


def test_sparsity_counts():
    latents = torch.tensor([[1.0, 0.0, 2.0, 0.0], [3.0, 0.0, 0.0, 0.0]])
    assert mean_l0(latents) == 1.5
    assert dead_share(latents) == 0.5
