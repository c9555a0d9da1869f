"""The heavy half of a run: open the model, run the analyzers, judge, write."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import biaskit
from biaskit import analyzers, gates, models
from biaskit.catalogue import Drawn
from biaskit.errors import MissingExtraError, NothingAuditedError, RequestError, TextTooLongError
from biaskit.hooks.store import ActivationStore
from biaskit.records.probe_set import Modality
from biaskit.records.report import ProbeSetRecord, RunRecord, Status
from biaskit.reporting import words
from biaskit.runner import calibrated, data, metrics
from biaskit.runner.environment import Meter, environment, peak_memory_mib
from biaskit.runner.limits import fewer_images
from biaskit.runner.modalities import check_model, modality, opens
from biaskit.runner.offline import guard
from biaskit.runner.run import Run
from biaskit.runner.spelling import spelt
from biaskit.session import Comparison, DiffusionSession, Session, VisionSession
from biaskit.triangulation import triangulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import JsonValue

    from biaskit.protocols import Analyzer, ModelAdapter
    from biaskit.records.any_probe_set import AnyProbeSet
    from biaskit.records.audit_spec import AnalyzerSpec
    from biaskit.records.finding import Analysis, Finding
    from biaskit.records.report import SubjectRecord
    from biaskit.runner.request import Request


AnySession: TypeAlias = Session | VisionSession | DiffusionSession


@dataclass(frozen=True, slots=True)
class _Work:
    """What the analyzers came back with.

    Attributes:
        analyses: What each finished analyzer found.
        status: How it ended.
        failure: What stopped it, if anything.
        missing: What was not measured because of that, one sentence each.
    """

    analyses: tuple[Analysis, ...]
    status: Status
    failure: BaseException | None = None
    missing: tuple[str, ...] = ()


def execute(request: Request, instead: Sequence[Analyzer] | None = None) -> Run:
    """Carry out a resolved request; `instead` is run in the place of its analyzers.

    Raises:
        NothingAuditedError: The one analyzer found nothing to read.
        RequestError: A setting, the model or what an analyzer needs is at fault and nothing was found yet.
        KeyboardInterrupt: Ctrl-C came before the model was open.
    """
    meter = Meter()
    with guard(active=request.offline):
        opened = opens(request, instead)
        wanted = modality(opened, request)
        named = [(one.name, _settings(one, request)) for one in request.spec.analyzers]
        built = analyzers.build_all(named) if instead is None else tuple(instead)
        chosen = [fewer_images(one, request.limit) for one in built]
        metrics.check_declared(request.spec.gates, chosen)
        calibrated.check_settings(request.spec, request.calibrations, _ran(chosen))
        pieces = spelt(request)
        model = _open(request)
        check_model(model, wanted, next(iter(opened)))
        session = _session(request, model, wanted)
        found = _analyze(chosen, session, request)
        work = _triangulated(_noted(found, (*getattr(model, "notes", ()), *pieces), request))
    run = _report(request, model.subject, work, meter, _sets(request, session))
    # A waiver is read on the day the run began.
    run = gates.judged(run, run.run.started_at.date(), request.baseline)
    run = run.stopped_by(work.failure)
    if request.out_dir is not None:
        run.save(request.out_dir)
    return run


def _ran(chosen: Sequence[Analyzer]) -> dict[str, dict[str, Any]]:
    """Return every setting of each analyzer."""
    return {one.name: asdict(one) for one in chosen}  # type: ignore[call-overload]


def _settings(asked: AnalyzerSpec, request: Request) -> dict[str, JsonValue]:
    """Return an analyzer's settings; in the profile `full` over those that it names for that."""
    whole = getattr(analyzers.load(asked.name), "full", {}) if request.spec.profile == "full" else {}
    return {**whole, **asked.settings}


def _session(request: Request, model: Any, wanted: Modality) -> AnySession:
    if wanted is Modality.IMAGE:
        opened: VisionSession = _heavy("vision", "vision").vision_session(request, model)
        return opened
    if wanted is Modality.TEXT_TO_IMAGE:
        drawing: DiffusionSession = _heavy("diffusion", "diffusion").diffusion_session(request, model)
        return drawing
    return Session(
        model=model,
        comparisons=tuple(Comparison(*one) for one in request.comparisons),
        store=ActivationStore(request.cache),
        seed=request.spec.seed,
        progress=request.progress,
        labelled=request.labelled,
    )


