"""What is compared with what: targets, the reference pair, and controls that fit the same slots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from biaskit.catalogue.audit_files import inside
from biaskit.catalogue.folders import find
from biaskit.catalogue.naming import probe_set, unknown, usable
from biaskit.catalogue.reading import read_probe_set
from biaskit.errors import CatalogueError
from biaskit.records.any_probe_set import AnyProbeSet
from biaskit.records.probe_set import ControlSet, Modality, ReferencePair, TargetSet
from biaskit.records.prompt_set import GroupSet, PromptSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Matched = tuple[TargetSet, ReferencePair, ControlSet]
S = TypeVar("S", TargetSet, ReferencePair, ControlSet, GroupSet)

_ROLES: Mapping[type, str] = {
    TargetSet: "target set",
    ReferencePair: "reference pair",
    ControlSet: "control set",
    GroupSet: "set of groups",
    PromptSet: "set of prompts",
}
_LISTED: Mapping[type, str] = {
    TargetSet: "concepts",
    ReferencePair: "references",
    ControlSet: "controls",
    GroupSet: "references",
}


def resolve_target(name: str, folders: Sequence[str | Path] = ()) -> TargetSet:
    """Return the targets that `name` means: a whole set, or a set narrowed to one of its targets.

    `food` and `my/probes/food.toml` are whole sets, `winobias-occupations/nurse` is one target of a set, and
    `nurse` is a target that only one set has.

    Raises:
        UnknownNameError: No set or target has this name; the nearest sets, targets and poles are named.
        CatalogueError: The name is a pair, a pole or a control set, or several sets have the target.
    """
    origin = find("probes", name, folders)
    if origin is not None:
        return as_kind(TargetSet, read_probe_set(origin.path))
    sets = tuple(usable(folders))
    matches = list(_narrowed(name, sets))
    if len(matches) == 1:
        return matches[0]
    if matches:
        written = " or ".join(f"'{found.name}/{name}'" for found in matches)
        raise CatalogueError(f"Several probe sets have a target '{name}'.", fix=f"Write {written}.")
    for pair in _with_pole(name, sets):
        raise CatalogueError(
            f"'{name}' is a pole of the reference pair '{pair.name}', not a concept to audit.",
            fix=f"Name a concept, and '{pair.name}' as its reference.",
        )
    raise unknown("concept", name, folders)


def reference_pair(name: str, folders: Sequence[str | Path] = ()) -> ReferencePair:
    """Return the reference pair that `name` means: a pair's name or path, or the name of one of its poles.

    Raises:
        UnknownNameError: No pair or pole has this name; the nearest sets, targets and poles are named.
        CatalogueError: The name is no reference pair, or several pairs have the pole.
    """
    origin = find("probes", name, folders)
    if origin is not None:
        return as_kind(ReferencePair, read_probe_set(origin.path))
    matches = list(_with_pole(name, usable(folders)))
    if len(matches) == 1:
        return matches[0]
    if matches:
        written = " or ".join(f"'{pair.name}'" for pair in matches)
        raise CatalogueError(f"Several reference pairs have a pole '{name}'.", fix=f"Write {written}.")
    raise unknown("reference pair", name, folders)


def comparisons(
    concepts: Iterable[str],
    references: Iterable[str] = (),
    folders: Sequence[str | Path] = (),
    base: Path | None = None,
) -> tuple[Matched, ...]:
    """Return what is compared with what: targets, a reference pair, and controls for the same slots.

    Targets of one set stay together, so that they are one family of tests. A noun that is both a target and a
    control is left out of the controls.

    Args:
        concepts: Sets or targets, as `resolve_target` takes them.
        references: Pairs or poles to compare on; empty for those that each set names itself.
        folders: The user's folders of probe sets. A set given by its path also finds its pair and its
            controls beside it.
        base: Folder that paths among the names are relative to and must not leave; None: the working folder.

    Raises:
        UnknownNameError: A name is not known.
        CatalogueError: A file cannot be used; targets, pair and controls do not fit each other; or two of
            the sets have a name or a target in common, so that a report could not tell them apart.
    """
    named, overrides = rooted(concepts, base), rooted(references, base)
    found: list[Matched] = []
    for targets, own in merged((resolve_target(name, folders), beside(name)) for name in named):
        places = (*folders, *own)
        controls = as_kind(ControlSet, probe_set(targets.controls, places))
        wanted = (reference_pair(name, places) for name in overrides or targets.references)
        pairs = {pair.name: pair for pair in wanted}
        found.extend(_fitted(targets, pair, controls) for pair in pairs.values())
    return tuple(found)


def as_kind(wanted: type[S], found: AnyProbeSet) -> S:
    """Return a set that is of the kind that is wanted.

    Raises:
        CatalogueError: It is of another kind.
    """
    if isinstance(found, wanted):
        return found
    raise CatalogueError(
        f"'{found.name}' is a {_ROLES[type(found)]}; a {_ROLES[wanted]} is needed here.",
        fix=f"See `biaskit list {_LISTED[wanted]}`.",
    )


def _narrowed(name: str, sets: Iterable[AnyProbeSet]) -> Iterator[TargetSet]:
    for found in sets:
        if isinstance(found, TargetSet):
            target = name.removeprefix(f"{found.name}/")
            # A bare name means sentences: targets of prompts are named with their set.
            named = target != name or found.modality is not Modality.TEXT_TO_IMAGE
            if named and target in found.targets:
                yield found.model_copy(update={"targets": {target: found.targets[target]}})


def _with_pole(name: str, sets: Iterable[AnyProbeSet]) -> Iterator[ReferencePair]:
    return (found for found in sets if isinstance(found, ReferencePair) and name in found.poles)


def rooted(names: Iterable[str], base: Path | None) -> tuple[str, ...]:
    """Return names with their paths below `base`.

    Raises:
        CatalogueError: A path leaves it.
    """
    if base is None:
        return tuple(names)
    return tuple(str(inside(base, name)) if name.endswith(".toml") else name for name in names)


def beside(name: str) -> tuple[Path, ...]:
    """Return the folder of a set that is given by its path."""
    return (Path(name).parent,) if name.endswith(".toml") else ()


def merged(sets: Iterable[tuple[TargetSet, tuple[Path, ...]]]) -> list[tuple[TargetSet, tuple[Path, ...]]]:
    """Put targets of one set together, so that they are one family of tests.

    Raises:
        CatalogueError: Two sets have a name or a target in common.
    """
    whole: dict[str, tuple[TargetSet, tuple[Path, ...]]] = {}
    for found, own in sets:
        known, places = whole.get(found.name, (found, ()))
        if _frame(known) != _frame(found):
            raise _ambiguous(f"Two different sets are named '{found.name}'.")
        union = known.model_copy(update={"targets": {**known.targets, **found.targets}})
        whole[found.name] = union, places + own
    seen: set[str] = set()
    for found, _ in whole.values():
        for target in found.targets:
            if target in seen:
                raise _ambiguous(f"The target '{target}' is in two of the sets.")
            seen.add(target)
    return list(whole.values())


def _frame(targets: TargetSet) -> str:
    return targets.model_copy(update={"targets": {}}).digest


def _ambiguous(what: str) -> CatalogueError:
    return CatalogueError(
        what, why="A report could not tell them apart.", fix="Rename one, or audit them in two runs."
    )


def _fitted(targets: TargetSet, pair: ReferencePair, controls: ControlSet) -> Matched:
    noun_class = targets.noun_class
    if controls.noun_class != noun_class:
        raise CatalogueError(
            f"The targets '{targets.name}' name {noun_class}s, their controls '{controls.name}' name "
            f"{controls.noun_class}s.",
            fix="Give the targets controls of their own class of nouns.",
        )
    if noun_class not in pair.stems:
        raise CatalogueError(
            f"The reference pair '{pair.name}' has no stems for {noun_class}s, which '{targets.name}' needs.",
            fix=f"Give the pair stems.{noun_class} and reverse_stems.{noun_class}.",
        )
    nouns = _folded(targets.targets)
    shared = nouns & (_folded(pair.fillers) | _folded(pair.continuations))
    if shared:
        raise CatalogueError(
            f"The word '{min(shared)}' is a target in '{targets.name}' and states a pole of '{pair.name}'.",
            fix="Take it out of one of the two.",
        )
    return targets, pair, _without(controls, nouns)


def _folded(words: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {word.casefold() for group in words.values() for word in group}


def without_targets(controls: ControlSet, targets: TargetSet) -> ControlSet:
    """Return controls without the nouns that are targets.

    Raises:
        CatalogueError: None is left.
    """
    return _without(controls, _folded(targets.targets))


def _without(controls: ControlSet, nouns: set[str]) -> ControlSet:
    kept = tuple(noun for noun in controls.fillers if noun.casefold() not in nouns)
    if not kept:
        raise CatalogueError(f"Every noun of '{controls.name}' is a target.", fix="Add other nouns to it.")
    return controls if len(kept) == len(controls.fillers) else controls.model_copy(update={"fillers": kept})
