"""Where the sparse autoencoder of a site comes from: a choice in words, then a folder or a release."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.concepts.sae_catalogue import default_release
from biaskit.concepts.sae_loading import load_folder, load_published
from biaskit.errors import SparseAutoencoderMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
    from biaskit.records.estimate import Estimate
    from biaskit.records.site import Site

OWN_FOLDER = "saes"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """An autoencoder that fits, or the sentence that says why there is none.

    Attributes:
        autoencoder: The autoencoder.
        fvu: Its fraction of variance unexplained on the audited text.
        note: Which one was chosen, or why none was.
        squares: Of each noun, the squared errors and the squares about the mean that the fraction is of.
    """

    autoencoder: SparseAutoencoder | None
    fvu: Estimate | None
    note: str
    squares: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def find_autoencoder(
    choice: str, site: Site, model: str, folder: Path | None = None
) -> tuple[SparseAutoencoder | None, str]:
    """Return the autoencoder for a site and a sentence that says which it is, or why there is none.

    Args:
        choice: `auto` (the model folder's own, else a published one), `none`, a folder, or `release:id` of
            sae-lens's catalogue.
        site: Where it is to read.
        model: Name of the model as the user asked for it, such as `gpt2`.
        folder: Its local folder, which may hold autoencoders in `saes/<site>`; None where it has none.

    Raises:
        SparseAutoencoderMismatchError: The choice is none of these, or what it names does not read the site.
        BiaskitError: The autoencoder cannot be loaded.
    """
    if choice == "none":
        return None, "No sparse autoencoder was asked for."
    if choice != "auto":
        return _named(choice, site), f"The sparse autoencoder is {choice}."
    own = None if folder is None else folder / OWN_FOLDER / str(site)
    if own is not None and own.is_dir():
        return load_folder(own, site=site), f"The sparse autoencoder is the model folder's own for {site}."
    published = default_release(model, site)
    if published is None:
        return None, f"No published sparse autoencoder is known for {model} at {site}."
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
