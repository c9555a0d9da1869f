"""Prove sparse probing on models of which it is known what they hold.

    python benchmarks/planted_probing.py organisms/*

Organisms of reviews are asked for four concepts; organisms of occupations for the gender that their text
planted in each occupation, read from sentences that name nothing but the occupation, before and after
erasure. Beside every figure stand the same probes on shuffled labels. Build organisms with
`benchmarks/planted_truth.py build`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from biaskit import catalogue, models
from biaskit.analyzers.sparse_probing import SparseProbing
from biaskit.hooks.store import ActivationStore
from biaskit.records.labelled_texts import LabelledTexts
from biaskit.records.probe_set import TARGET_SLOT, NounClass, fill
from biaskit.session import Comparison, Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Analysis

CONCEPTS = ("food", "service", "price", "music")
LEAST_DOSE = 1.0
ERASERS = ("nothing erased", "after mean projection", "after leace", "after inlp", "labels shuffled")
PROBES = ("logistic regression", "small MLP")
COLUMNS = {
    "layer chosen inside": ("chosen_layer_auc", "logistic regression"),
    "labels shuffled": ("shuffled", "logistic regression"),
    "SAE latents, k chosen inside": ("auc", "SAE latents, k chosen inside"),
    "4 random latents": ("random_coordinates", "SAE latents, k=4"),
    "selectivity": ("selectivity", "logistic"),
    "compression": ("compression", "logistic"),
}
LEAN = {"probes": ("logistic",), "regimes": ()}


def main() -> None:
    """Read the folders from the command line and print one table for each kind of organism."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    torch.set_num_threads(os.cpu_count() or 1)
    print("| organism | concept |", " | ".join(COLUMNS), "|")
    print("|---|---|" + "---|" * len(COLUMNS))
    for folder in folders:
        if "reviews" in folder.name:
            print(*_concepts(folder), sep="\n", flush=True)
    print("\n| organism | probe |", " | ".join(ERASERS), "|")
    print("|---|---|" + "---|" * len(ERASERS))
    for folder in folders:
        if "occupations" in folder.name:
            print(*_leakage(folder), sep="\n", flush=True)


def _concepts(folder: Path) -> Iterator[str]:
    controls = ("shuffled-labels", "random-coordinates", "control-task", "description-length")
    compared = catalogue.comparisons(list(CONCEPTS), ["sentiment"])
    found = _analyze(folder, compared, (), {"controls": controls, "erasers": (), "repeats": 1})
    for concept in CONCEPTS:
        shown = (_cell(_headlines(found, metric, concept).get(group)) for metric, group in COLUMNS.values())
        yield f"| {folder.name} | {concept} | {' | '.join(shown)} |"


def _leakage(folder: Path) -> Iterator[str]:
    plant = json.loads((folder / "plant.json").read_text(encoding="utf-8"))
    settings = {"controls": (), "sites": ("resid_post.2",), "repeats": 2}
    found = _analyze(folder, (), (_leaning(plant["doses"]["gender"]),), settings)
    names = ("leakage", "leakage_erased", "leakage_shuffled")
    read = {
        group: estimate
        for name in names
        for group, estimate in _headlines(found, name, "occupations / gender").items()
    }
    for probe in PROBES:
        shown = (_cell(read.get(f"{probe}, {step}")) for step in ERASERS)
        yield f"| {folder.name} | {probe} | {' | '.join(shown)} |"


def _leaning(doses: Mapping[str, float]) -> LabelledTexts:
    """Return sentences that name an occupation alone, with the gender that was planted in it."""
    targets, pair, _ = catalogue.comparisons(["winobias-occupations"], ["gender"])[0]
    rows = [
        (fill(stem, word, TARGET_SLOT).text, "male" if doses[target] > 0 else "female", target)
        for target, words in targets.targets.items()
        if abs(doses[target]) >= LEAST_DOSE
        for word in words
        for stem in pair.stems[NounClass.PERSON]
    ]
    texts, genders, occupations = zip(*rows, strict=True)
    return LabelledTexts(
        name="occupations",
        texts=texts,
        labels=("a", "b") * (len(texts) // 2),
        groups={"occupation": occupations},
        attributes={"gender": genders},
    )


def _analyze(folder: Path, compared: tuple, labelled: tuple[LabelledTexts, ...], settings: dict) -> Analysis:
    session = Session(
        model=models.load(str(folder)),
        comparisons=tuple(Comparison(*one) for one in compared),
        store=ActivationStore(None),
        labelled=labelled,
    )
    return SparseProbing(**LEAN | settings).analyze(session)


def _headlines(found: Analysis, metric: str, concept: str) -> dict[str | None, Estimate]:
    return {
        one.group: one.estimate
        for one in found.findings
        if one.metric == f"sparse_probing.{metric}" and one.concepts == (concept,) and one.headline
    }


def _cell(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "-"
    if estimate.interval is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.interval.low:.2f}, {estimate.interval.high:.2f}]"


if __name__ == "__main__":
    main()
