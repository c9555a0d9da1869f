"""Which words, stems and sentences a text remedy is fitted on, and which it is judged on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from biaskit.concepts.nouns import Nouns
from biaskit.errors import RequestError
from biaskit.records.base import Record
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from biaskit.protocols import LanguageModel
    from biaskit.session import Comparison

T = TypeVar("T")


class Units(Record):
    """Units of one side of the split."""

    targets: dict[str, tuple[str, ...]]
    """Words of each target; a target all of whose words are on the other side is left out."""
    controls: tuple[str, ...]
    """Neutral words."""
    stems: tuple[str, ...]
    """Stems that ask for a reference word."""
    reverse_stems: tuple[str, ...]
    """Stems that ask for a target."""
    poles: tuple[tuple[str, ...], tuple[str, ...]]
    """Words of the first pole and as many of the second."""
    templates: tuple[str, ...]
    """Templates of neutral text."""

    @property
    def words(self) -> tuple[str, ...]:
        """Words of all targets, in order."""
        return tuple(word for words in self.targets.values() for word in words)

    @property
    def columns(self) -> tuple[str, ...]:
        """Words of all targets, then the neutral words."""
        return (*self.words, *self.controls)


class UnitSplit(Record):
    """Units that a remedy was fitted on, and those that were held out."""

    fitted: Units
    """What the remedy was fitted on and its site chosen with."""
    held_out: Units
    """What it is judged on."""

    def inner(self, rng: np.random.Generator) -> UnitSplit:
        """Split the fitted units again, to choose a site without the held-out ones.

        Raises:
            RequestError: They are too few to be split again.
        """
        return _split(self.fitted, Reading.GIVEN_TARGET, rng)


def split_units(
    model: LanguageModel, comparison: Comparison, reading: Reading, rng: np.random.Generator
) -> UnitSplit:
    """Divide words, controls, stems, pole words and templates in halves, at random.

    Words are divided within each target; of targets with one word each, every other one. Words that the
    reading cannot use are left out first.

    Raises:
        RequestError: There are not two of something that must be divided.
    """
    pair, noun_class = comparison.pair, comparison.targets.noun_class
    nouns = Nouns.of(comparison, model, one_token=reading is Reading.GIVEN_REFERENCE)
    first, second = (pair.fillers[pole] for pole in pair.poles)
    count = min(len(first), len(second))
    whole = Units(
        targets={name: tuple(nouns.words[i] for i in own) for name, own in nouns.columns.items()},
        controls=tuple(nouns.words[i] for i in nouns.controls),
        stems=pair.stems[noun_class],
        reverse_stems=pair.reverse_stems[noun_class],
        poles=(first[:count], second[:count]),
        templates=comparison.targets.templates,
    )
    return _split(whole, reading, rng)


def _split(whole: Units, reading: Reading, rng: np.random.Generator) -> UnitSplit:
    _check(whole, reading)
    owner = {word: name for name, words in whole.targets.items() for word in words}
    shuffled = [
        word for name in _shuffled(list(whole.targets), rng) for word in _shuffled(whole.targets[name], rng)
    ]
    halves = {
        name: _halved(getattr(whole, name), rng)
        for name in ("controls", "stems", "reverse_stems", "templates")
    }
    count = len(whole.poles[0])
    pole_halves = _halved(range(count), rng)
    sides = []
    for side in (0, 1):
        kept = set(shuffled[side::2])
        own = {
            name: tuple(w for w in whole.targets[name] if w in kept) for name in dict.fromkeys(owner.values())
        }
        first, second = (tuple(words[i] for i in pole_halves[side]) for words in whole.poles)
        sides.append(
            Units(
                targets={name: words for name, words in own.items() if words},
                poles=(first, second),
                **{name: parts[side] for name, parts in halves.items()},
            )
        )
    return UnitSplit(fitted=sides[0], held_out=sides[1])


def _check(whole: Units, reading: Reading) -> None:
    stems = whole.stems if reading is Reading.GIVEN_TARGET else whole.reverse_stems
    wanted = {"word of the targets": whole.words, "neutral word": whole.controls, "stem": stems}
    if reading is Reading.GIVEN_REFERENCE:
        wanted["word of each pole"] = whole.poles[0]
    for what, given in wanted.items():
        if len(given) < 2:
            raise RequestError(
                f"A remedy is judged on units it was not fitted on, and there is only {len(given)} {what}.",
                fix="Give at least two, better ten, in a probe set of your own.",
            )


def _halved(items: Sequence[T], rng: np.random.Generator) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Two random halves, each in the given order; what cannot be divided stands on both sides."""
    if len(items) < 2:
        return tuple(items), tuple(items)
    first = set(rng.permutation(len(items))[: (len(items) + 1) // 2].tolist())
    return (
        tuple(item for i, item in enumerate(items) if i in first),
        tuple(item for i, item in enumerate(items) if i not in first),
    )


def _shuffled(items: Sequence[T], rng: np.random.Generator) -> list[T]:
    return [items[int(i)] for i in rng.permutation(len(items))]
