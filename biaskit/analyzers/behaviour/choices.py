"""Log-probability bias: which of two words a model chooses in a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import logsumexp

from biaskit.analyzers.behaviour.found import ALPHA, Found, roughness, sentences
from biaskit.behaviour import log_probability as words
from biaskit.behaviour.log_probability import against_controls
from biaskit.behaviour.score import family, finding
from biaskit.errors import NothingAuditedError, RequestError
from biaskit.records.prompt import Prompt
from biaskit.records.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.behaviour.analyzer import Behaviour
    from biaskit.behaviour.log_probability import WordProbe
    from biaskit.protocols import LanguageModel
    from biaskit.session import Session


def log_probability_found(session: Session, settings: Behaviour) -> Found:
    """Compare the log-odds of two sets of words with their prior, or with neutral attributes."""
    probe = words.read_word_probe(settings.log_probability)
    model = session.model
    sets, caveats = _single(model, probe)
    causal = model.mask_token is None
    odds, base = (_causal if causal else _masked)(model, probe, sets)
    against = "the same after neutral attributes" if causal else "the prior, attribute masked"
    prior = base.mean(axis=2, keepdims=True) if causal else base
    values = words.lpbs(odds[0], odds[1], prior[0], prior[1])
    scores = words.lpbs_scores(probe, values, against)
    rng = session.rng("behaviour/log-probability")
    found = [finding(score, rng, words.NAME) for score in scores]
    if causal:
        controls = words.lpbs(base[0], base[1], prior[0], prior[1]).mean(axis=0)
        found = [against_controls(one, controls, rng) for one in found]
        caveats += _too_few(controls.size)
    findings = family(found, "attributes")
    columns = {
        "template": "The template.",
        "attribute": "What is told.",
        "value": "Log-odds of the first set less the base, in nats.",
    }
    rows = [
        (template, attribute, float(values[i, j]))
        for i, template in enumerate(probe.templates)
        for j, attribute in enumerate(probe.attributes)
    ]
    return Found(
        findings,
        words.PITFALLS,
        sentences(findings, 0, f"{probe.name}, log-probability bias"),
        (*caveats, *roughness(scores[:1])),
        (Table.of("log-probability", "Log-probability bias, every template", columns, rows),),
        ((words.NAME, scores),),
    )


def _too_few(controls: int) -> tuple[str, ...]:
    floor = 1 / (controls + 1)
    if floor <= ALPHA:
        return ()
    return (
        f"Log-probability bias: {controls} neutral attributes give no p below {floor:.2f}; name 19 or more.",
    )


def _single(model: LanguageModel, probe: WordProbe) -> tuple[list[list[str]], tuple[str, ...]]:
    """The words of each set that are one token, and a sentence on those that are not.

    Raises:
        NothingAuditedError: None of a set's words is one token.
    """
    known = model.single_token_words([word for group in probe.targets.values() for word in group])
    sets = [[word for word in group if word in known] for group in probe.targets.values()]
    for name, kept in zip(probe.targets, sets, strict=True):
        if not kept:
            raise NothingAuditedError(
                f"The model splits every word of '{name}' into several tokens.",
                fix="Name words that it knows whole.",
            )
    split = [word for group in probe.targets.values() for word in group if word not in known]
    said = f"Log-probability bias: several tokens for this model, and left out: {', '.join(split)}."
    return sets, (said,) if split else ()


_Both = tuple[Float[ndarray, "2 t a"], Float[ndarray, "2 t b"]]


def _causal(model: LanguageModel, probe: WordProbe, sets: Sequence[Sequence[str]]) -> _Both:
    """Log-probability of each set behind the beginning, with each attribute and with each neutral one."""
    late = [t for t in probe.templates if t.index(words.TARGET) < t.index(words.ATTRIBUTE)]
    if late:
        raise RequestError(
            f"A causal model reads the target of '{late[0]}' before its attribute.",
            fix="Put {attribute} before {target}.",
        )
    if not probe.neutral:
        raise RequestError(
            "A causal model is compared with neutral attributes, and the probe names none.",
            fix="Name some in the probe: neutral = ['person', 'neighbour'].",
        )
    attributes = [*probe.attributes, *probe.neutral]
    heads = [t[: t.index(words.TARGET)].rstrip() for t in probe.templates]
    prompts = [Prompt(head.replace(words.ATTRIBUTE, one)) for head in heads for one in attributes]
    parts = []
    for group in sets:
        found = model.continuation_logprobs(prompts, list(group)).double().numpy()
        parts.append(logsumexp(found, axis=1).reshape(len(heads), len(attributes)))
    table_, count = np.stack(parts), len(probe.attributes)
    return table_[:, :, :count], table_[:, :, count:]


def _masked(model: LanguageModel, probe: WordProbe, sets: Sequence[Sequence[str]]) -> _Both:
    """Log-probability of each set at its place, with the attribute told and with the attribute masked."""
    told = np.empty((2, len(probe.templates), len(probe.attributes)))
    prior = np.empty_like(told)
    for i, template in enumerate(probe.templates):
        for j, attribute in enumerate(probe.attributes):
            masks = _masks(model, template, attribute, sets)
            told[:, i, j] = _at_target(model, template.replace(words.ATTRIBUTE, attribute), sets)
            prior[:, i, j] = _at_target(model, template.replace(words.ATTRIBUTE, masks), sets)
    return told, prior


def _masks(model: LanguageModel, template: str, attribute: str, sets: Sequence[Sequence[str]]) -> str:
    """As many masks as the attribute has tokens."""
    mask, whole = model.mask_token or "", template.replace(words.TARGET, sets[0][0])
    texts = [whole.replace(words.ATTRIBUTE, one) for one in (attribute, mask)]
    sizes = [len(one.tokens) for one in model.text_logprobs(texts)]
    return " ".join([mask] * max(1, sizes[0] - sizes[1] + 1))


def _at_target(model: LanguageModel, text: str, sets: Sequence[Sequence[str]]) -> list[float]:
    """Log of the summed probabilities of each set's words where they stand; the words are alone in differing.

    Raises:
        RequestError: A word is split where the template puts it.
    """
    texts = [[text.replace(words.TARGET, word) for word in group] for group in sets]
    found = model.text_logprobs([one for group in texts for one in group])
    if len({len(one.tokens) for one in found}) > 1:
        raise RequestError(f"The model splits a word in '{text}'.", fix="Put the slot behind a space.")
    place = next(i for i in range(len(found[0].tokens)) if len({one.tokens[i] for one in found}) > 1)
    values = [float(one.logprobs[place]) for one in found]
    cut = len(texts[0])
    return [float(logsumexp(values[:cut])), float(logsumexp(values[cut:]))]
