"""A hand-made report of an analyzer without reference pairs: numbers, curves and tables."""

from __future__ import annotations

import math
import random

from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.figure import AxisScale, Curve, Figure, Point, Role
from biaskit.records.finding import Analysis, Direction, Finding
from biaskit.records.site import Site
from biaskit.records.table import Column, Table
from tests.reporting.sample import build_report

CONCEPTS = ("food", "service", "price")
KS = tuple(2**power for power in range(10))
SIZES = (10, 14, 20, 28, 40, 56, 80, 113, 160, 226, 320, 452, 640, 905, 1280, 1810)
SENTENCES = (
    "All 3 concepts are read from resid_post.6 at AUC 0.97 or more on held-out fillers.",
    "One SAE latent reads food at AUC 0.91, 16 latents at 0.98; no SAE probe beats logistic regression on "
    "the residual stream (0.006 AUC below it, 95 % interval 0.001 to 0.011 over concepts).",
    "Random coordinates read food at AUC 0.71 with k = 16, shuffled labels at 0.50: that is the floor.",
)
HEADS = {
    "auc": (Unit.AUC, 0.981, 0.012, True),
    "optimism": (Unit.AUC, 0.004, 0.006, False),
    "selectivity": (Unit.AUC, 0.392, 0.031, True),
    "sae_gain": (Unit.AUC, -0.006, 0.005, True),
    "compression": (Unit.ONE, 5.32, 0.4, False),
    "k_needed": (Unit.COUNT, 16, 0, False),
}


def estimate(unit, value, half, tested):
    return Estimate(
        value=value,
        unit=unit,
        n=48,
        resampling_unit="fillers",
        method="nested 5 x 5 cross-validation",
        interval=Interval(low=value - half, high=value + half, level=0.95, method="bootstrap over fillers")
        if half
        else None,
        null=Null(p=0.001, kind="labels shuffled by filler") if tested else None,
        reason=None if half and tested else "nothing is tested on it",
    )


def finding(metric, concept="food", **more):
    unit, value, half, tested = HEADS[metric]
    known = {
        "metric": f"sparse_probing.{metric}",
        "concepts": (concept,),
        "site": Site.parse("resid_post.6"),
        "group": "SAE latents",
        "direction": Direction.NONE,
        "headline": True,
        "estimate": estimate(unit, value, half, tested),
    }
    return Finding(**(known | more))


def curve(name, role, xs, of, half=0.0):
    ends = ((x, of(x), half / math.sqrt(1 + x / xs[-1] * 8)) for x in xs)
    points = (
        Point(x=x, y=y, low=y - reach if half else None, high=min(1.0, y + reach) if half else None)
        for x, y, reach in ends
    )
    return Curve(name=name, role=role, points=tuple(points))


def rising(floor, top, slow):
    return lambda x: top - (top - floor) * math.exp(-((x / slow) ** 0.6))


def against_k(concept="food", shift=0.0):
    return Figure(
        name=f"auc-against-k-{concept}",
        title=f"{concept}: how many coordinates it takes",
        x_label="coordinates used, k",
        y_label="AUC on held-out fillers",
        unit=Unit.AUC,
        x_scale=AxisScale.LOG,
        chance=0.5,
        band="95 % interval over fillers",
        curves=(
            curve("SAE latents", Role.SUBJECT, KS, rising(0.84 - shift, 0.982, 4), 0.03),
            curve("residual stream, strongest k", Role.BASELINE, KS, rising(0.7 - shift, 0.975, 24), 0.03),
            curve("residual stream, all 768", Role.BASELINE, (KS[0], KS[-1]), lambda _: 0.988, 0.008),
            curve("random coordinates", Role.CONTROL, KS, rising(0.53, 0.93, 120), 0.04),
            curve("shuffled labels", Role.CONTROL, KS, lambda x: 0.5 + 0.01 * math.sin(x), 0.03),
        ),
    )


def against_n():
    return Figure(
        name="auc-against-n",
        title="How many examples it takes",
        x_label="training rows, n",
        y_label="AUC on held-out fillers",
        unit=Unit.AUC,
        x_scale=AxisScale.LOG,
        chance=0.5,
        band="95 % interval over concepts",
        curves=(
            curve("SAE latents", Role.SUBJECT, SIZES, rising(0.6, 0.975, 80), 0.06),
            curve("logistic regression", Role.BASELINE, SIZES, rising(0.66, 0.985, 60), 0.05),
            curve("PCA and logistic regression", Role.BASELINE, SIZES, rising(0.64, 0.97, 90)),
            curve("nearest neighbours", Role.BASELINE, SIZES, rising(0.6, 0.93, 110)),
            curve("gradient boosting", Role.BASELINE, SIZES, rising(0.5, 0.96, 160)),
            curve("small MLP", Role.BASELINE, SIZES, rising(0.62, 0.98, 100)),
            curve("bag of words", Role.CONTROL, SIZES, rising(0.5, 0.68, 300)),
        ),
    )


def by_layer():
    layers = tuple(range(12))
    return Figure(
        name="layers",
        title="Where it is carried",
        x_label="layer",
        y_label="AUC on held-out fillers",
        unit=Unit.AUC,
        chance=0.5,
        band="95 % interval over fillers",
        curves=(
            curve("food", Role.SUBJECT, layers, lambda x: 0.99 - 0.4 * math.exp(-x / 1.6), 0.03),
            curve("random weights", Role.CONTROL, layers, lambda x: 0.61 + 0.002 * x, 0.03),
        ),
    )


def gain():
    ratios = tuple(step / 20 for step in range(1, 20))
    return Figure(
        name="gain-against-ratio",
        title="What the SAE adds where classes are uneven",
        x_label="share of rows that show the concept",
        y_label="SAE probe less best fixed baseline",
        unit=Unit.AUC,
        chance=0.0,
        band="95 % interval over concepts",
        curves=(curve("k = 16", Role.SUBJECT, ratios, lambda x: -0.004 - 0.03 * (x - 0.5) ** 2, 0.008),),
    )


def folds(count=200):
    dice = random.Random(0)
    columns = {
        "concept": "Concept that is read.",
        "k": "Coordinates the probe may use.",
        "auc": "AUC on held-out rows.",
        "validation_auc": "AUC on the rows that chose the settings; empty where nothing was chosen.",
        "converged": "Whether the solver reached its tolerance.",
        "latents": "Coordinates used, strongest first.",
    }
    rows = tuple(
        (
            CONCEPTS[row % 3],
            KS[row % 10],
            dice.uniform(0.9, 1),
            None if row % 7 == 0 else dice.uniform(0.9, 1),
            row % 9 > 0,
            "12 455 1034",
        )
        for row in range(count)
    )
    return Table(
        name="folds",
        title="Every probe on every fold",
        columns=tuple(Column(name=name, description=text) for name, text in columns.items()),
        rows=rows,
    )


def analysis(**changes):
    known = {
        "analyzer": "sparse-probing",
        "settings": {"preset": "nested", "ks": list(KS)},
        "findings": tuple(finding(metric, concept) for concept in CONCEPTS for metric in HEADS),
        "summary": SENTENCES,
        "notes": ("The layer was chosen inside the folds.",),
        "limitations": ("That a property can be read does not say that the model uses it.",),
        "tables": (folds(),),
        "figures": (
            *(against_k(concept, 0.06 * count) for count, concept in enumerate(CONCEPTS)),
            against_n(),
            by_layer(),
            gain(),
        ),
    }
    return Analysis(**(known | changes))


def probing_report(*analyses):
    return build_report(analyses=analyses or (analysis(),), verdicts=(), not_measured=())
