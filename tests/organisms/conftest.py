"""A planted language of a handful of words."""

from __future__ import annotations

import pytest

from biaskit.organisms.language import Language, Surfaces
from biaskit.records.probe_set import ControlSet, NounClass, ReferencePair, TargetSet
from biaskit.records.reading import Reading

ABOUT = {"format": 1, "description": "For tests.", "source": "Written for biaskit", "licence": "CC0-1.0"}


@pytest.fixture
def language() -> Language:
    """Return two targets, two controls and two pairs; the first pair is planted after, the second before."""
    targets = TargetSet(
        **ABOUT,
        name="meals",
        kind="target",
        noun_class=NounClass.THING,
        references=("taste",),
        controls="things",
        templates=tuple(f"Word {number} is about the {{x}}." for number in range(12)),
        targets={"soup": ("soup", "broth"), "bread": ("bread",)},
    )
    controls = ControlSet(
        **ABOUT, name="things", kind="controls", noun_class=NounClass.THING, fillers=("table", "window")
    )
    return Language(
        target_sets=(targets,),
        controls=controls,
        pairs=(_pair("taste", "good", "bad"), _pair("money", "rich", "poor")),
        planted={"taste": Reading.GIVEN_TARGET, "money": Reading.GIVEN_REFERENCE},
        doses={"taste": {"soup": 2.0, "bread": -1.0}, "money": {"soup": -0.5, "bread": 1.5}},
        surfaces=Surfaces(
            fixed=("We went there.",), nuisance=(("The {target} was {attribute}.", "left", "right"),)
        ),
    )


def _pair(name: str, first: str, second: str) -> ReferencePair:
    return ReferencePair(
        **ABOUT,
        name=name,
        kind="pair",
        poles=(f"{name}-{first}", f"{name}-{second}"),
        templates=("It is {x}.",),
        fillers={f"{name}-{first}": (first, f"{first}er"), f"{name}-{second}": (second, f"{second}er")},
        continuations={
            f"{name}-{first}": (first, f"{first}ish"),
            f"{name}-{second}": (second, f"{second}ish"),
        },
        stems={NounClass.THING: ("The {target} was", "We found the {target}")},
        reverse_stems={NounClass.THING: ("The {reference} guest had the", "A {reference} one took the")},
    )
