"""Prove BiasLens on models whose bias was planted at a known dose.

    python benchmarks/planted_truth.py build --name reviews --seeds 1 2 3 --nulls 101 102 --out organisms/
    python benchmarks/planted_truth.py show organisms/*

`build` trains organisms (about three minutes of one core each); `show` audits them and prints, for every
ladder, the default score beside its ceiling (behaviour), its floor (50 random axes) and the other axes, and
for null twins how often the test against the controls rejects at 0.05, before and after adjustment.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.stats import linregress, spearmanr
from scipy.stats import t as student

from biaskit import catalogue, models, organisms
from biaskit.analyzers.biaslens import BiasLens
from biaskit.analyzers.biaslens.given_target import How, measure
from biaskit.concepts.pole_tokens import pole_tokens
from biaskit.hooks.pooling import Pooling
from biaskit.hooks.store import ActivationStore
from biaskit.organisms.building import GENRES, PLANTED
from biaskit.records.finding import Analysis
from biaskit.records.probe_set import ControlSet, TargetSet
from biaskit.records.reading import Reading
from biaskit.reporting.standing import Standing, is_seen, standing
from biaskit.session import Comparison, Session
from biaskit.stats.proportions import binomial_band

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RANDOM_AXES = 50
STRONG = 1.0
FEWEST_TWINS = 3


@dataclass(frozen=True, eq=False)
class Planted:
    """One organism, opened, with what was planted in it."""

    folder: Path
    name: str
    doses: dict[str, dict[str, float]]
    null: bool

    @classmethod
    def open(cls, folder: Path) -> Planted:
        """Read the plant of an organism's folder."""
        plant = json.loads((folder / "plant.json").read_text(encoding="utf-8"))
        doses = plant["doses"]
        targets = set(next(iter(doses.values())))
        name = next(name for name in GENRES if targets == set(all_targets(name).targets))
        return cls(folder, name, doses, not any(any(ladder.values()) for ladder in doses.values()))

    def session(self, pair: str) -> Session:
        """Return a session that compares every target on one pair."""
        targets = all_targets(self.name)
        controls = catalogue.probe_set(targets.controls)
        if not isinstance(controls, ControlSet):
            raise TypeError(f"{targets.controls} names no controls")
        comparison = Comparison(targets, catalogue.reference_pair(pair), controls)
        model = models.load(str(self.folder))
        return Session(model, (comparison,), ActivationStore(None), seed=0)


def all_targets(name: str) -> TargetSet:
    """Return one target set that holds every planted target of an organism."""
    named = [catalogue.probe_set(one) for one in GENRES[name].target_sets]
    sets = [one for one in named if isinstance(one, TargetSet)]
    merged = {target: fillers for one in sets for target, fillers in one.targets.items()}
    return sets[0].model_copy(update={"name": "all-targets", "targets": merged})


def values(analysis: Analysis, metric: str, group: str) -> dict[str, float | None]:
    """Return the values of a metric by target."""
    chosen = (f for f in analysis.findings if f.metric == metric and f.group == group)
    return {finding.concepts[0]: finding.estimate.value for finding in chosen}


def rank(dose: Mapping[str, float], found: Mapping[str, float | None]) -> float | None:
    """Return the Spearman correlation of the doses with what was found; None where something is missing."""
    kept = [target for target in dose if found.get(target) is not None]
    if len(kept) < len(dose) / 2:
        return None
    return float(spearmanr([dose[t] for t in kept], [found[t] for t in kept])[0])


def slope(x: Mapping[str, float | None], y: Mapping[str, float | None]) -> float:
    """Return the least-squares slope of y on x over the targets both have."""
    kept = [target for target in x if y.get(target) is not None and x[target] is not None]
    return float(linregress([x[t] for t in kept], [y[t] for t in kept])[0])


def size(correlation: float | None) -> float:
    """Return how large a correlation is; not a number where there is none."""
    return float("nan") if correlation is None else abs(correlation)


