"""What a slice is called: its class, what it is taken for, and the word that sets it apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Bool
from numpy import ndarray

from biaskit.analyzers.vig_bias.findings import Named

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.discovery import Discovered
    from biaskit.analyzers.vig_bias.looking import Looked
    from biaskit.images.image_set import ImageSet
    from biaskit.session import VisionSession

_TELLING = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Titles:
    """What slices can be called by.

    Attributes:
        session: The run's encoder.
        images: The set, with its attributes.
        phrases: The user's own words.
        found: Images that slices were found on.
        held: Images that they are tested on.
    """

    session: VisionSession
    images: ImageSet
    phrases: tuple[str, ...]
    found: Looked
    held: Looked

    def named(self, one: Discovered, place: int) -> Named:
        """Return a slice with its title."""
        facts = one.facts[place]
        if facts.label is None:
            return Named(one, place, facts.name)
        classes = self.session.model.classes
        title = classes[facts.label]
        if facts.prediction is not None and facts.prediction != facts.label:
            title += f" taken for {classes[facts.prediction]}"
        word = self._word(one, place, facts.label)
        return Named(one, place, f"{title}: {word}" if word else f"{title} ({facts.name})")

    def _word(self, one: Discovered, place: int, label: int) -> str:
        inside = one.recognised[:, place] >= 0.5
        of_class = self.held.labels == label
        return self._attribute(inside & of_class, ~inside & of_class)

    def _attribute(self, inside: Bool[ndarray, " n"], outside: Bool[ndarray, " n"]) -> str:
        """Return the attribute values that members have clearly more often than the rest of the class."""
        words = []
        for name, cells in self.images.attributes.items():
            there, away = (Counter(cells[row] for row in self.held.rows[side]) for side in (inside, outside))
            sizes = max(1, there.total()), max(1, away.total())
            shares = {value: there[value] / sizes[0] - away[value] / sizes[1] for value in there}
            best = max(shares, key=lambda value: shares[value], default="")
            if best and shares[best] >= _TELLING:
                words.append(f"{name} {best}")
        return ", ".join(words)
