"""A hand-made report of a text remedy."""

from biaskit.records.estimate import Null, Unit
from biaskit.records.finding import Analysis, Finding
from tests.reporting.sample import build_report, estimate

VERDICT = "Of 7 points 5 hold; fails: no leakage; undecided: dose response."
POINT = "No leakage (fails): AUC after of a linear and a non-linear probe: 0.93 and 0.99 (chance 0.50)."
AT = "references given target"


def finding(metric, value, unit=Unit.NAT, group=AT, half=0.1):
    shown = estimate(value, half, unit, null=Null(p=0.01, kind="made up"))
    return Finding(
        metric=f"erasing.{metric}",
        concepts=("<b>food</b>",),
        references=("up", "down"),
        group=group,
        estimate=shown,
        headline=metric in {"gap_after", "gap_left"},
    )


def remedied():
    analysis = Analysis(
        analyzer="erase",
        settings={},
        findings=(
            finding("gap_before", 1.25),
            finding("gap_neutral", 0.01),
            finding("gap_after", 0.02),
            finding("gap_change", -1.23),
            finding("gap_left", 0.02, Unit.PROPORTION),
            *(finding(f"leakage_{when}", 0.9, Unit.AUC, "logistic") for when in ("before", "after")),
            finding("leakage_change", -0.05, Unit.AUC, "logistic"),
            finding("recognition", 0.012, Unit.PROPORTION),
            finding("random_left", 0.98, Unit.PROPORTION),
        ),
        summary=(VERDICT, POINT),
    )
    return build_report(analyses=(analysis,), verdicts=())
