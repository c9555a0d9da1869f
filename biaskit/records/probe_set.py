"""What a concept is: sentences as templates x fillers, and how behaviour about it is read.

Three kinds share the folder `probes/`: targets (what is audited), reference pairs (the two poles
it is compared with) and controls (nouns of which nothing is expected). Templates and fillers keep
their ids, because they are the units that were sampled and so the units that are resampled.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from biaskit.records.base import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SLOT = "{x}"
TARGET_SLOT = "{target}"
REFERENCE_SLOT = "{reference}"

_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_SLOTS = re.compile(r"\{[^{}]*\}")


class Modality(StrEnum):
    """What a model takes in or gives out."""

    TEXT = "text"
    IMAGE = "image"
    TEXT_TO_IMAGE = "text-to-image"
    ANY = "any"


class NounClass(StrEnum):
    """What a target noun names; stems are written for one class each."""

    THING = "thing"
    PERSON = "person"


def _plain(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty text")
    if text != " ".join(text.split()):
        raise ValueError(f"'{text}' must be one line with single spaces and none at its ends")
    if any(unicodedata.category(char) == "Cc" for char in text):
        raise ValueError(f"{text!r} holds a control character")
    return text


def _distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for text in texts:
        if text.casefold() in seen:
            raise ValueError(f"'{text}' stands here twice (upper and lower case count as the same)")
        seen.add(text.casefold())
    return texts


def _one(slot: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        found = _SLOTS.findall(text)
        if found != [slot]:
            seen = f"holds {' and '.join(found)}" if found else "holds no slot"
            raise ValueError(f"'{text}' must hold the slot {slot} exactly once, but {seen}")
        return text

    return check


Text = Annotated[str, AfterValidator(_plain)]
Slug = Annotated[str, Field(pattern=_SLUG)]
Words = Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(_distinct)]
_Templates = Annotated[
    tuple[Annotated[Text, AfterValidator(_one(SLOT))], ...], Field(min_length=1), AfterValidator(_distinct)
]
_Stems = Annotated[
    tuple[Annotated[Text, AfterValidator(_one(TARGET_SLOT))], ...],
    Field(min_length=1),
    AfterValidator(_distinct),
]
_ReverseStems = Annotated[
    tuple[Annotated[Text, AfterValidator(_one(REFERENCE_SLOT))], ...],
    Field(min_length=1),
    AfterValidator(_distinct),
]


class Example(Record):
    """One sentence and where it came from."""

    text: str
    """The sentence."""
    template: str
    """The template, with its slot; a unit of resampling."""
    filler: str
    """The word or words in the slot; the other unit of resampling."""
    span: tuple[int, int]
    """Where the filler stands in `text`, as character offsets [start, end)."""


class ProbeSet(Record):
    """What every probe set says about itself."""

    format: Literal[1]
    """Version of the file format."""
    name: str = Field(pattern=_SLUG)
    """Name of the set, and of its file."""
    modality: Modality = Modality.TEXT
    """What kind of model it can be shown to."""
    description: str = Field(min_length=1)
    """What the set holds, one sentence."""
    source: str = Field(min_length=1)
    """Where the words come from."""
    licence: str = Field(min_length=1)
    """Licence of the words, as an SPDX identifier where there is one."""

    @property
    def digest(self) -> str:
        """SHA-256 of the set's content, in hex; the same for the same content, whatever the file's layout."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


class TargetSet(ProbeSet):
    """One or more target concepts that share templates, references and controls."""

    kind: Literal["target"]
    noun_class: NounClass
    """Which stems of a reference pair fit the targets' nouns."""
    references: tuple[str, ...] = Field(min_length=1)
    """Reference pairs the targets are compared on by default."""
    controls: str
    """Name of the control set whose nouns fit the same templates and stems."""
    templates: _Templates
    """Sentences with the slot `{x}`."""
    targets: dict[Text, Words] = Field(min_length=1)
    """Each target concept and its fillers."""

    def positives(self, target: str) -> tuple[Example, ...]:
        """Return every template filled with every filler of `target`."""
        return expand(self.templates, self.targets[target])

    def matched_negatives(self, controls: ControlSet) -> tuple[Example, ...]:
        """Return the same templates filled with neutral nouns."""
        return expand(self.templates, controls.fillers)


class ReferencePair(ProbeSet):
    """Two reference poles: sentences that state them, words that continue them, stems that ask.

    The first pole counts as positive: every log-odds is log P(first) - log P(second).
    """

    kind: Literal["pair"]
    poles: tuple[Slug, Slug]
    """Names of the two poles, positive first."""
    templates: _Templates
    """Sentences with the slot `{x}` that state a pole."""
    fillers: dict[str, Words]
    """For each pole, the words that state it, in `templates` and in `reverse_stems`."""
    continuations: dict[str, Words]
    """For each pole, the words whose probability is read after a stem."""
    stems: dict[NounClass, _Stems] = Field(min_length=1)
    """Beginnings with the slot `{target}`; what follows is a continuation (references given the target)."""
    reverse_stems: dict[NounClass, _ReverseStems]
    """Beginnings with the slot `{reference}`; what follows is a target (the target given the references)."""

    @model_validator(mode="after")
    def _two_sided(self) -> Self:
        if self.poles[0] == self.poles[1]:
            raise ValueError(f"both poles are named '{self.poles[0]}'")
        for key, words in (("fillers", self.fillers), ("continuations", self.continuations)):
            _check_poles(key, words, self.poles)
        if set(self.stems) != set(self.reverse_stems):
            raise ValueError("stems and reverse_stems must be given for the same classes of nouns")
        return self

    def examples(self, pole: str) -> tuple[Example, ...]:
        """Return the sentences that state `pole`."""
        return expand(self.templates, self.fillers[pole])

    def swapped(self) -> ReferencePair:
        """Return the same pair with the poles in the other order, which flips every sign."""
        return self.model_copy(update={"poles": (self.poles[1], self.poles[0])})


class ControlSet(ProbeSet):
    """Nouns of which no association is expected, for the same slots as the targets'."""

    kind: Literal["controls"]
    noun_class: NounClass
    """What the nouns name."""
    fillers: Words
    """The nouns."""


def _check_poles(key: str, words: dict[str, tuple[str, ...]], poles: tuple[str, str]) -> None:
    for pole in poles:
        if pole not in words:
            raise ValueError(f"{key} has no words for the pole '{pole}'; a pair needs both of its poles")
    for extra in sorted(words.keys() - set(poles)):
        raise ValueError(f"{key} names '{extra}', which is none of the poles {' and '.join(poles)}")
    both = _folded(words[poles[0]]) & _folded(words[poles[1]])
    if both:
        raise ValueError(f"{key} has '{min(both)}' on both poles")


def _folded(words: Iterable[str]) -> set[str]:
    return {word.casefold() for word in words}


def fill(template: str, filler: str, slot: str = SLOT) -> Example:
    """Put `filler` into the one `slot` of `template`, keeping where it stands."""
    start = template.index(slot)
    text = template[:start] + filler + template[start + len(slot) :]
    return Example(text=text, template=template, filler=filler, span=(start, start + len(filler)))


def expand(templates: tuple[str, ...], fillers: tuple[str, ...], slot: str = SLOT) -> tuple[Example, ...]:
    """Return every template filled with every filler: templates vary slowest."""
    return tuple(fill(template, filler, slot) for template in templates for filler in fillers)
