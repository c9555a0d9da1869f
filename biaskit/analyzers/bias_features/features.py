"""The autoencoder of a run: given, kept from an earlier run, or trained on what the model draws."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from biaskit.concepts.site_autoencoder import SiteAutoencoder
from biaskit.errors import RequestError
from biaskit.steering.learning import learn

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.analyzers.bias_features.analyzer import BiasFeatures
    from biaskit.records.probe_set import TargetSet
    from biaskit.session import DiffusionSession

LEARNT_FROM = 1_000_000_000
"""Seeds of images that an autoencoder is trained on start here, apart from those that are measured."""


def obtained(
    settings: BiasFeatures, session: DiffusionSession, targets: TargetSet
) -> tuple[SiteAutoencoder, str]:
    """Return the autoencoder and where it comes from, one sentence.

    Raises:
        SparseAutoencoderMismatchError: It was trained on another model or site.
        RequestError: The folder holds none.
    """
    place, fingerprint = settings.place, session.model.subject.fingerprint
    if settings.autoencoder:
        read = SiteAutoencoder.load(settings.autoencoder).require(fingerprint, place.site)
        return read, f"The autoencoder was read from {settings.autoencoder}."
    said = [one.text for target in targets.targets for one in targets.positives(target)]
    order = session.rng("bias-features/prompts").permutation(len(said)).tolist()
    prompts = [said[number] for number in order]
    kept = _kept(settings, session, prompts)
    if kept is not None:
        with suppress(RequestError):
            read = SiteAutoencoder.load(kept).require(fingerprint, place.site)
            return read, "The autoencoder was trained by an earlier run with the same settings."
    session.model.locate(place.site)
    how = replace(settings.learning, seed=LEARNT_FROM + session.seed * 1_000_003)
    made = learn(session.model, place, prompts, how, session.progress)
    if kept is not None:
        made.save(kept)
    return made, f"An autoencoder was trained on {settings.images} images that the model drew for it."


def _kept(settings: BiasFeatures, session: DiffusionSession, prompts: list[str]) -> Path | None:
    """Folder of the cache, named by all that the autoencoder depends on."""
    if session.cache is None:
        return None
    place = settings.place
    content = [
        session.model.subject.fingerprint,
        str(place.site),
        place.layout,
        list(place.sampling),
        asdict(settings.learning),
        prompts,
        session.seed,
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return session.cache.parent / "autoencoders" / digest
