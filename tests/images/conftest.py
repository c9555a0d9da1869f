"""Small images on disk: a colour a class."""

import pytest
from PIL import Image


@pytest.fixture
def tree(tmp_path):
    """Write `count` images into each of some folders below `images`; returns the folder."""

    def write(*classes, count=12, ending="png"):
        for place in classes:
            folder = tmp_path / "images" / place
            folder.mkdir(parents=True)
            for row in range(count):
                Image.new("RGB", (6, 4), (len(place), row, 0)).save(folder / f"{row:03d}.{ending}")
        return tmp_path / "images"

    return write