def _heavy(name: str, extra: str) -> Any:
    """Load what opens images, with Pillow, once there are any."""
    try:
        return import_module(f"biaskit.runner.{name}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "PIL", extra) from error


def _open(request: Request) -> ModelAdapter:
    return models.load(
        request.model, tokenizer=request.tokenizer, subject=request.spec.subject, offline=request.offline
    )


def _analyze(chosen: Sequence[Analyzer], session: AnySession, request: Request) -> _Work:
    """Run one analyzer after the other; what stops one does not lose what the others found."""
    done: list[Analysis] = []
    missing: list[str] = []
    failure: BaseException | None = None
    for analyzer in chosen:
        try:
            done.append(_analysis(analyzer, session, request))
        except KeyboardInterrupt as error:
            missing.append(f"{analyzer.name} and what comes after it: interrupted.")
            return _Work(tuple(done), Status.INTERRUPTED, error, tuple(missing))
        except Exception as error:  # one analyzer's crash must not lose what the others found
            if isinstance(error, RequestError | NothingAuditedError) and len(chosen) == 1:
                raise
            failure = failure or error
            missing.append(f"{analyzer.name}: stopped by {_named(error)}")
    return _Work(tuple(done), Status.ERROR if failure else Status.COMPLETE, failure, tuple(missing))


def _analysis(analyzer: Analyzer, session: AnySession, request: Request) -> Analysis:
    try:
        return analyzer.analyze(session)
    except TextTooLongError as error:
        raise data.too_long(error, request.labelled, request.spec.data, request.data_folder) from error


def _noted(work: _Work, own: tuple[str, ...], request: Request) -> _Work:
    """Add what model and images have to say of themselves, such as halved batches, to the first analysis."""
    left_out = tuple(remark for one in request.images for remark in getattr(one, "remarks", ()))
    if not (left_out or own) or not work.analyses:
        return work
    first, *rest = work.analyses
    said = {"caveats": (*left_out, *first.caveats), "notes": (*first.notes, *own)}
    noted = first.model_copy(update=said)
    return replace(work, analyses=(noted, *rest))


def _triangulated(work: _Work) -> _Work:
    """Add the views of each concept side by side where more than one analyzer looked."""
    if len(work.analyses) < 2:
        return work
    found = triangulate(finding for analysis in work.analyses for finding in analysis.findings)
    return work if found is None else replace(work, analyses=(*work.analyses, found))


def _named(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text}"


def _report(
    request: Request, subject: SubjectRecord, work: _Work, meter: Meter, sets: tuple[ProbeSetRecord, ...]
) -> Run:
    status = Status.PARTIAL if work.status is Status.COMPLETE and request.partial else work.status
    return Run(
        tool_version=biaskit.__version__,
        run=RunRecord(
            id=_id(request, subject, sets),
            started_at=meter.started_at,
            duration_s=meter.wall_s(),
            cpu_s=meter.cpu_s(),
            peak_memory_mib=peak_memory_mib(),
            status=status,
            command=request.command,
        ),
        subject=subject,
        spec=request.spec,
        spec_digest=request.spec.digest,
        probe_sets=sets,
        analyses=work.analyses,
        calibrations=request.calibrations,
        not_measured=(*work.missing, *_not_measured(work.analyses)),
        environment=environment(),
    )


def _sets(request: Request, session: AnySession) -> tuple[ProbeSetRecord, ...]:
    if isinstance(session, Session):
        return _probe_sets(request)
    drawn = request.drawn or Drawn()
    named = (*(one for comparison in drawn.comparisons for one in comparison), *drawn.prompts)
    asked = {one.name: one for one in named}
    return *_recorded(asked.values()), *(
        ProbeSetRecord(
            name=one.name, kind="images", digest=one.digest, source=one.source, licence=one.licence
        )
        for one in session.images
    )


def _recorded(sets: Iterable[AnyProbeSet]) -> tuple[ProbeSetRecord, ...]:
    return tuple(
        ProbeSetRecord(
            name=one.name, kind=one.kind, digest=one.digest, source=one.source, licence=one.licence
        )
        for one in sets
    )


def _probe_sets(request: Request) -> tuple[ProbeSetRecord, ...]:
    used = {one.name: one for comparison in request.comparisons for one in comparison}
    sets = _recorded(used.values())
    files = {Path(one.path).stem: Path(one.path).name for one in request.spec.data}
    own = [
        ProbeSetRecord(
            name=one.name,
            kind="data",
            digest=one.digest,
            source=files.get(one.name, "in memory"),
            licence="not stated",
        )
        for one in request.labelled
    ]
    return (*sets, *own)


def _id(request: Request, subject: SubjectRecord, sets: Iterable[ProbeSetRecord]) -> str:
    content = [request.spec.digest, subject.fingerprint, sorted(one.digest for one in sets)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _not_measured(analyses: Iterable[Analysis]) -> tuple[str, ...]:
    """Say once for each reason what has no value, and for which targets."""
    missing: dict[tuple[str, str], list[Finding]] = {}
    for analysis in analyses:
        for finding in analysis.findings:
            if finding.estimate.value is None:
                reason = (finding.estimate.reason or "").removeprefix(gates.UNDECIDED).strip()
                missing.setdefault((reason, finding.metric), []).append(finding)
    same: dict[tuple[str, str], list[str]] = {}
    for (reason, metric), found in missing.items():
        same.setdefault((reason, _targets(found)), []).append(words.metric(metric))
    return tuple(f"{'; '.join(metrics)} ({targets}): {reason}" for (reason, targets), metrics in same.items())


def _targets(findings: Sequence[Finding]) -> str:
    names = list(dict.fromkeys(finding.concepts[0] for finding in findings if finding.concepts))
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
