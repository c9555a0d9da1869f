"""Proof on organism:portraits: features turn what was planted, remedies balance it, twins stay silent.

    python benchmarks/planted_features.py                          # the shipped organism
    python benchmarks/planted_features.py --organisms DIR1 DIR2    # others: biaskit organism build portraits
    python benchmarks/planted_features.py --twins DIR3             # built with --null: nothing may be named

Every setting is the default; `--quick` takes half the steps and fewer images. Each figure stands beside its
floor (random latents; the same prompts on fresh seeds without an edit) and its ceiling (blur, noise). Real
images are those that the organisms' painter paints of an occupation, women and men in equal parts. Some ten
minutes of a core an organism, five with `--quick`, and as many for a twin.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

import biaskit
from biaskit import organisms
from biaskit.images.image_set import ImageSet
from biaskit.organisms.portraits_people import OCCUPATIONS, PEOPLE, draw
from biaskit.records.estimate import Estimate
from biaskit.runner.mitigate import mitigate, to_mitigate
from biaskit.runner.run import Run
from biaskit.stats.proportions import wilson

CONCEPTS, GENDER, AGE = "portrait-occupations", "portrait-gender", "portrait-age"
OFF, WORSE, RANDOM, FALL = 0.05, 0.10, 0.25, 0.05
"""Limits: off the wanted share, farther from real images, random latents' part of the effect, a fall."""
WAYS = ("steered", "latent direction", "guidance", "prompts rewritten")
SMALL = {"images": 64, "latents": 128, "active": 16}
"""An autoencoder for audits in which no latent should be named."""
QUICK = {"steps": 10, "images": 192, "latents": 256}
QUICK_FEATURES = {**QUICK, "traced": 200, "fresh": 48, "strengths": [1.0, 2.0], "shuffles": 3}
QUICK_REMEDY = {**QUICK, "traced": 200, "fine": 256, "audited": 384, "guided": 0}
"""Settings of `--quick`: half the steps, fewer images."""


class Number(NamedTuple):
    """A value with the ends of its interval and its p; NaN where it has none."""

    value: float
    low: float
    high: float
    p: float

    @classmethod
    def of(cls, one: Estimate) -> Number:
        """Read an estimate."""
        ends = (np.nan, np.nan) if one.interval is None else (one.interval.low, one.interval.high)
        value = np.nan if one.value is None else one.value
        return cls(value, *ends, np.nan if one.null is None else one.null.p)

    def said(self, form: str) -> str:
        """Value and interval, as in a table."""
        ends = "" if np.isnan(self.low) else f" [{self.low:{form}}, {self.high:{form}}]"
        return f"{self.value:{form}}{ends}"


def planted(folder: Path) -> dict[str, float]:
    """Return the planted share of women of each occupation."""
    shares: dict[str, float] = json.loads((folder / "plant.json").read_text())["planted"]
    return shares


def leaning(folder: Path) -> list[str]:
    """Return the occupations planted nearest to a share of .1 and of .9."""
    shares = planted(folder)
    return [min(shares, key=lambda job: abs(shares[job] - share)) for share in (0.1, 0.9)]


def painted(targets: Sequence[str]) -> ImageSet:
    """Paint every way the people of some occupations can look, genders in equal parts."""
    who = [one for one in PEOPLE if OCCUPATIONS[one.occupation] in targets]
    labels = [OCCUPATIONS[one.occupation] for one in who]
    return biaskit.image_set(np.stack([draw(one) for one in who]), labels, name="painted people")


def features(name: str, references: str = GENDER, **settings: object) -> Run:
    """Audit the bias features of an organism."""
    return biaskit.audit(
        name,
        concepts=CONCEPTS,
        references=references,
        analyzers="bias-features",
        settings=settings,
        offline=True,
    )


def turned(run: Run) -> dict[str, Number]:
    """Return what turning the features did, by figure; empty where nothing leans and no latent is named."""
    names = ("effect", "random_effect", "largest_fall", "stability")
    found = {one.metric.split(".")[1]: Number.of(one.estimate) for one in run.findings()}
    return {name: found[name] for name in names if name in found}


