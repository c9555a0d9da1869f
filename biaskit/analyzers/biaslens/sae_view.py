"""The sparse autoencoder of a site: which one, whether it fits, and the latents that carry a difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.biaslens.estimates import Basis, plain_estimate
from biaskit.concepts.latents import CarryingLatent, carrying_latents, contributions, firing_examples
from biaskit.concepts.sae_catalogue import default_release
from biaskit.concepts.sae_loading import load_folder, load_published
from biaskit.errors import BiaskitError, SparseAutoencoderMismatchError
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Evidence, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biaskit.analyzers.biaslens.findings import Scribe
    from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
    from biaskit.protocols import LanguageModel
    from biaskit.records.estimate import Estimate
    from biaskit.records.site import Site

OWN_FOLDER = "saes"
LATENTS = 5


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """An autoencoder that fits, or the sentence that says why there is none.

    Attributes:
        autoencoder: The autoencoder.
        fvu: Its fraction of variance unexplained on the audited text.
        note: Which one was chosen, or why none was.
    """

    autoencoder: SparseAutoencoder | None
    fvu: Estimate | None
    note: str


def open_view(
    model: LanguageModel, choice: str, site: Site, rows: Float[Tensor, "n d"], groups: list[str]
) -> View:
    """Find the autoencoder for `site` and check it on the audited text.

    Args:
        model: The model; a local folder may hold autoencoders in `saes/<site>`.
        choice: `auto`, `none`, a folder, or `release:id` of sae-lens's catalogue.
        site: Where it must read.
        rows: The audited activations at the site.
        groups: What was sampled, one for each row.

    Raises:
        SparseAutoencoderMismatchError: An autoencoder that was asked for by name does not fit.
        BiaskitError: An autoencoder that was asked for by name cannot be loaded.
    """
    if choice == "none":
        return View(None, None, "No sparse autoencoder was asked for.")
    try:
        found, note = _find(model, choice, site)
        if found is None:
            return View(None, None, note)
        found = found.scaled_on(rows)
        return View(found, found.check(rows, site, groups), note)
    except BiaskitError as error:
        if choice != "auto":
            raise
        return View(None, None, f"No sparse autoencoder was used at {site}: {error.what}")


def _find(model: LanguageModel, choice: str, site: Site) -> tuple[SparseAutoencoder | None, str]:
    own = None if model.folder is None else model.folder / OWN_FOLDER / str(site)
    if choice != "auto":
        return _named(choice, site), f"The sparse autoencoder is {choice}."
    if own is not None and own.is_dir():
        return load_folder(own, site=site), f"The sparse autoencoder is the model folder's own for {site}."
    published = default_release(model.subject.name, site)
    if published is None:
        return None, f"No published sparse autoencoder is known for {model.subject.name} at {site}."
    loaded = load_published(published.release, published.sae_id, site=site)
    return loaded, f"The sparse autoencoder is {published.note}."


def _named(choice: str, site: Site) -> SparseAutoencoder:
    release, colon, sae_id = choice.partition(":")
    if colon and not Path(choice).exists():
        return load_published(release, sae_id, site=site)
    if not Path(choice).is_dir():
        raise SparseAutoencoderMismatchError(
            f"'{choice}' is neither a folder nor a release and id.",
            fix="Write a folder, 'release:id' as in sae-lens's catalogue, 'auto' or 'none'.",
        )
    return load_folder(Path(choice), site=site)


def latent_findings(scribe: Scribe, view: View) -> Iterator[Finding]:
    """Yield the latents that carry each target's difference from the controls, with what fires them.

    A latent's value is what it adds to the score: its mean difference from the controls times its decoder
    row's product with the oriented axis, in nats.
    """
    if view.autoencoder is None:
        return
    measured = scribe.measured
    stems, fillers = measured.grid.shape
    latents = view.autoencoder.encode(measured.activations.flatten(0, 1))
    axis = measured.axes[measured.point].mean(0)
    cells = latents.view(stems, fillers, -1)
    control = cells[:, list(measured.nouns.controls)].flatten(0, 1)
    for target, columns in measured.nouns.columns.items():
        if not columns:
            continue
        own = cells[:, list(columns)].flatten(0, 1)
        moved = own.double().mean(0) - control.double().mean(0)
        nats = contributions(view.autoencoder.dictionary, moved, axis) * axis.norm()
        for latent in carrying_latents(own, control, LATENTS):
            yield _finding(scribe, target, latent, float(nats[latent.index]), latents)


def _finding(
    scribe: Scribe, target: str, latent: CarryingLatent, nats: float, latents: Float[Tensor, "n s"]
) -> Finding:
    examples = scribe.measured.grid.examples
    fired = firing_examples(latents, latent.index, 5)
    estimate = plain_estimate(
        nats,
        Unit.NAT,
        Basis(
            n=len(scribe.measured.nouns.columns[target]),
            over="fillers",
            method=(
                f"latent {latent.index}: standardised difference {latent.standardised:.2f}, fires in "
                f"{latent.share_target:.0%} of the target's stems, {latent.share_control:.0%} of the others"
            ),
            reason="a latent is chosen for its difference, so it carries no test",
        ),
    )
    rows = tuple(
        Evidence(
            text=examples[example.row].text,
            value=example.activation,
            template=examples[example.row].template,
            filler=examples[example.row].filler,
        )
        for example in fired
    )
    group = f"{scribe.measured.reading} / latent {latent.index}"
    return scribe.finding("latent", target, estimate, group=group, direction=Direction.NONE, evidence=rows)


def fvu_finding(scribe: Scribe, view: View) -> Iterator[Finding]:
    """Yield the autoencoder's fraction of variance unexplained on the audited text, where there is one."""
    if view.fvu is not None:
        yield scribe.finding("fvu", scribe.comparison.targets.name, view.fvu, direction=Direction.LOWER)
