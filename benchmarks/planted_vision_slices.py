"""Prove slice discovery on classifiers of which it is known where they fail.

    python benchmarks/planted_vision_slices.py                    # 3 seeds of every table: many minutes
    python benchmarks/planted_vision_slices.py --seeds 0 --tables masks

A small CNN is trained on digits beside a coloured patch that agrees with the class at rate rho. Images of a
class with a patch of another class are the groups that discovery should find, on images that nothing was
fitted to. A second CNN is trained under strong weight decay ("amplified"), so that it follows the patch only.

masks     precision at 10 of k-means in each class, from embeddings alone, of whole images and under
          masks of equal area: laid elsewhere, inverse, the CNN's own map, the amplified CNN's, the patch's
methods   precision at 10 of every method on whole images
keywords  the strongest keyword of each class, and the strongest that names no planted context
alarms    how many null twins have a slice at p <= 0.05
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy import stats
from torch import Tensor
from torch.nn import functional

from biaskit import models
from biaskit.analyzers.vig_bias import VigBias
from biaskit.images.image_set import Part
from biaskit.images.planting import CASES, Plant, Planted
from biaskit.models.encoders import load_encoder
from biaskit.organisms.shapes_clip import MEAN, STD, normalised
from biaskit.organisms.shapes_subjects import ShapesConfig, ShapesForImageClassification
from biaskit.organisms.shapes_training import SubjectRecipe, measure, train_subject
from biaskit.protocols import TextImageEncoder, VisionModel
from biaskit.records.finding import Analysis
from biaskit.retraining.amplify import Amplify
from biaskit.retraining.examples import Examples
from biaskit.retraining.training import Schedule
from biaskit.saliency.grounding import Control, Masking, ground
from biaskit.saliency.maps import Maps
from biaskit.saliency.methods import Candidate, maps_of
from biaskit.saliency.scores import contrastive
from biaskit.session import VisionSession
from biaskit.slices.baselines import ConfidenceRanking, KMeans, PredictionsOnly, RandomSlices
from biaskit.slices.bias_to_text import BiasToText, Captioned, Keyword
from biaskit.slices.domino import Domino
from biaskit.slices.facts import Facts
from biaskit.slices.observations import Observations
from biaskit.slices.scoring import precision_at_k
from biaskit.slices.slicer import Slicer

ERM, AMPLIFIED = "erm", "amplified"
RAW, ORACLE = "raw", "oracle"
MASKS = (*(str(one) for one in (Control.RANDOM, Control.INVERSE)), RAW, ERM, AMPLIFIED, ORACLE)
METHOD, CLUSTERS, SLICES = "layer-cam", 6, 16
SCHEDULE, DECAYS = Schedule(steps=100, learning_rate=2e-3, one_cycle=True, check_every=50), (0.03, 0.1, 0.3)
ALARM_LEVEL = 0.05


@dataclass(frozen=True)
class Seen:
    """One part of a plant's images as the two models and the encoder see them.

    `embeddings` and `kept` (the share of the patch that a mask keeps) are by mask, `probabilities` by model.
    """

    labels: np.ndarray
    minority: np.ndarray
    groups: np.ndarray
    captions: list[str]
    embeddings: dict[str, np.ndarray]
    kept: dict[str, float]
    probabilities: dict[str, np.ndarray]

    def observed(self, mask: str = RAW, model: str = ERM) -> Observations:
        """Return what a slicer is given."""
        return Observations(self.embeddings[mask], self.labels, self.probabilities[model])

    @property
    def members(self) -> np.ndarray:
        """Images x the groups that discovery should find."""
        return np.stack([self.groups == group for group in np.unique(self.groups[self.minority])], axis=1)


@dataclass(frozen=True)
class Scene:
    """A plant, what its CNN follows, and its validation and test images."""

    planted: Planted
    follows: float
    found: Seen
    tested: Seen

    def precision(self, slicer: Slicer, mask: str = RAW, model: str = ERM) -> float:
        """Precision at 10 on test images of slices that were found on validation images."""
        slices = slicer.fit(self.found.observed(mask, model), np.random.default_rng(self.planted.plant.seed))
        membership = slices.membership(self.tested.observed(mask, model))
        return precision_at_k(membership, self.tested.members, self.tested.labels, 10).mean

    def by_mask(self) -> dict[str, float]:
        """Embeddings alone, under every mask."""
        known = [mask for mask in MASKS if mask in self.tested.embeddings]
        return {mask: self.precision(KMeans(CLUSTERS), mask) for mask in known}

    def by_method(self) -> dict[str, float]:
        """Every method on whole images, DOMINO with more slices than there are groups to find."""
        return {
            "random": self.precision(RandomSlices()),
            "confidence": self.precision(ConfidenceRanking()),
            "k-means": self.precision(KMeans(CLUSTERS)),
            "predictions": self.precision(PredictionsOnly()),
            "domino": self.precision(Domino(n_slices=SLICES)),
            "facts": self.precision(
                Facts(), model=AMPLIFIED if AMPLIFIED in self.tested.probabilities else ERM
            ),
        }

    @property
    def amplified_errors(self) -> tuple[float, float]:
        """Precision and recall of the amplified model's mistakes as the minority."""
        wrong = self.tested.observed(model=AMPLIFIED).errors == 1
        minority = self.tested.minority
        return float(minority[wrong].mean()), float(wrong[minority].mean())


