"""What a score says in words: it leans, it does not to speak of, or it is not clear."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from biaskit.records.estimate import Unit

if TYPE_CHECKING:
    from biaskit.records.estimate import Estimate

SEEN = 0.05
"""The largest corrected p-value at which a score stands out from its null."""

SPEAK_OF = 0.05
"""The smallest lean worth a word where no gate sets a limit, in nats or logits: odds of 100 to 105."""

SHARE_OF_LIMIT = 0.1
"""The smallest lean worth a word beside a gate's limit, as a share of it."""

_LOG_ODDS = frozenset({Unit.NAT, Unit.LOGIT})
_UNDECIDED = "undecided:"


class Standing(StrEnum):
    """How a score stands against zero, its neutral words and what is worth a word."""

    LEANS = "leans"
    SLIGHT = "no association to speak of"
    UNCLEAR = "not clear of neutral words"
    NOT_MEASURED = "not measured"


def smallest(unit: Unit, limit: float | None) -> float:
    """Return the smallest lean worth a word, in `unit`: a tenth of the limit, or 0.05 nats without one."""
    if limit is not None:
        return SHARE_OF_LIMIT * limit
    return SPEAK_OF if unit in _LOG_ODDS else 0.0


def standing(estimate: Estimate | None, band: float | None = None, limit: float | None = None) -> Standing:
    """Say how a score stands.

    It leans where its interval leaves out 0, its null is as rare as 0.05 (corrected, if it is), it lies
    outside the band of neutral words and is worth a word. There is no association to speak of where value
    and interval are not worth a word. Anything else, and what its analyzer marked undecided, is not clear.

    Args:
        estimate: The score; None where there is none.
        band: Largest absolute value of 95 % of the neutral words, in the score's unit; None if not known.
        limit: Largest absolute value that a gate allows; None where no gate judges it.
    """
    if estimate is None or estimate.value is None:
        return Standing.NOT_MEASURED
    least, size, interval = smallest(estimate.unit, limit), abs(estimate.value), estimate.interval
    furthest = size if interval is None else max(size, abs(interval.low), abs(interval.high))
    if furthest <= least:
        return Standing.SLIGHT
    marked = (estimate.reason or "").startswith(_UNDECIDED)
    holds_zero = interval is not None and 0.0 in interval
    if marked or holds_zero or not is_seen(estimate) or size <= max(least, band or 0.0):
        return Standing.UNCLEAR
    return Standing.LEANS


def is_seen(estimate: Estimate) -> bool:
    """Tell whether a number stands out from its null at 0.05.

    Without a null it does, unless it should have been tested and could not be.
    """
    null = estimate.null
    if null is None:
        return not estimate.untested
    return (null.p if null.adjusted is None else null.adjusted) <= SEEN
