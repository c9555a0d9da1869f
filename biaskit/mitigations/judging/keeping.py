"""Points 2 and 3: what can still be read inside, and what the model must not have lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from biaskit.errors import RequestError
from biaskit.mitigations.erase.behaviour import neutral_prompts
from biaskit.mitigations.erase.finding import divergence
from biaskit.mitigations.erase.fitting import two_classes
from biaskit.mitigations.erase.remedy import edits_of
from biaskit.mitigations.judging.case import missing, rank_null
from biaskit.mitigations.judging.points import Point, chance
from biaskit.mitigations.judging.rows import change_of, column_of
from biaskit.probing.comparison import difference_on_one
from biaskit.probing.evaluation import Evaluation, Task, evaluate
from biaskit.probing.logistic import Logistic
from biaskit.probing.mlp import SmallMlp
from biaskit.probing.probe import Probe
from biaskit.probing.problem import Problem
from biaskit.probing.splits import GroupFolds, nested_splits
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.prompt import Prompt
from biaskit.records.reading import Reading
from biaskit.records.site import SiteKind
from biaskit.stats.equivalence import FEWEST, equivalence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.hooks.edits import Edit
    from biaskit.mitigations.judging.case import Case
    from biaskit.mitigations.judging.gap import Controls
    from biaskit.records.site import Site

FOLDS = 2
FEWEST_TARGETS = 8
CHANCE, UNREADABLE = 0.5, 0.6
LINEAR = Logistic((0.01, 1.0))
NETWORK = SmallMlp(penalties=(0.01,))


@dataclass(frozen=True, slots=True)
class Margins:
    """The largest changes that still count as none.

    Attributes:
        kl: KL divergence of the next token on neutral text, nats.
        logprob: Change of the mean log-probability of a token of neutral text, nats.
        recognition: Loss of the share of sentences whose pole is recognised.
    """

    kl: float = 0.05
    logprob: float = 0.05
    recognition: float = 0.1


@dataclass(slots=True)
class Kept:
    """What was measured of the model's abilities.

    Attributes:
        findings: The numbers.
        kl: Mean KL divergence on neutral text.
        random_kl: The same with each random change.
        point: The third point.
    """

    findings: list[Finding] = field(default_factory=list)
    kl: float = 0.0
    random_kl: Float[ndarray, " r"] = field(default_factory=lambda: np.zeros(0))
    point: Point | None = None


def leakage(case: Case) -> tuple[list[Finding], Point]:
    """Point 2: neither a linear nor a non-linear probe reads the association after the last block."""
    prompts = case.behaviour.prompts(case.units)
    owners = case.behaviour.owners(case.units)
    words = case.behaviour.spoken(case.units)
    groups = _by_target(case, owners)
    shown, labels = two_classes(case.behaviour.concept(case.units), owners, words)
    findings, after = [], []
    try:
        rows = [_top(case, prompts, edits)[shown] for edits in ({}, case.edits)]
        for probe in (LINEAR, NETWORK):
            both = [_read(case, one, labels[shown], groups[shown], probe) for one in rows]
            findings += _leaks(case, probe.name, both)
            after.append(both[1].estimate())
    except RequestError as error:
        return findings, Point.of("no leakage", f"not measured. {error.what}", holds=False, fails=False)
    above = [one for one in after if one.interval is not None and one.interval.low > CHANCE]
    values = " and ".join("none" if one.value is None else f"{one.value:.2f}" for one in after)
    said = f"AUC after of a linear and a non-linear probe: {values} (chance 0.50)."
    shut = all(one.interval.high <= UNREADABLE if one.interval else one.value == CHANCE for one in after)
    return findings, Point.of("no leakage", said, holds=shut, fails=bool(above))


def _by_target(case: Case, owners: Int[ndarray, " n"]) -> Int[ndarray, " n"]:
    """Number rows by target where there are enough: words of one target tell of each other."""
    counts = [len(words) for words in case.units.targets.values()]
    if case.behaviour.reading is not Reading.GIVEN_TARGET or len(counts) < FEWEST_TARGETS:
        return owners
    numbers = np.repeat(np.arange(len(counts)), counts)
    rest = len(counts) + np.arange(len(case.units.controls))
    groups: Int[ndarray, " n"] = np.concatenate([numbers, rest])[owners]
    return groups


def _leaks(case: Case, probe: str, both: Sequence[Evaluation]) -> list[Finding]:
    """Return what a probe reads before and after, and the paired change."""
    before, after = both
    scores, over = (after.fold_scores(), before.fold_scores()), before.problem.grouping
    change = difference_on_one(*scores, "AUC after less before", over) if all(scores) else None
    named = {"before": before.estimate(), "after": after.estimate(), "change": change}
    later, earlier = (np.array([fold.auc for fold in folds]) for folds in scores)
    kept = case.parts.keep(f"leakage, {probe}", later, earlier)
    rows = {"before": column_of(kept, "beside"), "after": kept, "change": change_of(kept)}
    at = {"group": probe, "site": _top_site(case), "direction": Direction.LOWER}
    return [
        case.finding(f"leakage_{name}", one, rows=rows[name], **at)
        for name, one in named.items()
        if one is not None
    ]


def capability(case: Case, controls: Controls, margins: Margins) -> Kept:
    """Point 3: neutral text is predicted as before, and stated poles are still recognised."""
    rng = case.session.rng("mitigation/neutral")
    prompts, templates = neutral_prompts(case.units, rng)
    damage = divergence(case.session.model, prompts, case.edits)
    strength = case.remedy.record.strength
    random = np.array(
        [divergence(case.session.model, prompts, edits_of(one, strength)).mean() for one in controls.random]
    )
    kept = Kept(kl=float(damage.mean()), random_kl=random)
    tests = {
        "kl": (_by(damage, templates), margins.kl, "upper", Unit.NAT, "templates of neutral text"),
        "neutral_logprob": (_logprobs(case), margins.logprob, "both", Unit.NAT, "templates of neutral text"),
        "recognition": (_recognised(case), margins.recognition, "lower", Unit.PROPORTION, "pole words"),
    }
    said, held, broken = [], [], []
    for metric, (named, margin, sides, unit, over) in tests.items():
        units = np.array([*named.values()])
        if len(units) < FEWEST:
            reason = f"there are not two {over} to test it on"
            kept.findings.append(case.finding(metric, missing(unit, reason)))
            continue
        found = equivalence(units, margin, sides=sides)  # type: ignore[arg-type]  # one of its three words
        estimate = Estimate(
            value=found.mean,
            unit=unit,
            n=len(units),
            resampling_unit=over,
            method=WORDED[metric],
            interval=found.interval,
            null=found.null,
        )
        held.append(found.holds)
        broken.append(_beyond(found.interval.low, found.interval.high, margin, sides))
        said.append(
            f"{metric.replace('_', ' ')} {found.mean:+.4f} (margin {margin:g}, {chance(found.null.p)})"
        )
        rows = case.parts.keep(metric, units, items=named).model_copy(update={"units": ("item",)})
        kept.findings.append(case.finding(metric, estimate, headline=metric == "kl", rows=rows))
    reached = int((random >= kept.kl).sum())
    ranked = _ranked(kept.kl, reached, len(random), len(damage))
    rows = case.parts.keep("kl_rank", damage, items=[prompt.text for prompt in prompts])
    kept.findings.append(case.finding("kl_rank", ranked, rows=rows))
    whole = len(held) == len(tests) and all(held)
    kept.point = Point.of("nothing else lost", "; ".join(said) + ".", holds=whole, fails=any(broken))
    return kept


WORDED = {
    "kl": "mean KL divergence of the next token on neutral text, equivalence-tested",
    "neutral_logprob": "change of a token's mean log-probability in neutral sentences, equivalence-tested",
    "recognition": "change of the share of stated poles that a probe recognises, equivalence-tested",
}


def _ranked(kl: float, reached: int, count: int, prompts: int) -> Estimate:
    return Estimate(
        value=kl,
        unit=Unit.NAT,
        n=prompts,
        resampling_unit="beginnings of neutral sentences",
        method="mean KL divergence of the next token on neutral text, ranked among random changes",
        null=rank_null(reached, count, "random changes of equal rank or length"),
        reason="its interval stands with erasing.kl",
    )


def _beyond(low: float, high: float, margin: float, sides: str) -> bool:
    """Whether the whole interval lies beyond the margin."""
    return (sides != "lower" and low > margin) or (sides != "upper" and high < -margin)


def _by(values: Float[ndarray, " n"], groups: ndarray) -> dict[str, float]:
    return {str(one): float(values[groups == one].mean()) for one in np.unique(groups)}


def _logprobs(case: Case) -> dict[str, float]:
    """Change of the mean log-probability of a token, one value for each held-out template."""
    texts, templates = [], []
    for template in case.units.templates:
        for noun in case.units.controls[:4]:
            texts.append(template.replace("{x}", noun))
            templates.append(template)
    before = case.session.model.text_logprobs(texts)
    after = case.session.model.text_logprobs(texts, case.edits)
    change = [float((b.logprobs - a.logprobs).double().mean()) for a, b in zip(before, after, strict=True)]
    return _by(np.array(change), np.array(templates))


def _recognised(case: Case) -> dict[str, float]:
    """Change of the share of held-out sentences whose pole a linear probe tells, one for each pole word.

    Empty where the words cannot be split.
    """
    examples = [
        (pole, one) for pole in case.comparison.pair.poles for one in case.comparison.pair.examples(pole)
    ]
    words = list(dict.fromkeys((pole, one.filler) for pole, one in examples))
    owners = np.array([words.index((pole, one.filler)) for pole, one in examples])
    labels = np.array([pole == case.comparison.pair.poles[0] for pole, _ in examples])
    prompts = [Prompt(one.text, one.span) for _, one in examples]
    try:
        shares = [
            _told(_read(case, _top(case, prompts, edits), labels, owners, LINEAR), owners)
            for edits in ({}, case.edits)
        ]
    except RequestError:
        return {}
    names = [f"{pole}: {word}" for pole, word in words]
    return dict(zip(names, (shares[1] - shares[0]).tolist(), strict=True))


def _told(evaluation: Evaluation, owners: Int[ndarray, " n"]) -> Float[ndarray, " w"]:
    right = np.zeros(len(owners))
    for fold in evaluation.folds:
        truth = evaluation.problem.labels[fold.split.test]
        right[fold.split.test] = (fold.log_odds > 0) == truth
    return np.array([*_by(right, owners).values()])


def _read(
    case: Case,
    rows: Float[ndarray, "n d"],
    labels: Bool[ndarray, " n"],
    owners: Int[ndarray, " n"],
    probe: Probe,
) -> Evaluation:
    """Evaluate a probe over folds of words; the folds and draws are the same before and after."""
    problem = Problem(case.comparison.pair.name, labels, owners, "words")
    rng = case.session.rng("mitigation/probes")
    task = Task(rows, problem, nested_splits(problem, 1, FOLDS, rng).splits)
    found = evaluate(task, probe, GroupFolds(FOLDS), rng, optimism=False)
    return next(iter(found.values()))


def _top_site(case: Case) -> Site:
    return [site for site in case.session.model.sites() if site.kind is SiteKind.RESID_POST][-1]


def _top(case: Case, prompts: Sequence[Prompt], edits: Mapping[Site, Edit]) -> Float[ndarray, "n d"]:
    site = _top_site(case)
    rows: Float[ndarray, "n d"] = case.session.model.activations(prompts, [site], edits=edits)[site].numpy()
    return rows
