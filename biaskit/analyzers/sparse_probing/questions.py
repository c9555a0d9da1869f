"""What is asked of the model: concepts, reference poles and a user's labels, as problems with texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from biaskit.errors import RequestError
from biaskit.probing.problem import Problem
from biaskit.probing.splits import same_text_groups
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from biaskit.records.labelled_texts import LabelledTexts
    from biaskit.records.probe_set import Example, ReferencePair, TargetSet
    from biaskit.session import Comparison, Session

FILLERS = "fillers"


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A problem and the texts it is about.

    Attributes:
        problem: Which rows show the property, and which rows stay together.
        prompts: One a row.
        sensitive: Whether the property is an attribute that activations may leak (a reference pair, or an
            attribute column) rather than a concept.
        poles: Names of the two classes, positive first.
        source: The data set it is about; questions of one source share rows, texts or words, and are not
            independent.
        shifted: The same question about texts from elsewhere, for covariate shift.
        made_from: Template and filler of each text; empty for texts of one's own.
    """

    problem: Problem
    prompts: tuple[Prompt, ...]
    sensitive: bool
    poles: tuple[str, str]
    source: str
    shifted: Question | None = None
    made_from: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Name of the property."""
        return self.problem.name


@dataclass(frozen=True, slots=True)
class Asked:
    """All questions of a run, and what was left out or joined on the way.

    Attributes:
        questions: Concepts first, then sensitive attributes.
        notes: What was chosen, one sentence each.
    """

    questions: tuple[Question, ...]
    notes: tuple[str, ...]


def questions(session: Session, most_rows: int) -> Asked:
    """Turn the session's comparisons and labelled texts into problems of at most `most_rows` rows.

    Every target with two fillers or more is told from neutral nouns in its own templates; the targets of
    a set with one filler each are taken together. Every reference pair is a sensitive attribute, as are
    the attribute columns of labelled texts.

    Raises:
        RequestError: A data set cannot be split, or there is nothing to ask.
    """
    notes: list[str] = []
    found = list(_from_comparisons(session, most_rows, notes))
    for data in session.labelled:
        found.extend(_from_texts(session, data, most_rows, notes))
    if not found:
        raise RequestError(
            "Sparse probing has nothing to tell apart.",
            fix="Name a concept with two fillers or more, or give texts of your own with --data.",
        )
    found = _by_data_set(found, notes)
    return Asked(tuple(sorted(found, key=lambda one: one.sensitive)), tuple(dict.fromkeys(notes)))


def _by_data_set(found: Sequence[Question], notes: list[str]) -> list[Question]:
    """Make questions that share a text or a word one data set, directly or through others."""
    keys = [_shareable(question) for question in found]
    number = {key: place for place, key in enumerate(dict.fromkeys(key for own in keys for key in own))}
    rows = np.repeat(np.arange(len(found)), [len(own) for own in keys])
    columns = len(found) + np.array([number[key] for own in keys for key in own])
    size = len(found) + len(number)
    links = csr_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    component = connected_components(links, directed=False)[1][: len(found)]
    members = {
        part: list(
            dict.fromkeys(one.source for one, own in zip(found, component, strict=True) if own == part)
        )
        for part in set(component.tolist())
    }
    for names in members.values():
        if len(names) > 1:
            shared = ", ".join(names)
            notes.append(f"{shared}: they share words or texts, and count as one data set in comparisons.")
    return [
        replace(one, source=" + ".join(members[int(part)]))
        for one, part in zip(found, component, strict=True)
    ]


def _shareable(question: Question) -> set[tuple[str, str]]:
    """Return the data set, texts and words that would make another question's rows no new sample."""
    texts = {("text", " ".join(prompt.text.casefold().split())) for prompt in question.prompts}
    words = {
        ("word", prompt.text[slice(*prompt.span)].casefold())
        for prompt in question.prompts
        if prompt.span and question.problem.grouping == FILLERS
    }
    return {("source", question.source)} | texts | words


