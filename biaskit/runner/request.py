"""What was asked, resolved and checked before torch or a single weight is loaded."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biaskit import analyzers, catalogue, gates
from biaskit.errors import RequestError, UnknownNameError
from biaskit.models.sources import find_source
from biaskit.records.audit_spec import AuditSpec
from biaskit.records.progress import Progress, Silent
from biaskit.records.report import Report
from biaskit.reporting.reading import read as read_run
from biaskit.runner import arguments, calibrated, data, images, instruments, metrics, planted
from biaskit.runner.limits import limited, limited_drawn
from biaskit.runner.spec_changes import NO_MODEL, change, validated

if TYPE_CHECKING:
    from biaskit.images.image_set import ImageSet
    from biaskit.records.audit_spec import DataSpec, ImageSpec
    from biaskit.records.calibration import Calibration
    from biaskit.records.labelled_texts import LabelledTexts
    from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet

_SUBJECT = ("revision", "dtype", "device", "batch_size", "factory", "allow_pickle")
DEFAULT_AUDIT = "quick"
PROJECT_FILE = "pyproject.toml"
SMOKE = 8
"""Most templates and fillers of a run in the profile `smoke`."""
FOR_DATA = "sparse-probing"
FOR_IMAGES = "vig-bias"
FOR_PROMPTS = "diffusion-pid"
_NO_CONCEPT = RequestError(
    "No concept was named and no data or images given.",
    fix="Give one, such as --concepts food (see `biaskit list concepts`), a file: --data reviews.csv, or, "
    "for a vision model, --images photos.",
)


class Options(data.DataOptions, images.ImageOptions, instruments.ClassifierOptions, total=False):
    """Everything about an audit that has a default; see also `DataOptions` and `ImageOptions`.

    Keys:
        analyzers: Names of the analyzers to run; default: those of the spec, else `biaslens`.
        settings: Settings of the analyzers; `name.key` for one analyzer, `key` for all that are run.
        changes: Any field of the spec by its path, such as `{"gates.0.at_most": 0.3}`.
        seed: Seed of every resampling, permutation and random direction.
        device, dtype, revision, batch_size: How the model is opened; see `Subject`.
        tokenizer: The tokenizer of a loaded model that does not carry one.
        out_dir: The run folder to write; None writes nothing, a call of `Run.save` can do it later.
        probes: Folder with probe sets of one's own.
        offline: Whether any attempt to reach the network is an error.
        cache: Folder of the activation store, or True for the user's cache; None or False keeps activations
            in memory only.
        profile: `smoke` (a few examples, the run is partial), `standard` or `full`; default: the spec's.
        baseline: An earlier run, its folder or report.json, for gates against a baseline.
        limit: Use at most so many templates and fillers, and rows or images of a label (20 or more); the
            run is marked partial.
        progress: Who is told how far the work is.
        command: The command line or call that repeats the run.
    """

    analyzers: Sequence[str]
    settings: Mapping[str, Any]
    changes: Mapping[str, Any]
    seed: int | None
    device: str | None
    dtype: str | None
    revision: str | None
    batch_size: int | None
    tokenizer: object
    out_dir: str | Path | None
    probes: str | Path | None
    offline: bool
    cache: str | Path | bool | None
    profile: str | None
    baseline: str | Path | None
    limit: int | None
    progress: Progress
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request in which every name has been found.

    Attributes:
        spec: What to do, complete.
        comparisons: Target set, reference pair and controls of each comparison.
        drawn: What a text-to-image model is asked about, in the place of comparisons.
        model: What to open: a name, a path, or a model that is already in memory.
        tokenizer: The tokenizer of a loaded model that does not carry one.
        out_dir: The run folder to write, or None.
        offline: Whether any attempt to reach the network is an error.
        cache: Folder of the activation store, or None.
        partial: Whether only a part of the examples is used.
        progress: Who is told how far the work is.
        command: The command line or call that repeats the run.
        labelled: The user's own labelled texts.
        images: The user's own images.
        encoder: The text-image encoder: its name, or one that is loaded already; None where none was named.
        captioner: Who describes images that carry no caption, or None.
        classifiers: Who tells groups from images: loaded already, or the spec of what to open.
        limit: Most images of a label in a part, or None.
        data_folder: Folder that paths of data are relative to, or None.
        baseline: The earlier run that gates against a baseline are judged by, or None.
        calibrations: Calibrations of the analyzers, where the spec names or requires them.
    """

    spec: AuditSpec
    comparisons: tuple[tuple[TargetSet, ReferencePair, ControlSet], ...]
    model: object
    drawn: catalogue.Drawn | None = None
    tokenizer: object = None
    out_dir: Path | None = None
    offline: bool = False
    cache: Path | None = None
    partial: bool = False
    progress: Progress = field(default_factory=Silent)
    command: str = ""
    labelled: tuple[LabelledTexts, ...] = ()
    images: tuple[images.Found, ...] = ()
    encoder: object = None
    captioner: object = None
    classifiers: tuple[object, ...] = ()
    limit: int | None = None
    data_folder: Path | None = None
    baseline: Report | None = None
    calibrations: tuple[Calibration, ...] = ()


