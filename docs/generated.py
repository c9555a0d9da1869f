"""Pages that are written from the package itself, so that they cannot say anything else than it does."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from mkdocs.structure.files import File, Files

import biaskit
from biaskit import cli
from biaskit.records.audit_spec import AuditSpec
from biaskit.records.report import Report
from biaskit.reporting.words import METRIC_WORDS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # mkdocs opens this file by its path
notebooks = import_module("notebooks")
TUTORIALS = ("first_audit", "gate_in_ci", "write_an_analyzer", "vision", "diffusion")
MOVED = {
    "probes/README.md": "catalogue/probe-sets.md",
    "audits/README.md": "catalogue/audits.md",
    "CHANGELOG.md": "reference/changes.md",
}
"""Files outside `docs` that are pages of the site as well."""
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, what they show, and those that stand outside `docs`."""
    shown = notebooks.executed(TUTORIALS)
    drawn = {
        f"tutorials/{file}": picture
        for name, notebook in shown.items()
        for file, picture in notebooks.files(notebook, name.replace("_", "-")).items()
    }
    for name, content in (pages(shown) | drawn).items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave `docs` into links within the site; a file that is no page keeps its name only."""
    del config, files
    home = next((old for old, new in MOVED.items() if new == page.file.src_uri), f"docs/{page.file.src_uri}")
    return relinked(markdown, home, page.file.src_uri)


def pages(shown: Mapping[str, Any]) -> dict[str, str | bytes]:
    """Return every generated page by its place in the site; `shown` holds the executed examples."""
    tutorials = {
        f"tutorials/{name.replace('_', '-')}.md": tutorial(name, notebook) for name, notebook in shown.items()
    }
    moved = {new: (ROOT / old).read_text(encoding="utf-8") for old, new in MOVED.items()}
    return (
        tutorials
        | moved
        | {
            "reference/cli.md": command_line(),
            "reference/api.md": python(),
            "reference/metrics.md": metrics(),
            "reference/audit.md": schema(
                "Audit file", "An audit as TOML: `biaskit schema audit`.", AuditSpec
            ),
            "reference/report.md": schema(
                "Report file", "`report.json` of a run: `biaskit schema report`.", Report
            ),
        }
    )


def relinked(markdown: str, home: str, place: str) -> str:
    """Rewrite the links of a file at `home` in the repository, which is shown at `place` in the site."""

    def link(match: re.Match[str]) -> str:
        target, anchor = match["target"], match["anchor"] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = (ROOT / home).parent.joinpath(target).resolve()
        inside = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else target
        wanted = MOVED.get(inside, inside.removeprefix("docs/") if inside.startswith("docs/") else "")
        if not wanted:
            return match["text"] if path.exists() else match[0]
        return f"[{match['text']}]({'../' * place.count('/')}{wanted}{anchor})"

    return _LINK.sub(link, markdown)


def tutorial(name: str, notebook: Any) -> str:
    """Return an example as a page: its words, its code, and what each cell shows."""
    first, *rest = notebooks.cells(notebook, name.replace("_", "-"))
    where = f"*This page is the notebook `examples/{name}.py`: open it with jupytext, or run it with Python.*"
    title, _, lead = first.partition("\n")
    return "\n\n".join(filter(None, [title, where, lead.strip(), *rest])) + "\n"


def command_line() -> str:
    """Return the help of every verb."""
    lead = cli.biaskit.help or ""
    parts = ["# Command line", lead.partition("Exit codes")[0].strip()]
    for name, command in commands():
        context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts) + "\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every verb by its full name, and the verbs within it."""
    root = click.Context(cli.biaskit)
    yield from _within(cli.biaskit, root, "biaskit")


def _within(group: click.Group, context: click.Context, name: str) -> Iterator[tuple[str, click.Command]]:
    for verb in group.list_commands(context):
        command = group.get_command(context, verb)
        if command is not None:
            yield f"{name} {verb}", command
        if isinstance(command, click.Group):
            yield from _within(command, click.Context(command, parent=context), f"{name} {verb}")


def python() -> str:
    """Return the public names, each with what its docstring says."""
    lead = (
        "Every public name of `biaskit`. They are loaded on first use; records need neither torch nor numpy."
    )
    entries = [f"::: biaskit.{name}" for name in biaskit.__all__]
    return "\n\n".join(["# Python", lead, *entries]) + "\n"


def metrics() -> str:
    """Return every metric with its unit and what a report calls it.

    Raises:
        ValueError: The list of units names a metric that does not exist.
    """
    units = tomllib.loads((ROOT / "docs" / "metric-units.toml").read_text(encoding="utf-8"))
    prefixes = {name.partition(".")[0] for name in METRIC_WORDS}
    if unknown := units.keys() - METRIC_WORDS.keys() - prefixes:
        raise ValueError(f"docs/metric-units.toml names metrics that do not exist: {sorted(unknown)}")
    parts = ["# Metrics", "The names that findings carry and gates ask for. Intervals are in the same unit."]
    for prefix in dict.fromkeys(name.partition(".")[0] for name in METRIC_WORDS):
        own = [name for name in METRIC_WORDS if name.startswith(f"{prefix}.")]
        of_prefix = units.get(prefix, "as its findings say")
        rows = [f"| `{name}` | {units.get(name, of_prefix)} | {METRIC_WORDS[name]} |" for name in own]
        head = [f"## {prefix.replace('_', '-')}", "", "| metric | unit | what it is |", "|---|---|---|"]
        parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts) + "\n"


def schema(title: str, lead: str, kind: type[AuditSpec | Report]) -> str:
    """Return every field of a record and of those within it: what it takes and what it means."""
    whole = kind.model_json_schema()
    records = {kind.__name__: whole} | whole.get("$defs", {})
    parts = [f"# {title}", lead]
    parts += [_record(name, one) for name, one in records.items() if one.get("properties")]
    return "\n\n".join(parts) + "\n"


def _record(name: str, record: Mapping[str, Any]) -> str:
    rows = [
        f"| `{key}` | {_takes(field)} | {_default(field)} | {_cell(field.get('description', ''))} |"
        for key, field in record["properties"].items()
    ]
    said = _cell(str(record.get("description", "")).partition("\n\n")[0])
    return "\n".join(
        [f"## {name}", "", said, "", "| field | takes | default | meaning |", "|---|---|---|---|", *rows]
    )


def _takes(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return f"[{field['$ref'].rpartition('/')[2]}](#{field['$ref'].rpartition('/')[2].lower()})"
    if "anyOf" in field:
        return " or ".join(_takes(one) for one in field["anyOf"])
    if "enum" in field or "const" in field:
        return ", ".join(f"`{one}`" for one in field.get("enum", [field.get("const")]))
    if "items" in field:
        return f"list of {_takes(field['items'])}"
    return str(field.get("type", "any"))


def _default(field: Mapping[str, Any]) -> str:
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`" if "default" in field else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")