def turns(found: Mapping[str, Number]) -> bool:
    """Tell whether the share rises with the dose, and random latents do less than a quarter of it."""
    effect, random, fall = (found[name] for name in ("effect", "random_effect", "largest_fall"))
    rising = fall.value <= FALL and fall.p < 0.001
    return rising and effect.low > 0 and random.value < RANDOM * effect.value


def remedy(name: str, targets: Sequence[str], out: Path, **settings: object) -> Run:
    """Balance some occupations, with painted people as real images."""
    concepts = [f"{CONCEPTS}/{one}" for one in targets]
    asked = to_mitigate(name, concepts, (GENDER, AGE), {"offline": True, "images": painted(OCCUPATIONS)})
    return mitigate(asked, out, settings=settings)


@dataclass(frozen=True)
class Remedied:
    """What a remedy did to one target in one way of drawing."""

    share: Number
    age: Number
    frechet: Number
    nearest: Number
    fidelity: Number

    def kept(self) -> dict[str, bool]:
        """Tell which targets it meets."""
        return {
            "share": abs(self.share.value - 0.5) <= OFF,
            "age": self.age.low <= 0 <= self.age.high,
            "frechet": self.frechet.value <= WORSE,
            "nearest": self.nearest.value <= WORSE,
        }

    def row(self) -> str:
        """One line of a table."""
        forms = (".3f", "+.3f", "+.0%", "+.0%", "+.3f")
        numbers = (self.share, self.age, self.frechet, self.nearest, self.fidelity)
        return " | ".join(one.said(form) for one, form in zip(numbers, forms, strict=True))


def remedied(run: Run, target: str, way: str = "steered") -> Remedied | None:
    """Return what a remedy did; None where that way was not found."""
    metrics = ("share", "side_effect", "frechet", "nearest", "fidelity")
    found = _about(run, target, way)
    return Remedied(*(found[metric] for metric in metrics)) if found else None


def beside(run: Run, target: str) -> dict[str, Number]:
    """Return the effect of a remedy, random latents' and the largest fall with the dose."""
    found = _about(run, target, "steered")
    return {name: found[name] for name in ("effect", "random_effect", "largest_fall") if name in found}


def _about(run: Run, target: str, way: str) -> dict[str, Number]:
    return {
        one.metric.split(".")[1]: Number.of(one.estimate)
        for one in run.findings()
        if one.concepts == (target, way)
    }


def named(name: str, seeds: Sequence[int]) -> tuple[int, int]:
    """Audit a twin with several seeds and both sets of groups: how many name a latent, of how many."""
    count, total = 0, 0
    for seed in seeds:
        run = biaskit.audit(
            name,
            concepts=CONCEPTS,
            references=f"{GENDER},{AGE}",
            analyzers="bias-features",
            settings=SMALL,
            seed=seed,
            offline=True,
        )
        called = {one.group for one in run.findings("bias_features.effect")}
        count, total = count + len(called), total + 2
        print(f"  seed {seed}: {'; '.join(run.analyses[0].summary)}", flush=True)
    return count, total


class Represented(NamedTuple):
    """Shares as the analyzer `representation` finds them, beside those that were planted.

    `rank` is Spearman's rho (NaN where all are equal), `covered` counts planted shares in their intervals,
    `error` the mean distance; `gender` and `age` name the occupations that are accused.
    """

    rank: float
    covered: int
    error: float
    gender: list[str]
    age: list[str]


def represented(folder: Path, name: str = "", images: int = 64) -> Represented:
    """Audit the shares of an organism's images."""
    run = biaskit.audit(
        name or str(folder),
        concepts=CONCEPTS,
        references=f"{GENDER},{AGE}",
        analyzers="representation",
        settings={"images": images, "shown": 0, "named": 8},
        offline=True,
    )
    shares = planted(folder)
    women = {
        one.concepts[0]: Number.of(one.estimate)
        for one in run.findings("representation.share")
        if one.group == "female"
    }
    flat = len(set(shares.values())) == 1
    read = [women[job].value for job in shares]
    return Represented(
        np.nan if flat else float(spearmanr(read, list(shares.values()))[0]),
        sum(women[job].low <= shares[job] <= women[job].high for job in shares),
        float(np.mean([abs(women[job].value - shares[job]) for job in shares])),
        accused(run, GENDER),
        accused(run, AGE),
    )


