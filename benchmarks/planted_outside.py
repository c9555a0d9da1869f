"""Prove triangulation and text remedies on planted models and on their null twins.

    python benchmarks/planted_truth.py build --name reviews --nulls 101 102 --out organisms/
    python benchmarks/planted_outside.py views organisms/*-null
    python benchmarks/planted_outside.py erase organism:reviews organism:occupations organisms/*-null

`views` counts what each view and each grade of the triangulation wrongly says of null twins; `erase` finds
and judges a remedy for every planted pair: what is left of the gap beside 20 random directions, at what cost.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from planted_truth import Planted

import biaskit
from biaskit import organisms
from biaskit.mitigations.erase import EraseAssociation
from biaskit.mitigations.judging import JudgeRemedy
from biaskit.organisms.building import GENRES, PLANTED
from biaskit.stats.proportions import wilson
from biaskit.triangulation import Grade, View, triangles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from biaskit.records.finding import Analysis
    from biaskit.triangulation import Triangle

ALPHA = 0.05
ORGANISM = "organism:"


class Alarms(NamedTuple):
    """What is wrongly said in some number of chances.

    Attributes:
        said: How often.
        chances: Of how many.
    """

    said: int
    chances: int

    def __str__(self) -> str:
        """Write count, rate and Wilson's interval."""
        if not self.chances:
            return "none"
        band = wilson(self.said, self.chances)
        rate = self.said / self.chances
        return f"{self.said} of {self.chances} = {rate:.1%} [{band.low:.1%}, {band.high:.1%}]"


def triangulated(planted: Planted, pairs: Sequence[str], concepts: Sequence[str] = ()) -> list[Triangle]:
    """Audit target sets, by default every one that the organism speaks of, and gather the views."""
    found: list[Triangle] = []
    for concept in concepts or GENRES[planted.name].target_sets:
        run = biaskit.audit(
            str(planted.folder),
            concepts=concept,
            references=list(pairs),
            analyzers="association,biaslens",
            settings={
                "biaslens": {
                    "axes": [],
                    "readings": ["references given target"],
                    "random_directions": 1,
                }
            },
            offline=True,
            cache=False,
        )
        found += triangles(run)
    return found


def alarms(found: Iterable[Triangle]) -> dict[str, Alarms]:
    """Count p at most 0.05 and leans of every view, and every grade that says something."""
    every = tuple(found)
    counts: dict[str, Alarms] = {}
    for view in View:
        own = [one for one in every if view in one.views]
        tested = [null.p <= ALPHA for one in own if (null := one.views[view].null) is not None]
        counts[f"{view}, p at most 0.05"] = Alarms(sum(tested), len(tested))
        counts[f"{view}, leans"] = Alarms(sum(one.signs[view] != 0 for one in own), len(own))
    grades = Counter(one.grade for one in every)
    for grade in Grade:
        counts[f"grade: {grade}"] = Alarms(grades[grade], len(every))
    return counts


def views(folders: Iterable[Path], pairs: Sequence[str]) -> None:
    """Print the alarms of each null twin, and of all together."""
    together: dict[str, list[Alarms]] = defaultdict(list)
    for folder in folders:
        for what, count in alarms(triangulated(Planted.open(folder), pairs)).items():
            print(f"{folder.name}: {what}: {count}", flush=True)
            together[what].append(count)
    for what, counts in together.items():
        print(f"all: {what}: {Alarms(*map(sum, zip(*counts, strict=True)))}", flush=True)


def erased(planted: Planted, pair: str, method: str = "leace", judge: JudgeRemedy | None = None) -> Analysis:
    """Find a remedy in the direction that the pair was planted in, and judge it on every target."""
    session = planted.session(pair)
    remedy = EraseAssociation(method=method, reading=str(PLANTED[pair])).find(session)
    return (judge or JudgeRemedy()).judge(session, remedy)


def row(analysis: Analysis) -> Mapping[str, str]:
    """Return the numbers of the table, by metric."""
    shown = {}
    for finding in analysis.findings:
        one, name = finding.estimate, finding.metric.partition(".")[2]
        if one.value is None or name in shown:
            continue
        span = f" [{one.interval.low:.3g}, {one.interval.high:.3g}]" if one.interval else ""
        p = f" p {one.null.p:.3f}" if one.null else ""
        shown[name] = f"{one.value:.3g}{span}{p}"
    return shown


def erase(folders: Iterable[Path], pairs: Sequence[str], methods: Sequence[str]) -> None:
    """Print what a remedy for every planted pair leaves, does and costs."""
    for folder in folders:
        planted = Planted.open(folder)
        for pair in pairs:
            for method in methods:
                analysis = erased(planted, pair, method)
                print(f"{folder.name}, {pair}, {method}: {json.dumps(row(analysis))}", flush=True)
                print(*(f"  {sentence}" for sentence in analysis.summary), sep="\n", flush=True)


def opened(name: str) -> Path:
    """Return the folder of an organism, shipped or built."""
    return organisms.folder(name.removeprefix(ORGANISM)) if name.startswith(ORGANISM) else Path(name)


def main() -> None:
    """Count alarms of null twins, or judge remedies."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("views", "erase"))
    parser.add_argument("models", nargs="+")
    parser.add_argument("--pairs", nargs="+", default=list(PLANTED))
    parser.add_argument("--methods", nargs="+", default=["leace"])
    asked = parser.parse_args()
    folders = [opened(name) for name in asked.models]
    if asked.verb == "views":
        views(folders, asked.pairs)
    else:
        erase(folders, asked.pairs, asked.methods)


if __name__ == "__main__":
    main()
