"""Words of prompts held against the model's text encoder, before its weights are loaded."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from biaskit import models
from biaskit.errors import RequestError, TextTooLongError
from biaskit.models.parts import part
from biaskit.records.probe_set import SLOT
from biaskit.records.prompt_set import GROUP_SLOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biaskit.catalogue import Drawn
    from biaskit.catalogue.drawing import Grouped
    from biaskit.models.spelling import Speller
    from biaskit.protocols import TextImageEncoder
    from biaskit.runner.request import Request

_MOST_SHOWN = 12


def spelt(request: Request) -> tuple[str, ...]:
    """Hold every word that is asked about against the text encoder, and say which are read in pieces.

    A word of several pieces needs nothing special: prompts are encoded whole, each piece is attended to, and
    a word that is dropped or put in goes with all of its pieces. Where images are the user's own, prompts
    need not reach the model, so faults are told and not refused.

    Raises:
        RequestError: The encoder does not know a word, or reads two that are compared alike.
        TextTooLongError: A prompt is longer than the encoder reads.
        ModelLoadError: A tokenizer cannot be opened.
    """
    if request.drawn is None:
        return ()
    speller = _speller(request)
    faults = list(_faults(speller, request.drawn, "The model's text encoder"))
    if not request.images:
        for fault in faults:
            raise fault
    split = {word: pieces for word in _words(request.drawn) if len(pieces := _own_pieces(speller, word)) > 1}
    return (*(f"{one.what} {one.why}" for one in faults), *_said(split))


def check_encoder(encoder: TextImageEncoder | None, drawn: Drawn) -> None:
    """Refuse a text-image encoder that would read a part of the prompts alone.

    Raises:
        RequestError: It does not know a word, or reads two that are compared alike.
        TextTooLongError: It would cut a prompt.
    """
    if encoder is None:
        return
    speller: Speller = part("spelling", "diffusion").in_memory(encoder)
    for fault in _faults(speller, drawn, f"The encoder '{encoder.name}'"):
        raise fault


def _speller(request: Request) -> Speller:
    spelling = part("spelling", "diffusion")
    found: Speller
    if not isinstance(request.model, str) or request.spec.subject is None:
        found = spelling.in_memory(request.model)
        return found
    source = models.on_disk(request.model, request.spec.subject, offline=request.offline)
    folder = getattr(source, "folder", None)
    found = spelling.Speller(()) if folder is None else spelling.in_folder(folder)
    return found


def _faults(speller: Speller, drawn: Drawn, reader: str) -> Iterator[RequestError]:
    unknown = [word for word in _words(drawn) if not speller.knows(word)]
    if unknown:
        yield RequestError(
            f"{reader} does not know '{unknown[0]}'"
            + (f", nor {len(unknown) - 1} further words." if len(unknown) > 1 else "."),
            why="It reads a token that stands for anything unknown, so prompts would not say the word.",
            fix="Ask about words that it was trained on, or name a model or encoder that reads these.",
        )
    both = next((found for words in _compared(drawn) if (found := _alike(speller, words))), None)
    if both and not unknown:
        yield RequestError(
            f"{reader} reads '{both[0]}' and '{both[1]}' alike.",
            why="Their prompts are the same to it, so nothing can differ between them.",
            fix="Take one of the two out, or name it with another word.",
        )
    over, limit = speller.too_long(_prompts(drawn))
    if over:
        yield TextTooLongError(over, limit)


def _alike(speller: Speller, owners: dict[str, str]) -> tuple[str, str] | None:
    found: tuple[str, str] | None = part("spelling", "diffusion").alike(speller, owners)
    return found


def _compared(drawn: Drawn) -> Iterator[dict[str, str]]:
    """Yield words with what they stand for; those that stand for different things must be read apart."""
    for targets, groups, _ in drawn.comparisons:
        for listed in (targets.targets, groups.groups):
            yield {word: owner for owner, words in listed.items() for word in words}
    for one in drawn.prompts:
        for case in one.cases:
            yield {word: word for word in case.words}


def _words(drawn: Drawn) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for words in _compared(drawn) for word in words))


def _own_pieces(speller: Speller, words: str) -> tuple[str, ...]:
    """Pieces of the first word, of a phrase, that is split; a phrase of whole words has none."""
    found = (speller.pieces(word) for word in words.split())
    return next((pieces for pieces in found if len(pieces) > 1), ())


def _prompts(drawn: Drawn) -> Iterator[str]:
    for one in drawn.prompts:
        yield from (case.text for case in one.cases)
    for compared in drawn.comparisons:
        yield from _longest(compared)


def _longest(compared: Grouped) -> Iterator[str]:
    """Every template with every noun in the longest form of every group's word."""
    targets, groups, _ = compared
    form = max(groups.forms, key=lambda one: len(one.replace(GROUP_SLOT, "")))
    words = [word for each in groups.groups.values() for word in each]
    nouns = [noun for each in targets.targets.values() for noun in each]
    for template, noun, word in product(targets.templates, nouns, words):
        yield template.replace(SLOT, groups.joined(word, noun, form))


def _said(split: dict[str, tuple[str, ...]]) -> Iterable[str]:
    if not split:
        return ()
    shown = [f"'{word}' ({' '.join(pieces)})" for word, pieces in list(split.items())[:_MOST_SHOWN]]
    more = f" and {len(split) - _MOST_SHOWN} more" if len(split) > _MOST_SHOWN else ""
    return (
        f"The model's text encoder reads these words in pieces: {', '.join(shown)}{more}. Prompts are "
        "encoded whole, so every figure is about the whole word.",
    )
