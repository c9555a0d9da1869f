"""Curves of dose and response, shares side by side, and the images that fire a latent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.bias_features.measured import named
from biaskit.images.tiles import png
from biaskit.records.contact_sheet import ContactSheet, Tile
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.estimate import Unit
from biaskit.records.figure import Curve, Figure, Point, Role
from biaskit.records.table import Table, slug
from biaskit.stats.proportions import wilson

if TYPE_CHECKING:
    from biaskit.analyzers.bias_features.leans import Leans
    from biaskit.analyzers.bias_features.study import GroupStudy
    from biaskit.analyzers.bias_features.turning import Turning
    from biaskit.steering.ranking import Codes, Ranking
    from biaskit.steering.trajectories import Trajectories

_BAND = "95 % interval over images"
COLUMNS = {
    "latent": "Number of the latent.",
    "attribution": "Integrated gradients of the group's probability, summed over timesteps.",
    "edited": "Whether the edit of all latents holds it.",
    "effect": "Change of the group's share by this latent alone; empty where it was not tested.",
    "q": "McNemar's p of that change, corrected by Holm.",
}


def share_dots(leans: Leans, title: str) -> DotPlot:
    """Show the share of the groups for every target, widest lean first."""
    columns = range(1 if len(leans.groups) == 2 else len(leans.groups))
    away = abs(leans.shares - 1 / len(leans.groups)).max(axis=1)
    rows = []
    for row in sorted(range(len(leans.targets)), key=lambda one: -away[one]):
        n = int(leans.counts[row].sum())
        ends = {column: wilson(int(leans.counts[row, column]), n) for column in columns}
        dots = tuple(
            Dot(
                series=leans.groups[column],
                value=float(leans.shares[row, column]),
                low=ends[column].low,
                high=ends[column].high,
            )
            for column in columns
        )
        rows.append(DotRow(name=leans.targets[row], n=n, dots=dots))
    return DotPlot(
        name=slug(f"shares {title}"),
        title=f"Share of the groups in what is drawn, {title}",
        series=tuple(leans.groups[column] for column in columns),
        chance=1 / len(leans.groups),
        of="target",
        rows=tuple(rows),
    )


def instrument_curves(study: GroupStudy, ranking: Ranking) -> list[Figure]:
    """Show over timesteps what the autoencoder explains and how well the groups can be read."""
    explained = {float(step): value for step, value in study.autoencoder.record.explained.items()}
    read = {one.timestep: one.auc for one in ranking.probes if one.auc is not None}
    made = []
    for name, title, label, unit, values in (
        ("explained", "What the autoencoder explains", "share of variance", Unit.PROPORTION, explained),
        ("probes", "How well a linear probe reads the groups", "AUC, held out", Unit.AUC, read),
    ):
        if values:
            points = tuple(Point(x=step, y=values[step]) for step in sorted(values))
            made.append(
                Figure(
                    name=slug(f"{name} {study.title}"),
                    title=f"{title} at each timestep ({study.title})",
                    x_label="timestep: detail on the left, noise on the right",
                    y_label=label,
                    unit=unit,
                    chance=0.5 if unit is Unit.AUC else None,
                    curves=(Curve(name=str(study.settings.place.site), points=points),),
                )
            )
    return made


def dose_curves(turning: Turning, target: str, group: str) -> Figure:
    """Show the share of a group over the strengths of the edit, and what random latents do."""
    response = turning.response
    points = []
    for place, (strength, share) in enumerate(zip(response.strengths, response.shares, strict=True)):
        ends = response.interval(place)
        points.append(Point(x=strength, y=float(share), low=ends.low, high=ends.high))
    base, spread = float(response.shares[0]), turning.random
    chance = Point(
        x=turning.at,
        y=base + float(spread.mean()),
        low=base + float(spread.min()),
        high=base + float(spread.max()),
    )
    return Figure(
        name=slug(f"doses {target} {group}"),
        title=f"Share of '{group}' in images of '{target}' over the strength of the edit, fresh seeds",
        x_label="strength: 1 is the mean difference between the group and the others",
        y_label=f"share of '{group}'",
        unit=Unit.PROPORTION,
        band=f"{_BAND}; of random latents the range of {len(spread)} sets",
        curves=(
            Curve(name=f"{len(turning.edit.record.features)} latents", points=tuple(points)),
            Curve(name="random latents", role=Role.CONTROL, points=(Point(x=0.0, y=base), chance)),
        ),
    )


def latent_table(turning: Turning, ranking: Ranking, number: int, title: str) -> Table:
    """Return the latents with the largest attributions, in order."""
    tested = {one.latent: one for one in turning.singles}
    edited = set(turning.edit.record.features)
    rows, scores = [], ranking.scores[number]
    order = torch.argsort(scores, descending=True, stable=True)[: 5 * max(len(edited), 10)]
    for latent in order.tolist():
        one = tested.get(latent)
        effect = None if one is None else one.response.effect(1)
        q = None if one is None else one.null.adjusted
        rows.append((latent, float(scores[latent]), latent in edited, effect, q))
    return Table.of(named("latents", title), f"Latents by attribution, {title}", COLUMNS, rows)


def latent_sheets(
    study: GroupStudy, turning: Turning, codes: Codes, seen: Trajectories
) -> list[ContactSheet]:
    """Show the images that fire each tested latent most, over their whole trajectory."""
    if not study.settings.shown:
        return []
    return [_sheet(study, one.latent, codes, seen) for one in turning.singles]


def _sheet(study: GroupStudy, latent: int, codes: Codes, seen: Trajectories) -> ContactSheet:
    firing: Float[Tensor, " n"] = torch.stack([one[:, latent] for one in codes.latents.values()]).mean(dim=0)
    order = torch.argsort(firing, descending=True, stable=True)[: study.settings.shown].tolist()
    names = study.classifier.classes
    tiles = tuple(
        Tile(
            name=f"image {row}",
            image=png(seen.pixels[row]),
            label=names[int(seen.labels[row])],
            remark=f"fires {float(firing[row]):.2f}",
        )
        for row in order
    )
    return ContactSheet(
        name=slug(f"latent {latent} {study.title}"),
        title=f"Images that fire latent {latent} most ({study.title})",
        caption="Activation of the latent, mean over timesteps; the label is the classifier's.",
        tiles=tiles,
    )