def _from_comparisons(session: Session, most_rows: int, notes: list[str]) -> Iterator[Question]:
    seen: set[str] = set()
    for comparison in session.comparisons:
        for name, positives in _concepts(comparison.targets, notes):
            if name not in seen:
                seen.add(name)
                yield _concept(session, comparison, name, positives, most_rows)
        if comparison.pair.name not in seen:
            seen.add(comparison.pair.name)
            yield _poles(comparison.pair, session.rng(f"sparse-probing/{comparison.pair.name}"), most_rows)


def _concepts(targets: TargetSet, notes: list[str]) -> Iterator[tuple[str, tuple[Example, ...]]]:
    """Yield each target with its sentences; those with one filler are one concept together."""
    single = [target for target, words in targets.targets.items() if len(words) < 2]
    for target in targets.targets:
        if target not in single:
            yield target, targets.positives(target)
    if len(single) > 1:
        notes.append(
            f"{targets.name}: {len(single)} targets have one filler each, which cannot be held out; they are "
            "probed together as one concept."
        )
        yield targets.name, tuple(example for target in single for example in targets.positives(target))
    elif single:
        notes.append(f"{single[0]}: not probed, because its one filler cannot be held out.")


def _concept(
    session: Session, comparison: Comparison, name: str, positives: Sequence[Example], most_rows: int
) -> Question:
    rng = session.rng(f"sparse-probing/{name}")
    shown = _thinned(positives, most_rows // 2, rng)
    neutral = _thinned(comparison.targets.matched_negatives(comparison.controls), len(shown), rng)
    return _question(name, (shown, neutral), sensitive=False, poles=(name, "neutral"))


def _poles(pair: ReferencePair, rng: np.random.Generator, most_rows: int) -> Question:
    positive, negative = (_thinned(pair.examples(pole), most_rows // 2, rng) for pole in pair.poles)
    return _question(pair.name, (positive, negative), sensitive=True, poles=pair.poles)


def _thinned(examples: Sequence[Example], most: int, rng: np.random.Generator) -> tuple[Example, ...]:
    """Keep at most `most` sentences, the same number of every template as nearly as may be."""
    if len(examples) <= most:
        return tuple(examples)
    order = rng.permutation(len(examples))
    rank: dict[str, int] = {}
    place = np.empty(len(examples), int)
    for row in order:
        place[row] = rank.get(examples[row].template, 0)
        rank[examples[row].template] = int(place[row]) + 1
    kept = sorted(order[np.argsort(place[order], kind="stable")][:most])
    return tuple(examples[row] for row in kept)


def _question(
    name: str, sides: tuple[Sequence[Example], Sequence[Example]], *, sensitive: bool, poles: tuple[str, str]
) -> Question:
    examples = [*sides[0], *sides[1]]
    problem = Problem(
        name=name,
        labels=np.arange(len(examples)) < len(sides[0]),
        groups=_numbered([example.filler for example in examples]),
        grouping=FILLERS,
        crossed=_numbered([example.template for example in examples]),
    )
    prompts = tuple(Prompt(example.text, example.span) for example in examples)
    made_from = tuple((example.template, example.filler) for example in examples)
    return Question(problem, prompts, sensitive, poles, source=name, made_from=made_from)


def _numbered(names: Sequence[str]) -> Int[ndarray, " n"]:
    return np.unique(np.array(names), return_inverse=True)[1]


def _from_texts(
    session: Session, data: LabelledTexts, most_rows: int, notes: list[str]
) -> Iterator[Question]:
    part = _part(session, data, most_rows, notes)
    for label in _positives(data):
        asked = part.question(data.name, data.labels, label, sensitive=False)
        if data.shifted is not None and asked.shifted is None:
            notes.append(f"{asked.name}: the shift was not measured, as the shifted texts are of one class.")
        yield asked
    for attribute, cells in data.attributes.items():
        name = f"{data.name} / {attribute}"
        for value in _values(name, [cells[row] for row in part.rows], notes):
            yield part.question(name, cells, value, sensitive=True)


def _part(session: Session, data: LabelledTexts, most_rows: int, notes: list[str]) -> _Part:
    """Group the texts together with the shifted ones, and draw whole groups where there are too many."""
    elsewhere = data.shifted.texts if data.shifted else ()
    every, grouping, note = same_text_groups(
        (*data.texts, *elsewhere), _joined(data), " and ".join(data.groups) or "groups"
    )
    groups, shifted = every[: len(data.texts)], every[len(data.texts) :]
    rows = _kept(groups, most_rows, session.rng(f"sparse-probing/{data.name}"))
    shared = int(np.isin(groups[rows], shifted).sum())
    said = {
        note: bool(note),
        f"{shared} texts stand, or have their group, in the shifted data too; for the shift they are not "
        "trained on.": shared > 0,
        f"{len(rows)} of {len(data.texts)} texts are used, whole groups at random.": len(rows) < len(groups),
    }
    notes.extend(f"{data.name}: {sentence}" for sentence, holds in said.items() if holds)
    return _Part(data, rows, groups[rows], grouping, shifted)


def _values(name: str, cells: Sequence[str], notes: list[str]) -> list[str]:
    """Return the values of an attribute to tell from the others; rows without a value are said."""
    present = sorted({cell for cell in cells if cell})
    empty = sum(not cell for cell in cells)
    if empty:
        notes.append(f"{name}: {empty} rows are left out, their cell is empty.")
    if len(present) < 2:
        notes.append(f"{name}: not probed, because all its rows hold the same.")
        return []
    return present[:1] if len(present) == 2 else present


def _positives(data: LabelledTexts) -> tuple[str, ...]:
    """Return the labels to be told from all others: one of two, the one that is named, or each of many."""
    if data.positive is not None:
        return (data.positive,)
    known = sorted(set(data.labels))
    return (known[-1],) if len(known) == 2 else tuple(known)


def _joined(data: LabelledTexts) -> tuple[str, ...] | None:
    """Return one group name a text, those of the shifted texts last; several group columns are joined."""
    if not data.groups:
        return None
    own = [" / ".join(cells).strip(" /") for cells in zip(*data.groups.values(), strict=True)]
    if data.shifted is None:
        return tuple(own)
    columns = [data.shifted.groups.get(name, ("",) * len(data.shifted.texts)) for name in data.groups]
    return (*own, *(" / ".join(cells).strip(" /") for cells in zip(*columns, strict=True)))


def _kept(groups: Int[ndarray, " n"], most: int, rng: np.random.Generator) -> Int[ndarray, " m"]:
    """Return the rows of randomly drawn groups, as many whole groups as fit into `most` rows."""
    if len(groups) <= most:
        return np.arange(len(groups))
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    drawn = order[np.cumsum(sizes[order]) <= most]
    return np.flatnonzero(np.isin(groups, drawn))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The rows of a data set that are used."""

    data: LabelledTexts
    rows: Int[ndarray, " m"]
    groups: Int[ndarray, " m"]
    grouping: str
    elsewhere: Int[ndarray, " s"]

    def question(self, name: str, cells: Sequence[str], positive: str, *, sensitive: bool) -> Question:
        """Ask which rows hold `positive`; rows whose cell is empty are left out."""
        own = np.array([cells[row] for row in self.rows])
        present = own != ""
        others = sorted(set(own[present].tolist()) - {positive})
        title = name if len(others) == 1 else f"{name} = {positive}"
        problem = Problem(title, self._labels(own[present], positive), self.groups[present], self.grouping)
        prompts = tuple(Prompt(self.data.texts[row]) for row in self.rows[present])
        poles = (positive, others[0] if len(others) == 1 else f"not {positive}")
        shifted = None if sensitive else self._shifted(title, positive, poles)
        return Question(problem, prompts, sensitive, poles, self.data.name, shifted)

    @staticmethod
    def _labels(cells: ndarray, positive: str) -> Bool[ndarray, " n"]:
        return np.asarray(cells == positive)

    def _shifted(self, title: str, positive: str, poles: tuple[str, str]) -> Question | None:
        data = self.data.shifted
        if data is None:
            return None
        labels = self._labels(np.array(data.labels), positive)
        if labels.all() or not labels.any():
            return None
        return Question(
            Problem(title, labels, self.elsewhere, self.grouping),
            tuple(map(Prompt, data.texts)),
            sensitive=False,
            poles=poles,
            source=self.data.name,
        )