def request(
    model: object,
    concepts: str | Sequence[str],
    references: str | Sequence[str],
    spec: AuditSpec | str | Path | None,
    options: Options,
) -> Request:
    """Resolve every name of a request.

    Raises:
        RequestError: Something is missing, or has a value that it cannot take.
        UnknownNameError: A concept, pair, audit or analyzer does not exist; near names are given.
        CatalogueError: A probe set or audit cannot be used.
    """
    arguments.check(options, Options.__annotations__)
    asked = (arguments.names("concepts", concepts), arguments.names("references", references))
    base, folder = _base(spec, named=model is not None or any(asked))
    own = _own(options)
    base = _with_own(base, own, model, asked[0], options)
    options = _fitting(base, own, asked, options, folder)
    complete = _complete(_asked(base, model, asked, options), own)
    limit, out_dir, probes = _limit(complete, options), options.get("out_dir"), options.get("probes")
    data_folder = None if own.files or own.texts else folder
    compared, drawn = _compared(complete, (probes,) if probes else (), None if any(asked) else folder, limit)
    return Request(
        spec=complete,
        comparisons=compared,
        drawn=drawn,
        model=_model(model, complete, folder),
        tokenizer=options.get("tokenizer"),
        out_dir=Path(out_dir) if out_dir is not None else None,
        offline=options.get("offline", False),
        cache=arguments.cache_folder(options.get("cache")),
        partial=limit is not None,
        progress=options.get("progress", Silent()),
        command=options.get("command", ""),
        labelled=data.read(complete.data, own.texts, data_folder, limit),
        images=images.find(complete.images, own.pictures, None if own.has_images else folder, limit),
        encoder=instruments.encoder_to_open(options, complete, folder),
        captioner=options.get("captioner"),
        classifiers=instruments.classifiers_to_open(options, complete, folder),
        limit=limit,
        data_folder=data_folder,
        baseline=_baseline(options.get("baseline"), complete),
        calibrations=calibrated.required(complete, folder),
    )


def _limit(spec: AuditSpec, options: Options) -> int | None:
    """Return how many examples are used at most: what was asked, or few in the profile `smoke`."""
    return options.get("limit") or (SMOKE if spec.profile == "smoke" else None)


def _baseline(path: str | Path | None, spec: AuditSpec) -> Report | None:
    """Read the run that gates are judged against, and refuse one that cannot be, before anything runs."""
    if path is None:
        return None
    before = read_run(Path(path), Report)
    gates.check_asked(before, spec)
    return before


@dataclass(frozen=True, slots=True)
class _Own:
    """Data and images that the call names; they take the place of the suite's.

    Attributes:
        files: Files of labelled texts.
        texts: Labelled texts in memory.
        places: Folders and files of images.
        pictures: Sets of images in memory.
    """

    files: tuple[DataSpec, ...]
    texts: tuple[LabelledTexts, ...]
    places: tuple[ImageSpec, ...]
    pictures: tuple[ImageSet, ...]

    @property
    def has_images(self) -> bool:
        """Whether the call names images."""
        return bool(self.places or self.pictures)


