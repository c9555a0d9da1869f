"""Numbers of a verdict in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biaskit.records.estimate import Estimate, Interval

_SMALL = 0.01


def numbers(value: float) -> str:
    """Write a signed number with three digits."""
    form = "+.3f" if 0 < abs(value) < _SMALL else "+.3g"
    return f"{value:{form}}".replace("-", "\N{MINUS SIGN}")


def tested(estimate: Estimate, interval: Interval, *, against: bool) -> str:
    """Write value, interval and unit, what the number is where it is a change, and what its design sees."""
    if estimate.value is None:
        raise TypeError("a number that was not measured is not written")
    level = "" if abs(interval.level - 0.95) < 1e-9 else f" ({100 * interval.level:.4g} %)"
    ends = f"[{numbers(interval.low)}, {numbers(interval.high)}]{level}"
    since = " since the baseline" if against else ""
    effect = estimate.minimum_detectable_effect
    sees = "" if effect is None else f" (sees {effect:.2g})"
    return f"{numbers(estimate.value)} {ends} {estimate.unit}{since}{sees}"


def sentence(text: str) -> str:
    """Begin with a capital and end with one full stop."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
