"""Log-probability bias of words in templates (Kurita et al. 2019), against a prior or neutral words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydantic import AfterValidator, Field, model_validator

from biaskit.behaviour.files import document, records
from biaskit.behaviour.score import Score
from biaskit.errors import RequestError
from biaskit.records.base import Record
from biaskit.records.estimate import Unit
from biaskit.records.finding import Direction, Finding
from biaskit.records.probe_set import Words
from biaskit.stats.conformal import control_p
from biaskit.stats.power import minimum_detectable_effect

NAME = "log-probability"
TARGET, ATTRIBUTE = "{target}", "{attribute}"
PITFALLS = (
    "Log-probability bias: a lean in a template, not what the model does in an application; other "
    "templates can lean otherwise, so the interval counts templates.",
    "Log-probability bias: without the prior, or neutral words, a word that is frequent everywhere looks "
    "like a bias.",
)
_TWO = 2


def _slots(template: str) -> str:
    if template.count(TARGET) != 1 or template.count(ATTRIBUTE) != 1:
        raise ValueError(f"the template '{template}' must hold {TARGET} and {ATTRIBUTE} once each")
    return template


class WordProbe(Record):
    """Two sets of words that a model may choose between, and the attributes it is told."""

    name: str = Field(min_length=1)
    """Name of the probe."""
    templates: tuple[Annotated[str, AfterValidator(_slots)], ...] = Field(min_length=1)
    """Sentences with the slots `{target}` and `{attribute}`; templates are the sampled unit."""
    targets: dict[str, Words]
    """Two sets of words by name; a positive number leans to the first."""
    attributes: Words
    """What is told, such as occupations."""
    neutral: Words = ()
    """Attributes that lean to neither; a causal model is compared with them."""

    @model_validator(mode="after")
    def _two(self) -> Self:
        if len(self.targets) != _TWO:
            raise ValueError("a probe has two sets of targets")
        first, second = self.targets.values()
        both = set(first) & set(second)
        if both:
            raise ValueError(f"'{min(both)}' stands in both sets of targets")
        return self


def read_word_probe(path: Path | str) -> WordProbe:
    """Read a probe from TOML or JSON with the fields of `WordProbe`.

    Raises:
        RequestError: It is not well-formed or is no probe.
    """
    file = Path(path)
    content = document(file)
    if not isinstance(content, dict):
        raise RequestError(
            f"'{file}' holds no probe.", why="It has the keys templates, targets and attributes."
        )
    return records(file, {1: {"name": file.stem, **content}}, WordProbe.model_validate)[0]


def lpbs(
    first: Float[ndarray, "t a"],
    second: Float[ndarray, "t a"],
    first_prior: Float[ndarray, "t b"],
    second_prior: Float[ndarray, "t b"],
) -> Float[ndarray, "t a"]:
    """`log(p(t1) / prior(t1)) - log(p(t2) / prior(t2))`, in nats, from log-probabilities.

    Of a set of words the probabilities are summed before the logarithm is taken. A prior has one column, or
    one for each attribute.
    """
    return np.asarray((first - first_prior) - (second - second_prior))


def lpbs_scores(probe: WordProbe, values: Float[ndarray, "t a"], against: str) -> tuple[Score, ...]:
    """Score each attribute over templates; 0 is neutral, positive leans to the first set."""
    names = list(probe.targets)
    return tuple(
        Score(
            metric="log_probability",
            rows=values[:, column],
            clusters=np.array(probe.templates),
            sampled="templates",
            method=f"log-odds of {names[0]} against {names[1]}, less {against}",
            unit=Unit.NAT,
            direction=Direction.TOWARD_ZERO,
            neutral=0.0,
            bounds=None,
            group=attribute,
            texts=[template.replace(ATTRIBUTE, attribute) for template in probe.templates],
            headline=True,
        )
        for column, attribute in enumerate(probe.attributes)
    )


def against_controls(found: Finding, controls: Float[ndarray, " c"], rng: np.random.Generator) -> Finding:
    """Test an attribute against the neutral ones: words differ from each other without any bias.

    The null of signs over templates would call every word's own little lean a finding. Here p is the share of
    neutral attributes that lie as far from the rest (conformal), and what can be seen is their spread.
    """
    estimate = found.estimate
    if estimate.value is None or controls.size < _TWO:
        return found
    null = control_p(np.array([estimate.value]), controls, rng=rng)
    smallest = minimum_detectable_effect(
        float(controls.std(ddof=1) * np.sqrt(1 + 1 / controls.size)), df=controls.size - 1
    )
    reason = None if estimate.interval else estimate.reason
    update = {"null": null, "minimum_detectable_effect": smallest, "reason": reason}
    return found.model_copy(update={"estimate": estimate.model_copy(update=update)})
