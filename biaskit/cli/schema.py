"""`biaskit schema`: print the JSON Schema of what biaskit reads and writes."""

from __future__ import annotations

import json
from typing import Any, Literal

import click
from pydantic import TypeAdapter

from biaskit.cli import options
from biaskit.records.any_probe_set import AnyProbeSet
from biaskit.records.audit_spec import AuditSpec
from biaskit.records.comparison import RunComparison
from biaskit.records.plan import Plan
from biaskit.records.report import Report

_KINDS: dict[str, Any] = {
    "report": Report,
    "spec": AuditSpec,
    "probe-set": AnyProbeSet,
    "comparison": RunComparison,
    "plan": Plan,
}
_WRITTEN = {"report", "comparison", "plan"}


@click.command()
@click.argument("kind", type=click.Choice(list(_KINDS)))
@options.debug
def schema(kind: str) -> None:
    """Print the JSON Schema of a report, a spec, a probe set, a comparison or a plan."""
    mode: Literal["validation", "serialization"] = "serialization" if kind in _WRITTEN else "validation"
    content = TypeAdapter(_KINDS[kind]).json_schema(mode=mode)
    known = {"$schema": "https://json-schema.org/draft/2020-12/schema", **content}
    click.echo(json.dumps(known, indent=2, ensure_ascii=False))
