"""Finding a text remedy: split the units, choose the sites, fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from biaskit.errors import RequestError, UnknownNameError
from biaskit.mitigations.erase.behaviour import Behaviour, neutral_prompts
from biaskit.mitigations.erase.changes import check_strength
from biaskit.mitigations.erase.fitting import METHODS, Fitting, How
from biaskit.mitigations.erase.remedy import TextRemedy, TextRemedyRecord, edits_of
from biaskit.mitigations.erase.units import Units, UnitSplit, split_units
from biaskit.records.probe_set import Modality
from biaskit.records.reading import Reading
from biaskit.records.site import Site, SiteKind, named_sites

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from biaskit.hooks.edits import Edit
    from biaskit.protocols import LanguageModel
    from biaskit.records.prompt import Prompt
    from biaskit.session import Comparison, Session

_Choice: TypeAlias = "tuple[tuple[Site, ...], How]"

LEFT_AT_MOST = 0.2
"""Of choices that leave at most this share of the gap, the one that disturbs neutral text least is taken."""
SHRINKAGES = (0.1, 0.03, 0.01)
"""Of LEACE's covariance, to choose from; the first where there is nothing to choose by."""


@dataclass(frozen=True, slots=True)
class EraseAssociation:
    """Takes an association out of a language model's activations while it runs.

    Attributes:
        method: `mean-projection`, `leace`, `inlp`, `activation-addition` or `sae-ablation`.
        sites: Where it acts, such as `resid_post.6`; one is chosen on the fitted units if empty.
        strength: How much is done: up to 1 for what takes away, any factor for `activation-addition`.
        reading: Direction of reading that is mended.
        shrinkage: Of LEACE's covariance towards a sphere, 0 to 1; the more, the more a fit to shuffled labels
            erases too. One of `SHRINKAGES` is chosen on the fitted units if None.
        iterations: Most directions that INLP takes away.
        latents: How many latents `sae-ablation` takes away.
        autoencoder: `auto`, a folder, or `release:id` of sae-lens's catalogue.
    """

    name: ClassVar[str] = "erase"
    modality: ClassVar[Modality] = Modality.TEXT
    method: str = "leace"
    sites: tuple[str, ...] = ()
    strength: float = 1.0
    reading: str = str(Reading.GIVEN_TARGET)
    shrinkage: float | None = None
    iterations: int = 8
    latents: int = 8
    autoencoder: str = "auto"

    def __post_init__(self) -> None:
        """Refuse settings that name nothing or are out of range.

        Raises:
            UnknownNameError: A method, reading or site kind is not known; near names are given.
            RequestError: The strength, the shrinkage or a count is out of range.
        """
        if self.method not in METHODS:
            raise UnknownNameError("method", self.method, METHODS)
        if self.reading not in set(Reading):
            raise UnknownNameError("reading", self.reading, map(str, Reading))
        for name in self.sites:
            Site.parse(name)
        check_strength(self.strength, "adding" if self.method == "activation-addition" else "erasing")
        if not 0 <= (self.shrinkage or 0) <= 1 or min(self.iterations, self.latents) < 1:
            raise RequestError("shrinkage lies in 0 to 1; iterations and latents must be at least 1.")

    def find(self, session: Session, work: Path | None = None) -> TextRemedy:  # noqa: ARG002 - the protocol's
        """Fit a remedy for the session's one comparison; it is quick, so nothing is kept in `work`.

        Raises:
            RequestError: There is not exactly one comparison, units cannot be split, or the fit fails.
            UnknownNameError: The model has no such site; near names are given.
            NothingAuditedError: One of the poles has no word of one token.
        """
        comparison = _only(session)
        reading = Reading(self.reading)
        candidates = self._candidates(session.model)
        behaviour = Behaviour.of(session.model, comparison, reading)
        split = split_units(session.model, comparison, reading, session.rng("mitigation/split"))
        sites, how, chosen = _best(behaviour, split, self._choices(candidates, session.seed))
        changes = Fitting(behaviour, split.fitted, how).changes(sites)
        record = TextRemedyRecord(
            method=self.method,
            settings=self._own_settings()
            | {"sites": [str(site) for site in sites], "shrinkage": how.shrinkage},
            kind=changes[sites[0]].kind,
            strength=self.strength,
            sites=sites,
            chosen=chosen,
            reading=reading,
            model=session.model.subject.fingerprint,
            probe_sets=digests(comparison),
            units=split,
            seed=session.seed,
            digest="",
        )
        return TextRemedy.of(changes, record)

    def _own_settings(self) -> dict[str, Any]:
        """Return the settings of finding, without those that a subclass judges by."""
        return {one.name: getattr(self, one.name) for one in fields(EraseAssociation)}

    def how(self, seed: int) -> How:
        """Return the settings of the fit alone, with the first shrinkage where none is given."""
        shrinkage = SHRINKAGES[0] if self.shrinkage is None else self.shrinkage
        return How(self.method, shrinkage, self.iterations, self.latents, self.autoencoder, seed)

    def _choices(self, candidates: tuple[Site, ...], seed: int) -> list[_Choice]:
        """Return what may be chosen: each site, or the named ones together, with each shrinkage.

        The first is what is taken where nothing can be tried: the last site, with the first shrinkage.
        """
        many = self.method == "leace" and self.shrinkage is None
        hows = [replace(self.how(seed), shrinkage=one) for one in SHRINKAGES] if many else [self.how(seed)]
        places = [candidates] if self.sites else [(site,) for site in reversed(candidates)]
        return [(place, how) for how in hows for place in places]

    def _candidates(self, model: LanguageModel) -> tuple[Site, ...]:
        """Return the named sites bottom first, or those that may be chosen from.

        Where no site is named: the residual stream after every block; for `sae-ablation` those of them that
        the model's own folder has an autoencoder for, or the last.
        """
        if self.sites:
            wanted = named_sites(self.sites, model.sites())
            for site in wanted:
                model.locate(site)
            return tuple(site for site in model.sites() if site in wanted)
        stream = tuple(site for site in model.sites() if site.kind is SiteKind.RESID_POST)
        if self.method != "sae-ablation":
            return stream
        own = [site for site in stream if model.folder and (model.folder / "saes" / str(site)).is_dir()]
        return tuple(own) or stream[-1:]


