import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from biaskit.errors import RequestError, UnknownNameError
from biaskit.saliency.grounding import (
    Control,
    Masking,
    ground,
    inverse_mask,
    kept_pixels,
    map_mask,
    random_mask,
)
from biaskit.saliency.maps import Maps

CONTROLS = st.sampled_from([None, *Control])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def maps(signed):
    n = len(signed)
    return Maps(signed, torch.zeros(n), "grad-cam", None, torch.zeros(n, dtype=torch.bool))


def blobs(n=6, size=16):
    coarse = torch.rand(n, 1, 4, 4, generator=generator(2))
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")[:, 0]


@given(
    st.floats(0.01, 0.99),
    CONTROLS,
    st.sampled_from(["mean", "blur", "zero", "noise"]),
    st.sampled_from(["smooth", "mostly zero", "few values", "negative tail"]),
    st.integers(0, 10**6),
)
def test_exactly_the_asked_share_is_kept(keep, control, fill, kind, seed):
    rng = generator(seed)
    signed = torch.rand(3, 4, 4, generator=rng)
    signed = {
        "smooth": signed,
        "mostly zero": torch.where(signed > 0.9, signed, 0.0) + torch.eye(4) * 0.5,
        "few values": (signed * 2).round() + torch.eye(4),
        "negative tail": signed - 0.9 + torch.eye(4),
    }[kind]
    pixels = torch.rand(3, 3, 11, 13, generator=rng)
    found = ground(pixels, maps(signed), Masking(keep, fill, control), rng=rng)
    assert not found.degenerate.any()
    exact = kept_pixels(keep, 143)
    assert found.mask.flatten(1).sum(1).tolist() == [exact] * 3
    assert abs(exact - keep * 143) < 1
    assert float(found.kept.max()) < 1
    stayed = found.mask[:, None].expand_as(pixels)
    assert torch.equal(found.pixels[stayed], pixels[stayed])


@pytest.mark.parametrize(
    ("keep", "pixels", "count"), [(0.1, 30, 3), (0.3, 10, 3), (0.7, 10, 7), (0.301, 10, 4), (1e-6, 10, 1)]
)
def test_the_share_is_rounded_up_and_rounding_errors_are_not(keep, pixels, count):
    assert kept_pixels(keep, pixels) == count


def test_dead_maps_leave_the_image_and_say_so():
    pixels = torch.rand(3, 3, 8, 8)
    signed = torch.stack([torch.zeros(4, 4), -torch.rand(4, 4) - 1, torch.eye(4)])
    for control in (None, *Control):
        found = ground(pixels, maps(signed), Masking(control=control), rng=generator())
        assert found.degenerate.tolist() == [True, True, False]
        assert torch.equal(found.pixels[:2], pixels[:2])
        assert found.kept.tolist() == pytest.approx([1, 1, 20 / 64])


def test_the_highest_pixels_are_kept_and_the_inverse_keeps_the_lowest():
    signed = torch.arange(100.0).reshape(1, 10, 10)
    assert map_mask(signed, 0.3, generator()).flatten().nonzero().flatten().tolist() == list(range(70, 100))
    assert inverse_mask(signed, 0.3, generator()).flatten().nonzero().flatten().tolist() == list(range(30))


def test_the_random_mask_keeps_blobs_whole():
    """As many pixels and, around the borders, as many pieces as the map's own mask; elsewhere."""
    signed = blobs()
    own, elsewhere = map_mask(signed, 0.3, generator(1)), random_mask(signed, 0.3, generator(1))

    def boundary(mask):
        return sum(int((mask ^ mask.roll(1, axis)).sum()) for axis in (1, 2))

    assert boundary(own) == boundary(elsewhere)
    assert not torch.equal(own, elsewhere)
    scattered = map_mask(torch.zeros_like(signed), 0.3, generator(1))
    assert boundary(scattered) > 2 * boundary(own)
    assert ndimage.label(scattered[0].numpy())[1] > 3 * ndimage.label(elsewhere[0].numpy())[1]


def test_the_random_mask_meets_a_region_by_chance():
    signed = torch.zeros(4000, 8, 8)
    signed[:, :3, :3] = 1
    mask = random_mask(signed, 9 / 64, generator(4))
    assert abs(float(mask[:, :4, :4].float().mean()) - 9 / 64) < 0.01


def test_the_same_seed_gives_the_same_masks():
    ties, pixels = maps(torch.eye(4).expand(2, 4, 4)), torch.rand(2, 3, 4, 4)
    first, again = (ground(pixels, ties, rng=generator(3)) for _ in range(2))
    assert torch.equal(first.mask, again.mask)
    assert not torch.equal(first.mask, ground(pixels, ties, rng=generator(8)).mask)


def test_refuses_what_cannot_be():
    pixels, found = torch.rand(2, 3, 4, 4), maps(torch.rand(3, 2, 2))
    with pytest.raises(RequestError, match="2 images and 3 maps"):
        ground(pixels, found, rng=generator())
    with pytest.raises(RequestError, match="keeps them all"):
        kept_pixels(0.99, 16)
    for keep in (0.0, 1.0, -0.1):
        with pytest.raises(RequestError, match="between 0 and 1"):
            Masking(keep)
    with pytest.raises(UnknownNameError, match="inverse"):
        Masking(control="invers")
    with pytest.raises(UnknownNameError, match="mean"):
        Masking(fill="meen")
