"""`biaskit audit`: run the analyzers on a model, write the run folder, apply the gates."""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click
from platformdirs import user_cache_path

from biaskit.cli import options
from biaskit.errors import RequestError
from biaskit.runner.data import DataOptions
from biaskit.runner.images import ImageOptions
from biaskit.runner.instruments import ClassifierOptions
from biaskit.runner.request import Options, parse_value, request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REPORT = "report.json"


@click.command()
@options.option("--model", help="Hub id, local folder, organism:NAME, or demo.")
@options.option(
    "--concepts", multiple=True, help="What to audit: food, or occupations/nurse; commas or repeated."
)
@options.option(
    "--references",
    multiple=True,
    help="Reference pairs, or groups for images; by default those the concepts name.",
)
@options.option("--data", multiple=True, help="A CSV file of labelled texts of your own; repeatable.")
@click.option("--text-column", help="Column of the texts in --data.  [default: text]")
@click.option("--label-column", help="Column of the labels in --data or --images.  [default: label]")
@click.option("--positive", help="The label that counts as positive; by default each against the rest.")
@click.option(
    "--group-column", "group_columns", multiple=True, help="Column of --data whose equal cells stay together."
)
@click.option(
    "--attribute-column", "attribute_columns", multiple=True, help="Column of --data, --images: an attribute."
)
@click.option("--shifted", help="A CSV file from elsewhere, with the columns of --data, to test on as well.")
@options.option(
    "--images", multiple=True, help="A folder of images with a sub-folder a class, or a CSV file; repeatable."
)
@click.option("--image-column", help="Column of the images' paths in --images.  [default: image]")
@click.option("--part-column", help="Column of --images that says train, validation or test.")
@click.option("--cluster-column", help="Column of --images whose equal cells were sampled together.")
@click.option("--caption-column", help="Column of --images: a caption.")
@options.option("--encoder", help="Text-image encoder: hub id, local folder or organism:NAME.")
@options.option(
    "--classifier",
    multiple=True,
    help="Who tells groups from images: an encoder, image classifier or organism; or SET=NAME; repeatable.",
)
@click.option("--factory", help="For bare weights: package.module:function that builds the network.")
@click.option("--classes", multiple=True, help="Names of the model's classes in the order of its logits.")
@click.option(
    "--allow-pickle", is_flag=True, default=None, help="Read weights stored as pickles too (weights only)."
)
@options.option("-c", "--config", help="An audit: its name or the path of its TOML file.")
@options.option(
    "--analyzers",
    multiple=True,
    help="Which analyzers; default: those of the audit, else what fits what was given.",
)
@click.option("-A", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the analyzers.")
@click.option("--set", "changes", multiple=True, metavar="PATH=VALUE", help="Any field of the audit.")
@options.option("--seed", type=click.IntRange(min=0), help="Seed of all resampling.  [default: 0]")
@options.option("--device", help="cpu, cuda, cuda:1, mps, auto or balanced.  [default: auto]")
@options.option("--dtype", help="float32, bfloat16, float16 or auto.  [default: float32]")
@options.option("--revision", help="Commit, tag or branch on the hub.")
@options.option("--batch-size", type=click.IntRange(min=1), help="Sequences run at once.  [default: 64]")
@options.option(
    "--out-dir", "--out", type=options.FOLDER, help="Run folder.  [default: a new one in biaskit-runs]"
)
@click.option("--force", is_flag=True, help="Replace the run that stands in --out-dir.")
@options.probes
@options.option("--offline", is_flag=True, help="Make any attempt to reach the network an error.")
@options.option("--no-cache", is_flag=True, help="Keep activations in memory only.")
@options.option(
    "--profile",
    type=click.Choice(["smoke", "standard", "full"]),
    help="How much is measured; smoke takes a few examples and decides nothing.  [default: standard]",
)
@options.baseline
@options.option(
    "--limit",
    type=click.IntRange(min=2),
    help="Use at most N templates, fillers, prompts, rows or images; nothing is decided.",
)
@options.fail_on
@click.option("-q", "--quiet", is_flag=True, help="Only the last line.")
@click.option("-v", "--verbose", is_flag=True, help="Also what the analyzers chose by themselves.")
@options.debug
def audit(**flags: Any) -> int:
    """Audit a model and write a run folder."""
    _free(flags["out_dir"], force=flags["force"])
    named = (flags["model"], flags["concepts"], flags["references"], flags["config"])
    asked = request(*named, options_of(flags))
    # What follows loads torch; a mistake in a name has been answered by now.
    carry_out: Callable[..., int] = import_module("biaskit.cli.carry_out").carry_out
    return carry_out(asked, flags)


def options_of(flags: dict[str, Any]) -> Options:
    """Return what the flags of an audit ask for, as `biaskit.audit` takes it."""
    plain = ("analyzers", "seed", "device", "dtype", "revision", "batch_size", "probes", "offline")
    some = ("limit", "profile", "baseline")
    grouped = (DataOptions, ImageOptions, ClassifierOptions)
    same = (*plain, *some, *(name for one in grouped for name in one.__annotations__))
    cache = None if flags["no_cache"] else user_cache_path("biaskit") / "activations"
    given = {
        "settings": options.pairs(flags["settings"], "-A", parse_value),
        "changes": options.pairs(flags["changes"], "--set", parse_value),
        "cache": cache,
        "command": shlex.join(["biaskit", *sys.argv[1:]]),
    }
    return cast("Options", {key: flags[key] for key in same if key in flags} | given)


def _free(folder: Path | None, *, force: bool) -> None:
    """Refuse to write over another run before any work is done."""
    if folder is not None and not force and (folder / REPORT).exists():
        raise RequestError(
            f"There is a run in '{folder}' already.", fix="Give another --out-dir, or --force to replace it."
        )
