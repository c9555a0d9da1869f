"""Inside, outside and cause side by side: where they disagree in sign, no verdict stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biaskit.analyzers.biaslens.findings import sign, undecided

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.records.finding import Finding

LEAST_AGREEMENT = 0.5
"""Below this share of the controls' behaviour predicted, a score is not taken for the behaviour's cause."""


def conflicts(
    scores: Mapping[str, Finding],
    behaviour: Mapping[str, Finding],
    cause: Mapping[str, Finding],
    agreement: float,
) -> dict[str, str]:
    """Return, for each target whose numbers contradict each other, one sentence that says how.

    A score that does not predict the controls' behaviour speaks for nothing, even where it is near 0: at a
    point that the behaviour does not depend on, every score is 0.

    Args:
        scores: The inside score of each target.
        behaviour: The behavioural gap of each target.
        cause: The effect of patching each target in; targets may be missing.
        agreement: How much of the controls' behaviour the score predicts.
    """
    found = {}
    for target, score in scores.items():
        signs = {"inside": sign(score.estimate), "behaviour": sign(behaviour[target].estimate)}
        if target in cause:
            signs["cause"] = sign(cause[target].estimate)
        if {1, -1} <= set(signs.values()):
            found[target] = _sentence(target, score, signs)
        elif score.estimate.value is not None and agreement < LEAST_AGREEMENT:
            found[target] = (
                f"{target}, {score.group}: the inside score predicts {agreement:.0%} of the neutral "
                "controls' behaviour, too little to speak for it."
            )
    return found


def _sentence(target: str, score: Finding, signs: Mapping[str, int]) -> str:
    poles = score.references or ("first", "second")
    words = {1: f"towards {poles[0]}", -1: f"towards {poles[1]}", 0: "near zero"}
    parts = ", ".join(f"{name} {words[value]}" for name, value in signs.items())
    return f"{target}, {score.group}: signs disagree ({parts}), so no verdict stands."


def marked(scores: Mapping[str, Finding], found: Mapping[str, str]) -> list[Finding]:
    """Return the scores, those in `found` marked undecided."""
    return [
        undecided(finding, found[target]) if target in found else finding
        for target, finding in scores.items()
    ]
