"""What the numbers follow from: images, timesteps, images under edits, random sets and halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxtyping import Int
from numpy import ndarray

from biaskit.records.finding import FromRows, Statistic
from biaskit.records.table import Cell, Table, slug

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.analyzers.bias_features.turning import Turning
    from biaskit.steering.doses import Response
    from biaskit.steering.ranking import Overlap

ALL, UNITS = "all", ("image",)
IMAGES = {
    "target": "The target.",
    "image": "Name of the image.",
    "group": "The group that is asked for.",
    "shown": "Whether the image is taken for that group.",
}
STEPS = {
    "timestep": "The timestep, as the network is told it.",
    "explained": "Share of variance that the autoencoder explains; none where it was not measured.",
    "auc": "AUC of the probe of the groups on held-out images; none where a class was too rare.",
}
TURNS = {
    "latents": f"The latent that was edited; '{ALL}' for those of the whole edit.",
    "strength": "Strength of the edit; 1 is the mean difference between the group and the others.",
    "image": "Name of the image.",
    "before": "Whether it is taken for the group without an edit.",
    "shown": "Whether it is under the edit.",
}
SETS = {
    "set": "Number of the random set of latents.",
    "change": "Change of the group's share by it.",
    "moved": "How far that is from 0.",
}
HALVES = {
    "latent": "Number of the latent.",
    "first": "Whether it is a top latent of the first half of the images.",
    "second": "Whether it is one of the second half.",
}


def named(kind: str, title: str) -> str:
    """Return the name of one kind of table of a comparison."""
    return slug(f"{kind} {title}")


def image_table(
    title: str,
    owners: Sequence[str],
    images: Sequence[str],
    groups: Sequence[str],
    labels: Int[ndarray, " n"],
) -> Table:
    """Return what every image is taken for; of two groups the first alone."""
    asked = groups[:1] if len(groups) == 2 else groups
    rows = [
        (owner, image, group, label == number)
        for owner, image, label in zip(owners, images, labels.tolist(), strict=True)
        for number, group in enumerate(asked)
    ]
    return Table.of(named("images", title), f"Every image, {title}", IMAGES, rows)


def share_rows(title: str, target: str, group: str) -> FromRows:
    """Return the images that a share is the mean of."""
    where: dict[str, Cell | tuple[Cell, ...]] = {"target": target, "group": group}
    return FromRows(table=named("images", title), column="shown", where=where, units=UNITS)


def step_table(title: str, explained: dict[float, float], aucs: dict[float, float]) -> Table:
    """Return what is explained and read at each timestep, noisiest first."""
    steps = sorted({*explained, *aucs}, reverse=True)
    rows = [(step, explained.get(step), aucs.get(step)) for step in steps]
    return Table.of(
        named("timesteps", title), f"Autoencoder and probes at each timestep, {title}", STEPS, rows
    )


def turn_table(title: str, turning: Turning, images: Sequence[str]) -> Table:
    """Return what every image of fresh seeds shows under each edit."""
    edits = [(ALL, turning.response), *((_latent(one.latent), one.response) for one in turning.singles)]
    rows = [row for latents, response in edits for row in _turns(latents, response, images)]
    return Table.of(named("turns", title), f"Images of fresh seeds under edits, {title}", TURNS, rows)


def _turns(latents: str, response: Response, images: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    for dose, strength in enumerate(response.strengths):
        for image, hits in zip(images, response.hits.tolist(), strict=True):
            yield latents, float(strength), image, hits[0], hits[dose]


def _latent(number: int) -> str:
    return f"latent {number}"


def effect_rows(title: str, strength: float, latent: int | None = None) -> FromRows:
    """Return the images whose change is the effect of an edit."""
    latents = ALL if latent is None else _latent(latent)
    return FromRows(
        table=named("turns", title),
        column="shown",
        where={"latents": latents, "strength": float(strength)},
        units=UNITS,
        less="before",
    )


def fall_rows(title: str) -> FromRows:
    """Return the images over whose strengths a share falls or does not."""
    return FromRows(
        table=named("turns", title),
        column="shown",
        where={"latents": ALL},
        beside="strength",
        statistic=Statistic.FALL,
    )


def random_table(title: str, turning: Turning) -> Table:
    """Return what every random set of latents does."""
    rows = [(place, change, abs(change)) for place, change in enumerate(turning.random.tolist(), 1)]
    return Table.of(named("random latents", title), f"Random sets of latents, {title}", SETS, rows)


def random_rows(title: str) -> FromRows:
    """Return the random sets."""
    return FromRows(table=named("random latents", title), column="moved")


def half_table(title: str, overlap: Overlap) -> Table:
    """Return the latents that either half names."""
    first, second = overlap.tops
    rows = [(latent, latent in first, latent in second) for latent in sorted({*first, *second})]
    return Table.of(named("halves", title), f"Top latents of two halves of the images, {title}", HALVES, rows)


def half_rows(title: str) -> FromRows:
    """Return the latents that either half names."""
    return FromRows(
        table=named("halves", title), column="first", beside="second", statistic=Statistic.OVERLAP
    )


def best_rows(title: str) -> FromRows:
    """Return the latents with the largest attributions."""
    return FromRows(
        table=named("latents", title), column="attribution", beside="latent", statistic=Statistic.HIGHEST
    )
