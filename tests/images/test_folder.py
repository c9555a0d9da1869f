"""From files to a set of images: what is checked, what is digested, and that memory stays flat."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from biaskit.catalogue.images import list_images
from biaskit.errors import ImageError, RequestError, UnknownNameError
from biaskit.images.folder import open_listing
from biaskit.images.image_set import Part
from biaskit.images.in_memory import image_set
from biaskit.images.selecting import batches, limited, select
from biaskit.records.audit_spec import ImageSpec


def opened(path, **columns):
    return open_listing(list_images(ImageSpec(path=str(path), **columns)))


def test_a_folder_becomes_a_set(tree):
    images = opened(tree("cat", "dog"))
    assert len(images) == 24
    assert images.labels == ("cat",) * 12 + ("dog",) * 12
    assert images.pictures.name(13) == "dog/001.png"
    assert images.pictures.read(13).getpixel((0, 0)) == (3, 1, 0)
    assert images.source == images.name == "images"


def test_parts_are_parts(tree):
    images = opened(tree("train/cat", "train/dog", "val/cat", "val/dog"))
    assert set(images.parts) == {Part.TRAIN, Part.VALIDATION}
    assert set(images.labels) == {"cat", "dog"}


def test_the_digest_follows_the_content(tree):
    folder = tree("cat", "dog")
    before = opened(folder).digest
    assert opened(folder).digest == before
    Image.new("RGB", (6, 4), "white").save(folder / "cat" / "000.png")
    changed = opened(folder).digest
    (folder / "cat" / "000.png").rename(folder / "dog" / "zzz.png")
    assert len({before, changed, opened(folder).digest}) == 3
    assert len(before) == 64


def test_a_changed_label_changes_the_digest(tree, tmp_path):
    tree("cat", "dog")
    rows = [f"images/{kind}/{row:03d}.png,{kind}" for kind in ("cat", "dog") for row in range(12)]
    digests = set()
    for first in ("cat", "dog"):
        rows[0] = f"images/cat/000.png,{first}"
        (tmp_path / "mine.csv").write_text("\n".join(["image,label", *rows]))
        digests.add(opened(tmp_path / "mine.csv").digest)
    assert len(digests) == 2


def test_a_bad_header_is_found_up_front(tree):
    folder = tree("cat", "dog")
    (folder / "cat" / "003.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"003\.png' is no image"):
        opened(folder)
    for row in range(8):
        (folder / "dog" / f"{row:03d}.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"9 of the 24 images[\s\S]*and 4 more"):
        opened(folder)


def test_a_truncated_image_is_named_when_it_is_read(tree):
    folder = tree("cat", "dog")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "dog" / "002.png")
    content = (folder / "dog" / "002.png").read_bytes()
    (folder / "dog" / "002.png").write_bytes(content[: len(content) // 2])
    images = opened(folder)
    with pytest.raises(ImageError, match=r"dog/002\.png"):
        list(batches(images))


def test_batches_hold_every_row_once(tree):
    images = opened(tree("cat", "dog"))
    seen = list(batches(images, size=10))
    assert [len(rows) for rows, _ in seen] == [10, 10, 4]
    assert [row for rows, _ in seen for row in rows] == list(range(24))
    assert [row for rows, _ in batches(images, rows=[5, 2], size=1) for row in rows] == [5, 2]


PROGRAM = """
import resource, sys
from biaskit.catalogue.images import list_images
from biaskit.images.folder import open_listing
from biaskit.images.selecting import batches
from biaskit.records.audit_spec import ImageSpec
images = open_listing(list_images(ImageSpec(path=sys.argv[1])))
total = 0
for rows, read in batches(images, rows=list(range(len(images))) * int(sys.argv[2]), size=4):
    total += sum(image.size[0] for image in read)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_stays_flat(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        for row in range(10):
            Image.new("RGB", (600, 600), (row, 0, 0)).save(tmp_path / kind / f"{row}.png")

    def peak(rounds):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(rounds)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    # 400 decoded images would take 432 MB; a batch takes 4.
    assert peak(20) - peak(1) < 20 * 1024


def test_rows_can_be_chosen(tree):
    images = opened(tree("train/cat", "train/dog", "test/cat", "test/dog"))
    some = select(images, [30, 3])
    assert [some.pictures.name(row) for row in range(2)] == [
        images.pictures.name(30),
        images.pictures.name(3),
    ]
    assert (some.labels, some.parts) == (
        (images.labels[30], images.labels[3]),
        (images.parts[30], images.parts[3]),
    )
    assert some.digest not in {images.digest, select(images, [3, 30]).digest}
    assert some.pictures.read(1).tobytes() == images.pictures.read(3).tobytes()
    few = limited(images, 2)
    assert len(few) == 8
    with pytest.raises(RequestError, match="each once"):
        select(images, [1, 1])


@pytest.mark.parametrize(
    "images",
    [
        np.full((2, 4, 6, 3), 51, np.uint8),
        np.full((2, 3, 4, 6), 51, np.uint8),
        np.full((2, 4, 6), 0.2),
        [np.full((4, 6, 1), 0.2, np.float32), Image.new("L", (6, 4), 51)],
    ],
    ids=["nhwc", "nchw", "grey", "list"],
)
def test_images_in_memory(images):
    columns = {"parts": ["train", "val"], "attributes": {"sex": ["f", ""]}}
    made = image_set(images, ["a", "b"], **columns)
    assert [made.pictures.read(row).getpixel((5, 3)) for row in range(2)] == [(51, 51, 51)] * 2
    assert made.parts == (Part.TRAIN, Part.VALIDATION)
    assert made.attributes == {"sex": ("f", "")}
    assert made.digest == image_set(images, ["a", "b"], **columns).digest
    assert made.digest != image_set(images, ["a", "a"]).digest


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([np.zeros((5, 4, 2), np.uint8)], "shape"),
        ([np.full((4, 4), 2.0)], "normalisation"),
        ([np.full((4, 4), -1.0)], "normalisation"),
        ([np.full((4, 4), np.nan)], "normalisation"),
        ([np.zeros((4, 4), np.int64)], "uint8"),
        ([np.zeros((0, 4), np.uint8)], "shape"),
    ],
)
def test_arrays_that_are_no_images(images, said):
    with pytest.raises(ImageError, match=said):
        image_set(images, ["a"])


def test_columns_of_images_in_memory_are_checked():
    images = np.zeros((2, 4, 4), np.uint8)
    with pytest.raises(RequestError, match="labels"):
        image_set(images, ["a"])
    with pytest.raises(ImageError, match="different names"):
        image_set(images, ["a", "b"], names=["x", "x"])
    with pytest.raises(UnknownNameError, match="train"):
        image_set(images, ["a", "b"], parts=["trian", "test"])