def scene(plant: Plant, *, amplify: bool = True, masks: bool = True) -> Scene:
    """Draw a plant, train both models on it (or the first alone) and look at validation and test images.

    Without `masks` images are embedded whole alone.
    """
    planted = plant.draw()
    subject = train_subject(planted, SubjectRecipe())
    both = {ERM: opened(subject)}
    if amplify:
        both[AMPLIFIED] = opened(amplified(planted))
    found, tested = (look(planted, both, part, masks=masks) for part in (Part.VALIDATION, Part.TEST))
    return Scene(planted, measure(subject, planted).follows, found, tested)


def opened(subject: ShapesForImageClassification) -> VisionModel:
    """Open a trained subject; in memory it carries no preprocessing of its own."""
    return models.load(subject, mean=(MEAN,) * 3, std=(STD,) * 3)


def amplified(planted: Planted) -> ShapesForImageClassification:
    """Train a CNN anew under strong weight decay; no group is read."""
    rows, seed = planted.rows(Part.TRAIN), planted.plant.seed
    names = dict(enumerate(planted.plant.class_names))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        config = ShapesConfig("cnn", id2label=names, label2id={name: index for index, name in names.items()})
        blank = ShapesForImageClassification(config)
    labels = torch.from_numpy(planted.labels[rows])
    examples = Examples(normalised(planted.images[rows]), labels, torch.zeros_like(labels))
    rule = Amplify(schedule=SCHEDULE, weight_decays=DECAYS)
    return rule.train(blank, examples, torch.Generator().manual_seed(seed)).eval()


def look(planted: Planted, both: dict[str, VisionModel], part: Part, *, masks: bool) -> Seen:
    rows = planted.rows(part)
    pixels = torch.from_numpy(np.ascontiguousarray(planted.images[rows].transpose(0, 3, 1, 2))).float() / 255
    patch, rng = (
        torch.from_numpy(planted.shortcut_mask(rows)),
        torch.Generator().manual_seed(planted.plant.seed),
    )
    logits = {name: model.logits(pixels) for name, model in both.items()}
    maps = {name: _maps(model, pixels, logits[name].argmax(1)) for name, model in both.items() if masks}
    asked = {
        **{str(one): (maps[ERM], str(one)) for one in (Control.RANDOM, Control.INVERSE) if masks},
        **{name: (found, None) for name, found in maps.items()},
        **({ORACLE: (_around(patch), None)} if masks else {}),
    }
    cut = {
        name: ground(pixels, found, Masking(control=control), rng=rng)
        for name, (found, control) in asked.items()
    }
    shown = {RAW: pixels, **{name: one.pixels for name, one in cut.items()}}
    inside = {
        name: (one.mask & patch).flatten(1).sum(1) / patch.flatten(1).sum(1) for name, one in cut.items()
    }
    return Seen(
        labels=planted.labels[rows],
        minority=planted.minority[rows],
        groups=planted.groups[rows],
        captions=[planted.captions[row] for row in rows],
        embeddings={name: encoder().encode_images(one).double().numpy() for name, one in shown.items()},
        kept={name: float(share.mean()) for name, share in inside.items()},
        probabilities={name: found.double().softmax(1).numpy() for name, found in logits.items()},
    )


def encoder() -> TextImageEncoder:
    return load_encoder("organism:shapes")


def _maps(model: VisionModel, pixels: Tensor, targets: Tensor) -> Maps:
    """Layer-CAM at the last layer of stride 2: there a cell is half as large as the patch's quarter."""
    site = [site for site in model.spatial_sites() if model.layout(site).height == 16][-1]
    candidate = Candidate(METHOD, site)
    return maps_of(model, pixels, contrastive(targets), (candidate,))[candidate]


def _around(regions: Tensor) -> Maps:
    """A map that falls off with the distance from the shortcut, so that its mask is as large as any other."""
    signed = functional.avg_pool2d(regions[:, None].float(), 17, stride=1, padding=8)[:, 0] + regions
    none = torch.zeros(len(regions), dtype=torch.bool)
    return Maps(signed, torch.zeros(len(regions)), "oracle", None, none)


class Said(NamedTuple):
    """The strongest keyword of a class, how far it lies above any that names no context, and its gap."""

    label: str
    phrase: str
    planted: bool
    lead: float
    gap: float


