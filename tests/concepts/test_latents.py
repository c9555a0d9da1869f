"""Latents that carry a difference: planted ones are found, and contributions add up."""

import pytest
import torch

from biaskit.concepts.latents import carrying_latents, contributions, decoder_cosines, firing_examples
from biaskit.errors import RequestError


def rows(fire_share, count=400, seed=0):
    """Latents that fire at 1 with the given shares, all else equal."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, len(fire_share), generator=generator) < torch.tensor(fire_share)).float()


def test_finds_the_latents_that_differ_and_no_others():
    target = rows([0.9, 0.5, 0.1, 0.0, 0.5], seed=1)
    control = rows([0.1, 0.5, 0.9, 0.0, 0.5], seed=2)
    found = carrying_latents(target, control, top=2)
    assert {latent.index for latent in found} == {0, 2}
    rising = next(latent for latent in found if latent.index == 0)
    assert rising.share_target == pytest.approx(0.9, abs=0.05)
    assert rising.share_control == pytest.approx(0.1, abs=0.05)
    assert rising.difference == pytest.approx(rising.share_target - rising.share_control)
    assert [latent.standardised > 0 for latent in sorted(found, key=lambda found: found.index)] == [
        True,
        False,
    ]


def test_standardised_difference_in_closed_form():
    found = carrying_latents(torch.tensor([[3.0], [1.0]]), torch.tensor([[0.0], [0.0], [0.0]]))
    assert found[0].difference == 2
    assert found[0].standardised == pytest.approx(2 / (0.5 + 1) ** 0.5)
    always = carrying_latents(torch.full((4, 1), 5.0), torch.zeros(9, 1))
    assert always[0].standardised == pytest.approx(2)


def test_swapping_the_groups_flips_the_sign_and_scale_does_not_matter():
    target, control = rows([0.9, 0.2], seed=1), rows([0.3, 0.6], seed=2)
    there, back = carrying_latents(target, control), carrying_latents(control, target)
    assert [(x.index, -x.standardised) for x in there] == [(x.index, x.standardised) for x in back]
    scaled = carrying_latents(target * torch.tensor([100.0, 1.0]), control * torch.tensor([100.0, 1.0]))
    assert [x.standardised for x in scaled] == pytest.approx([x.standardised for x in there])


def test_equal_groups_carry_nothing():
    latents = rows([0.5, 0.1, 0.0])
    assert carrying_latents(latents, latents) == ()


def test_firing_examples_are_the_strongest_rows_that_fire():
    latents = torch.tensor([[0.0, 2.0], [0.0, 0.0], [1.0, 5.0], [0.0, 3.0]])
    assert [(x.row, x.activation) for x in firing_examples(latents, 1, 2)] == [(2, 5.0), (3, 3.0)]
    assert [x.row for x in firing_examples(latents, 0, 10)] == [2]
    with pytest.raises(RequestError, match="no latent 2"):
        firing_examples(latents, 2)


def test_contributions_add_up_to_the_decoded_difference():
    generator = torch.Generator().manual_seed(0)
    dictionary, direction = torch.randn(30, 8, generator=generator), torch.randn(8, generator=generator)
    target, control = torch.rand(20, 30, generator=generator), torch.rand(25, 30, generator=generator)
    parts = contributions(dictionary, target.mean(0) - control.mean(0), direction)
    decoded = (target @ dictionary).mean(0) - (control @ dictionary).mean(0)
    assert float(parts.sum()) == pytest.approx(float(decoded @ direction / direction.norm()), rel=1e-4)


def test_decoder_cosines():
    dictionary = torch.tensor([[2.0, 0.0], [0.0, -3.0], [1.0, 1.0], [0.0, 0.0]])
    cosines = decoder_cosines(dictionary, torch.tensor([0.0, 5.0]))
    assert cosines.tolist() == pytest.approx([0, -1, 2**-0.5, 0])


def test_refuses_empty_groups():
    with pytest.raises(RequestError):
        carrying_latents(torch.zeros(0, 3), torch.zeros(2, 3))
