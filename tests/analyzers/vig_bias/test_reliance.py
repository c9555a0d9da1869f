"""Erasing and swapping a region, on a classifier whose reliance is known."""

import numpy as np
import pytest
import torch

from biaskit.analyzers.vig_bias.reliance import flips, joined

SIDE = 12
REGION = torch.zeros(SIDE, SIDE, dtype=torch.bool)
REGION[2:6, 2:6] = True
ELSEWHERE = REGION.roll((5, 5), (0, 1))


class RedPatch:
    """Says class 1 where the patch is redder than it is blue, whatever stands elsewhere."""

    classes = ("blue", "red")

    def logits(self, pixels):
        patch = pixels[:, :, 2:6, 2:6].mean(dim=(2, 3))
        redness = patch[:, 0] - patch[:, 2]
        return torch.stack([0.01 - redness, redness - 0.01], dim=1)


@pytest.fixture
def pixels():
    generator = torch.Generator().manual_seed(0)
    made = torch.full((40, 3, SIDE, SIDE), 0.5) + 0.01 * torch.rand(40, 3, SIDE, SIDE, generator=generator)
    made[:20, 0, 2:6, 2:6] = 1.0
    made[20:, 2, 2:6, 2:6] = 1.0
    # Red images are bluish outside the patch, so that erasing the patch leaves no red.
    made[:20, 2, 6:] = 1.0
    return made


def counted(pixels, region, elsewhere):
    many = [mask.expand(len(pixels), -1, -1) for mask in (region, elsewhere)]
    predictions = RedPatch().logits(pixels).argmax(dim=1)
    return flips(RedPatch(), pixels, tuple(many), predictions, np.random.default_rng(0))


def test_swapping_the_region_that_decides_carries_the_prediction_with_it(pixels):
    found = counted(pixels, REGION, ELSEWHERE)
    assert found.has_donor.all()
    assert found.followed.all()
    assert not found.followed_elsewhere.any()
    assert found.erased[:20].all()
    assert not found.erased_elsewhere.any()


def test_a_region_that_decides_nothing_is_no_reliance(pixels):
    found = counted(pixels, ELSEWHERE, ELSEWHERE)
    assert not found.followed.any()
    assert not found.erased.any()


def test_a_batch_of_one_predicted_class_has_no_donors(pixels):
    found = counted(pixels[:20], REGION, ELSEWHERE)
    assert not found.has_donor.any()
    assert not found.followed.any()
    assert len(joined([found, found]).erased) == 40
