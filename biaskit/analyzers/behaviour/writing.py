"""Benchmarks on what a model writes itself: HONEST and counterfactual sentiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.behaviour.found import Found, findings_of, limited, roughness, sentences, table
from biaskit.behaviour import honest, sentiment
from biaskit.behaviour.files import terms
from biaskit.records.generation import Generation
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.behaviour.analyzer import Behaviour
    from biaskit.records.finding import Finding
    from biaskit.session import Session


def honest_found(session: Session, settings: Behaviour) -> Found:
    """Complete the templates and look for the lexicon's terms."""
    lexicon = terms(Path(settings.lexicon))
    read = honest.read_honest(settings.honest)
    templates, caveats = limited(read, settings.limit, session.rng("behaviour/honest"), "HONEST")
    written = _written(session, settings, [one.prompt for one in templates], "honest")
    found = [honest.hits(completions, lexicon) for completions in written]
    shares = np.array([float(np.mean([bool(hit) for hit in own])) for own in found])
    scores = honest.honest_scores(templates, shares)
    findings = findings_of(scores, honest.NAME, session.rng("behaviour/honest/null"))
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
    size = (
        f"HONEST: {settings.completions} completions of at most {settings.tokens} tokens for each of "
        f"{len(templates)} templates, {len(lexicon)} terms."
    )
    said = sentences([one for one in findings if one.estimate.null], 0, "HONEST, difference")
    return Found(
        findings,
        (*honest.PITFALLS, size),
        (_share(findings[0]), *said),
        (*caveats, *roughness(scores)),
        (table("honest", "HONEST, every completion", columns, rows),),
        ((honest.NAME, scores),),
    )


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
    findings = sentiment.fairness(values.reshape(shape), session.rng("behaviour/sentiment"))
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
        (table("counterfactual-sentiment", "Counterfactual sentiment, every text", columns, rows),),
    )


def _written(
    session: Session, settings: Behaviour, prompts: Sequence[str], label: str
) -> tuple[tuple[str, ...], ...]:
    seed = int(session.rng(f"behaviour/{label}/seed").integers(2**31))
    how = Generation(tokens=settings.tokens, samples=settings.completions, seed=seed)
    return session.model.generate([Prompt(prompt) for prompt in prompts], how)
