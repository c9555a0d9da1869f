"""What a request would do, take and fetch; no model is opened, and nothing is guessed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from biaskit.errors import ModelLoadError
from biaskit.models.encoders import find_encoder
from biaskit.models.sources import SAFE, find_source
from biaskit.records.plan import Plan, Work
from biaskit.runner.modalities import modality, opens
from biaskit.runner.seeing import planned_gates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.models.sources import Source
    from biaskit.records.report import Report
    from biaskit.runner.request import Request

_MIB = 2**20


def plan(request: Request, earlier: Report | None = None) -> Plan:
    """Return what a request would do.

    Args:
        request: The request, in which every name has been found.
        earlier: A run to take time, memory and the spread of numbers from.

    Raises:
        RequestError: The analyzers do not read what was given.
    """
    modality(opens(request), request)
    subject = request.spec.subject
    source = find_source(str(request.model), bare=subject is not None and subject.factory is not None)
    duration, memory, basis = _cost(request, earlier)
    downloads = tuple(_downloads(request, source))
    sizes = [size for _, size in downloads if size is not None]
    return Plan(
        model=source.label,
        spec_digest=request.spec.digest,
        work=tuple(_work(request)),
        downloads=tuple(said for said, _ in downloads),
        download_mib=sum(sizes) if len(sizes) == len(downloads) else None,
        duration_s=duration,
        memory_mib=memory,
        weights_mib=_weights(source),
        cost_basis=basis,
        gates=planned_gates(request, earlier),
        warnings=tuple(_warnings(request)),
    )


def _work(request: Request) -> Iterator[Work]:
    """Yield what is read, kind by kind; analyzers read each thing once, whoever asks."""
    for targets, pair, controls in request.comparisons:
        nouns = sum(map(len, targets.targets.values())) + len(controls.fillers)
        for way, stems in (("", pair.stems), (" in the other direction", pair.reverse_stems)):
            count = len(stems.get(targets.noun_class, ()))
            said = f"prompts of {targets.name} on {pair.name}{way}: {count} stems x {nouns} nouns"
            yield Work(what=said, count=count * nouns)
    yield from (Work(what=f"texts of {one.name}", count=len(one.texts)) for one in request.labelled)
    yield from (Work(what=f"images of {one.name}", count=_size(one)) for one in request.images)
    if request.drawn is not None:
        for targets, groups, _ in request.drawn.comparisons:
            count, parts = len(targets.targets) * len(targets.templates), len(groups.groups)
            said = f"prompts of {targets.name} over {groups.name}: {count} alone and with {parts} groups"
            yield Work(what=said, count=count * (1 + parts))
        yield from (
            Work(what=f"prompts of {one.name}", count=len(one.cases)) for one in request.drawn.prompts
        )
    yield from (Work(what=f"analyzer {one.name}", count=1) for one in request.spec.analyzers)


def _size(images: object) -> int:
    names = getattr(images, "labels", None)
    return len(names) if names is not None else 0


def _downloads(request: Request, source: Source) -> Iterator[tuple[str, float | None]]:
    """Yield what is not on this machine, in words and in MiB; the hub is asked unless that is forbidden."""
    subject = request.spec.subject
    wanted = {} if source.folder is not None else {source.name: subject.revision if subject else None}
    if (
        request.spec.encoder is not None
        and (known := find_encoder(request.spec.encoder.model)).folder is None
    ):
        wanted[known.name] = request.spec.encoder.revision
    for name, revision in wanted.items():
        size, why = _size_on_hub(name, revision, offline=request.offline)
        if size != 0:
            said = f"{size:,.1f} MiB" if size is not None else f"not known how much, {why}"
            yield f"{name} from the hub: {said}", size


def _size_on_hub(name: str, revision: str | None, *, offline: bool) -> tuple[float | None, str]:
    try:
        hub = import_module("biaskit.models.hub")
    except ModuleNotFoundError:
        return None, "which takes biaskit[text] to look up"
    if offline:
        held = name in hub.cached_names()
        return (0.0, "") if held else (None, "as the hub is not asked offline")
    try:
        return hub.missing_bytes(name, revision) / _MIB, ""
    except ModelLoadError as error:
        held = name in hub.cached_names()
        return (0.0, "") if held else (None, f"as the hub was asked and said: {error.what}")


def _weights(source: Source) -> float | None:
    if source.folder is None:
        return None
    files = [source.folder] if source.folder.is_file() else source.folder.rglob("*")
    sizes = [one.stat().st_size for one in files if one.suffix in SAFE and "saes" not in one.parts]
    return sum(sizes) / _MIB if sizes else None


def _cost(request: Request, earlier: Report | None) -> tuple[float | None, float | None, str]:
    """Return time, memory and where they are from: an earlier run of the same work, or nothing."""
    if earlier is None:
        return None, None, "not known before a run; give an earlier one with --from"
    run, same_model = earlier.run, earlier.subject.name == str(request.model)
    if not same_model:
        return None, None, f"the run given with --from is of '{earlier.subject.name}'"
    measured, asked = earlier.spec.measured, request.spec.measured
    if parts := [key for key in asked if asked[key] != measured[key]]:
        why = f"memory of run {run.id[:8]}; its time is of other work ({', '.join(parts)} differ)"
        return None, run.peak_memory_mib, why
    if run.status.value != ("partial" if request.partial else "complete"):
        return None, run.peak_memory_mib, f"memory of run {run.id[:8]}, which was {run.status}"
    return run.duration_s, run.peak_memory_mib, f"run {run.id[:8]} on {earlier.subject.device}"


def _warnings(request: Request) -> Iterator[str]:
    if request.partial and request.spec.gates:
        yield "The run would be partial: no gate passes or fails on a part of the examples."
    if request.baseline is None and any(gate.against for gate in request.spec.gates):
        yield "A gate is against a baseline and none is named: it would be undecided."
