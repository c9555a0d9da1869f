"""Where a word's vector is read: the word in a sentence, the sentence, or what the model says next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from biaskit.association import associations
from biaskit.concepts.nouns import Nouns
from biaskit.concepts.pole_tokens import pole_tokens
from biaskit.hooks.pooling import Pooling
from biaskit.records.probe_set import TARGET_SLOT, Example, expand
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site, SiteKind, named_sites
from biaskit.stats.correlation import Correlation, spearman

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.protocols import LanguageModel
    from biaskit.session import Comparison, Session


class View(StrEnum):
    """How a vector is taken."""

    WORD = "word"
    SENTENCE = "sentence"
    READOUT = "readout"


NO_WORDS = "the model predicts no words, so there is no behaviour to agree with"
POOLING = {View.WORD: Pooling.SPAN, View.SENTENCE: Pooling.LAST, View.READOUT: Pooling.LAST}
VIEW_WORDS = {
    View.WORD: "the word in its sentence, against words that state the poles",
    View.SENTENCE: "the end of its sentence, against sentences that state the poles",
    View.READOUT: "where the next word is chosen, against the output weights of the poles' words",
}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Associations of every noun of a comparison, read in one way at one site.

    Attributes:
        view: How vectors were taken.
        site: Where.
        cells: Associations less the controls' mean, context by context; contexts x nouns.
        alignment: Rank correlation with the behaviour over the neutral nouns alone; without a value where
            the model predicts no words.
        behaviour: Log-odds of the poles after each noun, averaged over stems, nats; None without words.
    """

    view: View
    site: Site
    cells: Float[ndarray, "g n"]
    alignment: Correlation
    behaviour: Float[ndarray, " n"] | None


def chosen_sites(model: LanguageModel, names: Sequence[str]) -> tuple[Site, ...]:
    """Return the sites of these names in the model's order; the residual stream after every block if none.

    Raises:
        UnknownNameError: The model has no such site; near names are given.
    """
    if not names:
        return tuple(site for site in model.sites() if site.kind is SiteKind.RESID_POST)
    wanted = named_sites(names, model.sites())
    for site in wanted:
        model.locate(site)
    return tuple(site for site in model.sites() if site in wanted)


def read(
    session: Session, comparison: Comparison, views: Sequence[View], sites: Sequence[Site]
) -> tuple[Nouns, tuple[Seen, ...]]:
    """Read every noun of a comparison in each view at each site, with the alignment of each.

    A model that predicts no words has no readout and nothing to be aligned with.

    Raises:
        NothingAuditedError: None of a pole's words is a single token for the model.
    """
    nouns = Nouns.of(comparison, session.model)
    speaks = session.model.predicts_words
    behaviour = _behaviour(session, comparison, nouns) if speaks else None
    seen = []
    for view in views:
        if view is View.READOUT and not speaks:
            continue
        for site, cells in _cells(session, comparison, nouns, view, sites).items():
            centred = _centred(cells, nouns.controls)
            aligned = _alignment(session, centred, behaviour, nouns)
            seen.append(Seen(view, site, centred, aligned, behaviour))
    return nouns, tuple(seen)


def _cells(
    session: Session, comparison: Comparison, nouns: Nouns, view: View, sites: Sequence[Site]
) -> dict[Site, Float[ndarray, "g n"]]:
    contexts = _contexts(comparison, nouns, view)
    rows = session.activations(_prompts(contexts), sites, POOLING[view])
    if view is View.READOUT:
        tokens = pole_tokens(session.model, comparison)
        poles = [session.model.unembedding(group).double().numpy() for group in (tokens.first, tokens.second)]
        attributes = {site: tuple(poles) for site in sites}
    else:
        stated = [comparison.pair.examples(pole) for pole in comparison.pair.poles]
        both = [session.activations(_prompts(one), sites, POOLING[view]) for one in stated]
        attributes = {site: tuple(one[site].double().numpy() for one in both) for site in sites}
    return {
        site: associations(rows[site].double().numpy(), *attributes[site]).reshape(-1, len(nouns.words))
        for site in sites
    }


def _contexts(comparison: Comparison, nouns: Nouns, view: View) -> tuple[Example, ...]:
    if view is View.READOUT:
        return expand(comparison.pair.stems[comparison.targets.noun_class], nouns.words, TARGET_SLOT)
    return expand(comparison.targets.templates, nouns.words)


def _prompts(examples: Sequence[Example]) -> list[Prompt]:
    return [Prompt(example.text, example.span) for example in examples]


def _behaviour(session: Session, comparison: Comparison, nouns: Nouns) -> Float[ndarray, " n"]:
    """Log-odds of the poles after each noun's stems, in nats, averaged over stems."""
    tokens = pole_tokens(session.model, comparison)
    prompts = _prompts(_contexts(comparison, nouns, View.READOUT))
    logprobs = session.model.next_token_logprobs(prompts, tokens.all).double()
    first = len(tokens.first)
    odds = torch.logsumexp(logprobs[:, :first], 1) - torch.logsumexp(logprobs[:, first:], 1)
    return np.asarray(odds.view(-1, len(nouns.words)).mean(0).numpy())


def _centred(cells: Float[ndarray, "g n"], controls: Sequence[int]) -> Float[ndarray, "g n"]:
    return np.asarray(cells - cells[:, list(controls)].mean(axis=1, keepdims=True))


def _alignment(
    session: Session, cells: Float[ndarray, "g n"], behaviour: Float[ndarray, " n"] | None, nouns: Nouns
) -> Correlation:
    neutral = list(nouns.controls)
    if behaviour is None:
        return Correlation(None, len(neutral), reason=NO_WORDS)
    return spearman(cells.mean(axis=0)[neutral], behaviour[neutral], rng=session.rng("association/alignment"))