def signs(dose: dict[str, float], found: dict[str, float | None]) -> float:
    """Return the share of targets with |dose| >= 1 whose sign is right."""
    seen = [(value, dose[t]) for t, value in found.items() if value is not None and abs(dose[t]) >= STRONG]
    return float(np.mean([value * planted > 0 for value, planted in seen]))


def judged(planted: Planted, pair: str) -> dict[str, Any]:
    """Audit one ladder and return its row."""
    session = planted.session(pair)
    reading = str(PLANTED[pair])
    analysis = BiasLens(preset="paper").analyze(session)
    dose = planted.doses[pair]
    score = values(analysis, "biaslens.score", reading)
    behaviour = values(analysis, "biaslens.behaviour", reading)
    others = {name: ladder for name, ladder in planted.doses.items() if name != pair}
    row = {
        "organism": planted.folder.name,
        "pair": pair,
        "behaviour": rank(dose, behaviour),
        "behaviour slope": slope(dose, behaviour),
        "score": rank(dose, score),
        "signs": signs(dose, score),
        "score/behaviour": slope(behaviour, score),
        "cross-talk": max(size(rank(ladder, score)) for ladder in others.values()),
        "own": max(size(rank(ladder, dose)) for ladder in others.values()),
        "power": power(analysis, dose, reading),
    }
    for axis in ("stated", "cav", "readout", "sae"):
        row[axis] = rank(dose, values(analysis, f"biaslens.axis_{axis}", reading))
    paper = values(analysis, "biaslens.paper", "preset paper")
    row["paper |dose|"] = rank({t: abs(d) for t, d in dose.items()}, paper)
    row |= floor(session, dose) if reading == str(Reading.GIVEN_TARGET) else {}
    return row | erased(analysis, dose, reading)


def power(analysis: Analysis, dose: dict[str, float], reading: str) -> float:
    """Return the share of targets with |dose| >= 1 whose conformal p is at most 0.05."""
    found = [
        f.estimate.null.p <= 0.05
        for f in analysis.findings
        if f.metric == "biaslens.score" and f.group == reading and abs(dose[f.concepts[0]]) >= STRONG
        if f.estimate.null is not None
    ]
    return float(np.mean(found))


def floor(session: Session, dose: dict[str, float]) -> dict[str, float]:
    """Return how well random axes rank the doses at the reported point."""
    comparison = session.comparisons[0]
    tokens = pole_tokens(session.model, comparison)
    found = measure(session, comparison, tokens, How((Pooling.LAST,)))
    mean = found.activations.double().mean(0)
    axes = torch.randn(RANDOM_AXES, mean.shape[1], generator=torch.Generator().manual_seed(0)).double()
    by_target = torch.stack([mean[list(found.nouns.columns[target])].mean(0) for target in dose])
    ranks = [abs(spearmanr(list(dose.values()), (by_target @ axis).numpy())[0]) for axis in axes]
    return {"random mean": float(np.mean(ranks)), "random max": float(np.max(ranks))}


def erased(analysis: Analysis, dose: dict[str, float], reading: str) -> dict[str, float]:
    """Return what erasing the axis, and the median random direction, leave of the slope on the dose."""
    behaviour = values(analysis, "biaslens.behaviour", reading)
    plain = slope(dose, behaviour)
    left = {}
    for label, metric in (("left", "biaslens.erasure"), ("random left", "biaslens.random_erasure")):
        share = values(analysis, metric, reading)
        both = {t: (s, behaviour[t]) for t, s in share.items()}
        after = {t: s * gap for t, (s, gap) in both.items() if s is not None and gap is not None}
        left[label] = slope({t: dose[t] for t in after}, after) / plain if len(after) > 2 else float("nan")
    return left


