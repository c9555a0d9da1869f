"""`biaskit organism`: build or list models with a planted bias."""

from __future__ import annotations

from pathlib import Path

import click

from biaskit import organisms
from biaskit.cli import options
from biaskit.cli.progress import reporter
from biaskit.cli.shown import line, table


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
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@options.debug
def build(name: str, seed: int, out: Path | None, *, null: bool, quiet: bool) -> None:
    """Train the organism NAME; it is an ordinary model folder when it is done."""
    folder = out or Path(f"{name}{'-null' if null else ''}-seed{seed}")
    with reporter(quiet=quiet) as progress:
        organisms.build(name, seed=seed, null=null, out=folder, progress=progress)
    line(f"wrote {folder}; audit it with: biaskit audit --model {folder} --concepts food")
