"""From prompts to token ids: special tokens, chat template, where a word ends, what continues a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from biaskit.errors import RequestError, TextTooLongError
from biaskit.hooks.pooling import Pooling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.records.audit_spec import Subject
    from biaskit.records.prompt import Prompt

_CARRIER = "the"
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Reading:
    """One prompt as the model gets it.

    Attributes:
        ids: Token ids, special ones included, padding not.
        last: Index of the token after which the next one is predicted (an encoder: of the mask token).
        special: Whether each token is special.
        words: Token range [start, end) of the prompt's span, or of its text where it has no span.
        spanned: Whether `words` is a span.
    """

    ids: tuple[int, ...]
    last: int
    special: tuple[bool, ...]
    words: tuple[int, int]
    spanned: bool

    def position(self, pooling: Pooling) -> int:
        """Return the token at which `pooling` reads; the last one for a mean or maximum.

        Raises:
            RequestError: The span is asked for and the prompt has none.
        """
        if pooling is not Pooling.SPAN:
            return self.last
        if not self.spanned:
            raise RequestError(
                "Span pooling needs prompts that say where their word stands.",
                fix="Give each prompt a span, or pool with 'last'.",
            )
        return self.words[1] - 1

    def followed_by(self, ids: Sequence[int]) -> Reading:
        """Return the same prompt with more tokens behind it; `last` and `words` stay."""
        special = self.special + (False,) * len(ids)
        return Reading((*self.ids, *ids), self.last, special, self.words, self.spanned)


class Reader:
    """Reads prompts as one model and one set of settings want them.

    Attributes:
        tokenizer: The tokenizer.
        settings: BOS, padding and chat template.
        encoder: Whether the model fills in a mask token.
        limit: Most tokens the model can read; None where nothing limits it.
        prefix: Special tokens that are put in front.
        padding_token: What shorter sequences are filled with.
    """

    def __init__(self, tokenizer: Any, settings: Subject, *, encoder: bool, limit: int | None) -> None:
        self.tokenizer, self.settings, self.encoder, self.limit = tokenizer, settings, encoder, limit
        self.prefix = () if encoder else _prefix(tokenizer, settings)
        self.padding_token = _padding_token(tokenizer)
        self._special = frozenset(tokenizer.all_special_ids)
        self._continuations: dict[str, tuple[int, ...] | None] = {}
        if settings.chat_template == "yes" and not getattr(tokenizer, "chat_template", None):
            raise RequestError(
                "The tokenizer has no chat template.",
                fix="Set chat_template to 'no', or audit the chat model.",
            )
        if encoder and tokenizer.mask_token is None:
            raise RequestError("The encoder's tokenizer has no mask token, so there is no place to read.")

    def read(self, prompts: Sequence[Prompt], pooling: Pooling = Pooling.LAST) -> list[Reading]:
        """Turn prompts into tokens.

        An encoder's prompt gets ` [MASK].` behind it, except for a mean or maximum, which reads the text as
        it stands.

        Raises:
            RequestError: There is no prompt, or one is empty, or its span covers no token.
            TextTooLongError: Prompts are longer than the model reads; all of them are named.
        """
        if not prompts:
            raise RequestError("There is no text to read.")
        masked = self.encoder and pooling in {Pooling.LAST, Pooling.SPAN}
        wrapped = [self._wrap(prompt.text, masked=masked) for prompt in prompts]
        encoded = self._encode([text for text, _ in wrapped])
        readings = [
            self._reading(prompt, start, tokens, masked=masked)
            for prompt, (_, start), tokens in zip(prompts, wrapped, encoded, strict=True)
        ]
        self._check_lengths(prompts, readings)
        return readings

    def extended(self, prompts: Sequence[Prompt], ids: Sequence[int]) -> list[Reading]:
        """Turn prompts into tokens and put `ids` behind each; `last` stays the prompt's last token.

        Raises:
            RequestError: As `read`.
            TextTooLongError: As `read`; also where prompt and continuation together are too long.
        """
        readings = [reading.followed_by(ids) for reading in self.read(prompts)]
        self._check_lengths(prompts, readings)
        return readings

    def _check_lengths(self, prompts: Sequence[Prompt], readings: Sequence[Reading]) -> None:
        if self.limit is None:
            return
        lengths = {prompt.text: len(one.ids) for prompt, one in zip(prompts, readings, strict=True)}
        long = {text: length for text, length in lengths.items() if length > self.limit}
        if long:
            raise TextTooLongError(long, self.limit)

    def continuation(self, text: str) -> tuple[int, ...] | None:
        """Return the token ids that continue a text with `text`, joined by a space where words are.

        None where the tokenizer cannot tell the continuation from what stands before it, or does not know it.
        """
        if text not in self._continuations:
            self._continuations[text] = self._continue(text)
        return self._continuations[text]

    def _continue(self, text: str) -> tuple[int, ...] | None:
        before = self._generation_prompt() if self.settings.chat_template == "yes" else _CARRIER
        joint = "" if before.endswith((" ", "\n")) or not text[:1].isalnum() else " "
        head, whole = self._plain(before), self._plain(before + joint + text)
        tail = whole[len(head) :]
        if whole[: len(head)] != head or not tail or self.tokenizer.unk_token_id in tail:
            return None
        return tail

    def _plain(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _generation_prompt(self) -> str:
        text, start = self._wrap(_CARRIER, masked=False)
        return text[start + len(_CARRIER) :]

    def _wrap(self, text: str, *, masked: bool) -> tuple[str, int]:
        if masked:
            return f"{text} {self.tokenizer.mask_token}.", 0
        if self.settings.chat_template == "no":
            return text, 0
        message = [{"role": "user", "content": text}]
        chat: str = self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        start = chat.rfind(text.strip())
        if start < 0:
            raise RequestError("The chat template changes the text, so the word in it cannot be found again.")
        return chat, start - (len(text) - len(text.lstrip()))

    def _encode(self, texts: list[str]) -> list[tuple[tuple[int, ...], list[tuple[int, int]]]]:
        fast = bool(self.tokenizer.is_fast)
        out = self.tokenizer(texts, add_special_tokens=self.encoder, return_offsets_mapping=fast)
        ids = [tuple(row) for row in out["input_ids"]]
        offsets = (
            out["offset_mapping"] if fast else [self._offsets(*pair) for pair in zip(texts, ids, strict=True)]
        )
        return list(zip(ids, offsets, strict=True))

    def _offsets(self, text: str, ids: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return where each token's word stands, for a tokenizer that keeps no offsets itself.

        Tokens of the text up to the end of a word belong to it, if the longer text begins with them.
        """
        plain = self._plain(text)
        front = next((i for i in range(len(ids)) if ids[i : i + len(plain)] == plain), 0)
        places, begin = [(0, 0)] * front, 0
        for word in _WORD.finditer(text):
            known = self._plain(text[: word.end()])
            if plain[: len(known)] == known:
                places += [(begin, word.end())] * (front + len(known) - len(places))
                begin = word.end()
        return places + [(0, 0)] * (len(ids) - len(places))

    def _reading(
        self,
        prompt: Prompt,
        start: int,
        tokens: tuple[tuple[int, ...], list[tuple[int, int]]],
        *,
        masked: bool,
    ) -> Reading:
        ids, offsets = tokens
        begin, end = prompt.span or (0, len(prompt.text))
        inside = _overlapping(offsets, (begin + start, end + start))
        front = self.prefix if ids[: len(self.prefix)] != self.prefix else ()
        ids = (*front, *ids)
        if not inside:
            raise _unreadable(prompt)
        last = _last_index(ids, self.tokenizer.mask_token_id) if masked else len(ids) - 1
        special = tuple(token in self._special for token in ids)
        words = (inside[0] + len(front), inside[-1] + 1 + len(front))
        return Reading(ids, last, special, words, prompt.span is not None)


def _unreadable(prompt: Prompt) -> RequestError:
    shown = prompt.text if len(prompt.text) <= 80 else prompt.text[:77] + "..."
    where = "" if prompt.span is None else f" between characters {prompt.span[0]} and {prompt.span[1]}"
    return RequestError(f"The prompt '{shown}' holds no token{where}.", fix="Check the text and the span.")


def _prefix(tokenizer: Any, settings: Subject) -> tuple[int, ...]:
    if settings.prepend_bos == "no":
        return ()
    if tokenizer.bos_token_id is not None:
        return (int(tokenizer.bos_token_id),)
    if settings.prepend_bos == "yes":
        raise RequestError(
            "The tokenizer has no beginning-of-sequence token to prepend.",
            fix="Set prepend_bos to 'auto' or 'no'.",
        )
    return ()


def _padding_token(tokenizer: Any) -> int:
    choices = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return int(next(token for token in choices if token is not None))


def _overlapping(offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> list[int]:
    return [i for i, (start, end) in enumerate(offsets) if end > start and start < span[1] and end > span[0]]


def _last_index(ids: tuple[int, ...], token: int) -> int:
    return len(ids) - 1 - ids[::-1].index(token)
