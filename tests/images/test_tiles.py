"""Pictures for a report."""

import base64
import io
import re

import pytest
import torch
from PIL import Image

from biaskit.images.tiles import SIDE, heated, png, under_mask
from biaskit.records.contact_sheet import PNG


def opened(text):
    assert re.match(PNG, text)
    return Image.open(io.BytesIO(base64.b64decode(text)))


@pytest.mark.parametrize(
    ("size", "expected"), [((32, 32), (160, 160)), ((100, 90), (90, 100)), ((400, 200), (80, 160))]
)
def test_small_images_are_enlarged_and_large_ones_reduced(size, expected):
    image = opened(png(torch.rand(3, *size, generator=torch.Generator().manual_seed(0))))
    assert image.size == expected
    assert max(image.size) <= SIDE


def test_pixels_survive():
    pixels = torch.zeros(3, 32, 32)
    pixels[0, :16] = 1.0
    image = opened(png(pixels))
    assert image.getpixel((80, 10)) == (255, 0, 0)
    assert image.getpixel((80, 150)) == (0, 0, 0)


def test_grey_images_are_shown_grey():
    assert opened(png(torch.full((1, 20, 20), 0.5))).getpixel((0, 0)) == (128, 128, 128)


def test_heat_rises_in_lightness_and_a_dead_map_is_all_cold():
    heat = torch.linspace(0, 1, 50)[None].expand(4, -1)
    shown = heated(torch.full((3, 4, 50), 0.5), heat).mean(dim=(0, 1))
    assert (shown.diff() > 0).all()
    dead = heated(torch.full((3, 4, 50), 0.5), torch.full((4, 50), -1.0))
    assert torch.equal(dead, dead[:, :1, :1].expand_as(dead))


def test_one_scale_for_a_sheet_keeps_maps_comparable():
    pixels, heat = torch.zeros(3, 2, 2), torch.ones(2, 2)
    assert heated(pixels, 0.01 * heat, largest=1.0).mean() < 0.2 < heated(pixels, heat, largest=1.0).mean()


def test_what_the_mask_leaves_out_is_veiled():
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0] = True
    shown = under_mask(torch.full((3, 4, 4), 0.2), mask)
    assert torch.equal(shown[:, 0], torch.full((3, 4), 0.2))
    assert (shown[:, 1:] > 0.8).all()
