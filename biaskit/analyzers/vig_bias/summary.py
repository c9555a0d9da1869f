"""What was found, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from biaskit.analyzers.vig_bias.findings import EVERYTHING, LEVEL, TAKEN_FOR, Named

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.said import Said
    from biaskit.records.finding import Finding

_SHOWN = 3
NOTHING = 0.05


def sentences(name: str, said: Said, named: Sequence[Named]) -> list[str]:
    """Return sentences on groups, slices, reliance, grounding and remedies, as far as there are any."""
    found = said.findings
    parts = (_groups(name, found), _slices(name, named), _reliance(found), _grounding(found), _remedy(found))
    return [sentence for part in parts for sentence in part]


def _of(found: Sequence[Finding], metric: str, **about: str) -> list[Finding]:
    return [
        one
        for one in found
        if one.metric == f"vig_bias.{metric}"
        and one.estimate.value is not None
        and all(getattr(one, key) == value for key, value in about.items())
    ]


def _groups(name: str, found: Sequence[Finding]) -> Iterator[str]:
    gaps = _of(found, "accuracy_gap")
    if not gaps:
        return
    surest = min((one for one in gaps if one.headline), key=_chance)
    worst = next(
        one for one in _of(found, "accuracy_worst") if (one.group or "").startswith(f"{surest.group}:")
    )
    low = f"{(worst.group or '').partition(': ')[2]} at {_share(worst)} (n = {worst.estimate.n})"
    if _chance(surest)[0] > LEVEL:
        yield (
            f"{name}: no groups differ in accuracy beyond chance; those of {surest.group} come nearest, "
            f"{_share(surest)} apart{_p(surest)}, the worst is {low}."
        )
        return
    yield (
        f"{name}: accuracy differs by {_share(surest)} between groups of {surest.group}{_p(surest)}; "
        f"the worst is {low}."
    )


def _slices(name: str, named: Sequence[Named]) -> Iterator[str]:
    failing = [one for one in named if one.significant]
    if not failing:
        if named:
            yield f"{name}: no slice fails more than the same search finds where errors fall anywhere."
        return
    for one in failing[:_SHOWN]:
        facts = one.found.facts[one.place]
        yield (
            f"Slice '{one.title}' ({one.source}): {percent(facts.accuracy)} right on {facts.of_label} "
            f"held-out images, {percent(facts.rest_accuracy)} on the rest of the class "
            f"(p = {one.found.p(one.place):.2g}, search included)."
        )


def _reliance(found: Sequence[Finding]) -> Iterator[str]:
    erased = _of(found, "reliance", group=EVERYTHING)
    swapped = _of(found, "follows_region", group=EVERYTHING)
    if not (erased and swapped):
        return
    yield (
        f"Erasing what the map points at flips {_points(erased[0])} more predictions than erasing as much "
        f"elsewhere; taking it from another class carries {_points(swapped[0])} more along."
    )
    by_class = {
        (one.group or "").removeprefix(TAKEN_FOR): one.estimate
        for one in _of(found, "reliance")
        if (one.group or "").startswith(TAKEN_FOR)
    }
    silent = [name for name, one in by_class.items() if one.interval and one.interval.high < NOTHING]
    if silent and len(silent) < len(by_class):
        yield (
            f"No region carries the prediction {' or '.join(silent)}: erasing what its maps point at flips "
            "nothing, as where a class is said for want of evidence."
        )


def _grounding(found: Sequence[Finding]) -> Iterator[str]:
    whole = [one for one in _of(found, "grounding_gain") if (one.group or "").endswith("the whole image")]
    for attribute in dict.fromkeys(one.concepts[-1] for one in whole):
        gains = [
            f"{(one.group or '').partition(',')[0]} {one.estimate.value or 0.0:+.2f}"
            for one in whole
            if one.concepts[-1] == attribute
        ]
        said = ", ".join(gains)
        yield f"What grounding changes in the precision at 10 for the groups of {attribute}: {said}."


def _remedy(found: Sequence[Finding]) -> Iterator[str]:
    after = [one for one in _of(found, "remedy_worst_group") if one.concepts[-1] != "erm"]
    plain = [one for one in _of(found, "remedy_worst_group") if one.concepts[-1] == "erm"]
    if not after:
        return
    best = max(after, key=lambda one: one.estimate.value or 0.0)
    before = (best.group or "").rpartition("before ")[2]
    beside = f"; fitting it without groups gives {plain[0].estimate.value:.2f}" if plain else ""
    yield (
        f"Fitting the head again by {best.concepts[-1]} takes the worst group from {before} to "
        f"{best.estimate.value:.2f}{beside}."
    )


def _share(one: Finding) -> str:
    return percent(one.estimate.value)


def _points(one: Finding) -> str:
    return f"{100 * (one.estimate.value or 0.0):.0f} in 100"


def _chance(one: Finding) -> tuple[float, float]:
    """Rank a gap: the least likely by chance first, the larger one where two are alike."""
    null = one.estimate.null
    return (null.p if null else 1.0, -(one.estimate.value or 0.0))


def _p(one: Finding) -> str:
    null = one.estimate.null
    return f" (p = {null.p:.2g})" if null else ""


def percent(share: float | None) -> str:
    """Write a share as `71 %`."""
    return f"{100 * (share or 0.0):.0f} %"
