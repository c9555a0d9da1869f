"""How much worse the model explains images of one group than of another, at each noise level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.diffusion_pid.numbers import IMAGES
from biaskit.decomposition.group_gap import Band, GroupErrors, group_errors
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.figure import Curve, Figure, Point
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.records.table import Cell, Table, slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biaskit.analyzers.diffusion_pid.asking import Asker
    from biaskit.analyzers.diffusion_pid.scenes import Painter, Scene
    from biaskit.analyzers.diffusion_pid.wordings import Wording

COLUMNS = {
    "target": "The target, which the images are denoised under.",
    "group": "The group that the image was drawn as.",
    "image": "Name of the image.",
    "error": "Half the integrated denoising error, mean over replicates, in nats.",
    "other": "Whether the group is another than the first.",
}
NOT_TESTED = "Its interval over images and noise is shown; it is not tested."


def named_images(
    target: str, groups: Sequence[str], worded: Sequence[Wording], painter: Painter, each: int
) -> dict[str, list[Scene]]:
    """Draw images of a target with each group named, the same ones that log-odds are read on."""
    return {
        group: [
            painter.draw(wording.joint[number], each, whose=target, first=place * each)
            for place, wording in enumerate(worded)
        ]
        for number, group in enumerate(groups)
    }


def losses(scenes: Mapping[str, Sequence[Scene]], prompt: str, asker: Asker) -> GroupErrors:
    """Measure denoising errors of each group's images under one prompt, at shared levels and noise."""
    latents: dict[str, Float[Tensor, "_ c h w"]] = {
        group: torch.cat([one.latents for one in each]) for group, each in scenes.items()
    }
    names = tuple(name for each in scenes.values() for one in each for name in one.names)
    return group_errors(asker.session.model, latents, prompt, asker.asked(names))


def loss_table(name: str, target: str, scenes: Mapping[str, Sequence[Scene]], found: GroupErrors) -> Table:
    """Return the integrated error of every image, mean over replicates."""
    first, rows = next(iter(scenes)), list[tuple[Cell, ...]]()
    for group, each in scenes.items():
        images = [image for one in each for image in one.names]
        errors = found.losses[group].mean(axis=1).tolist()
        rows += [
            (target, group, image, error, group != first) for image, error in zip(images, errors, strict=True)
        ]
    return Table.of(name, f"How well images of '{target}' are denoised, group by group", COLUMNS, rows)


def loss_findings(target: str, found: GroupErrors, table: str) -> list[Finding]:
    """Return the gap in integrated error of the first group to each other, in nats."""
    first, *others = found.errors
    return [
        Finding(
            metric="diffusion_pid.error_gap",
            concepts=(target,),
            references=(first, other),
            direction=Direction.TOWARD_ZERO,
            rows=FromRows(
                table=table,
                column="error",
                where={"target": target, "group": (first, other)},
                beside="other",
                statistic=Statistic.STEP,
            ),
            estimate=Estimate(
                value=gap.value,
                unit=Unit.NAT,
                n=len(found.errors[first]) + len(found.errors[other]),
                resampling_unit=IMAGES,
                method=f"half the integrated denoising error, images of {first} minus those of {other}",
                interval=gap.interval,
                reason=NOT_TESTED,
            ),
        )
        for other in others
        for gap in (found.gap(first, other),)
    ]


def loss_figures(target: str, found: GroupErrors) -> list[Figure]:
    """Show the error of each group over log-SNR, and by how much the first exceeds the others."""
    first, *others = found.errors
    apart = {f"{first} minus {other}": found.gap_curve(first, other) for other in others}
    each = {group: found.curve(group) for group in found.errors}
    shown = _figure(each, found, f"Denoising error on images of each group, told '{target}'")
    return [shown, _figure(apart, found, f"How much worse one group is denoised, told '{target}'")]


def _figure(bands: Mapping[str, Band], found: GroupErrors, title: str) -> Figure:
    curves = {name: _points(band, found) for name, band in bands.items()}
    return Figure(
        name=slug(f"{title} {' '.join(bands)}"),
        title=title,
        x_label="log-SNR (nats): noise on the left, detail on the right",
        y_label="mean squared error of the noise prediction, summed over the latent",
        unit=Unit.ONE,
        band=f"{found.level:.0%} t interval over images",
        curves=tuple(Curve(name=name, points=points) for name, points in curves.items()),
    )


def _points(band: Band, found: GroupErrors) -> tuple[Point, ...]:
    rows = zip(found.log_snrs.tolist(), band.mean.tolist(), band.half_width.tolist(), strict=True)
    return tuple(Point(x=x, y=y, low=y - half, high=y + half) for x, y, half in rows)
