"""The next tokens that stand for the two poles of a reference pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.errors import NothingAuditedError

if TYPE_CHECKING:
    from biaskit.protocols import LanguageModel
    from biaskit.session import Comparison


@dataclass(frozen=True, slots=True)
class PoleTokens:
    """The next tokens that stand for the two poles.

    Attributes:
        first: Token ids of the first pole's continuation words.
        second: Token ids of the second pole's.
        dropped: Words that the tokenizer splits, and that are therefore not read.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    dropped: tuple[str, ...]

    @property
    def all(self) -> tuple[int, ...]:
        """Both poles' tokens, the first pole's before the second's."""
        return (*self.first, *self.second)


def pole_tokens(model: LanguageModel, comparison: Comparison) -> PoleTokens:
    """Look up the continuation words that the model's tokenizer writes as one token.

    Raises:
        NothingAuditedError: One of the poles has no such word.
    """
    pair = comparison.pair
    words = [pair.continuations[pole] for pole in pair.poles]
    known = model.single_token_words([word for group in words for word in group])
    first, second = (tuple(known[word] for word in group if word in known) for group in words)
    for pole, tokens in zip(pair.poles, (first, second), strict=True):
        if not tokens:
            raise NothingAuditedError(
                f"None of the continuation words of '{pole}' is a single token for this model.",
                why=f"The words are: {', '.join(pair.continuations[pole])}.",
                fix=f"Add common words to its continuations in a probe set of your own ('{pair.name}').",
            )
    dropped = tuple(word for group in words for word in group if word not in known)
    return PoleTokens(first, second, dropped)
