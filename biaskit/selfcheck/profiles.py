"""How much is run to prove an instrument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Sizes of a self-check.

    Attributes:
        nulls: Analyses of each kind of null.
        plants: Analyses with planted doses.
        smaller: Whether the analyzer's smaller design is used, which calibrates that design alone.
        twins: Null twins, and organisms of further seeds, that are built for it.
    """

    nulls: int
    plants: int
    smaller: bool = False
    twins: int = 0


PROFILES: Mapping[str, Profile] = {
    "quick": Profile(nulls=4, plants=6, smaller=True),
    "standard": Profile(nulls=12, plants=12),
    "full": Profile(nulls=25, plants=25, twins=3),
}
