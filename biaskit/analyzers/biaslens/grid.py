"""The prompts of one comparison, as stems x nouns, and the cells that come back from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.records.probe_set import REFERENCE_SLOT, TARGET_SLOT, Example, expand
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from biaskit.concepts.nouns import Nouns
    from biaskit.session import Comparison


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
