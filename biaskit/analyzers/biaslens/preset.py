"""The findings of preset `paper`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.biaslens.estimates import Basis, plain_estimate
from biaskit.analyzers.biaslens.long_table import PARTS, part_of, part_rows
from biaskit.analyzers.biaslens.paper import PaperSettings, by_latent, concept_vector, fit_probes, score
from biaskit.analyzers.biaslens.read_point import residual_sites
from biaskit.analyzers.biaslens.sae_choice import Audited, open_view
from biaskit.concepts.cav import PAPER_ITERATIONS
from biaskit.hooks.pooling import Pooling
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Finding, FromRows, Statistic
from biaskit.records.probe_set import expand
from biaskit.records.prompt import Prompt

if TYPE_CHECKING:
    from biaskit.analyzers.biaslens.analyzer import BiasLens
    from biaskit.records.probe_set import Example
    from biaskit.records.table import Cell
    from biaskit.session import Comparison, Session

NEGATIVES = 150
GROUP = "preset paper"
MOST_LATENTS = 1000
"""More than these are not kept: an autoencoder that fires so much is not sparse."""
BF16 = "The weights ran in a 16-bit format: cosines near 1 then lie on a coarse grid, and scores with them."


def paper_findings(
    session: Session, comparison: Comparison, settings: BiasLens, parts: list[tuple[Cell, ...]]
) -> tuple[list[Finding], list[str]]:
    """Return the published score of every target, unsigned, and notes on what it rests on.

    What each latent adds to it is put into `parts`.
    """
    examples = concept_examples(comparison)
    last = residual_sites(session.model)[-1]
    rows = session.activations(
        [Prompt(e.text, e.span) for group, _ in examples.values() for e in group], [last], Pooling.LAST
    )[last]
    fillers = [example.filler for group, _ in examples.values() for example in group]
    view = open_view(session, comparison, settings.autoencoder, Audited(last, rows, fillers))
    notes = [f"paper: {view.note}"]
    if session.model.subject.dtype in {"bfloat16", "float16"}:
        notes.append(BF16)
    if view.autoencoder is None:
        return [_finding(comparison, target, None, view.note) for target in comparison.targets.targets], notes
    chosen = paper_settings(settings)
    probes = {
        concept: fit_probes(session, *groups)
        for concept, groups in session.progress.track(examples.items(), "paper preset", len(examples))
    }
    vectors = {
        concept: concept_vector(session, own, view.autoencoder.encode, chosen)
        for concept, own in probes.items()
    }
    early = [probe for own in probes.values() for probe in own.values() if not probe.converged]
    if early:
        count = sum(map(len, probes.values()))
        notes.append(
            f"paper: {len(early)} of {count} logistic probes did not converge in {PAPER_ITERATIONS} "
            "iterations (scikit-learn's default); their directions depend on where they stopped."
        )
    return [_scored(comparison, target, vectors, parts) for target in comparison.targets.targets], notes


def paper_settings(settings: BiasLens) -> PaperSettings:
    """Return the analyzer's settings that belong to the preset."""
    return PaperSettings(
        prompt=settings.paper_prompt,
        tau=settings.paper_tau,
        delta=settings.paper_delta,
        norm=settings.paper_norm,
        positions=settings.paper_positions,
    )


def concept_examples(comparison: Comparison) -> dict[str, tuple[tuple[Example, ...], tuple[Example, ...]]]:
    """Return positives and negatives of both poles and of every target.

    The negatives of every concept are the same neutral sentences, the targets' templates with neutral nouns;
    the publication takes the same number of snippets of random web text for each.
    """
    targets, pair, controls = comparison.targets, comparison.pair, comparison.controls
    sentences = expand(targets.templates, controls.fillers)
    negatives = sentences[:: max(1, len(sentences) // NEGATIVES)]
    positives = {pole: pair.examples(pole) for pole in pair.poles}
    positives |= {target: targets.positives(target) for target in targets.targets}
    return {concept: (examples, negatives) for concept, examples in positives.items()}


def _scored(
    comparison: Comparison,
    target: str,
    vectors: Mapping[str, Float[Tensor, " s"] | None],
    parts: list[tuple[Cell, ...]],
) -> Finding:
    own, first, second = (vectors[name] for name in (target, *comparison.pair.poles))
    if own is None or first is None or second is None:
        return _finding(
            comparison, target, None, "the prompt is already past tau at every layer: nothing was steered"
        )
    value = score(own, first, second)
    reason = (
        "a concept vector is all zeros" if value is None else "the publication gives no interval and no null"
    )
    if value is None:
        return _finding(comparison, target, value, reason)
    added = by_latent(own, first, second)
    if len(added) > MOST_LATENTS:
        return _finding(comparison, target, value, reason, unkept=f"{len(added)} latents add to it")
    about = part_of("paper", target, comparison, GROUP, "the last layer's latents")
    parts.extend(part_rows(about, added, np.array([*added.values()])))
    rows = FromRows(table=PARTS, column="value", where=about, statistic=Statistic.SUM)
    return _finding(comparison, target, value, reason, rows=rows)


def _finding(comparison: Comparison, target: str, value: float | None, reason: str, **rest: Any) -> Finding:
    estimate = plain_estimate(
        value,
        Unit.COSINE,
        Basis(
            n=int(value is not None),
            over="steering prompts",
            method="BiasLens as published: |cos(C_t, C_1) - cos(C_t, C_2)|",
            reason=reason,
        ),
    )
    return Finding(
        metric="biaslens.paper",
        concepts=(target,),
        references=comparison.pair.poles,
        group=GROUP,
        direction=Direction.NONE,
        estimate=estimate,
        **rest,
    )
