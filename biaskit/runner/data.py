"""Labelled texts of the user's own: which were asked for, read and checked before torch is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from pydantic import ValidationError

from biaskit import catalogue
from biaskit.catalogue.frames import Frame
from biaskit.errors import CatalogueError, RequestError, TextTooLongError
from biaskit.records.audit_spec import DataSpec
from biaskit.records.labelled_texts import LabelledTexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

One: TypeAlias = "str | Path | DataSpec | LabelledTexts | Frame"
FEWEST_ROWS = 20
_MOST_ROWS = 5
_FIELDS = {
    "text_column": "text",
    "label_column": "label",
    "positive": "positive",
    "group_columns": "groups",
    "attribute_columns": "attributes",
    "shifted": "shifted",
}
_SHARED = {"label_column", "attribute_columns"}


class DataOptions(TypedDict, total=False):
    """Labelled texts and the columns of their files.

    Label and attribute columns are those of the images' file too.

    Keys:
        data: CSV files, data frames, or labelled texts that are in memory already; one or a list of them.
        text_column: Column of the texts, in files and data frames; default: `text`.
        label_column: Column of the labels; default: `label`.
        positive: The label that counts as positive; without it two labels are told apart, and of more than
            two each from the rest.
        group_columns: Columns whose equal cells are never split between fitting and testing.
        attribute_columns: Columns of sensitive attributes.
        shifted: A paired test set from elsewhere, with the same columns: a file, or a data frame beside one.
    """

    data: One | Sequence[One]
    text_column: str | None
    label_column: str | None
    positive: str | None
    group_columns: str | Sequence[str]
    attribute_columns: str | Sequence[str]
    shifted: str | Path | Frame | None


def asked(options: Mapping[str, object]) -> tuple[tuple[DataSpec, ...], tuple[LabelledTexts, ...]]:
    """Return the files that were asked for, as specs, and the labelled texts that were handed over.

    Raises:
        RequestError: Columns are named and no file or data frame, or a shifted one for more than one.
        CatalogueError: A data frame has columns or cells that cannot be used.
    """
    given = _listed(options.get("data", ()))
    named = {key: options[key] for key in _FIELDS if _is_given(options.get(key))}
    paths = [one for one in given if isinstance(one, str | Path | Frame)]
    if set(named) - (_SHARED if options.get("images") else set()) and not paths:
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
        if isinstance(one, str | Path | DataSpec)
    )
    return specs, tuple(_handed(given, named))


def _handed(given: Sequence[object], named: Mapping[str, object]) -> Iterator[LabelledTexts]:
    """Yield what is in memory already; data frames are named `data`, `data-2` and so on."""
    frames = 0
    for one in given:
        if isinstance(one, LabelledTexts):
            yield one
        elif isinstance(one, Frame):
            frames += 1
            columns = {key: value for key, value in named.items() if key != "shifted"}
            shifted: Any = named.get("shifted")
            name = "data" if frames == 1 else f"data-{frames}"
            yield catalogue.labelled_frame(one, _spec(name, columns), shifted)


def _is_given(value: object) -> bool:
    return isinstance(value, Frame) or (value is not None and value not in ("", (), []))


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


def too_long(
    error: TextTooLongError,
    labelled: Iterable[LabelledTexts],
    specs: Iterable[DataSpec],
    base: Path | None,
) -> RequestError:
    """Say in which rows of the user's data the texts stand that the model cannot read whole.

    Args:
        error: The texts and their lengths.
        labelled: The data.
        specs: Their files, as far as they came from files.
        base: Folder that the files' paths are relative to, as in `read`.

    Returns:
        The error itself where no text is of the data, else one that names file, rows and lengths.
    """
    files = {Path(one.path).stem: one for one in specs}
    for data in labelled:
        for part, name in ((data, "path"), (data.shifted, "shifted")):
            held = [text for text in error.lengths if part is not None and text in part.texts]
            if part is not None and held:
                spec = files.get(data.name)
                place = None if spec is None else spec.model_copy(update={"path": getattr(spec, name)})
                return _long_rows(error, part, held, None if place is None else (place, base))
    return error


def _long_rows(
    error: TextTooLongError,
    data: LabelledTexts,
    held: Sequence[str],
    file: tuple[DataSpec, Path | None] | None,
) -> RequestError:
    numbers = catalogue.rows_by_text(*file) if file else {text: data.texts.index(text) for text in held}
    where = f"'{file[0].path}'" if file else f"The data '{data.name}', rows counted from 0,"
    rows = sorted((numbers[text], error.lengths[text]) for text in held)
    shown = ", ".join(f"row {row} ({length} tokens)" for row, length in rows[:_MOST_ROWS])
    more = f" and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
    return RequestError(
        f"{where} has texts that are longer than the model reads: {shown}{more}.",
        why=f"The model reads at most {error.limit} tokens; a text that is cut in silence is another text.",
        fix="Shorten or split them, take the rows out, or choose a model that reads more.",
    )


def _listed(given: object) -> list[object]:
    single = isinstance(given, str | Path | DataSpec | LabelledTexts | Frame | Mapping)
    listed: list[object] = list(given) if isinstance(given, Iterable) and not single else [given]
    for one in listed:
        if not isinstance(one, str | Path | DataSpec | LabelledTexts | Frame):
            raise RequestError(
                f"A {type(one).__name__} is no data.",
                fix="Give the path of a CSV file, a data frame, or "
                "LabelledTexts(name=..., texts=..., labels=...).",
            )
    return listed


def _spec(path: str, named: Mapping[str, object]) -> DataSpec:
    fields = {"path": path} | {_FIELDS[key]: _written(key, value) for key, value in named.items()}
    try:
        return DataSpec.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = next(key for key, place in _FIELDS.items() if place == problem["loc"][0])
        raise RequestError(f"'{name}' cannot be that.", why=problem["msg"], fix="Name a column.") from error


def _written(key: str, value: object) -> object:
    """Return a value as a spec holds it: labels and paths are text, one column is a list of one."""
    if key in {"positive", "shifted"}:
        if isinstance(value, Frame):
            raise RequestError(
                "A data frame was given as shifted data of a file.",
                fix="Give both as files, or as data frames.",
            )
        return str(value)
    return (value,) if key.endswith("_columns") and isinstance(value, str) else value


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
