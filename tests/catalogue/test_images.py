"""Listing a user's own images: the two layouts of a folder, a CSV file, and each fault."""

import pytest

from biaskit.catalogue.images import check_classes, check_listed, first_of_each, list_images
from biaskit.errors import BiaskitError, CatalogueError, ImageError, UnknownNameError
from biaskit.records.audit_spec import ImageSpec


@pytest.fixture
def folder(tmp_path):
    """Write empty files; nothing is decoded, so nothing needs to be in them."""

    def write(*names):
        for name in names:
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "images"

    return write


def many(*places, count=12):
    return [f"{place}/{row:02d}.jpg" for place in places for row in range(count)]


def listed(path, base=None, **columns):
    return list_images(ImageSpec(path=str(path), **columns), base)


def test_a_sub_folder_is_a_class(folder):
    found = listed(folder(*many("dog", "cat/old"), "cat/new/a.PNG", ".git/x.png", "cat/.hidden.png"))
    assert found.labels == ("cat",) * 13 + ("dog",) * 12
    assert found.files[0] == "cat/new/a.PNG"
    assert (found.parts, found.remarks, found.name) == ((), (), "images")


def test_what_is_no_image_is_left_out_and_said(folder):
    found = listed(folder(*many("dog", "cat"), "cat/a.heic", "cat/b.heic", "README"))
    assert len(found.files) == 24
    assert found.remarks == ("Left out of 'images', no images: 2 with .heic, 1 with no ending.",)


def test_parts_may_stand_above_the_classes(folder):
    found = listed(folder(*many("train/cat", "Val/dog", "test/cat", count=8)))
    assert found.parts == ("validation",) * 8 + ("test",) * 8 + ("train",) * 8
    assert found.labels == ("dog",) * 8 + ("cat",) * 16


def test_a_class_may_be_named_test(folder):
    found = listed(folder(*many("test", "train")))
    assert (found.parts, set(found.labels)) == ((), {"test", "train"})


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.jpg", "b.png"], "2 images .* lie in no class"),
        ([*many("cat", "dog"), "loose.jpg"], "1 images .* lie in no class"),
        (["cat/readme.txt"], "holds no images"),
        (["cat/a.jpg", "dog/a.jpg"], "There are 2 images"),
        (many("cat", count=30), "one class, 'cat'"),
        ([*many("train/cat", "test/dog"), "train/a.jpg"], "lie in no class"),
    ],
)
def test_a_folder_that_cannot_be_used(folder, names, said):
    with pytest.raises(ImageError, match=said):
        listed(folder(*names))


def test_a_missing_folder_is_answered_with_its_neighbours(folder):
    path = folder(*many("cat", "dog"))
    with pytest.raises(UnknownNameError, match="Did you mean images"):
        listed(path.with_name("image"))


def test_a_folder_has_no_columns(folder):
    with pytest.raises(ImageError, match="CSV"):
        listed(folder(*many("cat", "dog")), part="part")


def test_links_are_followed_once_and_not_out_of_a_specs_folder(folder, tmp_path):
    path = folder(*many("cat", "dog"))
    (path / "cat" / "loop").symlink_to(path)
    outside = tmp_path / "outside"
    outside.mkdir()
    for row in range(3):
        (outside / f"{row}.jpg").touch()
    (path / "bird").symlink_to(outside)
    assert len(listed(path).files) == 27
    with pytest.raises(CatalogueError, match="leaves the folder"):
        listed("images", base=path.parent)


@pytest.fixture
def table(folder, tmp_path):
    folder(*many("a", "b"))

    def write(header="image,label,part,sex,who,said", change=None, name="mine.csv"):
        rows = [
            [f"images/{kind}/{row:02d}.jpg", kind, "train" if row < 6 else "Dev", "f", f"p{row}", "A thing."]
            for kind in "ab"
            for row in range(12)
        ]
        for row, column, cell in change or ():
            rows[row][column] = cell
        path = tmp_path / name
        path.write_text("\n".join([header, *map(",".join, rows)]))
        return path

    return write


ALL = {"part": "part", "attributes": ("sex",), "cluster": "who", "caption": "said"}


def test_a_table_names_images(table):
    found = listed(table(change=[(3, 3, "")]), **ALL)
    assert found.files[12] == "images/b/00.jpg"
    assert found.parts[:7] == ("train",) * 6 + ("validation",)
    assert found.attributes["sex"][2:5] == ("f", "", "f")
    assert found.clusters[13] == "p1"
    assert found.captions[0] == "A thing."
    assert found.name == "mine"


@pytest.mark.parametrize(
    ("change", "columns", "said"),
    [
        ([], {"label": "lable"}, "Did you mean label"),
        ([], {"image": "path"}, "--image-column"),
        ([(0, 1, "")], {}, "no label in row 2"),
        ([(4, 0, "")], {}, "no image in row 6"),
        ([(4, 2, "")], ALL, "no part in row 6"),
        ([(4, 2, "trian")], ALL, "Did you mean train"),
        ([(4, 0, "gone.jpg")], {}, "1 of the 24 images .* not there"),
        ([(4, 0, "images/a/00.jpg")], {}, "twice, in rows 2 and 6"),
        ([(row, 4, "") for row in range(24)], ALL, "holds nothing in the column 'who'"),
        ([(row, 1, "a") for row in range(24)], {}, "one class, 'a'"),
    ],
)
def test_a_table_that_cannot_be_used(table, change, columns, said):
    with pytest.raises(BiaskitError, match=said):
        listed(table(change=change), **columns)


@pytest.mark.parametrize("cell", ["/etc/passwd", "../images/a/00.jpg", "images/../../x.jpg", "~/x.jpg"])
def test_a_table_of_a_spec_does_not_leave_its_folder(table, cell):
    path = table(change=[(4, 0, cell)])
    with pytest.raises(CatalogueError, match="leaves the folder"):
        listed(path.name, base=path.parent)
    assert listed(table().name, base=path.parent).files == listed(table()).files


def test_labels_must_be_classes():
    classes = ("Cat", "Dog", "Horse")
    check_classes("mine", ["Cat", "Dog", "Cat"], classes)
    with pytest.raises(UnknownNameError, match="Did you mean Horse"):
        check_classes("mine", ["Cat", "hors"], classes)
    with pytest.raises(UnknownNameError, match="'cat' and 'Cat' differ in case alone"):
        check_classes("mine", ["cat", "Dog"], classes)
    with pytest.raises(UnknownNameError, match="2 labels of 'mine' are unknown"):
        check_classes("mine", ["x", "y"], classes)


def test_labels_in_memory_are_checked_too():
    with pytest.raises(ImageError, match="no label in row 3"):
        check_listed("mine", ["a", "b", " "])


def test_the_first_of_each_label_in_each_part():
    assert first_of_each("aabab", (), 2) == (0, 1, 2, 4)
    assert first_of_each("aaaa", ("train", "test", "test", "train"), 1) == (0, 1)
