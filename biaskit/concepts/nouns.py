"""The nouns of a comparison, and which neutral nouns each target's may be exchanged with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
