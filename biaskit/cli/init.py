"""`biaskit init`: a starter audit and the workflow that runs it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from jinja2 import Environment, StrictUndefined

from biaskit import __version__, catalogue
from biaskit.cli import options
from biaskit.cli.shown import line
from biaskit.errors import RequestError
from biaskit.reporting.folder import write_file
from biaskit.runner import arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "biaskit.toml"
_WORKFLOWS = {"github": ".github/workflows/biaskit.yml", "gitlab": ".gitlab/biaskit.yml"}
_ANALYZER = "biaslens"


@click.command()
@click.argument("folder", type=options.FOLDER, default=Path())
@options.option("--model", default="demo", show_default=True, help="Hub id, local folder or organism:NAME.")
@options.option("--revision", help="Commit of the model on the hub.")
@options.option("--concepts", multiple=True, default=("food",), help="What to audit.  [default: food]")
@click.option(
    "--at-most", type=click.FloatRange(min=0), help="Limit of the gate, in nats; without it no gate."
)
@click.option(
    "--ci",
    type=click.Choice([*_WORKFLOWS, "none"]),
    default="github",
    show_default=True,
    help="Which workflow to write.",
)
@options.debug
def init(folder: Path, ci: str, concepts: tuple[str, ...], **settings: Any) -> None:
    """Write a starter audit, and the workflow that runs it, into FOLDER; nothing is written over."""
    named = arguments.names("concepts", concepts)
    for concept in named:
        catalogue.probe_set(concept.partition("/")[0], ())
    given = {**settings, "concepts": named, "analyzer": _ANALYZER, "version": __version__}
    files = {SPEC: _render(f"{SPEC}.jinja", given)}
    if ci in _WORKFLOWS:
        files[_WORKFLOWS[ci]] = _render(f"{ci}.yml.jinja", given)
    _free(folder, files)
    for name, text in files.items():
        write_file(folder / name, text)
        line(f"wrote {folder / name}")
    line(f"next: biaskit audit -c {folder / SPEC}")


def _free(folder: Path, files: Mapping[str, str]) -> None:
    taken = [name for name in files if (folder / name).exists()]
    if taken:
        raise RequestError(
            f"'{folder / taken[0]}' exists already; nothing was written.",
            fix="Move it away, or name another folder.",
        )


def _render(name: str, given: Mapping[str, Any]) -> str:
    """Fill in a starter file; texts in it are quoted as JSON, which TOML and YAML read as they are."""
    made = Environment(
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    made.filters |= {
        "quoted": lambda text: json.dumps(text, ensure_ascii=False),
        "inside": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    }
    source = resources.files("biaskit.cli").joinpath("starter", name).read_text(encoding="utf-8")
    return made.from_string(source).render(given)
