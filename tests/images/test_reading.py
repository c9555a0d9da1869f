"""Every kind of file a folder of images may hold, and what each fault is answered with."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from biaskit.errors import ImageError
from biaskit.images import reading
from biaskit.images.reading import MOST_PIXELS, check, read, rgb

RED = (200, 30, 40)


@pytest.fixture
def saved(tmp_path):
    def save(image, name="image.png", **options):
        path = tmp_path / name
        image.save(path, **options)
        return path

    return save


def png_header(width, height):
    """A PNG file that says it is large and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def colour(path):
    image = read(path)
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tif", "webp", "ppm"])
def test_plain_formats_keep_their_colours(saved, ending):
    lossless = {"lossless": True} if ending == "webp" else {}
    assert colour(saved(Image.new("RGB", (3, 2), RED), f"a.{ending}", **lossless)) == RED


def test_jpeg_is_read(saved):
    assert np.allclose(colour(saved(Image.new("RGB", (16, 16), RED), "a.jpg")), RED, atol=3)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (2, 2), 7), (7, 7, 7)),
        (Image.new("1", (2, 2), 1), (255, 255, 255)),
        (Image.new("RGB", (2, 2), RED).quantize(4), RED),
        (Image.new("LA", (2, 2), (7, 0)), (255, 255, 255)),
        (Image.new("RGBA", (2, 2), (*RED, 255)), RED),
        (Image.new("RGBA", (2, 2), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (2, 2), (0, 0, 0, 51)), (204, 204, 204)),
        (Image.fromarray(np.full((2, 2), 65535, np.uint16)), (255, 255, 255)),
        (Image.fromarray(np.full((2, 2), 0x1234, np.uint16)), (0x12, 0x12, 0x12)),
    ],
    ids=["grey", "bits", "palette", "grey clear", "solid", "clear", "half clear", "white 16", "dark 16"],
)
def test_every_mode_becomes_rgb(saved, image, expected):
    assert colour(saved(image)) == expected


def test_a_transparent_palette_lies_on_white(saved):
    image = Image.new("P", (2, 2), 0)
    image.putpalette([*RED, 0, 0, 0])
    assert colour(saved(image, "a.gif", transparency=0)) == (255, 255, 255)


def test_cmyk_is_read_as_colours(saved):
    image = Image.new("RGB", (16, 16), RED).convert("CMYK")
    assert np.allclose(colour(saved(image, "a.tif")), RED, atol=2)
    assert np.allclose(colour(saved(image, "a.jpg")), RED, atol=6)


def test_an_image_is_turned_upright(saved):
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read(saved(image, exif=exif))
    assert found.size == (2, 4)
    assert found.getpixel((1, 0)) == RED


def test_of_an_animation_the_first_frame_is_read(saved):
    frames = [Image.new("RGB", (4, 4), shade) for shade in (RED, (0, 0, 255))]
    path = saved(frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert colour(path) == RED


def test_a_large_image_that_is_allowed_is_read(saved):
    assert read(saved(Image.new("1", (5000, 4000)))).size == (5000, 4000)


@pytest.mark.parametrize("side", [9_000, 14_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side))
    assert side * side > MOST_PIXELS
    with pytest.raises(ImageError, match=r"bomb\.png' is too large[\s\S]*80 megapixels"):
        read(path)
    with path.open("rb") as stream, pytest.raises(ImageError, match="too large"):
        check(stream, path)


@pytest.mark.parametrize("own", [None, 10])
def test_the_limits_of_pillow_stay_as_they_were(saved, monkeypatch, own):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", own)
    path = saved(Image.new("RGB", (4, 4)))
    if own is None:
        read(path)
    else:
        with pytest.raises(ImageError, match="too large"):
            read(path)
    assert own == Image.MAX_IMAGE_PIXELS
    with pytest.warns(UserWarning, match="still shown"):
        warnings.warn("still shown", UserWarning, stacklevel=1)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.tif", "a.bmp"])
def test_a_truncated_file_is_refused(saved, name):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = saved(Image.fromarray(noise), name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=name):
        read(path)


@pytest.mark.parametrize("content", [b"", b"not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(range(256))])
def test_what_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "mine.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"mine\.jpg' is no image"):
        read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match="gone"):
        read(tmp_path / "gone.png")


def test_fractions_have_no_agreed_range(saved):
    path = saved(Image.fromarray(np.ones((2, 2), np.float32)), "a.tif")
    with pytest.raises(ImageError, match="agreed range"):
        read(path)


def test_reading_leaves_no_file_open(saved, monkeypatch):
    seen = []
    opened = reading._opened
    monkeypatch.setattr(reading, "_opened", lambda stream: seen.append(stream) or opened(stream))
    read(saved(Image.new("RGB", (2, 2))))
    assert [stream.closed for stream in seen] == [True]


def test_an_image_in_memory_is_converted_too():
    assert rgb(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
