"""Labelled texts of the user's own: which were asked for, read and checked before torch is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from biaskit import catalogue
from biaskit.errors import CatalogueError, RequestError
from biaskit.records.audit_spec import DataSpec
from biaskit.records.labelled_texts import LabelledTexts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

One: TypeAlias = "str | Path | DataSpec | LabelledTexts"
FEWEST_ROWS = 20
_COLUMNS = ("text_column", "label_column", "positive", "group_columns", "attribute_columns", "shifted")


class DataOptions(TypedDict, total=False):
    """Labelled texts and the columns of their files.

    Keys:
        data: CSV files, or labelled texts that are in memory already; one or a list of them.
        text_column: Column of the texts; default: `text`.
        label_column: Column of the labels; default: `label`.
        positive: The label that counts as positive; without it two labels are told apart, and of more than
            two each from the rest.
        group_columns: Columns whose equal cells are never split between fitting and testing.
        attribute_columns: Columns of sensitive attributes.
        shifted: A paired test set from elsewhere, with the same columns.
    """

    data: One | Sequence[One]
    text_column: str | None
    label_column: str | None
    positive: str | None
    group_columns: Sequence[str]
    attribute_columns: Sequence[str]
    shifted: str | Path | None


def asked(options: Mapping[str, object]) -> tuple[tuple[DataSpec, ...], tuple[LabelledTexts, ...]]:
    """Return the files that were asked for, as specs, and the labelled texts that were handed over.

    Raises:
        RequestError: Columns are named and no file, or a shifted file for more than one.
    """
    given = _listed(options.get("data", ()))
    named = {key: options[key] for key in _COLUMNS if options.get(key)}
    paths = [one for one in given if isinstance(one, str | Path)]
    if named and not paths:
        raise RequestError(
            f"'{min(named)}' was given and no data.", fix="Name the file too, such as --data reviews.csv."
        )
    if "shifted" in named and len(paths) > 1:
        raise RequestError(
            "One shifted file was given for several files of data.",
            fix="Give one file of data, or write an audit with an entry [[data]] for each.",
        )
    specs = tuple(
        one if isinstance(one, DataSpec) else _spec(str(one), named)
        for one in given
        if not isinstance(one, LabelledTexts)
    )
    return specs, tuple(one for one in given if isinstance(one, LabelledTexts))


def read(
    specs: Iterable[DataSpec], handed: Iterable[LabelledTexts], base: Path | None, limit: int | None
) -> tuple[LabelledTexts, ...]:
    """Read every file and check every label.

    Args:
        specs: The files.
        handed: Labelled texts that are in memory already.
        base: Folder that the paths are relative to and must not leave; None: the working folder, any path.
        limit: Keep at most so many rows of each label (never under 20); None keeps all.

    Raises:
        CatalogueError: A file or its content cannot be used, or two of them have one name.
        UnknownNameError: A file, column or label is not there; near names are given.
    """
    found = [catalogue.labelled_texts(spec, base) for spec in specs]
    found += [catalogue.check_labels(one) for one in handed]
    twice = [name for name, times in Counter(one.name for one in found).items() if times > 1]
    if twice:
        raise CatalogueError(
            f"Two sets of data are named '{twice[0]}'.",
            why="A report could not tell them apart.",
            fix="Rename one, or audit them in two runs.",
        )
    return tuple(found if limit is None else (_limited(one, max(limit, FEWEST_ROWS)) for one in found))


def _listed(given: object) -> list[object]:
    one_of_ours = isinstance(given, str | Path | DataSpec | LabelledTexts)
    listed: list[object] = list(given) if isinstance(given, Iterable) and not one_of_ours else [given]
    for one in listed:
        if not isinstance(one, str | Path | DataSpec | LabelledTexts):
            raise RequestError(
                f"A {type(one).__name__} is no data.",
                fix="Give the path of a CSV file, or LabelledTexts(name=..., texts=..., labels=...).",
            )
    return listed


def _spec(path: str, named: Mapping[str, object]) -> DataSpec:
    fields = {
        "text": named.get("text_column"),
        "label": named.get("label_column"),
        "positive": named.get("positive"),
        "groups": named.get("group_columns"),
        "attributes": named.get("attribute_columns"),
        "shifted": named.get("shifted") and str(named["shifted"]),
    }
    return DataSpec.model_validate({"path": path} | {key: value for key, value in fields.items() if value})


def _limited(data: LabelledTexts, most: int) -> LabelledTexts:
    """Keep the first `most` rows of each label."""
    seen: Counter[str] = Counter()
    kept = []
    for row, label in enumerate(data.labels):
        seen[label] += 1
        if seen[label] <= most:
            kept.append(row)

    def some(cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(cells[row] for row in kept)

    return data.model_copy(
        update={
            "texts": some(data.texts),
            "labels": some(data.labels),
            "groups": {name: some(cells) for name, cells in data.groups.items()},
            "attributes": {name: some(cells) for name, cells in data.attributes.items()},
            "shifted": data.shifted and _limited(data.shifted, most),
        }
    )
