"""`biaskit fetch`: download all that an audit opens, so that it can run offline."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from biaskit import catalogue, models
from biaskit.cli import options, say
from biaskit.cli.shown import line, table
from biaskit.errors import BiaskitError, RequestError
from biaskit.models.encoders import find_encoder
from biaskit.records.audit_spec import AuditSpec, EncoderSpec, Subject
from biaskit.records.site import Site, SiteKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.models.sources import Source

_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
_Row = tuple[str, str, str, str]


@click.command()
@options.option("-c", "--config", help="An audit whose model, encoder and autoencoders are fetched.")
@options.option("--model", help="Hub id of the model, in the place of the audit's.")
@options.option("--revision", help="Commit, tag or branch on the hub.")
@options.option("--encoder", help="Hub id of a text-image encoder.")
@click.option(
    "--autoencoder", "named", multiple=True, metavar="RELEASE:ID", help="A sparse autoencoder; repeatable."
)
@click.option(
    "--autoencoders",
    "every",
    is_flag=True,
    help="The published sparse autoencoder of each layer; may be gigabytes.",
)
@click.option(
    "--allow-pickle", is_flag=True, help="Fetch weights stored as pickles too, where there are no others."
)
@options.debug
def fetch(config: str | None, named: tuple[str, ...], *, every: bool, **flags: Any) -> None:
    """Download the model, encoder and autoencoders of an audit into the hub's cache."""
    spec = catalogue.audit_spec(config) if config else AuditSpec(name="fetch")
    subject, encoder = _subject(spec, flags), _encoder(spec, flags)
    if subject is None and encoder is None and not named:
        raise RequestError(
            "Nothing was named to fetch.", fix="Give --model, --encoder, or an audit with --config."
        )
    rows: list[_Row] = []
    if subject is not None:
        source = models.on_disk(subject.model, subject, offline=False)
        rows.append(_row("model", source.name, source.revision, source.folder))
        rows += _layers(source) if every else ()
    if encoder is not None:
        rows.append(_fetched_encoder(encoder))
    rows += [_autoencoder(one) for one in dict.fromkeys((*named, *_of_analyzers(spec)))]
    table(("what", "name", "commit", "size"), rows)
    if subject is not None and not every and _wants_any(spec):
        line("Published autoencoders were not fetched; --autoencoders fetches that of each layer.")


def _subject(spec: AuditSpec, flags: dict[str, Any]) -> Subject | None:
    base = spec.subject or (Subject(model=flags["model"]) if flags["model"] else None)
    if base is None:
        return None
    given = {key: flags[key] for key in ("model", "revision") if flags[key]}
    return base.model_copy(update=given | {"allow_pickle": base.allow_pickle or flags["allow_pickle"]})


def _encoder(spec: AuditSpec, flags: dict[str, Any]) -> EncoderSpec | None:
    return EncoderSpec(model=flags["encoder"]) if flags["encoder"] else spec.encoder


def _fetched_encoder(encoder: EncoderSpec) -> _Row:
    folder = find_encoder(encoder.model).folder
    if folder is not None:
        return _row("encoder", encoder.model, None, folder)
    hub = import_module("biaskit.models.hub")
    fetched: Path = hub.fetch(encoder.model, encoder.revision, offline=False, allow_pickle=False)
    return _row("encoder", encoder.model, fetched.name, fetched)


def _of_analyzers(spec: AuditSpec) -> Iterator[str]:
    """Yield the autoencoders that analyzers name as `release:id`."""
    choices = (str(one.settings.get("autoencoder", "auto")) for one in spec.analyzers)
    yield from (one for one in choices if ":" in one and not Path(one).exists())


def _wants_any(spec: AuditSpec) -> bool:
    return any(one.settings.get("autoencoder", "auto") == "auto" for one in spec.analyzers)


def _layers(source: Source) -> Iterator[_Row]:
    """Fetch the published autoencoder of each layer; one that cannot be had is told, and the rest go on."""
    config = json.loads((source.folder / "config.json").read_text(encoding="utf-8")) if source.folder else {}
    layers = next((int(config[key]) for key in _LAYERS if key in config), 0)
    published = import_module("biaskit.concepts.sae_catalogue").default_release
    found = [published(source.name, Site(kind=SiteKind.RESID_POST, layer=layer)) for layer in range(layers)]
    if not any(found):
        line(f"No published sparse autoencoder is known for {source.name}.")
    for one in filter(None, found):
        try:
            yield _autoencoder(f"{one.release}:{one.sae_id}")
        except BiaskitError as error:
            say(f"{error.what} {error.why}", fg="yellow")


def _autoencoder(choice: str) -> _Row:
    release, _, sae_id = choice.partition(":")
    import_module("biaskit.concepts.sae_loading").load_published(release, sae_id)
    return ("autoencoder", choice, "", "")


def _row(what: str, name: str, revision: str | None, folder: Path | None) -> _Row:
    files = [one for one in folder.rglob("*") if one.is_file()] if folder and folder.is_dir() else []
    return what, name, (revision or "")[:12], f"{sum(one.stat().st_size for one in files) / 2**20:,.1f} MiB"
