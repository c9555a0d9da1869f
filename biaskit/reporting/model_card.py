"""A report as a section of a model card: metadata that the Hugging Face hub reads, then the text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from biaskit.reporting import markdown, view, words
from biaskit.reporting.diffusion_words import DIFFUSION
from biaskit.reporting.headline import headline
from biaskit.reporting.vision_words import VISION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.records.finding import Finding
    from biaskit.records.report import Report

_TASKS = {VISION: "image-classification", DIFFUSION: "text-to-image"}
_TEXT = "text-generation"
_MOST_RESULTS = 60


def render(report: Report) -> str:
    """Return a model card: `model-index` as YAML between two lines of dashes, then a section on bias.

    The metadata holds the headline numbers that have a value, each as a result of the hub's model index; put
    it into the block at the top of the card, and the section into its text.
    """
    index = {"model-index": [{"name": words.plain(view.title(report)), "results": list(_results(report))}]}
    return f"---\n{_yaml(index)}---\n\n{_section(report)}"


def _results(report: Report) -> Iterator[dict[str, Any]]:
    shown = [one for one in report.findings() if one.headline and one.estimate.value is not None]
    for finding in shown[:_MOST_RESULTS]:
        name = words.plain(", ".join(finding.concepts)) or report.spec.name
        yield {
            "task": {"type": task(finding.metric), "name": "Bias audit"},
            "dataset": {"type": "biaskit-probe-set", "name": _about(finding) or name, "config": name},
            "metrics": [_metric(finding)],
        }


def task(metric: str) -> str:
    """Return the hub's name for the task of the models that a metric is about."""
    return next((name for start, name in _TASKS.items() if metric.startswith(start)), _TEXT)


def _about(finding: Finding) -> str:
    return ", ".join(part for part in (words.about(finding), str(finding.site or "")) if part)


def _metric(finding: Finding) -> dict[str, Any]:
    estimate = finding.estimate
    args: dict[str, Any] = {"unit": estimate.unit.value, "n": estimate.n, "of": estimate.resampling_unit}
    if estimate.interval is not None:
        args["interval"] = [estimate.interval.low, estimate.interval.high]
        args["level"] = estimate.interval.level
    return {
        "type": finding.metric,
        "name": words.measure(finding),
        "value": estimate.value,
        "args": args,
    }


def _section(report: Report) -> str:
    subject, limits = (
        report.subject,
        dict.fromkeys(line for analysis in report.analyses for line in analysis.limitations),
    )
    blocks = [
        "## Bias, risks and limitations",
        f"Audited with biaskit {report.tool_version} on {report.run.started_at:%Y-%m-%d}: "
        f"{markdown.escape(view.source(report))}, sha256 {subject.fingerprint[:12]}, "
        f"run {words.STATUS_WORDS[report.run.status]}.",
        f"**{markdown.escape(headline(report))}**",
        markdown.headline_numbers(report),
        markdown.gates(report),
        markdown.bullets("What was not measured", report.not_measured, level=3),
        markdown.bullets("What the numbers cannot tell", limits, level=3),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _yaml(value: dict[str, Any], indent: int = 0, first: str = "") -> str:
    """Write a mapping as block YAML; scalars and flat lists as JSON, which YAML reads as it is."""
    pad, lines = " " * indent, []
    for key, one in value.items():
        start, first = (first or pad), ""
        if isinstance(one, dict):
            lines.append(f"{start}{key}:\n{_yaml(one, indent + 2)}")
        elif isinstance(one, list) and one and isinstance(one[0], dict):
            items = (_yaml(item, indent + 4, f"{pad}  - ") for item in one)
            lines.append(f"{start}{key}:\n{''.join(items)}")
        else:
            lines.append(f"{start}{key}: {json.dumps(one, ensure_ascii=False)}\n")
    return "".join(lines)