class Count(NamedTuple):
    """What an audit of a null twin wrongly says.

    Attributes:
        rejected: Targets whose p is at most 0.05.
        tests: Targets that were tested.
        adjusted: Targets whose adjusted p is at most 0.05.
        verdicts: Targets that a report would say lean.
    """

    rejected: int
    tests: int
    adjusted: int
    verdicts: int


def rejections(planted: Planted) -> dict[str, Count]:
    """Return what the audits of a null twin wrongly say, by pair and reading."""
    counts = {}
    for pair in PLANTED:
        analysis = BiasLens(axes=(), autoencoder="none").analyze(planted.session(pair))
        for reading in Reading:
            found = [
                f.estimate
                for f in analysis.findings
                if f.metric == "biaslens.score" and f.group == str(reading) and f.estimate.null is not None
            ]
            counts[f"{pair}, {reading}"] = Count(
                sum(one.null.p <= 0.05 for one in found if one.null is not None),
                len(found),
                sum(is_seen(one) for one in found),
                sum(standing(one) is Standing.LEANS for one in found),
            )
    return counts


def show(folders: list[Path]) -> None:
    """Print the table of the planted organisms and the false alarms of the null twins."""
    opened = [Planted.open(folder) for folder in folders]
    for planted in opened:
        if not planted.null:
            for pair in PLANTED:
                cells = judged(planted, pair)
                rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in cells.items()}
                print(json.dumps(rounded), flush=True)
    counts = {planted: rejections(planted) for planted in opened if planted.null}
    twins = {planted: added(places.values()) for planted, places in counts.items()}
    for planted, count in twins.items():
        print(alarms(planted.folder.name, [count]))
    for name in sorted({planted.name for planted in twins}):
        own = [planted for planted in twins if planted.name == name]
        for place in counts[own[0]]:
            print(alarms(f"{name}, {place}", [counts[planted][place] for planted in own]))
        print(alarms(name, [twins[planted] for planted in own]))
    if twins:
        print(alarms("all null twins", list(twins.values())))


def added(counts: Iterable[Count]) -> Count:
    """Return the sum of some counts."""
    return Count(*map(sum, zip(*counts, strict=True)))


def alarms(what: str, twins: list[Count]) -> str:
    """Return one line about the false alarms in some null twins.

    The interval is that of the mean over twins: tests of one twin share their controls, so they are not
    as many as the binomial band takes them for.
    """
    total = added(twins)
    band = binomial_band(0.05, total.tests)
    line = (
        f"{what}: {total.rejected} of {total.tests} rejected at 0.05 = {total.rejected / total.tests:.4f}, "
        f"binomial band {band.low:.4f} to {band.high:.4f}; "
        f"{total.adjusted} after adjustment, {total.verdicts} verdicts"
    )
    if len(twins) < FEWEST_TWINS:
        return line
    rates = np.array([twin.rejected / twin.tests for twin in twins])
    half = student.ppf(0.975, len(twins) - 1) * rates.std(ddof=1) / np.sqrt(len(twins))
    return f"{line}; interval over twins {rates.mean() - half:.4f} to {rates.mean() + half:.4f}"


def main() -> None:
    """Build organisms or show what an audit finds in them."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    builder = verbs.add_parser("build")
    builder.add_argument("--name", choices=sorted(GENRES), required=True)
    builder.add_argument("--seeds", type=int, nargs="*", default=[])
    builder.add_argument("--nulls", type=int, nargs="*", default=[])
    builder.add_argument("--out", type=Path, required=True)
    shower = verbs.add_parser("show")
    shower.add_argument("folders", type=Path, nargs="+")
    asked = parser.parse_args()
    if asked.verb == "show":
        show(asked.folders)
        return
    for seed, null in [(s, False) for s in asked.seeds] + [(s, True) for s in asked.nulls]:
        out = asked.out / f"{asked.name}-{seed}{'-null' if null else ''}"
        print(out, organisms.build(asked.name, seed=seed, null=null, out=out), flush=True)


if __name__ == "__main__":
    main()