def _own(options: Options) -> _Own:
    return _Own(*data.asked(options), *images.asked(options))


def _with_own(
    base: AuditSpec, own: _Own, model: object, concepts: Sequence[str], options: Options
) -> AuditSpec:
    """Lay what the call names over the suite; an organism brings images or concepts of its own."""
    changes: dict[str, Any] = {}
    subject = base.subject.model if base.subject and model is None else ""
    named = str(model) if isinstance(model, str | Path) else subject
    if own.files or own.texts:
        changes["data"] = own.files
    if own.has_images:
        changes["images"] = own.places
    elif not (base.images or concepts or base.concepts or base.data or changes):
        changes["images"] = images.of_model(named)
    if not (concepts or base.concepts or base.data or own.files or own.texts):
        changes["concepts"] = planted.concepts(named)
    if (encoder := images.encoder(options)) is not None:
        changes["encoder"] = encoder
    if classifiers := instruments.classifiers(options)[0]:
        changes["classifiers"] = classifiers
    return base.model_copy(update=changes)


def _model(model: object, spec: AuditSpec, folder: Path | None) -> object:
    """Return what to open; a name is looked up here as far as that goes without loading anything."""
    if model is not None and not isinstance(model, str | Path):
        return model
    name = spec.subject.model if spec.subject else ""
    if model is None and folder is not None and name.startswith("."):
        name = str(catalogue.inside(folder, name))
    find_source(name, bare=spec.subject is not None and spec.subject.factory is not None)
    return name


def _base(spec: AuditSpec | str | Path | None, *, named: bool) -> tuple[AuditSpec, Path | None]:
    """Return the suite and its folder; a call that names nothing at all means the project file's."""
    if spec is None and not named and catalogue.has_audit(Path(PROJECT_FILE)):
        spec = PROJECT_FILE
    if spec is None:
        return catalogue.audit_spec(DEFAULT_AUDIT), None
    if isinstance(spec, AuditSpec):
        return spec, None
    if not isinstance(spec, str | Path):
        raise RequestError(f"'spec' cannot be {spec!r}.", fix="Give an audit's name, path or AuditSpec.")
    path = catalogue.audit_path(spec)
    return catalogue.read_audit_spec(path), path.parent


def _asked(
    base: AuditSpec, model: object, names: tuple[tuple[str, ...], tuple[str, ...]], options: Options
) -> AuditSpec:
    """Lay what was asked for over the suite: the call or command line wins over the file."""
    content: dict[str, Any] = base.model_dump(mode="json")
    subject = content["subject"] or {}
    if model is not None:
        subject["model"] = str(model) if isinstance(model, str | Path) else type(model).__name__
    given: Mapping[str, Any] = {**options}
    subject |= {key: given[key] for key in _SUBJECT if given.get(key) is not None}
    if classes := arguments.names("classes", options.get("classes") or ()):
        subject["classes"] = classes
    content["subject"] = subject or None
    content |= {key: names for key, names in zip(("concepts", "references"), names, strict=True) if names}
    content |= {key: given[key] for key in ("seed", "profile") if given.get(key) is not None}
    content["analyzers"] = _analyzers(content["analyzers"], options)
    if base.name == DEFAULT_AUDIT and _chosen(options):
        # The default's gate says nothing about an analyzer that somebody else wrote.
        content["gates"] = [gate for gate in content["gates"] if _judges(gate, content["analyzers"])]
    if {one["name"] for one in content["analyzers"]} != {one.name for one in base.analyzers}:
        content["description"] = ""
    for path, value in (options.get("changes") or {}).items():
        change(content, path, value)
    return validated(content)