def digests(comparison: Comparison) -> dict[str, str]:
    """Return the digest of each probe set of a comparison, by name."""
    parts = (comparison.targets, comparison.pair, comparison.controls)
    return {part.name: part.digest for part in parts}


def share_left(before: np.ndarray, after: np.ndarray, words: int) -> float:
    """Return what is left of the words' gaps, as a share: sum sign(before) after / sum |before|, by word."""
    gap = before[:, :words].mean(axis=0)
    left = float((np.sign(gap) * after[:, :words].mean(axis=0)).sum())
    return left / max(float(np.abs(gap).sum()), np.finfo(float).tiny)


def divergence(model: LanguageModel, prompts: Sequence[Prompt], edits: Mapping[Site, Edit]) -> np.ndarray:
    """Return KL(before || after) of the next token after each prompt, in nats."""
    before = model.next_token_logprobs(prompts).double()
    after = model.next_token_logprobs(prompts, None, edits).double()
    found: np.ndarray = (before.exp() * (before - after)).sum(1).clamp(min=0).numpy()
    return found


def _best(
    behaviour: Behaviour, split: UnitSplit, choices: Sequence[_Choice]
) -> tuple[tuple[Site, ...], How, str]:
    """Choose by halving the fitted units: fit on one half, look at the other."""
    if len(choices) == 1:
        return *choices[0], "There was nothing to choose."
    try:
        inner = split.inner(np.random.default_rng(choices[0][1].seed))
    except RequestError:
        return *choices[0], "The units are too few to choose a site or shrinkage; the first choice was taken."
    fitting, before = Fitting(behaviour, inner.fitted, choices[0][1]), behaviour.cells(inner.held_out)
    tried = [_trial(behaviour, fitting, (inner.held_out, before), choice) for choice in choices]
    good = [place for place, (left, _) in enumerate(tried) if abs(left) <= LEFT_AT_MOST]
    by_left = min(range(len(tried)), key=lambda place: abs(tried[place][0]))
    best = min(good, key=lambda place: tried[place][1]) if good else by_left
    (sites, how), (left, damage) = choices[best], tried[best]
    named = ", ".join(map(str, sites))
    shrunk = f" with shrinkage {how.shrinkage:g}" if len({one.shrinkage for _, one in choices}) > 1 else ""
    return (
        sites,
        how,
        (
            f"Of {len(choices)} choices, tried on half of the fitted units, {named}{shrunk} leaves "
            f"{left:.0%} of the gap at a KL divergence of {damage:.2g} nats on neutral text."
        ),
    )


def _trial(
    behaviour: Behaviour, fitting: Fitting, held_out: tuple[Units, np.ndarray], choice: _Choice
) -> tuple[float, float]:
    """Return what is left of the gap, and the divergence on neutral text, on units with the cells before."""
    (sites, how), (units, before) = choice, held_out
    edits = edits_of(fitting.changes(sites, how=how), 1.0)
    prompts, _ = neutral_prompts(units, np.random.default_rng(how.seed))
    left = share_left(before, behaviour.cells(units, edits), len(units.words))
    return left, float(divergence(behaviour.model, prompts, edits).mean())


def _only(session: Session) -> Comparison:
    if len(session.comparisons) != 1:
        raise RequestError(
            f"A remedy is found for one concept on one pair; {len(session.comparisons)} were given.",
            fix="Name one concept and one pair.",
        )
    return session.comparisons[0]
