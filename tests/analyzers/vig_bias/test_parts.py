"""Which images are used for what."""

import numpy as np
import pytest
from PIL import Image

from biaskit.analyzers.vig_bias.parts import divide
from biaskit.errors import RequestError
from biaskit.images.image_set import ImageSet, Part


class Blank:
    """Images of which nobody looks at the pixels."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def name(self, row):
        return str(row)

    def read(self, row):
        return Image.new("RGB", (2, 2))


def made(labels, **columns):
    return ImageSet("birds", Blank(len(labels)), tuple(labels), **columns)


def rng():
    return np.random.default_rng(0)


def test_given_parts_are_kept_to():
    parts = tuple([Part.TRAIN] * 30 + [Part.VALIDATION] * 30 + [Part.TEST] * 30)
    division = divide(made(["a", "b"] * 45, parts=parts), 1000, rng())
    assert list(division.train) == list(range(30))
    assert list(division.found) == list(range(30, 60))
    assert list(division.held) == list(range(60, 90))
    assert division.notes == ()


def test_without_validation_the_test_images_are_halved_and_training_images_are_left_alone():
    parts = tuple([Part.TRAIN] * 40 + [Part.TEST] * 60)
    division = divide(made(["a", "b"] * 50, parts=parts), 1000, rng())
    assert set(division.found) | set(division.held) == set(range(40, 100))
    assert not set(division.found) & set(division.held)
    assert len(division.found) == 30
    assert "other 30" in division.notes[0]


def test_halves_hold_the_classes_evenly_and_split_no_cluster():
    labels = ["a"] * 80 + ["b"] * 20
    clusters = tuple(str(row // 2) for row in range(100))
    division = divide(made(labels, clusters=clusters), 1000, rng())
    names = [{clusters[row] for row in rows} for rows in (division.found, division.held)]
    assert not names[0] & names[1]
    assert abs(sum(labels[row] == "b" for row in division.found) - 10) <= 2


def test_large_parts_are_sampled_and_that_is_said():
    division = divide(made(["a", "b"] * 200), 50, rng())
    assert len(division.found) == len(division.held) == 50
    assert "50" in division.notes[-1]


@pytest.mark.parametrize(
    ("labels", "said"), [(["a", "b"] * 10, "has 10 images"), (["a"] * 100, "are all 'a'")]
)
def test_what_cannot_be_divided_is_refused(labels, said):
    with pytest.raises(RequestError, match=said):
        divide(made(labels), 1000, rng())


def test_training_images_alone_are_refused():
    with pytest.raises(RequestError, match="marked 'train'"):
        divide(made(["a", "b"] * 50, parts=(Part.TRAIN,) * 100), 1000, rng())


def test_too_few_without_parts_are_told_how_many_make_two_halves():
    with pytest.raises(RequestError, match="at least 40 of these"):
        divide(made(["a", "b"] * 16), 1000, rng())
