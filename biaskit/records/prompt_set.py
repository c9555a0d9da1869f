"""What a text-to-image model is asked about: groups of people in prompts, and prompts taken apart by word."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from biaskit.records.base import Record
from biaskit.records.probe_set import TARGET_SLOT, Modality, NounClass, ProbeSet, Slug, Text, Words

GROUP_SLOT = "{group}"
_OF_TWO_WORDS = ("homonyms", "synonyms", "co-hyponyms")


def _form(text: str) -> str:
    if sorted(re.findall(r"\{[^{}]*\}", text)) != sorted([GROUP_SLOT, TARGET_SLOT]):
        raise ValueError(f"'{text}' must hold {GROUP_SLOT} and {TARGET_SLOT} once each and no other slot")
    return text


class GroupSet(ProbeSet):
    """Groups of people, and how a group's word joins a target's in a prompt."""

    kind: Literal["groups"]
    modality: Literal[Modality.TEXT_TO_IMAGE] = Modality.TEXT_TO_IMAGE
    """The only kind of model it can be shown to."""
    noun_class: NounClass
    """Which targets' nouns the groups' words can stand beside."""
    groups: dict[Slug, Words] = Field(min_length=2)
    """Each group and the words that name it; the first group counts as positive where two are compared."""
    forms: Annotated[tuple[Annotated[Text, AfterValidator(_form)], ...], Field(min_length=1)]
    """How the two words stand together, such as `{group} {target}`; what a template's slot is filled with."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        seen: dict[str, str] = {}
        for group, words in self.groups.items():
            for word in words:
                if other := seen.get(word.casefold()):
                    raise ValueError(f"the word '{word}' names both '{other}' and '{group}'")
                seen[word.casefold()] = group
        return self

    def joined(self, word: str, noun: str, form: str) -> str:
        """Return a group's word and a target's noun in one of `forms`."""
        return form.replace(GROUP_SLOT, word).replace(TARGET_SLOT, noun)


class PromptCase(Record):
    """One prompt and the words of it that are asked about."""

    text: Text
    """The prompt."""
    words: Words
    """Words or phrases of the prompt, each found in it as whole words."""
    pairs: tuple[tuple[Text, Text], ...] = ()
    """Pairs of `words` that are taken apart into what they share and what each adds; empty: every pair."""
    replacements: dict[Text, str] = {}
    """What a word is replaced by in an intervention; a word that is not named is dropped."""
    remark: str = ""
    """What the case is there to show."""

    @model_validator(mode="after")
    def _of_the_prompt(self) -> Self:
        for word in self.words:
            if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.text, flags=re.IGNORECASE):
                raise ValueError(f"the word '{word}' does not stand in the prompt '{self.text}'")
        for word in (*(one for pair in self.pairs for one in pair), *self.replacements):
            if word not in self.words:
                raise ValueError(f"'{word}' is none of the words {', '.join(self.words)}")
        for first, second in self.pairs:
            if first == second:
                raise ValueError(f"a pair holds the word '{first}' twice")
        return self


class PromptSet(ProbeSet):
    """Prompts that are taken apart word by word."""

    kind: Literal["prompts"]
    modality: Literal[Modality.TEXT_TO_IMAGE] = Modality.TEXT_TO_IMAGE
    """The only kind of model it can be shown to."""
    study: Literal["homonyms", "synonyms", "co-hyponyms", "interventions", "words"]
    """What is looked for: what two words say only together, what both say, or what dropping one changes."""
    cases: Annotated[tuple[PromptCase, ...], Field(min_length=1)]
    """The prompts."""

    @model_validator(mode="after")
    def _can_be_studied(self) -> Self:
        texts = [case.text.casefold() for case in self.cases]
        for case in self.cases:
            if texts.count(case.text.casefold()) > 1:
                raise ValueError(f"the prompt '{case.text}' stands here twice")
            if self.study in _OF_TWO_WORDS and len(case.words) < 2:
                raise ValueError(f"{self.study} are pairs of words; '{case.text}' has one word")
        return self
