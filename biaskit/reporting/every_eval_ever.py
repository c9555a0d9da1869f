"""A report in the common form of evaluation results, Every Eval Ever 0.3.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction
from biaskit.reporting import view, words

if TYPE_CHECKING:
    from biaskit.records.estimate import Estimate
    from biaskit.records.finding import Finding
    from biaskit.records.report import Report

SCHEMA_VERSION = "0.3.0"

_BOUNDS: dict[Unit, tuple[float | str | None, float | str | None]] = {
    Unit.AUC: (0.0, 1.0),
    Unit.COSINE: (-1.0, 1.0),
    Unit.PIXEL_SHARE: (0.0, 1.0),
    **dict.fromkeys((Unit.NAT, Unit.LOGIT, Unit.BIT, Unit.SD, Unit.POINT), ("-Infinity", "Infinity")),
}
"""Smallest and largest value, as the schema spells them; None, as for shares of other numbers, is unknown."""


def render(report: Report) -> str:
    """Return one JSON document with a result for each headline number that has a value and a better side.

    Of a number that should be near zero, or near one half, a smaller distance is better; its details say so,
    since the form knows only lower and higher.
    """
    name, started = words.plain(f"biaskit-{report.spec.name}"), int(report.run.started_at.timestamp())
    shown = [
        (one, analysis.analyzer)
        for analysis in report.analyses
        for one in analysis.findings
        if one.headline and one.estimate.value is not None and one.direction is not Direction.NONE
    ]
    document = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{name}/{_model_id(report)}/{started}",
        "evaluation_timestamp": str(started),
        "retrieved_timestamp": str(started),
        "source_metadata": {
            "source_name": name,
            "source_type": "evaluation_run",
            "source_organization_name": "not stated",
            "evaluator_relationship": "other",
            "additional_details": {"run": report.run.id, "spec_digest": report.spec_digest},
        },
        "eval_library": {"name": "biaskit", "version": report.tool_version},
        "model_info": _model(report),
        "evaluation_results": [_result(one, analyzer, count) for count, (one, analyzer) in enumerate(shown)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _model_id(report: Report) -> str:
    name = words.plain(view.title(report)).replace(":", "/")
    return name if "/" in name else f"local/{name}"


def _model(report: Report) -> dict[str, Any]:
    subject = report.subject
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "open_weights" if subject.revision else "unknown",
        "source": subject.source,
        "revision": subject.revision or "",
        "fingerprint": subject.fingerprint,
        "architecture": subject.architecture,
        "dtype": subject.dtype,
    }
    return {
        "name": words.plain(view.title(report)),
        "id": _model_id(report),
        "inference_engine": {"name": "biaskit", "version": report.tool_version},
        "additional_details": {key: words.plain(value) for key, value in details.items()},
    }


def _result(finding: Finding, analyzer: str, count: int) -> dict[str, Any]:
    estimate = finding.estimate
    about = words.about(finding) or finding.metric
    return {
        "evaluation_result_id": f"{finding.metric}/{count}",
        "evaluation_name": words.plain(f"{analyzer}: {about}"),
        "source_data": {
            "dataset_name": words.plain(", ".join(finding.concepts)) or about,
            "source_type": "other",
        },
        "metric_config": _metric(finding),
        "score_details": {
            "score": estimate.value,
            "details": _details(finding),
            "uncertainty": _uncertainty(estimate),
        },
    }


def _metric(finding: Finding) -> dict[str, Any]:
    unit = finding.estimate.unit
    low, high = _BOUNDS.get(unit, (None, None))
    return {
        "evaluation_description": words.metric(finding.metric),
        "metric_id": f"biaskit.{finding.metric}",
        "metric_name": words.measure(finding),
        "metric_kind": finding.metric,
        "metric_unit": unit.value,
        "lower_is_better": finding.direction is not Direction.HIGHER,
        "score_type": "continuous",
        "min_score": low,
        "max_score": high,
        "additional_details": {"better": finding.direction.value},
    }


def _details(finding: Finding) -> dict[str, str]:
    estimate, null = finding.estimate, finding.estimate.null
    known = {
        "concepts": ", ".join(finding.concepts),
        "references": words.pair(finding.references),
        "group": finding.group or "",
        "site": str(finding.site or ""),
        "method": estimate.method,
        "resampling_unit": estimate.resampling_unit,
        "p": "" if null is None else repr(null.p),
        "p_adjusted": "" if null is None or null.adjusted is None else repr(null.adjusted),
        "null": "" if null is None else null.kind,
    }
    effect = estimate.minimum_detectable_effect
    known["minimum_detectable_effect"] = "" if effect is None else repr(effect)
    return {key: words.plain(value) for key, value in known.items() if value}


def _uncertainty(estimate: Estimate) -> dict[str, Any]:
    found: dict[str, Any] = {"num_samples": estimate.n}
    if estimate.interval is not None:
        found["confidence_interval"] = {
            "lower": estimate.interval.low,
            "upper": estimate.interval.high,
            "confidence_level": estimate.interval.level,
            "method": words.plain(estimate.interval.method),
        }
    return found
