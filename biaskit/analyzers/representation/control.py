"""Does the classifier see each group when the prompt names it? Without that, shares would be its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.representation.pictures import Drawn
from biaskit.analyzers.representation.seeing import Reader
from biaskit.errors import InstrumentError
from biaskit.records.estimate import Estimate, Unit
from biaskit.records.finding import Direction, Finding
from biaskit.stats.proportions import wilson

if TYPE_CHECKING:
    from biaskit.session import GroupComparison


def named_control(compared: GroupComparison, reader: Reader, drawn: Drawn, images: int) -> list[Finding]:
    """Draw images with each group named beside the targets' nouns, and read which group they show.

    Raises:
        InstrumentError: A group that is named is never seen.
    """
    return [_named(compared, reader, drawn, number, images) for number in range(len(compared.groups.groups))]


def _named(compared: GroupComparison, reader: Reader, drawn: Drawn, number: int, images: int) -> Finding:
    groups = compared.groups
    group, words = list(groups.groups.items())[number]
    nouns = [noun for each in compared.targets.targets.values() for noun in each]
    forms = groups.forms
    joined = [
        groups.joined(words[i % len(words)], nouns[i % len(nouns)], forms[i % len(forms)])
        for i in range(len(nouns) * len(words))
    ]
    said, _ = reader.read(drawn.take(group, joined, 0, images))
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
