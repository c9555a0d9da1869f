"""A mark on one's own images agrees with the label at its rate and stays in its region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from biaskit.errors import RequestError, UnknownNameError
from biaskit.images.image_set import ImageSet, Part
from biaskit.images.planting_on import MARKED, Mark, plant_on


class Noise:
    """Random images of several sizes."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def name(self, row: int) -> str:
        return f"{row}.png"

    def read(self, row: int) -> Image.Image:
        rng = np.random.default_rng(row)
        return Image.fromarray(rng.integers(0, 256, (40 + row % 3, 56, 3), dtype=np.uint8))


def own(count: int, classes: int = 3) -> ImageSet:
    labels = tuple(f"class-{row % classes}" for row in range(count))
    parts = tuple(Part.TRAIN if row < count // 2 else Part.TEST for row in range(count))
    return ImageSet("mine", Noise(count), labels, parts, {"camera": ("a",) * count})


@settings(max_examples=25)
@given(rho=st.floats(0, 1), classes=st.integers(2, 6), seed=st.integers(0, 99))
def test_the_mark_agrees_at_the_rate(rho: float, classes: int, seed: int) -> None:
    images = own(240, classes)
    marked = plant_on(images, rho=rho, seed=seed)
    homes = np.array([int(label[-1]) % min(classes, 4) for label in images.labels])
    for part in (Part.TRAIN, Part.TEST):
        rows = np.array([one == part for one in images.parts])
        agreeing = (marked.marks == homes)[rows].sum()
        assert abs(agreeing - rho * 120) <= classes / 2


@pytest.mark.parametrize("shortcut", list(Mark))
def test_only_the_region_changes(shortcut: Mark) -> None:
    images = own(12)
    marked = plant_on(images, shortcut, 0.9, strength=0.3)
    found = marked.image_set
    for row in range(12):
        before, after = (np.asarray(one.pictures.read(row)) for one in (images, found))
        region = marked.mask(*before.shape[:2])
        changed = (before != after).any(-1)
        assert not (changed & ~region).any()
        assert changed[region].mean() > 0.8
    assert set(found.attributes) == {"camera", MARKED}
    assert found.digest != marked.swapped((marked.marks + 1) % 3).digest


def test_stronger_marks_take_more_of_the_image() -> None:
    for shortcut in (Mark.PATCH, Mark.BORDER):
        areas = [plant_on(own(4, 2), shortcut, strength=s).mask(64, 64).sum() for s in (0.1, 0.3, 0.6)]
        assert areas[0] < areas[1] < areas[2]


def test_the_same_seed_marks_alike() -> None:
    first, again, other = (plant_on(own(60), rho=0.6, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.marks, again.marks)
    assert not np.array_equal(first.marks, other.marks)
    assert first.image_set.digest == again.image_set.digest


def test_what_cannot_be_planted_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="border"):
        plant_on(own(8), "bordr")
    with pytest.raises(RequestError, match="rho"):
        plant_on(own(8), rho=1.5)
    with pytest.raises(RequestError, match="two classes"):
        plant_on(own(8, classes=1))
