"""Labels that are no classes are refused in words, and what is a class is not."""

import pytest

from biaskit.catalogue import check_labels, labelled_texts
from biaskit.errors import CatalogueError
from biaskit.records.audit_spec import DataSpec
from biaskit.records.labelled_texts import LabelledTexts


def data(labels, **more):
    return LabelledTexts(
        name="own", texts=tuple(f"text {row}" for row in range(len(labels))), labels=labels, **more
    )


SCALE = tuple(f"{4 + row / 37:.2f}" for row in range(60))
CODES = tuple(str(row % 10) for row in range(60))
NAMES = tuple(f"class {row % 30}" for row in range(150))
FREE = tuple(f"remark {row}" for row in range(60))


def test_numbers_on_a_scale_are_refused_with_what_to_do(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("text,label\n" + "".join(f"t{row},{label}\n" for row, label in enumerate(SCALE)))
    with pytest.raises(CatalogueError, match="60 different numbers as labels, such as 4") as caught:
        labelled_texts(DataSpec(path=str(path)))
    assert "ratings.csv" in caught.value.what
    assert "bins" in caught.value.fix
    assert "--positive" in caught.value.fix
    assert labelled_texts(DataSpec(path=str(path), positive="4.00")).positive == "4.00"


@pytest.mark.parametrize("labels", [CODES, NAMES, ("yes", "no") * 4, ("inf", "nan", "1") * 5])
def test_classes_are_taken(labels):
    assert check_labels(data(labels)).labels == labels


def test_a_label_for_every_row_is_refused():
    with pytest.raises(CatalogueError, match="60 different values as labels, 60 of them in fewer than 5"):
        check_labels(data(FREE))
    many, long_tail = tuple(f"often {row % 40}" for row in range(400)), FREE[:30]
    assert check_labels(data(many + long_tail))


def test_an_attribute_on_a_scale_is_refused_whatever_is_positive():
    labels = ("yes", "no") * 30
    with pytest.raises(CatalogueError, match="in the column 'age'") as caught:
        check_labels(data(labels, positive="yes", attributes={"age": SCALE}))
    assert "--positive" not in caught.value.fix
    assert check_labels(data(labels, groups={"age": SCALE}))


def test_shifted_texts_may_be_few():
    main = data(tuple(f"class {row % 30}" for row in range(300)))
    few = data(tuple(f"class {row}" for row in range(30)))
    assert check_labels(main.model_copy(update={"shifted": few})).shifted == few
