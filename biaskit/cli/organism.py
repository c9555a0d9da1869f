"""`biaskit organism`: build or list models with a planted bias."""

from __future__ import annotations

from pathlib import Path

import click

from biaskit import organisms
from biaskit.cli import options
from biaskit.cli.progress import reporter
from biaskit.cli.shown import line, table
from biaskit.errors import RequestError

_CONCEPTS = {organisms.SHAPES: "", organisms.PORTRAITS: " --concepts portrait-occupations"}
_OWN = ("name", "seed", "out", "progress", "null")


@click.group()
def organism() -> None:
    """Models whose bias is known because it was planted."""


@organism.command("list")
@options.debug
def list_() -> None:
    """List the organisms that ship with biaskit."""
    table(("organism", "open it as"), [(name, f"organism:{name}") for name in organisms.names()])


@organism.command()
@click.argument("name")
@click.option(
    "--seed", type=click.IntRange(min=0), required=True, help="Seed of the doses and of the training."
)
@click.option("--null", is_flag=True, help="Build the twin in which every dose is 0.")
@click.option(
    "--out", type=options.FOLDER, help="Folder to write.  [default: NAME-seedS, or NAME-null-seedS]"
)
@click.option(
    "--option",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="How an organism of images is made, such as architecture=vit or rho=0.95; repeatable.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@options.debug
def build(name: str, seed: int, out: Path | None, settings: tuple[str, ...], **switches: bool) -> None:
    """Train the organism NAME; it is an ordinary model folder when it is done."""
    folder = out or Path(f"{name}{'-null' if switches['null'] else ''}-seed{seed}")
    further = dict(map(_pair, settings))
    with reporter(quiet=switches["quiet"]) as progress:
        organisms.build(name, seed=seed, out=folder, progress=progress, null=switches["null"], **further)
    about = _CONCEPTS.get(name, " --concepts food")
    line(f"wrote {folder}; audit it with: biaskit audit --model {folder}{about}")


def _pair(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals or name in {"name", "seed", "out", "null", "progress"}:
        raise RequestError(f"'{setting}' is no option.", fix="Write it as NAME=VALUE, such as rho=0.95.")
    return name, value