def keywords(one: Scene) -> list[Said]:
    """Bias-to-Text in every class: found on validation captions, scored on test images."""
    found, tested = (Captioned(seen.observed(), seen.captions) for seen in (one.found, one.tested))
    open_encoder = encoder()
    every = BiasToText(shuffles=1).find(
        found,
        tested,
        lambda texts: open_encoder.encode_texts(texts).double().numpy(),
        np.random.default_rng(one.planted.plant.seed),
    )
    labels = sorted({word.label for word in every})
    return [
        _said(one.planted.plant, label, [word for word in every if word.label == label]) for label in labels
    ]


def _said(plant: Plant, label: int, words: list[Keyword]) -> Said:
    away = {name for place, name in enumerate(plant.context_names) if place not in plant.home(label)}
    naming = [bool(away & set(word.phrase.split())) for word in words]
    others = [word.score for word, names in zip(words, naming, strict=True) if not names]
    lead = words[0].score - max(others, default=0.0)
    return Said(plant.class_names[label], words[0].phrase, naming[0], lead, words[0].gap or 0.0)


def audited(plant: Plant, recipe: SubjectRecipe, settings: VigBias) -> Analysis:
    """Train a subject on a plant and audit it as a user would."""
    planted = plant.draw()
    model = opened(train_subject(planted, recipe))
    session = VisionSession(model=model, images=(planted.image_set(),), encoder=encoder(), seed=plant.seed)
    return settings.analyze(session)


QUICK = VigBias(
    method="occlusion", calibration=24, shuffles=19, remedies=(), keywords=False, baselines=(), shown=0
)
"""An audit of which only the slices are looked at."""


def smallest_p(seed: int, rho: float = 0.5, held_out: int = 240) -> dict[str, float]:
    """Smallest p of any slice in one audit, by method; at most 0.05 in a null twin is a false alarm.

    Scene and ink do not vary: drawn apart from the label they still agree with it a little by chance, a
    subject follows them, and slices by ink are no false alarms (changing the ink changes the accuracy).
    """
    plant = Plant(rho=rho, n=1000, held_out=held_out, nuisance=False, seed=seed)
    found = dict.fromkeys(QUICK.slicers, 1.0)
    for one in audited(plant, SubjectRecipe("mlp"), QUICK).findings:
        null = one.estimate.null
        if one.metric == "vig_bias.slice_gap" and null is not None:
            method = str(one.group).split()[0]
            found[method] = min(found[method], null.p)
    return found


def most_alarms(runs: int) -> int:
    """Alarms that runs at the declared level exceed with a probability below 0.025."""
    return int(stats.binom.ppf(0.975, runs, ALARM_LEVEL))


def main() -> None:
    """Read seeds and tables from the command line and print what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--null-seeds", type=int, default=20, help="null twins, from seed 20 on")
    parser.add_argument("--tables", nargs="+", default=["masks", "keywords", "alarms"])
    given, console = parser.parse_args(), Console(width=150)
    if "masks" in given.tables:
        for case in CASES:
            _print_scenes(console, case, given.seeds)
    if "keywords" in given.tables:
        _print_keywords(console, given.seeds)
    if "alarms" in given.tables:
        found = [smallest_p(seed) for seed in range(20, 20 + given.null_seeds)]
        for method in QUICK.slicers:
            count = sum(one[method] <= ALARM_LEVEL for one in found)
            console.print(f"{method}: {count} of {len(found)} null twins, at most {most_alarms(len(found))}")


def _print_scenes(console: Console, case: str, seeds: list[int]) -> None:
    masks = Table("seed", *MASKS, "patch kept: erm", "amplified", title=f"{case}: k-means by mask")
    methods = Table(title=f"{case}: methods on whole images")
    for seed in seeds:
        one = scene(replace(CASES[case], seed=seed))
        by_mask, by_method = one.by_mask(), one.by_method()
        kept = [f"{one.tested.kept[name]:.2f}" for name in (ERM, AMPLIFIED)]
        masks.add_row(str(seed), *(f"{value:.2f}" for value in by_mask.values()), *kept)
        if not methods.columns:
            for heading in ("seed", "follows", *by_method, "amplified errors: precision", "recall"):
                methods.add_column(heading)
        cells = (one.follows, *by_method.values(), *one.amplified_errors)
        methods.add_row(str(seed), *(f"{value:.2f}" for value in cells))
    console.print(masks, methods)


def _print_keywords(console: Console, seeds: list[int]) -> None:
    table = Table("shortcut", "seed", "class", "keyword", "lead", "accuracy gap", title="Keywords, 2x2")
    for shortcut in ("patch", "scene"):
        for seed in seeds:
            for said in keywords(scene(replace(CASES["2x2"], shortcut=shortcut, seed=seed), masks=False)):
                table.add_row(
                    shortcut, str(seed), said.label, said.phrase, f"{said.lead:.1f}", f"{said.gap:.2f}"
                )
    console.print(table)


if __name__ == "__main__":
    main()
