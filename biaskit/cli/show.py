"""`biaskit show`: everything about one name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from biaskit import analyzers, catalogue, organisms
from biaskit.cli import options
from biaskit.cli.shown import line, table
from biaskit.cli.shown import show as show_report
from biaskit.errors import MissingExtraError, UnknownNameError
from biaskit.records.probe_set import ReferencePair, TargetSet
from biaskit.records.prompt_set import GroupSet, PromptSet
from biaskit.records.report import Report
from biaskit.reporting.folder import REPORT, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biaskit.records.any_probe_set import AnyProbeSet
    from biaskit.records.audit_spec import AuditSpec
    from biaskit.records.prompt_set import PromptCase

_EXAMPLES = 3
_EXTRA_OF = {"vig-bias": "vision", "diffusion-pid": "diffusion", "representation": "diffusion"}


@click.command()
@click.argument("name")
@options.probes
@options.debug
def show(name: str, probes: Path | None) -> None:
    """Show a concept, a pair, groups, controls, an audit, an analyzer, an organism, or a run folder."""
    folders = (probes,) if probes else ()
    if (Path(name) / REPORT).is_file():
        show_report(read(Path(name), Report), Path(name))
    elif name in {entry.name for entry in analyzers.entries()}:
        _analyzer(name)
    elif name.removeprefix("organism:") in organisms.names():
        _organism(name.removeprefix("organism:"))
    elif name in catalogue.audit_specs():
        _audit(catalogue.audit_spec(name))
        if name in catalogue.probe_sets(folders):
            line("")
            _probe_set(catalogue.probe_set(name, folders))
    else:
        _probe_set(_found(name, folders))


def _found(name: str, folders: tuple[Path, ...]) -> AnyProbeSet:
    """Return a set by its name, or the set that a target's name means."""
    if name in catalogue.probe_sets(folders) or name.endswith(".toml"):
        return catalogue.probe_set(name, folders)
    try:
        return catalogue.resolve_target(name, folders)
    except UnknownNameError as error:
        known = (*catalogue.probe_sets(folders), *catalogue.audit_specs(), *organisms.names())
        names = (*known, *(entry.name for entry in analyzers.entries()), *error.near)
        raise UnknownNameError("concept, pair, audit, analyzer or organism", name, set(names)) from error


def _facts(rows: Iterable[tuple[str, str]]) -> None:
    table(("", ""), [(key, value) for key, value in rows if value])


def _probe_set(one: AnyProbeSet) -> None:
    line(f"{one.name}: {one.description}", "bold")
    _facts(
        [
            ("kind", one.kind),
            ("source", one.source),
            ("licence", one.licence),
            ("sha256", one.digest),
            *_holds(one),
        ]
    )


def _holds(one: AnyProbeSet) -> list[tuple[str, str]]:
    if isinstance(one, TargetSet):
        size = sum(len(words) for words in one.targets.values()) * len(one.templates)
        return [
            ("compared on", ", ".join(one.references)),
            ("controls", one.controls),
            ("templates", f"{len(one.templates)}, such as: {' / '.join(one.templates[:_EXAMPLES])}"),
            ("sentences", str(size)),
            *((f"target {target}", ", ".join(words)) for target, words in one.targets.items()),
        ]
    if isinstance(one, ReferencePair):
        return [
            ("poles", " - ".join(one.poles)),
            ("templates", f"{len(one.templates)}, such as: {' / '.join(one.templates[:_EXAMPLES])}"),
            *((f"states {pole}", ", ".join(words)) for pole, words in one.fillers.items()),
            *((f"continues {pole}", ", ".join(words)) for pole, words in one.continuations.items()),
            *((f"stems ({kind})", " / ".join(words)) for kind, words in one.stems.items()),
            *((f"reverse stems ({kind})", " / ".join(words)) for kind, words in one.reverse_stems.items()),
        ]
    if isinstance(one, GroupSet):
        return [
            ("stand beside", f"{one.noun_class}s"),
            ("forms", " / ".join(one.forms)),
            *((f"group {group}", ", ".join(words)) for group, words in one.groups.items()),
        ]
    if isinstance(one, PromptSet):
        return [("study", one.study), *((case.text, _asked(case)) for case in one.cases)]
    return [("nouns", ", ".join(one.fillers))]


def _asked(case: PromptCase) -> str:
    """Say which words, pairs and replacements of a prompt are asked about."""
    pairs = ", ".join(f"{first} with {second}" for first, second in case.pairs)
    instead = ", ".join(f"{new} for {word}" for word, new in case.replacements.items())
    return "; ".join(part for part in (", ".join(case.words), pairs, instead, case.remark) if part)


def _audit(spec: AuditSpec) -> None:
    line(f"{spec.name}: {spec.description}", "bold")
    limits = [
        (
            f"gate {gate.id}",
            f"{gate.metric} {_limit(gate.at_least, '≥')} {_limit(gate.at_most, '≤')} {gate.rationale}",
        )
        for gate in spec.gates
    ]
    _facts(
        [
            ("concepts", ", ".join(spec.concepts)),
            ("references", ", ".join(spec.references)),
            ("data", ", ".join(one.path for one in spec.data)),
            ("images", ", ".join(one.path for one in spec.images)),
            ("encoder", spec.encoder.model if spec.encoder else ""),
            ("classifiers", ", ".join(one.model for one in spec.classifiers)),
            ("analyzers", ", ".join(one.name for one in spec.analyzers)),
            ("sha256", spec.digest),
            *limits,
        ]
    )


def _limit(value: float | None, sign: str) -> str:
    return "" if value is None else f"{sign} {value:g}"


def _organism(name: str) -> None:
    line(f"organism:{name}", "bold")
    card = organisms.folder(name) / "README.md"
    line(card.read_text(encoding="utf-8") if card.is_file() else str(organisms.folder(name)))


def _analyzer(name: str) -> None:
    entry = analyzers.find(name)
    try:
        kind: Any = analyzers.load(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), _EXTRA_OF.get(name, "text")) from error
    line(f"{name}: {(kind.__doc__ or '').strip().splitlines()[0]}", "bold")
    _facts([("from", entry.provider), ("opens", str(kind.modality)), ("unit", str(kind.unit))])
    for one in analyzers.settings_of(kind):
        line(f"{one.name} = {one.default}", "bold")
        line(f"    {one.meaning}".rstrip())
        line(f"    Takes {one.takes}.")
    _facts([*(("null", text) for text in kind.nulls), *(("limit", text) for text in kind.limitations)])
