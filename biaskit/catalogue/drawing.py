"""What a text-to-image model is asked about: targets with groups, and prompts that are taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biaskit.catalogue.folders import find
from biaskit.catalogue.matching import as_kind, beside, merged, resolve_target, rooted, without_targets
from biaskit.catalogue.naming import probe_set, unknown
from biaskit.catalogue.reading import read_probe_set
from biaskit.errors import CatalogueError, RequestError
from biaskit.records.probe_set import ControlSet, Modality, TargetSet
from biaskit.records.prompt_set import GroupSet, PromptSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Grouped = tuple[TargetSet, GroupSet, ControlSet]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a text-to-image model is asked about.

    Attributes:
        comparisons: Targets, groups and controls of each comparison.
        prompts: Prompts that are taken apart.
    """

    comparisons: tuple[Grouped, ...] = ()
    prompts: tuple[PromptSet, ...] = ()


def drawn(
    concepts: Iterable[str],
    references: Iterable[str] = (),
    folders: Sequence[str | Path] = (),
    base: Path | None = None,
) -> Drawn | None:
    """Return what names mean for a text-to-image model; None where they mean sentences of texts.

    Args:
        concepts: Sets of targets or of prompts, or single targets.
        references: Sets of groups to compare over; empty for those that each set of targets names itself.
        folders: The user's folders of probe sets.
        base: Folder that paths among the names are relative to and must not leave; None: the working folder.

    Raises:
        UnknownNameError: A name is not known.
        CatalogueError: A file cannot be used, or sets do not fit each other.
        RequestError: Some of the names are for texts and others for images.
    """
    names = rooted(concepts, base)
    found = [(_resolved(name, folders), beside(name)) for name in names]
    kinds = {one.modality is Modality.TEXT_TO_IMAGE for one, _ in found}
    if True not in kinds:
        return None
    if len(kinds) > 1:
        raise RequestError(
            "Some concepts are sentences for a language model, others prompts for a text-to-image model.",
            fix="Audit the two models in two runs.",
        )
    targets = merged((one, places) for one, places in found if isinstance(one, TargetSet))
    over = rooted(references, base)
    return Drawn(
        comparisons=tuple(
            each for one, places in targets for each in _grouped(one, over, (*folders, *places))
        ),
        prompts=tuple(one for one, _ in found if isinstance(one, PromptSet)),
    )


def _resolved(name: str, folders: Sequence[str | Path]) -> TargetSet | PromptSet:
    origin = find("probes", name, folders)
    if origin is not None:
        read = read_probe_set(origin.path)
        if isinstance(read, PromptSet):
            return read
    return resolve_target(name, folders)


def _grouped(targets: TargetSet, over: Sequence[str], places: Sequence[str | Path]) -> list[Grouped]:
    controls = as_kind(ControlSet, probe_set(targets.controls, places))
    if controls.noun_class != targets.noun_class:
        raise CatalogueError(
            f"The targets '{targets.name}' name {targets.noun_class}s, their controls '{controls.name}' name "
            f"{controls.noun_class}s.",
            fix="Give the targets controls of their own class of nouns.",
        )
    found = [_groups(name, places) for name in dict.fromkeys(over or targets.references)]
    for groups in found:
        _check_beside(groups, targets)
    return [(targets, groups, without_targets(controls, targets)) for groups in found]


def _groups(name: str, places: Sequence[str | Path]) -> GroupSet:
    origin = find("probes", name, places)
    if origin is None:
        raise unknown("set of groups", name, places)
    return as_kind(GroupSet, read_probe_set(origin.path))


def _check_beside(groups: GroupSet, targets: TargetSet) -> None:
    """Refuse groups whose words cannot join the targets' in a prompt."""
    if groups.noun_class != targets.noun_class:
        raise CatalogueError(
            f"The groups '{groups.name}' stand beside {groups.noun_class}s, and '{targets.name}' names "
            f"{targets.noun_class}s.",
            fix="Give the targets groups of their own class of nouns.",
        )
    shared = _words(targets.targets) & _words(groups.groups)
    if shared:
        raise CatalogueError(
            f"The word '{min(shared)}' is a target in '{targets.name}' and names a group in '{groups.name}'.",
            fix="Take it out of one of the two.",
        )


def _words(listed: Mapping[str, Iterable[str]]) -> set[str]:
    return {word.casefold() for words in listed.values() for word in words}
