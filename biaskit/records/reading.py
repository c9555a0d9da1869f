"""In which direction an association is read."""

from __future__ import annotations

from enum import StrEnum


class Reading(StrEnum):
    """What is given and what is asked for; a causal model may hold an association in one direction only."""

    GIVEN_TARGET = "references given target"
    GIVEN_REFERENCE = "target given references"
