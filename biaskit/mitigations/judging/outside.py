"""Point 6: a measure of the outside that nothing was tuned on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.mitigations.judging.case import missing, over_cells
from biaskit.mitigations.judging.points import Point
from biaskit.mitigations.judging.rows import change_of, column_of
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.generation import Generation
from biaskit.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.hooks.edits import Edit
    from biaskit.mitigations.judging.case import Case
    from biaskit.records.site import Site

NAME = "a measure it was not tuned on"
TOKENS = 2
_WORD = re.compile(r"[^\W\d_]+")


def extrinsic(case: Case, samples: int) -> tuple[list[Finding], Point]:
    """Compare written text before and after; where the model writes none, the other direction of reading.

    Of each held-out stem and word the share of continuations with a word of the first pole, less that with
    one of the second, less the same of neutral words.
    """
    writes = case.remedy.record.reading is Reading.GIVEN_TARGET and _writes(case)
    if writes:
        before, after = (case.gaps(_written(case, edits, samples)) for edits in ({}, case.edits))
        method = f"{samples} continuations a prompt: share with the first pole's words less the second's"
        return _judged(case, before, after, "written text", (Unit.PROPORTION, method))
    other = case.turned()
    if other is None:
        reason = "too few words are one token for this model"
        found = case.finding("extrinsic_change", missing(Unit.NAT, reason), site=None)
        return [found], Point.of(NAME, f"not measured: {reason}.", holds=False, fails=False)
    before, after = other.gaps(other.before), other.gaps(other.after)
    group = str(other.behaviour.reading)
    return _judged(other, before, after, group, (Unit.NAT, "behavioural gap in the other reading"))


def _judged(
    case: Case,
    before: Float[ndarray, "g w"],
    after: Float[ndarray, "g w"],
    group: str,
    worded: tuple[Unit, str],
) -> tuple[list[Finding], Point]:
    unit, method = worded
    told, change = over_cells(before, unit, method), over_cells(after - before, unit, f"change: {method}")
    later = over_cells(after, unit, f"with the remedy: {method}")
    kept = case.parts.keep_cells("extrinsic", (case.stems, case.units.words), after, before)
    numbers = (
        ("before", told, Direction.NONE, column_of(kept, "beside")),
        ("after", later, Direction.TOWARD_ZERO, kept),
        ("change", change, Direction.LOWER, change_of(kept)),
    )
    findings = [
        case.finding(f"extrinsic_{name}", one, group=group, site=None, direction=direction, rows=rows)
        for name, one, direction, rows in numbers
    ]
    if told.interval is None or told.interval.low <= 0 or change.interval is None:
        return findings, Point.of(NAME, f"no gap is seen in {group} without it.", holds=False, fails=False)
    span = f"[{change.interval.low:+.3f}, {change.interval.high:+.3f}]"
    said = f"{group}: {told.value:+.3f} before, {later.value:+.3f} after, change {span}."
    return findings, Point.of(NAME, said, holds=change.interval.high < 0, fails=change.interval.low > 0)


def _writes(case: Case) -> bool:
    return not case.session.model.subject.architecture.lower().endswith("maskedlm")


def _written(case: Case, edits: Mapping[Site, Edit], samples: int) -> Float[ndarray, "g n"]:
    prompts = case.behaviour.prompts(case.units)
    how = Generation(tokens=TOKENS, samples=samples, seed=case.session.seed)
    texts = case.session.model.generate(prompts, how, edits)
    first, second = (
        {word.casefold() for word in case.comparison.pair.continuations[pole]}
        for pole in case.comparison.pair.poles
    )
    lean = [np.mean([_lean(text, first, second) for text in own]) for own in texts]
    cells = np.array(lean).reshape(len(case.units.stems), -1)
    controls = cells[:, len(case.units.words) :]
    centred: Float[ndarray, "g n"] = cells - controls.mean(axis=1, keepdims=True)
    return centred


def _lean(text: str, first: set[str], second: set[str]) -> float:
    words = {word.casefold() for word in _WORD.findall(text)}
    return float(bool(words & first)) - float(bool(words & second))
