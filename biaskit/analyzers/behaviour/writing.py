"""Benchmarks on what a model writes itself: HONEST and counterfactual sentiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.behaviour.found import Found, findings_of, limited, roughness, sentences
from biaskit.behaviour import honest, sentiment
from biaskit.behaviour.files import terms
from biaskit.errors import NothingAuditedError
from biaskit.records.generation import Generation
from biaskit.records.prompt import Prompt
from biaskit.records.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.behaviour.analyzer import Behaviour
    from biaskit.behaviour.honest import HonestTemplate
    from biaskit.records.finding import Finding
    from biaskit.session import Session


_AT_ONCE = 64


def honest_found(session: Session, settings: Behaviour) -> Found:
    """Complete the templates, or have an encoder fill them in, and look for the lexicon's terms."""
    lexicon = terms(Path(settings.lexicon))
    read = honest.read_honest(settings.honest)
    templates, caveats = limited(read, settings.limit, session.rng("behaviour/honest"), "HONEST")
    complete = _completed if session.model.mask_token is None else _filled_in
    done = complete(session, settings, templates, lexicon)
    scores = honest.honest_scores(templates, done.shares)
    findings = findings_of(scores, honest.NAME, session.rng("behaviour/honest/null"))
    said = sentences([one for one in findings if one.estimate.null], 0, "HONEST, difference")
    return Found(
        findings,
        (*honest.PITFALLS, done.how),
        (_share(findings[0]), *said),
        (*caveats, *done.caveats, *roughness(scores)),
        (done.table,),
        ((honest.NAME, scores),),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Done:
    """How templates were completed.

    Attributes:
        shares: Share of each template's completions that hold a term.
        how: How they were made, one sentence.
        caveats: What could not be found, one sentence each.
        table: Every completion.
    """

    shares: Float[ndarray, " n"]
    how: str
    caveats: tuple[str, ...]
    table: Table


def _completed(
    session: Session, settings: Behaviour, templates: Sequence[HonestTemplate], lexicon: Sequence[str]
) -> _Done:
    """Let a causal model write, and search what it wrote for whole words."""
    written = _written(session, settings, [one.prompt for one in templates], "honest")
    found = [honest.hits(completions, lexicon) for completions in written]
    columns = {
        "template": "The beginning.",
        "category": "The group.",
        "completion": "What the model wrote.",
        "term": "The first term of the lexicon in it; empty where there is none.",
    }
    rows = [
        (one.prompt, one.category, text, hit)
        for one, texts, own in zip(templates, written, found, strict=True)
        for text, hit in zip(texts, own, strict=True)
    ]
    how = (
        f"HONEST: {settings.completions} completions of at most {settings.tokens} tokens for each of "
        f"{len(templates)} templates, {len(lexicon)} terms."
    )
    shares = np.array([float(np.mean([bool(hit) for hit in own])) for own in found])
    return _Done(shares, how, (), Table.of("honest", "HONEST, every completion", columns, rows))


def _filled_in(
    session: Session, settings: Behaviour, templates: Sequence[HonestTemplate], lexicon: Sequence[str]
) -> _Done:
    """Take an encoder's likeliest tokens for the blank as completions, as the original does.

    Raises:
        RequestError: The model has no head.
        NothingAuditedError: No term of the lexicon is one token for the model.
    """
    spelt = {spelling: term for term in lexicon for spelling in (term, term.capitalize())}
    known = session.model.single_token_words(list(spelt))
    tokens = {token: spelt[word] for word, token in known.items()}
    lost = sum(term not in set(tokens.values()) for term in lexicon)
    if not tokens:
        raise NothingAuditedError(
            f"HONEST: none of the {len(lexicon)} terms of the lexicon is one token for this encoder.",
            fix="Give a lexicon with common words, or audit a model that writes.",
        )
    found, chances = [], []
    for start in range(0, len(templates), _AT_ONCE):
        prompts = [Prompt(one.prompt) for one in templates[start : start + _AT_ONCE]]
        logprobs = session.model.next_token_logprobs(prompts).double().numpy()
        own, chance = honest.filled_in(logprobs, tokens, settings.completions)
        found += own
        chances += chance.tolist()
    columns = {
        "template": "The beginning; what follows is the blank and a full stop.",
        "category": "The group.",
        "terms": "Terms of the lexicon among the likeliest fill-ins, likeliest first.",
        "chance": "Probability that the model gives all terms of the lexicon together.",
    }
    rows = [
        (one.prompt, one.category, ", ".join(own), chance)
        for one, own, chance in zip(templates, found, chances, strict=True)
    ]
    how = (
        f"HONEST: the {settings.completions} likeliest tokens in the blank of each of {len(templates)} "
        f"templates, {len(lexicon)} terms."
    )
    caveat = f"HONEST: {lost} of {len(lexicon)} terms are no single token and fit no blank."
    shares = np.array([len(own) for own in found]) / settings.completions
    made = Table.of("honest", "HONEST, every blank", columns, rows)
    return _Done(shares, how, (caveat,) if lost else (), made)


def _share(one: Finding) -> str:
    found = one.estimate
    ends = f" [{found.interval.low:.3g}, {found.interval.high:.3g}]" if found.interval else ""
    return f"HONEST: {found.value or 0.0:.3g}{ends} of the completions hold a term of the lexicon; 0 is best."


def sentiment_found(session: Session, settings: Behaviour) -> Found:
    """Continue each beginning for each group and compare the tones."""
    material = sentiment.read_counterfactuals(settings.counterfactual)
    lexicon = sentiment.read_sentiment(settings.sentiment_lexicon)
    places = [
        (template, group, word)
        for template in material.templates
        for group, words in material.groups.items()
        for word in words
    ]
    prompts = [template.replace(sentiment.SLOT, word) for template, _, word in places]
    written = _written(session, settings, prompts, "sentiment")
    tones = [[sentiment.tone(text, lexicon) for text in texts] for texts in written]
    values = np.array([[0.5 if one is None else one for one in own] for own in tones])
    shape = (len(material.templates), len(material.groups), -1)
    rng = session.rng("behaviour/sentiment")
    both = sentiment.fairness(values.reshape(shape), rng, material.templates)
    findings = tuple(one.finding for one in both)
    silent = float(np.mean([one is None for own in tones for one in own]))
    caveats = (
        f"Counterfactual sentiment: {silent:.0%} of the texts hold no word of the lexicon and are neutral.",
    )
    columns = {
        "template": "The beginning with its slot.",
        "group": "The group.",
        "word": "The word in the slot.",
        "text": "What the model wrote.",
        "tone": "Mean tone of the words that the lexicon knows, 0 to 1; empty where it knows none.",
    }
    rows = [
        (*place, text, one)
        for place, texts, own in zip(places, written, tones, strict=True)
        for text, one in zip(texts, own, strict=True)
    ]
    return Found(
        findings,
        sentiment.PITFALLS,
        sentences(findings, 0, "Counterfactual sentiment"),
        caveats if silent else (),
        (Table.of("counterfactual-sentiment", "Counterfactual sentiment, every text", columns, rows),),
        ((sentiment.NAME, tuple(one.score for one in both)),),
    )


def _written(
    session: Session, settings: Behaviour, prompts: Sequence[str], label: str
) -> tuple[tuple[str, ...], ...]:
    seed = int(session.rng(f"behaviour/{label}/seed").integers(2**31))
    how = Generation(tokens=settings.tokens, samples=settings.completions, seed=seed)
    return session.model.generate([Prompt(prompt) for prompt in prompts], how)
