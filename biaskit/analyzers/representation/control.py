"""Does the classifier see each group when the prompt names it? Without that, shares would be its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from biaskit.analyzers.representation.pictures import Drawn
from biaskit.analyzers.representation.seeing import Reader
from biaskit.errors import InstrumentError
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding, FromRows
from biaskit.records.table import Cell, Table, slug
from biaskit.stats.proportions import wilson

if TYPE_CHECKING:
    from biaskit.records.prompt_set import GroupSet
    from biaskit.session import GroupComparison

COLUMNS = {
    "named": "The group that the prompt names.",
    "image": "Name of the image.",
    "seen": "The group that it is taken for.",
    "right": "Whether the two are the same.",
}


def named_control(
    compared: GroupComparison, reader: Reader, drawn: Drawn, images: int
) -> tuple[list[Finding], Table]:
    """Draw images with each group named beside the targets' nouns, and read which group they show.

    Returns the shares that are read right, and the images.

    Raises:
        InstrumentError: A group that is named is never seen.
    """
    about = f"{compared.targets.name} by {compared.groups.name}"
    found, rows = list[Finding](), list[tuple[Cell, ...]]()
    for number, group in enumerate(compared.groups.groups):
        batch = drawn.take(group, _joined(compared, number), 0, images)
        said, _ = reader.read(batch)
        found.append(_named(compared.groups, number, said, slug(f"named {about}")))
        names = list(compared.groups.groups)
        rows += [
            (group, image, names[seen], seen == number)
            for image, seen in zip(batch.names, said.tolist(), strict=True)
        ]
    return found, Table.of(slug(f"named {about}"), f"Images with a group named: {about}", COLUMNS, rows)


def _joined(compared: GroupComparison, number: int) -> list[str]:
    """Return a group's words beside the targets' nouns, all in turn."""
    groups, words = compared.groups, list(compared.groups.groups.values())[number]
    nouns = [noun for each in compared.targets.targets.values() for noun in each]
    forms = groups.forms
    return [
        groups.joined(words[i % len(words)], nouns[i % len(nouns)], forms[i % len(forms)])
        for i in range(len(nouns) * len(words))
    ]


def _named(groups: GroupSet, number: int, said: Int[ndarray, " n"], table: str) -> Finding:
    group, images = list(groups.groups)[number], len(said)
    hits = int(np.count_nonzero(said == number))
    if hits == 0:
        raise InstrumentError(
            f"'{group}' is never seen, though {images} prompts name it.",
            why=f"Either the classifier of '{groups.name}' cannot tell it, or the model does not draw it; "
            "shares would not tell which.",
            fix="Name another classifier, say in other words what stands for each group, or set named to 0.",
        )
    return Finding(
        metric="representation.named",
        concepts=(group,),
        group=groups.name,
        direction=Direction.HIGHER,
        rows=FromRows(table=table, column="right", where={"named": group}, units=("image",)),
        estimate=Estimate(
            value=hits / images,
            unit=Unit.PROPORTION,
            n=images,
            resampling_unit="images",
            method="share of images drawn with the group named that are read as that group",
            interval=wilson(hits, images),
            reason="A control of the classifier and the model together; it is not tested.",
        ),
    )
