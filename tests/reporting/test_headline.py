"""The one line that most readers read."""

from datetime import date

import pytest

from biaskit import gates
from biaskit.records.audit_spec import AuditSpec, Gate
from biaskit.records.finding import Analysis, Finding
from biaskit.records.report import Status
from biaskit.records.site import Site
from biaskit.reporting.headline import headline
from biaskit.reporting.view import tone
from tests.reporting.sample import FORWARD, REVERSE, build_report
from tests.reporting.test_standing import score

ADVISORY = Gate(id="gap", metric="biaslens.score", at_most=0.5, advisory=True)


def finding(low, high, *, target="food", group=FORWARD, q=0.001, reason=None):
    return Finding(
        metric="biaslens.score",
        concepts=(target,),
        references=("good", "bad"),
        group=group,
        site=Site.parse("resid_post.2"),
        headline=True,
        estimate=score(low, high, q=q, reason=reason),
    )


def report(*findings, limits=(ADVISORY,)):
    analysis = Analysis(analyzer="biaslens", settings={}, findings=findings)
    made = build_report(analyses=(analysis,), verdicts=(), spec=AuditSpec(name="x", gates=limits))
    return made.model_copy(update={"verdicts": gates.judge(made, limits, (), date(2026, 1, 1))})


STRONG, SLIGHT, OPEN = (-1.3, -1.1), (0.001, 0.003), (0.4, 0.6)


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([finding(*STRONG)], "food leans to bad by 1.20 nats: above the advisory limit of 0.5"),
        (
            [finding(*STRONG), finding(*SLIGHT, group=REVERSE, q=0.02)],
            "food leans to bad by 1.20 nats: above the advisory limit of 0.5",
        ),
        (
            [finding(*STRONG), finding(1.9, 2.1, target="music"), finding(*OPEN, target="price")],
            "2 of 3 scores are above the advisory limit of 0.5 nats; 1 undecided; "
            "most of all, music leans to good by 2.00",
        ),
        ([finding(0.1, 0.3)], "food leans to good by 0.20 nats: within the advisory limit of 0.5 nats"),
        (
            [finding(0.1, 0.3), finding(*SLIGHT, target="music")],
            "Both scores are within the advisory limit of 0.5 nats",
        ),
        (
            [finding(*SLIGHT, q=0.02)],
            "No association to speak of: every score is far within the advisory limit of 0.5 nats",
        ),
        (
            [finding(*OPEN), finding(*SLIGHT, target="music")],
            "1 of 2 scores is undecided against the advisory limit of 0.5 nats; none is clearly above it",
        ),
        ([], "Nothing was measured"),
    ],
)
def test_advice_is_said_in_words(findings, said):
    made = report(*findings)
    assert headline(made) == said
    assert gates.exit_code(made) == (0 if findings else 5)


def test_a_score_that_is_not_clear_of_zero_is_not_said_to_lean():
    said = headline(report(finding(-0.1, 0.3)))
    assert said == "food is not clear of neutral words: within the advisory limit of 0.5 nats"


def test_advice_is_not_green_where_a_limit_is_passed():
    assert tone(report(finding(*STRONG))) == "advisory"
    assert tone(report(finding(*SLIGHT))) == "none"


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([finding(*STRONG), finding(*OPEN, target="music")], "2 of 2 scores differ from neutral words"),
        ([finding(*STRONG), finding(-0.1, 0.9, target="music")], "1 of 2 scores differs"),
        ([finding(*STRONG), finding(*SLIGHT, group=REVERSE, q=0.02)], "1 of 2 scores differs"),
        ([finding(*STRONG, reason="undecided: signs disagree")], "0 of 1 scores differ"),
        ([finding(*SLIGHT, q=0.001)], "No association to speak of; no gate was declared"),
        ([], "No gate was declared: nothing was judged"),
    ],
)
def test_without_a_gate_only_what_is_worth_a_word_counts(findings, said):
    assert headline(report(*findings, limits=())).startswith(said)


def test_a_score_inside_the_band_of_neutral_words_does_not_count(make_report):
    made = make_report(verdicts=())
    clear = headline(made)
    analysis = made.analyses[0]
    wide = tuple(
        one.model_copy(update={"estimate": one.estimate.model_copy(update={"value": 0.9})})
        if one.metric == "biaslens.control_sd"
        else one
        for one in analysis.findings
    )
    within = made.model_copy(update={"analyses": (analysis.model_copy(update={"findings": wide}),)})
    assert clear.startswith("2 of 20")
    assert headline(within).startswith("0 of 20")


def test_a_part_of_the_examples_says_nothing_about_the_limit():
    made = report(finding(*STRONG))
    partial = made.model_copy(update={"run": made.run.model_copy(update={"status": Status.PARTIAL})})
    assert headline(partial) == "Nothing is decided on a part of the examples"


def test_a_gate_that_judges_nothing_that_was_found_is_only_counted():
    other = Gate(id="other", metric="other.score", at_most=0.5, advisory=True)
    assert headline(report(finding(*STRONG), limits=(other,))) == "Advisory gates: 1 undecided"
