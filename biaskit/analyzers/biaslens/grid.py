"""The prompts of one comparison, as stems x nouns, and the cells that come back from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.errors import NothingAuditedError
from biaskit.records.probe_set import REFERENCE_SLOT, TARGET_SLOT, Example, expand
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.protocols import LanguageModel
    from biaskit.session import Comparison


FEWEST_PEERS = 50
"""With fewer neutral nouns no single noun's p falls below 0.02, too coarse to survive an adjustment."""
LEAST_PEERS = 19
"""With fewer neutral nouns no single noun's p reaches 0.05."""
_WHOLE_FORM, _TOKENS_ALONE = 2, 1
_LIKENESS = ((_WHOLE_FORM, FEWEST_PEERS), (_WHOLE_FORM, LEAST_PEERS), (_TOKENS_ALONE, LEAST_PEERS))
"""How many parts of the form are shared, and how many controls that takes; the best first."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Nouns of a target, and the controls that they are exchangeable with, were they neutral.

    Attributes:
        nouns: The columns of these nouns.
        controls: The columns of these controls.
        whole_form: Whether they share the whole form, or only being one token or several.
    """

    nouns: tuple[int, ...]
    controls: tuple[int, ...]
    whole_form: bool


@dataclass(frozen=True, slots=True)
class Nouns:
    """The nouns of a comparison: every target's fillers, then the neutral controls.

    Attributes:
        words: All nouns; a column of every cell matrix each.
        columns: For each target, the columns of its fillers.
        controls: The columns of the controls.
        forms: For each noun, whether it is one token for the model, and whether one of its words stands
            in another noun of the comparison too.
    """

    words: tuple[str, ...]
    columns: Mapping[str, tuple[int, ...]]
    controls: tuple[int, ...]
    forms: tuple[tuple[bool, bool], ...]

    @classmethod
    def of(cls, comparison: Comparison, model: LanguageModel, *, one_token: bool = False) -> Nouns:
        """Collect the nouns of a comparison, or those of them that are one token for the model."""
        named = {**comparison.targets.targets, "": comparison.controls.fillers}
        every = {filler for fillers in named.values() for filler in fillers}
        single = model.single_token_words(sorted(every))
        uses = Counter(word for filler in every for word in set(filler.split()))
        words: list[str] = []
        columns: dict[str, tuple[int, ...]] = {}
        for target, fillers in named.items():
            kept = [filler for filler in fillers if filler in single or not one_token]
            columns[target] = tuple(range(len(words), len(words) + len(kept)))
            words.extend(kept)
        controls = columns.pop("")
        forms = tuple((word in single, any(uses[part] > 1 for part in word.split())) for word in words)
        return cls(tuple(words), columns, controls, forms)

    def peers(self, columns: Sequence[int]) -> Peers | None:
        """Return those of the nouns that have controls like them, with these controls; None if none has.

        Of nouns of several forms it is the largest group of one form (of equals the first). A form needs
        50 controls; failing that for every group, 19; failing that, the nouns are grouped by being one
        token or several alone, and need 19 again. Where all controls are alike they do, however few.

        A noun of several tokens is read by another way through the model than a noun of one, and nouns
        that share a word (`player`, `chess player`) share its accidents and its frequency: trading places
        with one of them would change the joint distribution. No score enters the choice.
        """
        for depth, fewest in _LIKENESS:
            groups = self._grouped(columns, depth)
            controls = self._grouped(self.controls, depth)
            enough = max(1, min(fewest, len(self.controls)))
            found = [
                Peers(group, controls[form], depth == _WHOLE_FORM)
                for form, group in groups.items()
                if len(controls.get(form, ())) >= enough
            ]
            if found:
                return max(found, key=lambda peers: len(peers.nouns))
        return None

    def _grouped(self, columns: Sequence[int], depth: int) -> dict[tuple[bool, ...], tuple[int, ...]]:
        """Return the columns by the first `depth` parts of their form, in their order."""
        groups: dict[tuple[bool, ...], tuple[int, ...]] = {}
        for column in columns:
            form = self.forms[column][:depth]
            groups[form] = (*groups.get(form, ()), column)
        return groups


@dataclass(frozen=True, slots=True)
class Grid:
    """Stems x fillers as prompts, stems varying slowest.

    Attributes:
        stems: The stems, with their slot; the rows of a cell matrix.
        fillers: What fills the slot; the columns.
        examples: The filled stems, `len(stems) * len(fillers)` of them.
        sign: Where the fillers are two poles' words, +1 if the first pole's stand first, else -1.
    """

    stems: tuple[str, ...]
    fillers: tuple[str, ...]
    examples: tuple[Example, ...]
    sign: int = 1

    @property
    def prompts(self) -> list[Prompt]:
        """The examples as prompts that know where the filler stands."""
        return [Prompt(example.text, example.span) for example in self.examples]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of stems and of fillers."""
        return len(self.stems), len(self.fillers)


def target_grid(comparison: Comparison, nouns: Nouns) -> Grid:
    """Return the stems that ask for a reference word, filled with every noun."""
    stems = comparison.pair.stems[comparison.targets.noun_class]
    return Grid(stems, nouns.words, expand(stems, nouns.words, TARGET_SLOT))


def reference_grid(comparison: Comparison, words_per_pole: int) -> Grid:
    """Return the stems that ask for a target, filled with one pole's words, then the other's.

    Both poles give the same number of words, so that the two halves of the columns can be subtracted. The
    halves stand in the order of the poles' names, whichever pole comes first in the pair: the model then
    gets the same batches for both orders, and swapping the poles turns the signs and nothing else.
    """
    pair = comparison.pair
    one, other = (pair.fillers[pole] for pole in sorted(pair.poles))
    count = min(words_per_pole, len(one), len(other))
    stems = pair.reverse_stems[comparison.targets.noun_class]
    fillers = (*one[:count], *other[:count])
    sign = 1 if pair.poles[0] < pair.poles[1] else -1
    return Grid(stems, fillers, expand(stems, fillers, REFERENCE_SLOT), sign)


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
