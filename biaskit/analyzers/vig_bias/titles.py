"""What a slice is called: its class, what it is taken for, and the word that sets it apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jaxtyping import Bool
from numpy import ndarray

from biaskit.analyzers.vig_bias.findings import LEVEL, Named
from biaskit.analyzers.vig_bias.looking import RAW
from biaskit.analyzers.vig_bias.worded import encoded
from biaskit.slices.keywords import keywords
from biaskit.slices.naming import Name, Naming

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.discovery import Discovered
    from biaskit.analyzers.vig_bias.looking import Looked
    from biaskit.images.image_set import ImageSet
    from biaskit.session import VisionSession

_TELLING = 0.2
_FROM_CAPTIONS = 40


@dataclass(frozen=True, eq=False)
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

    def named(self, one: Discovered) -> list[Named]:
        """Return a method's slices with their titles, the surest gap first."""
        names = self._names(one)
        return [self._titled(one, place, names[place]) for place in one.worst_first]

    def _titled(self, one: Discovered, place: int, name: Name | None) -> Named:
        facts = one.facts[place]
        if facts.label is None:
            return Named(one, place, facts.name)
        classes = self.session.model.classes
        title = classes[facts.label]
        if facts.prediction is not None and facts.prediction != facts.label:
            title += f" taken for {classes[facts.prediction]}"
        inside, of_class = one.recognised[:, place] >= 0.5, self.held.labels == facts.label
        known = self._attribute(inside & of_class, ~inside & of_class)
        phrase = name.phrase if name is not None and name.null.p <= LEVEL else ""
        word = known or phrase or facts.name
        words = f"; nearest phrase '{name.phrase}' (p = {name.null.p:.2g})" if name is not None else ""
        return Named(one, place, f"{title}: {word}", words)

    def _names(self, one: Discovered) -> list[Name | None]:
        """Return the phrase nearest to each slice; none without an encoder."""
        encoder = self.session.encoder
        if encoder is None:
            return [None] * len(one.facts)
        naming = Naming(phrases=self._phrases, most=1)
        rng = self.session.rng(f"vig-bias/{self.images.name}/names/{one.method}/{one.view}")
        found = naming.name(
            self.held.observed(RAW), one.recognised, lambda texts: encoded(encoder, texts), rng
        )
        return [names[0] if names else None for names in found]

    @cached_property
    def _phrases(self) -> tuple[str, ...]:
        """The user's own words, then what the captions of the images slices were found on speak of."""
        captions = self.found.captions.get(RAW, ())
        return (*self.phrases, *(keywords(captions, _FROM_CAPTIONS) if captions else ()))

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
