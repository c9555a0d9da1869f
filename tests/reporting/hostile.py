"""A report in which every text that comes from outside tries something."""

from biaskit.records.finding import Evidence
from tests.reporting.sample import build_report

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"
ESCAPE = "\x1b[31mred\x1b]0;title\x07"
FORMULA = "=HYPERLINK(A1)|cmd"
MARKDOWN = "[here](javascript:alert(1)) @everyone `code` | cell\n# heading"
RIGHT_TO_LEFT = "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe"
ALL = f"{MARKUP} {ESCAPE} {FORMULA} {MARKDOWN} {RIGHT_TO_LEFT}"


def hostile_report():
    report = build_report()
    analysis = report.analyses[0]
    findings = tuple(
        finding.model_copy(
            update={
                "concepts": (ALL, *finding.concepts[1:])
                if finding.concepts[0] == "food"
                else finding.concepts,
                "references": ("first" + ALL, "second" + ALL),
                "group": ALL,
                "evidence": (Evidence(text=ALL, value=1.0, template=ALL, filler=MARKUP),),
                "estimate": finding.estimate.model_copy(update={"reason": ALL}),
            }
        )
        for finding in analysis.findings
    )
    texts = (ALL,)
    changed = analysis.model_copy(
        update={
            "findings": findings,
            "conflicts": texts,
            "notes": texts,
            "limitations": texts,
            "settings": {ALL: ALL, "list": [ALL]},
            "provider": ALL,
        }
    )
    verdicts = tuple(
        verdict.model_copy(update={"gate": ALL, "concept": ALL, "reason": ALL, "group": ALL})
        for verdict in report.verdicts
    )
    subject = report.subject.model_copy(
        update={"name": ALL, "source": ALL, "architecture": ALL, "layout": ALL}
    )
    spec = report.spec.model_copy(update={"name": ALL, "description": ALL})
    return report.model_copy(
        update={
            "analyses": (changed,),
            "verdicts": verdicts,
            "subject": subject,
            "spec": spec,
            "not_measured": texts,
            "environment": {ALL: ALL},
            "run": report.run.model_copy(update={"command": ALL}),
        }
    )
