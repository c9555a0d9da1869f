"""A hand-made report that looks like a real one: five targets, two pairs, both readings, four layers."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from biaskit.records.audit_spec import AnalyzerSpec, AuditSpec, Gate, Subject, Waiver
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Analysis, Direction, Evidence, Finding
from biaskit.records.report import (
    Outcome,
    ProbeSetRecord,
    Report,
    RunRecord,
    Status,
    SubjectRecord,
    Verdict,
)
from biaskit.records.site import Site, SiteKind

FORWARD, REVERSE = "references given target", "target given references"
PAIRS = {("positive", "negative"): 1.0, ("rich", "poor"): 0.4}
SCORES = {"food": 1.32, "service": -0.94, "price": -0.41, "ambience": 0.18, "music": 0.03}
LAYERS, CHOSEN = 4, 2
SHAPE = (0.22, 0.61, 1.0, 0.97)


def estimate(value, half, unit=Unit.NAT, **more):
    known = {"n": 36, "resampling_unit": "templates x fillers", "method": "mean difference to the controls"}
    if value is None:
        return Estimate(value=None, unit=unit, **(known | more))
    interval = half and Interval(
        low=round(value - half, 4),
        high=round(value + half, 4),
        level=0.95,
        method="two-way cluster bootstrap, percentile",
    )
    if not (interval and more.get("null")):
        more.setdefault("reason", "a descriptive number; nothing is tested on it")
    return Estimate(value=round(value, 4), unit=unit, interval=interval or None, **(known | more))


def conformal(value):
    p = max(1 / 121, min(1.0, round(0.9 * 2.0 ** (-9 * abs(value)), 3)))
    return Null(
        p=p,
        kind="conformal against 120 neutral nouns",
        adjusted=min(1.0, round(p * 1.6, 3)),
        correction="Benjamini-Hochberg over 5 targets",
    )


def evidence(target, value):
    dice = random.Random(target)
    words = ("fresh", "late", "kind", "rude", "warm", "cold", "quick", "slow", "bright", "plain")
    return tuple(
        Evidence(
            text=f"The {target} of the {word} place was",
            value=round(value * dice.uniform(0.5, 1.9), 3),
            template="The {x} of the place was",
            filler=target,
        )
        for word in words
    )


def family(target, references, group, size):
    """All findings about one target on one pair in one reading."""
    value = SCORES[target] * size * (1 if group == FORWARD else 0.3)
    site = Site(kind=SiteKind.RESID_POST, layer=CHOSEN)
    about = {"concepts": (target,), "references": references, "group": group}
    yield Finding(
        metric="biaslens.score",
        site=site,
        headline=True,
        **about,
        estimate=estimate(value, 0.16, null=conformal(value), minimum_detectable_effect=0.21),
        evidence=evidence(target, value),
    )
    for layer, share in enumerate(SHAPE):
        yield Finding(
            metric="biaslens.profile",
            site=Site(kind=SiteKind.RESID_POST, layer=layer),
            **about,
            estimate=estimate(value * share, 0.08 + 0.04 * layer, null=conformal(value * share)),
        )
    # The price on one pair behaves against what is read inside: a conflict.
    outside = -value * 0.8 if (target, references[0], group) == ("price", "rich", FORWARD) else value * 1.06
    yield Finding(
        metric="biaslens.behaviour",
        headline=True,
        **about,
        estimate=estimate(outside, 0.12, null=conformal(outside)),
        evidence=evidence(target + "!", outside),
    )
    yield from causes(target, about, value)


def causes(target, about, value):
    site = Site(kind=SiteKind.RESID_POST, layer=CHOSEN)
    percent, quiet = Unit.PROPORTION, {"direction": Direction.NONE}
    random20 = Null(p=0.048, kind="20 random directions of equal rank")
    small = abs(value) < 0.1
    gone = "the behavioural gap is too small to divide by"
    rows = {
        "erasure": (
            estimate(None, 0, percent, reason=gone) if small else estimate(0.13, 0.09, percent, null=random20)
        ),
        "random_erasure": estimate(None, 0, percent, reason=gone) if small else estimate(0.96, 0.05, percent),
        "axis_stated": estimate(value * 0.7, 0.2),
        "axis_cav": estimate(value * 0.6, 0.25),
        "axis_readout": estimate(None, 0, reason="undecided: not oriented: no further than 20 random axes"),
        "axis_sae": estimate(value * 0.8, 0.22),
    }
    if about["group"] == FORWARD:
        rows["patching"] = estimate(value * 1.03, 0.14)
    for name, number in rows.items():
        yield Finding(metric=f"biaslens.{name}", site=site, **about, estimate=number, **quiet)
    yield Finding(
        metric="biaslens.latent",
        site=site,
        **{**about, "group": f"{about['group']} / latent 417"},
        estimate=estimate(value * 0.4, 0.1),
        evidence=evidence(target + "?", value)[:3],
        **quiet,
    )


def checks(references, group):
    """What is said about all targets of the set together."""
    rows = {
        "patching_slope": estimate(1.04, 0.11, Unit.ONE),
        "patching_r2": estimate(0.93, 0.0, Unit.ONE),
        "kl": estimate(0.004, 0.002, Unit.NAT),
        "reliability": estimate(0.91, 0.04, Unit.ONE),
        "fvu": estimate(0.08, 0.01, Unit.PROPORTION),
        "control_sd": estimate(0.11, 0.0),
    }
    about = {"concepts": ("review-aspects",), "references": references, "group": group}
    chosen = Site(kind=SiteKind.RESID_POST, layer=CHOSEN)
    for name, number in rows.items():
        yield Finding(
            metric=f"biaslens.{name}", site=chosen, direction=Direction.NONE, estimate=number, **about
        )
    for layer, share in enumerate(SHAPE):
        yield Finding(
            metric="biaslens.agreement",
            site=Site(kind=SiteKind.RESID_POST, layer=layer),
            direction=Direction.HIGHER,
            estimate=estimate(share * 0.95, 0.0, Unit.ONE),
            **about,
        )


def subject_record():
    return SubjectRecord(
        name="demo",
        source="organism:reviews, seed 0",
        architecture="gpt2",
        layout="known",
        layers=LAYERS,
        width=128,
        parameters=1_312_256,
        dtype="float32",
        device="cpu",
        fingerprint="9f2c41d07be85a3c" * 4,
    )


def spec():
    return AuditSpec(
        name="reviews",
        description="Does the model treat some aspects of a restaurant as good news?",
        subject=Subject(model="demo"),
        concepts=("food", "service", "price", "ambience", "music"),
        references=("sentiment", "wealth"),
        analyzers=(AnalyzerSpec(name="biaslens", settings={"layer": "auto"}),),
        gates=(
            Gate(
                id="sentiment-gap",
                metric="biaslens.score",
                where={"positive": "positive", "group": FORWARD},
                at_most=0.5,
            ),
            Gate(
                id="wealth-gap",
                metric="biaslens.score",
                where={"positive": "rich", "group": FORWARD, "concept": "price"},
                at_most=0.5,
                advisory=True,
            ),
        ),
        waivers=(
            Waiver(
                gate="wealth-gap", until=datetime(2027, 3, 31).date(), reason="known", approved_by="the owner"
            ),
        ),
    )


def verdicts():
    outcomes = {
        "food": (Outcome.FAIL, "+1.32 [+1.16, +1.48] nat lies beyond the limit of ±0.5."),
        "service": (
            Outcome.FAIL,
            "-0.94 [-1.1, -0.78] nat lies beyond the limit of ±0.5.",
        ),
        "price": (
            Outcome.UNDECIDED,
            "-0.41 [-0.57, -0.25] nat reaches across the limit of ±0.5.",
        ),
        "ambience": (Outcome.PASS, "+0.18 [+0.02, +0.34] nat lies inside the limit of ±0.5."),
        "music": (Outcome.PASS, "+0.03 [-0.13, +0.19] nat lies inside the limit of ±0.5."),
    }
    sentiment = [
        Verdict(
            gate="sentiment-gap",
            concept=target,
            references=("positive", "negative"),
            group=FORWARD,
            outcome=outcome,
            reason=reason.replace("-", "\N{MINUS SIGN}"),
        )
        for target, (outcome, reason) in outcomes.items()
    ]
    wealth = Verdict(
        gate="wealth-gap",
        concept="price",
        references=("rich", "poor"),
        group=FORWARD,
        outcome=Outcome.UNDECIDED,
        reason="Inside and behaviour disagree in sign.",
        advisory=True,
    )
    return (*sentiment, wealth)


def build_report(**changes):
    findings = tuple(
        finding
        for references, size in PAIRS.items()
        for group in (FORWARD, REVERSE)
        for finding in (
            *(one for target in SCORES for one in family(target, references, group, size)),
            *checks(references, group),
        )
    )
    analysis = Analysis(
        analyzer="biaslens",
        settings={
            "layer": "auto",
            "axes": ["oriented", "stated", "cav", "readout", "sae"],
            "resamples": 2000,
        },
        findings=findings,
        conflicts=(
            "price on rich - poor (references given target): the score inside is -0.16 nat, "
            "the behaviour is +0.13 nat; no verdict rests on it.",
        ),
        notes=("Layer 2 was chosen by patching agreement on the controls.",),
        limitations=(
            "A score tells what the model associates, not why, and not what it would do in your product.",
            "Neutral nouns are a sample; another list would move the control band a little.",
        ),
    )
    known = {
        "tool_version": "0.1.0",
        "run": RunRecord(
            id="5d3e9a1c70b2" + "0" * 52,
            started_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
            duration_s=41.3,
            cpu_s=58.9,
            peak_memory_mib=812.0,
            status=Status.COMPLETE,
            command="biaskit audit --model demo --concepts food,service --offline",
        ),
        "subject": subject_record(),
        "spec": spec(),
        "spec_digest": spec().digest,
        "probe_sets": (
            ProbeSetRecord(
                name="food", kind="target", digest="a1" * 32, source="written for biaskit", licence="CC0-1.0"
            ),
            ProbeSetRecord(
                name="sentiment",
                kind="pair",
                digest="b2" * 32,
                source="written for biaskit",
                licence="CC0-1.0",
            ),
        ),
        "analyses": (analysis,),
        "verdicts": verdicts(),
        "not_measured": ("The SAE view at layers 0, 1 and 3: no sparse autoencoder is known for them.",),
        "environment": {"python": "3.11.7", "system": "Linux x86_64", "torch": "2.13.0"},
    }
    return Report(**(known | changes))
