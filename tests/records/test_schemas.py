"""What others read has a published shape: a change of it is seen, and announced."""

import json

import pytest
from click.testing import CliRunner

from biaskit.cli.schema import schema

KINDS = ("report", "spec", "probe-set", "comparison", "plan")


def shape(part):
    """What a value may be, in one line."""
    if "$ref" in part:
        return part["$ref"].rpartition("/")[2]
    if "anyOf" in part or "oneOf" in part:
        return " | ".join(sorted(shape(one) for one in part.get("anyOf", part.get("oneOf"))))
    if "enum" in part or "const" in part:
        return " | ".join(map(json.dumps, part.get("enum", [part.get("const")])))
    if part.get("type") == "array":
        inside = part.get("prefixItems") or [part.get("items", {})]
        return f"[{', '.join(shape(one) for one in inside)}]"
    if part.get("type") == "object" and isinstance(part.get("additionalProperties"), dict):
        return f"{{string: {shape(part['additionalProperties'])}}}"
    bounds = [
        f"{key} {part[key]}" for key in sorted(part) if key.lower().startswith(("min", "max", "excl", "pat"))
    ]
    return " ".join((part.get("type", "anything"), *bounds))


def outline(content):
    """Every record with its fields: what each may be, whether it must be there, and its default."""
    lines = []
    for name, record in sorted({"": content, **content.get("$defs", {})}.items()):
        if "properties" not in record:
            lines += [f"{name or 'whole'} = {shape(record)}"]
        for field, part in record.get("properties", {}).items():
            must = "!" if field in record.get("required", ()) else ""
            default = f" = {json.dumps(part['default'])}" if "default" in part else ""
            lines.append(f"{name or record.get('title')}.{field}{must}: {shape(part)}{default}")
    return "\n".join(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shape_of_what_others_read_changes_only_on_purpose(kind, snapshot):
    """After a change that is meant: `pytest tests/records/test_schemas.py --snapshot-update`, and a line for
    users in CHANGELOG.md; `schema_version` goes up where an old reader would fail."""
    done = CliRunner().invoke(schema, [kind])
    assert done.exit_code == 0
    assert outline(json.loads(done.output)) == snapshot


def test_a_changed_field_changes_the_outline():
    content = json.loads(CliRunner().invoke(schema, ["report"]).output)
    estimate = content["$defs"]["Estimate"]
    assert "Estimate.n!: integer minimum 0" in outline(content)
    estimate["required"].remove("n")
    estimate["properties"]["n"] |= {"type": "number", "default": 3}
    assert "Estimate.n: number minimum 0 = 3" in outline(content)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_its_sentence(kind):
    content = json.loads(CliRunner().invoke(schema, [kind]).output)
    for name, record in {"": content, **content.get("$defs", {})}.items():
        for field, part in record.get("properties", {}).items():
            assert "const" in part or part.get("description"), f"{name}.{field}"