def _fitting(
    base: AuditSpec,
    own: _Own,
    asked: tuple[tuple[str, ...], tuple[str, ...]],
    options: Options,
    folder: Path | None,
) -> Options:
    """Let an audit that names no analyzer, and the default one, run what is made for what was given."""
    is_default = base.name == DEFAULT_AUDIT
    if options.get("analyzers") or (base.analyzers and not is_default):
        return options
    if asked[0] or base.concepts:
        probes, place = options.get("probes"), None if any(asked) else folder
        names = asked[0] or base.concepts, asked[1] or base.references
        drawn = catalogue.drawn(*names, (probes,) if probes else (), place)
        return options if drawn is None else {**options, "analyzers": (FOR_PROMPTS,)}
    if not is_default:
        return options
    fitting = FOR_IMAGES if own.has_images or base.images else FOR_DATA
    return {**options, "analyzers": (fitting,)} if fitting in analyzers.BUILT_IN else options


def _compared(
    spec: AuditSpec, folders: tuple[str | Path, ...], base: Path | None, limit: int | None
) -> tuple[tuple[tuple[TargetSet, ReferencePair, ControlSet], ...], catalogue.Drawn | None]:
    """Return comparisons of texts, or what a text-to-image model is asked about."""
    drawn = catalogue.drawn(spec.concepts, spec.references, folders, base)
    if drawn is not None:
        return (), drawn if limit is None else limited_drawn(drawn, limit)
    compared = catalogue.comparisons(spec.concepts, spec.references, folders=folders, base=base)
    return tuple(limited(*one, limit=limit) for one in compared) if limit else compared, None


def _judges(gate: Mapping[str, Any], listed: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether one of the analyzers gives the gate's metric."""
    return str(gate["metric"]).partition(".")[0] in {one["name"].replace("-", "_") for one in listed}


def _analyzers(listed: list[dict[str, Any]], options: Options) -> list[dict[str, Any]]:
    known = {one["name"]: one["settings"] for one in listed}
    chosen = _chosen(options) or tuple(known) or (analyzers.DEFAULT,)
    wanted = dict(_unnested(options.get("settings") or {}))
    _owners_run(wanted, chosen)
    return [
        {"name": name, "settings": {**known.get(name, {}), **_settings_of(name, wanted)}} for name in chosen
    ]


def _chosen(options: Options) -> tuple[str, ...]:
    return arguments.names("analyzers", options.get("analyzers") or ())


def _unnested(wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every setting; those that stand under an analyzer's name as `name.key`."""
    known = {entry.name for entry in analyzers.entries()}
    for key, value in wanted.items():
        if isinstance(value, Mapping) and key in known:
            yield from ((f"{key}.{inner}", one) for inner, one in value.items())
        else:
            yield key, value


def _owners_run(wanted: Iterable[str], chosen: Sequence[str]) -> None:
    """Refuse a setting of an analyzer that is not run, which nothing would read."""
    for key in wanted:
        owner, dot, _ = key.rpartition(".")
        if dot and owner not in chosen:
            raise UnknownNameError("analyzer in this run", owner, chosen, fix=f"It stands in '{key}'.")


def _settings_of(name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    plain = {
        key: list(value) if isinstance(value, tuple | set | frozenset) else value
        for key, value in wanted.items()
    }
    own = {key.removeprefix(f"{name}."): value for key, value in plain.items() if key.startswith(f"{name}.")}
    return {key: value for key, value in plain.items() if "." not in key} | own


def _complete(spec: AuditSpec, own: _Own) -> AuditSpec:
    if spec.subject is None:
        raise NO_MODEL
    brought = any(analyzers.brings_material(one.name, one.settings) for one in spec.analyzers)
    if not (brought or spec.concepts or spec.data or own.texts or spec.images or own.pictures):
        # A misspelt organism or setting brings nothing to be asked about; its name is what is wrong.
        find_source(spec.subject.model, bare=spec.subject.factory is not None)
        for one in spec.analyzers:
            analyzers.check_material(one.name, one.settings)
        raise _NO_CONCEPT
    for analyzer in spec.analyzers:
        analyzers.find(analyzer.name)
    for gate in spec.gates:
        gates.check(gate)
    metrics.check(spec.gates)
    return spec


def parse_value(text: str) -> Any:
    """Read the value of a `key=value` option: a TOML value where it is one, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
