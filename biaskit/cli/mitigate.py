"""`biaskit mitigate`: find and save a remedy, and measure it on what took no part in finding it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click
from platformdirs import user_cache_path

from biaskit.cli import options
from biaskit.cli.progress import reporter
from biaskit.cli.shown import line, show
from biaskit.errors import RequestError
from biaskit.mitigations import BUILT_IN, DEFAULT
from biaskit.records.report import Report, Status
from biaskit.reporting.reading import REPORT, read
from biaskit.runner.request import Options, parse_value

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = ("seed", "device", "dtype", "batch_size", "probes", "offline", "encoder", "images")
_COLUMNS = ("image_column", "label_column", "part_column", "cluster_column", "attribute_columns")


@click.command()
@options.option("--model", help="Hub id, local folder or organism:NAME.")
@options.option("--concepts", multiple=True, help="Targets, such as portrait-occupations/doctor.")
@options.option(
    "--references",
    multiple=True,
    help="Sets of groups: the first is balanced, the others are watched; by default those the targets name.",
)
@click.option("--classifier", "classifiers", multiple=True, help="Who tells groups from images, or SET=NAME.")
@options.option("--encoder", help="Text-image encoder, for CLIP-I and CLIP-T.")
@options.option(
    "--images", multiple=True, help="Real images: with the targets as labels, or those of a classifier."
)
@click.option("--image-column", help="Column of the images' paths in --images.  [default: image]")
@click.option("--label-column", help="Column of the labels in --images.  [default: label]")
@click.option("--part-column", help="Column of --images that says train, validation or test.")
@click.option("--cluster-column", help="Column of --images whose equal cells were sampled together.")
@click.option(
    "--attribute-column", "attribute_columns", multiple=True, help="Column of --images: an attribute."
)
@click.option(
    "--mitigation",
    help="steer-generator (text to image), erase (texts) or retrain-head (image classifiers).  "
    "[default: erase with --method, else steer-generator]",
)
@click.option(
    "--method",
    help="A mitigation, or of erase: leace, mean-projection, inlp, activation-addition, sae-ablation.",
)
@click.option("--share", type=click.FloatRange(0, 1, max_open=True), help="Share wanted.  [default: equal]")
@click.option("--budget", type=click.FloatRange(0), help="Loss of quality that is accepted.  [default: 0.1]")
@click.option("-A", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the mitigation.")
@options.option("--seed", type=click.IntRange(min=0), help="Seed of all that is drawn.  [default: 0]")
@options.option("--device", help="cpu, cuda, cuda:1, mps, auto.  [default: auto]")
@options.option("--dtype", help="float32, bfloat16, float16 or auto.  [default: float32]")
@options.option("--batch-size", type=click.IntRange(min=1), help="Images drawn at once.  [default: 64]")
@options.option(
    "--out-dir",
    "--out",
    type=options.FOLDER,
    required=True,
    help="Folder; the same one goes on with a search.",
)
@options.probes
@options.option("--offline", is_flag=True, help="Make any attempt to reach the network an error.")
@click.option("-q", "--quiet", is_flag=True, help="Only the last line.")
@click.option("-v", "--verbose", is_flag=True, help="Also what was chosen on its own.")
@options.debug
def mitigate(**flags: Any) -> int:
    """Find a remedy, save it in OUT-DIR/remedy, and measure it on fresh seeds or held-out words."""
    runner = import_module("biaskit.runner.mitigate")
    name = _name(flags)
    asked = runner.to_mitigate(flags["model"], flags["concepts"], flags["references"], _options(flags), name)
    settings = {**options.pairs(flags["settings"], "-A", parse_value)}
    settings |= {key: flags[key] for key in ("share", "budget", "method") if flags[key] is not None}
    _free(flags["out_dir"])
    with reporter(quiet=flags["quiet"]) as progress:
        told = replace(asked, progress=progress)
        run = runner.mitigate(told, flags["out_dir"], name, settings)
    show(run, run.folder, quiet=flags["quiet"], verbose=flags["verbose"])
    if run.failure is not None:
        line(f"What is finished is kept in '{flags['out_dir']}'; the same command goes on from there.")
        raise run.failure
    return 0


def _name(flags: dict[str, Any]) -> str:
    """Return the mitigation that is meant; a method that is one's name is that one."""
    if flags["method"] in BUILT_IN and flags["mitigation"] in {None, flags["method"]}:
        flags["mitigation"], flags["method"] = flags["method"], None
    name: str = flags["mitigation"] or ("erase" if flags["method"] else DEFAULT)
    return name


def _options(flags: dict[str, Any]) -> Options:
    given: dict[str, Any] = {key: flags[key] for key in (*_PLAIN, *_COLUMNS) if flags.get(key)}
    given["classifier"] = flags["classifiers"]
    given["cache"] = user_cache_path("biaskit") / "activations"
    given["command"] = shlex.join(["biaskit", *sys.argv[1:]])
    return cast("Options", given)


def _free(folder: Path) -> None:
    """Refuse to write over a remedy that is finished; one that was interrupted or failed goes on."""
    if not (folder / REPORT).exists():
        return
    if read(folder, Report).run.status in {Status.INTERRUPTED, Status.ERROR}:
        return
    raise RequestError(f"There is a finished remedy in '{folder}' already.", fix="Give another --out-dir.")
