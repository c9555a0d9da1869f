import pytest
import torch

from biaskit.errors import RequestError, UnknownNameError
from biaskit.saliency.maps import Maps, joined
from biaskit.saliency.methods import Candidate, cam
from biaskit.saliency.scores import contrastive
from tests.saliency.conftest import Lambda, Staged, site


def maps(signed, zero=None):
    zero = torch.zeros(len(signed), dtype=torch.bool) if zero is None else zero
    return Maps(signed, torch.zeros(len(signed)), "grad-cam", site(0), zero)


def test_dead_maps_are_told_by_kind():
    live, flat, negative = torch.eye(3), torch.full((3, 3), 0.7), -torch.eye(3) - 1
    found = maps(torch.stack([live, flat, negative]))
    assert found.constant.tolist() == [False, True, False]
    assert found.never_positive.tolist() == [False, False, True]
    assert found.dead.tolist() == [False, True, True]


def test_rounding_alone_is_not_a_pattern():
    flat = torch.full((1, 4, 4), 1000.0)
    flat[0, 0, 0] += 1e-3
    assert maps(flat).dead.tolist() == [True]
    assert maps(torch.full((1, 4, 4), 1e-9) + 1e-10 * torch.eye(4)).dead.tolist() == [False]


def test_a_dead_map_is_never_shown_as_evidence():
    found = maps(torch.stack([torch.full((3, 3), 0.7), -torch.eye(3), torch.zeros(3, 3), torch.eye(3)]))
    for by in ("image", "set"):
        assert found.scaled(by).flatten(1).amax(1).tolist() == [0, 0, 0, 1]


def test_the_set_scale_keeps_weak_maps_weak_and_the_raw_scale_stays():
    found = maps(torch.stack([torch.eye(2), 0.01 * torch.eye(2)]))
    assert found.scaled("set").amax((1, 2)).tolist() == pytest.approx([1, 0.01])
    assert found.scaled("image").amax((1, 2)).tolist() == pytest.approx([1, 1])
    assert found.signed.amax((1, 2)).tolist() == pytest.approx([1, 0.01])
    with pytest.raises(UnknownNameError):
        found.scaled("row")


def test_sizes():
    ramp = torch.arange(4.0).expand(1, 4, 4)
    found = maps(ramp)
    assert torch.equal(found.at((4, 4)), ramp)
    assert found.at((9, 7)).shape == (1, 9, 7)
    assert (found.at((8, 8))[0, 0].diff() >= 0).all()
    torch.testing.assert_close(found.pooled((2, 2))[0], torch.tensor([[0.5, 2.5], [0.5, 2.5]]))


def test_rows_and_joined_undo_each_other():
    found = maps(torch.rand(3, 2, 2))
    again = joined([found.rows(torch.tensor([0])), found.rows(torch.tensor([1, 2]))])
    assert torch.equal(again.signed, found.signed)
    with pytest.raises(RequestError):
        joined([])


def test_a_layer_behind_a_class_token_is_dead():
    """The head reads the first cell of stage 0's output through stage 1, and nothing of stage 1's others."""
    model = Staged(
        [
            Lambda(lambda x: x * 2),
            Lambda(lambda x: x + x.mean((2, 3), keepdim=True)),
            Lambda(lambda x: x[:, :2, 0, 0] * 0 + x.detach()[:, :2, 0, 0]),
        ],
        [(4, 4), (4, 4)],
    )
    pixels = torch.rand(2, 3, 4, 4)
    found = model.sensitivity(pixels, contrastive(torch.tensor([0, 1])), [site(1)])
    dead = cam(found, Candidate("grad-cam", site(1)))
    assert dead.zero_gradient.tolist() == [True, True]
    assert dead.dead.all()
    assert not cam(found, Candidate("eigen-cam", site(1))).zero_gradient.any()
