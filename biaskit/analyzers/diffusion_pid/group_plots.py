"""Gaps side by side, denoising errors over log-SNR, maps of groups, and every image in one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import stats
from torch.nn.functional import interpolate

from biaskit.decomposition.contrast import Contrast
from biaskit.images.tiles import colour_bar, heated, png
from biaskit.records.contact_sheet import ColourBar, ContactSheet, Tile
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.estimate import Unit
from biaskit.records.figure import Curve, Figure, Point
from biaskit.records.table import Cell, Column, Table, slug

if TYPE_CHECKING:
    from biaskit.analyzers.diffusion_pid.asking import Asker
    from biaskit.analyzers.diffusion_pid.bias_study import TargetStudy
    from biaskit.records.finding import Finding
    from biaskit.session import GroupComparison

_TITLES = {
    "gap": "How much better images of each target fit one group than the others",
    "gap beyond neutral nouns": "The same, less what neutral nouns have",
    "log-odds": "How much likelier the model takes one group to be, given the target",
}


def dot_plot(found: Sequence[Finding], compared: GroupComparison, kind: str) -> DotPlot:
    """Show the gaps of every target, the largest first."""
    groups = tuple(compared.groups.groups)
    names = {
        target: [one for one in found if one.concepts[0] == target] for target in compared.targets.targets
    }
    ordered = sorted(names, key=lambda target: -(names[target][0].estimate.value or 0.0))
    rows = tuple(
        DotRow(
            name=target, n=names[target][0].estimate.n, dots=tuple(_dot(one, groups) for one in names[target])
        )
        for target in ordered
    )
    return DotPlot(
        name=slug(f"{kind} {compared.targets.name} {compared.groups.name}"),
        title=f"{_TITLES[kind]} ({', '.join(groups)})",
        unit=Unit.NAT,
        series=_series(groups),
        chance=0.0,
        of="target",
        rows=rows,
    )


def _series(groups: Sequence[str]) -> tuple[str, ...]:
    return (f"{groups[0]} minus {groups[1]}",) if len(groups) == 2 else tuple(groups)


def _dot(one: Finding, groups: Sequence[str]) -> Dot:
    interval = one.estimate.interval
    return Dot(
        series=_series(groups)[0] if one.group is None else one.group,
        value=one.estimate.value,
        low=interval and interval.low,
        high=interval and interval.high,
    )


def error_curves(one: TargetStudy, asker: Asker) -> Figure:
    """Show the squared change of the prediction by each group's word over log-SNR, with bands over images."""
    scene, wording = one.scenes[0], one.worded[0]
    prompts = (wording.alone, *wording.joint)
    pairs = [Contrast(added=1 + number, given=0) for number in range(len(one.groups))]
    curves = asker.measured(scene, prompts, pairs).curves
    return Figure(
        name=slug(f"errors {one.target} {' '.join(one.groups)}"),
        title=f"Where in the noise a group's word changes images of '{one.target}'",
        x_label="log-SNR (nats): noise on the left, detail on the right",
        y_label="squared change of the noise prediction",
        unit=Unit.ONE,
        band="95 % t interval over images" if len(scene) > 1 else "",
        curves=tuple(
            Curve(name=group, points=_points(curves.log_snrs, curves.differences[:, number]))
            for number, group in enumerate(one.groups)
        ),
    )


def _points(log_snrs: Float[ndarray, " k"], values: Float[ndarray, "n k"]) -> tuple[Point, ...]:
    table = torch.as_tensor(values)
    middle, count = table.mean(dim=0), len(table)
    half = torch.zeros_like(middle)
    if count > 1:
        half = float(stats.t.ppf(0.975, count - 1)) * table.std(dim=0) / count**0.5
    return tuple(
        Point(
            x=float(x),
            y=float(y),
            low=float(y - reach) if count > 1 else None,
            high=float(y + reach) if count > 1 else None,
        )
        for x, y, reach in zip(log_snrs, middle, half, strict=True)
    )


def colour_bar_of(largest: float) -> ColourBar:
    """Return the scale of maps whose highest value is `largest`, in nats a pixel of what is denoised."""
    return ColourBar(image=colour_bar(), low="0", high=f"{largest:.2g} nats a pixel")


def map_sheet(one: TargetStudy, asker: Asker) -> ContactSheet:
    """Show where in the first images of a target each group's word adds something."""
    scene, wording = one.scenes[0], one.worded[0]
    prompts = (wording.alone, *wording.joint)
    pairs = [Contrast(added=1 + number, given=0) for number in range(len(one.groups))]
    found = asker.measured(scene, prompts, pairs, maps=True)
    size = tuple(scene.pixels.shape[2:])
    maps = interpolate(
        torch.from_numpy(found.maps.orthogonal if found.maps else found.curves.errors).float(),
        size=size,
        mode="nearest",
    )
    largest = float(maps.max())
    tiles = (
        Tile(
            name=scene.names[row],
            image=png(scene.pixels[row]),
            heat=png(heated(scene.pixels[row], maps[row, number], largest)),
            label=wording.alone,
            prediction=group,
            remark=f"i(x; {group} | {one.target}) {found.orthogonal.mean[row, number]:.2f} nats",
        )
        for row in range(len(scene))
        for number, group in enumerate(one.groups)
    )
    return ContactSheet(
        name=slug(f"maps {one.target} {' '.join(one.groups)}"),
        title=f"Where a group's word adds to images of '{one.target}'",
        caption="Heat map: orthogonal information of the group's word given the target, pixel by pixel of "
        "what is denoised; one scale for the sheet.",
        bar=colour_bar_of(largest),
        tiles=tuple(tiles),
    )


COLUMNS = {
    "target": "The target.",
    "template": "The template.",
    "image": "Name of the image.",
    "group": "The group.",
    "mi_target": "i(x; target), standard, in nats.",
    "mi_group": "i(x; group), standard, in nats.",
    "mi_joint": "i(x; target and group), standard, in nats.",
    "cmi_standard": "i(x; group | target), standard, in nats.",
    "cmi_orthogonal": "i(x; group | target), orthogonal, in nats.",
    "dominated": "Whether Finn and Lizier's redundancy is the information of one word alone.",
}


def table(
    studied: Sequence[TargetStudy], compared: GroupComparison, dominated: Sequence[Bool[ndarray, "n g"]]
) -> Table:
    """Return every image and group in one row.

    Args:
        studied: The targets.
        compared: Targets and groups.
        dominated: Where the published redundancy is one word's information, target by target.
    """
    return Table(
        name=slug(f"{compared.targets.name} {compared.groups.name}"),
        title=f"Every image of {compared.targets.name} under {compared.groups.name}",
        columns=tuple(Column(name=name, description=said) for name, said in COLUMNS.items()),
        rows=tuple(row for one, each in zip(studied, dominated, strict=True) for row in _rows(one, each)),
    )


def _rows(one: TargetStudy, dominated: Bool[ndarray, "n g"]) -> list[tuple[Cell, ...]]:
    return [
        (
            one.target,
            one.worded[int(one.templates[place])].template,
            name,
            group,
            round(float(one.alone.standard[place, 0]), 6),
            round(float(one.group.standard[place, number]), 6),
            round(float(one.joint.standard[place, number]), 6),
            round(float(one.given.standard[place, number]), 6),
            round(float(one.given.orthogonal[place, number]), 6),
            bool(dominated[place, number]),
        )
        for place, name in enumerate(one.names)
        for number, group in enumerate(one.groups)
    ]