def accused(run: Run, groups: str) -> list[str]:
    """Return the occupations whose shares differ from equal ones, corrected over occupations."""
    found = [
        (one.concepts[0], one.estimate.null)
        for one in run.findings("representation.fd")
        if one.group == groups
    ]
    return [
        job for job, null in found if null is not None and null.adjusted is not None and null.adjusted <= 0.05
    ]


def _listed(found: Mapping[str, Number]) -> str:
    return ", ".join(f"{name} {one.said('.3f')} (p {one.p:.1e})" for name, one in found.items())


def prove(name: str, folder: Path, out: Path, *, quick: bool) -> bool:
    """Prove an organism with a plant."""
    print(name, flush=True)
    print(f"  representation: {represented(folder, name)}", flush=True)
    run = features(name, **(QUICK_FEATURES if quick else {}))
    found = turned(run)
    print("\n".join(f"  {said}" for said in run.analyses[0].summary))
    print(f"  {_listed(found)}", flush=True)
    kept, targets = bool(found) and turns(found), leaning(folder)
    run = remedy(name, targets, out, **(QUICK_REMEDY if quick else {}))
    print("\n".join(f"  {note}" for note in run.analyses[0].notes))
    for target in targets:
        print(f"  {target}, planted {planted(folder)[target]}: share | age | frechet | nearest | prompt")
        for way in WAYS:
            one = remedied(run, target, way)
            print(f"    {way}: {'not found' if one is None else one.row()}")
        more, steered = beside(run, target), remedied(run, target)
        print(f"    {_listed(more)}")
        met = {} if steered is None else steered.kept()
        met["random"] = bool(more) and more["random_effect"].value < RANDOM * more["effect"].value
        met["rises"] = bool(more) and more["largest_fall"].value <= FALL
        print(f"    {met}", flush=True)
        kept &= steered is not None and all(met.values())
    return kept


def silent(folder: Path, out: Path, seeds: int) -> bool:
    """Prove that nothing is named or mended in a twin."""
    print(f"twin {folder}", flush=True)
    found = represented(folder)
    print(f"  representation: {found}", flush=True)
    asked = to_mitigate(str(folder), CONCEPTS, (GENDER, AGE), {"offline": True})
    run = mitigate(asked, out, settings={"audited": 128})
    idle = all("nothing" in said for said in run.analyses[0].summary)
    print("\n".join(f"  {note}" for note in (*run.analyses[0].summary, *run.analyses[0].notes)), flush=True)
    count, total = named(str(folder), range(seeds))
    ends = wilson(count, total)
    print(f"  a latent is named in {count} of {total} audits [{ends.low:.3f}, {ends.high:.3f}]", flush=True)
    return idle and ends.low <= 0.05 and not found.gender


def main() -> int:
    """Run the proofs; return 1 where one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--organisms", type=Path, nargs="*", default=[])
    parser.add_argument("--twins", type=Path, nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=10, help="Seeds that a twin is audited with.")
    parser.add_argument("--quick", action="store_true", help="Half the steps and fewer images.")
    given, kept = parser.parse_args(), True
    subjects = [(str(folder), folder) for folder in given.organisms]
    if not given.organisms and not given.twins:
        subjects = [("organism:portraits", organisms.folder("portraits"))]
    with tempfile.TemporaryDirectory() as place:
        for number, (name, folder) in enumerate(subjects):
            kept &= prove(name, folder, Path(place) / f"remedy-{number}", quick=given.quick)
        for number, folder in enumerate(given.twins):
            kept &= silent(folder, Path(place) / f"twin-{number}", given.seeds)
    print("kept" if kept else "MISSED")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
