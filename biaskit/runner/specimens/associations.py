"""Associations of targets with a reference pair: neutral nouns, some of whose embeddings are moved.

A null takes handfuls of neutral nouns for targets (they are exchangeable with the other neutral nouns, so
that a test against these keeps its level), or a model of random weights. A plant moves the embedding of a
neutral noun along the difference between nouns that lean to either pole, as far as the model's behaviour
shifts by the dose: `log P(first pole | noun) - log P(second pole | noun)`, in nats, read by no analyzer.
Another ladder's dose of zero would be no null: a model that was trained with doses on one ladder carries
traces of them on the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit import catalogue, models, organisms
from biaskit.hooks.store import ActivationStore
from biaskit.protocols import LanguageModel
from biaskit.records.finding import Finding
from biaskit.records.probe_set import TARGET_SLOT, ControlSet, ReferencePair, TargetSet, fill
from biaskit.records.prompt import Prompt
from biaskit.records.reading import Reading
from biaskit.runner.specimens.specimen import Specimen, nothing
from biaskit.session import Comparison, Session

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HANDFULS, NOUNS_EACH = 12, 4
LEANING = 1.0
STEPS = 5


class Associations:
    """Specimens of `organism:reviews`, or of one that was built like it."""

    unit = "nat"
    signed = True
    tunable = True

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or organisms.folder("reviews")
        plant = json.loads((self._folder / "plant.json").read_text(encoding="utf-8"))
        self._doses: dict[str, dict[str, float]] = plant["doses"]
        self._pairs = [
            pair for pair, reading in plant["planted"].items() if reading == str(Reading.GIVEN_TARGET)
        ]
        self._targets, self._controls = _sets(tuple(self._doses[self._pairs[0]]))
        self.nulls: Mapping[str, Callable[[int], Specimen]] = {
            "random concepts": self._random_concepts,
            "random weights": self._random_weights,
        }
        if not any(any(ladder.values()) for ladder in self._doses.values()):
            self.nulls = {"null twin": self._null_twin}

    @cached_property
    def _model(self) -> LanguageModel:
        return self._opened()

    @property
    def subjects(self) -> Mapping[str, str]:
        """Name and fingerprint of the organism."""
        return {f"organism:{self._folder.name}": self._model.subject.fingerprint}

    def planted(self, seed: int, doses: Sequence[float]) -> Specimen:
        """Give each handful of neutral nouns one of `doses`, with either sign."""
        model, compared, shifts = self.moved(seed, doses)
        found = {
            target: float(np.mean([shifts[noun] for noun in nouns]))
            for target, nouns in compared.targets.targets.items()
        }

        def dose(finding: Finding) -> float | None:
            own = finding.group != str(Reading.GIVEN_REFERENCE)
            return found.get(finding.concepts[0]) if own and finding.concepts else None

        return Specimen("weight edit", _session(model, compared, seed), dose)

    def moved(self, seed: int, doses: Sequence[float]) -> tuple[LanguageModel, Comparison, dict[str, float]]:
        """Return a model with moved nouns, what is compared, and how far each noun's behaviour shifted."""
        rng = np.random.default_rng([seed, 1])
        compared = self.handfuls(seed, rng)
        targets, pair = compared.targets, compared.pair
        signs = rng.choice([-1.0, 1.0], size=HANDFULS)
        sizes = rng.permutation(np.resize(np.asarray(doses, dtype=float), HANDFULS))
        asked = dict(zip(targets.targets, (signs * sizes).tolist(), strict=True))
        model = self._opened()
        by_noun = {noun: asked[target] for target, nouns in targets.targets.items() for noun in nouns}
        return model, compared, _move(model, pair, targets, by_noun, self._leaning(pair))

    def handfuls(self, seed: int, rng: np.random.Generator) -> Comparison:
        """Draw handfuls of neutral nouns to stand for targets; the others stay controls."""
        targets, controls = _handfuls(self._targets, self._controls, rng)
        return Comparison(targets, self._pair(seed), controls)

    @property
    def model(self) -> LanguageModel:
        """The organism as it is."""
        return self._model

    def empty(self) -> Session:
        """Return a session with a model and nothing to look at."""
        return Session(self._model, (), ActivationStore(None))

    def _opened(self) -> LanguageModel:
        model = models.load(str(self._folder))
        if not isinstance(model, LanguageModel):
            raise TypeError(f"'{self._folder.name}' is no language model")
        return model

    def _pair(self, seed: int) -> ReferencePair:
        return catalogue.reference_pair(self._pairs[seed % len(self._pairs)])

    def _leaning(self, pair: ReferencePair) -> tuple[list[str], list[str]]:
        """Nouns that the organism ties to either pole of a pair."""
        ladder = self._doses[pair.name]
        chosen = ([t for t, d in ladder.items() if sign * d >= LEANING] for sign in (1, -1))
        first, second = ([noun for target in one for noun in self._targets.targets[target]] for one in chosen)
        return first, second

    def _random_concepts(self, seed: int) -> Specimen:
        compared = self.handfuls(seed, np.random.default_rng([seed, 0]))
        return Specimen("random concepts", _session(self._model, compared, seed), nothing)

    def _random_weights(self, seed: int) -> Specimen:
        compared = Comparison(self._targets, self._pair(seed), self._controls)
        return Specimen("random weights", _session(self._model.reinitialised(seed), compared, seed), nothing)

    def _null_twin(self, seed: int) -> Specimen:
        compared = Comparison(self._targets, self._pair(seed), self._controls)
        return Specimen("null twin", _session(self._model, compared, seed), nothing)


def _session(model: LanguageModel, compared: Comparison, seed: int) -> Session:
    return Session(model, (compared,), ActivationStore(None), seed=seed)


def _sets(names: Sequence[str]) -> tuple[TargetSet, ControlSet]:
    """Return one set that holds every planted target, and the neutral nouns."""
    found: dict[str, tuple[str, ...]] = {}
    first: TargetSet | None = None
    for name in catalogue.probe_sets():
        one = catalogue.probe_set(name)
        if isinstance(one, TargetSet) and set(one.targets) <= set(names):
            first = first or one
            found |= one.targets
    if first is None:
        raise TypeError(f"no probe set holds {names[0]}")
    controls = catalogue.probe_set(first.controls)
    if not isinstance(controls, ControlSet):
        raise TypeError(f"'{first.controls}' holds no controls")
    return first.model_copy(update={"name": "planted-targets", "targets": found}), controls


def _handfuls(
    targets: TargetSet, controls: ControlSet, rng: np.random.Generator
) -> tuple[TargetSet, ControlSet]:
    """Draw handfuls of neutral nouns to stand for targets; the others stay controls."""
    order: NDArray[np.int64] = rng.permutation(len(controls.fillers))
    words = [controls.fillers[i] for i in order]
    drawn = {
        f"handful {number + 1}": tuple(words[number * NOUNS_EACH : (number + 1) * NOUNS_EACH])
        for number in range(HANDFULS)
    }
    rest = tuple(words[HANDFULS * NOUNS_EACH :])
    return (
        targets.model_copy(update={"name": "handfuls", "targets": drawn}),
        controls.model_copy(update={"fillers": rest}),
    )


@torch.no_grad()
def _move(
    model: LanguageModel,
    pair: ReferencePair,
    targets: TargetSet,
    doses: Mapping[str, float],
    leaning: tuple[Sequence[str], Sequence[str]],
) -> dict[str, float]:
    """Move the embeddings of nouns until their behaviour has shifted by their doses; return the shifts.

    The step along the axis is corrected a few times by the shift it gave (a secant); what is returned is
    measured, so a shift that misses its dose by a little is still a known one.
    """
    nouns = tuple(doses)
    weight = _embedding(model)
    ids = _ids(model, nouns)
    axis = weight[_ids(model, leaning[0])].mean(0) - weight[_ids(model, leaning[1])].mean(0)
    wanted = torch.tensor([doses[noun] for noun in nouns])
    stems = pair.stems[targets.noun_class]
    plain, own = _log_odds(model, pair, nouns, stems), weight[ids].clone()
    both = (_log_odds(model, pair, words, stems).mean() for words in leaning)
    step = wanted / (next(both) - next(both))
    shift = torch.zeros_like(wanted)
    for _ in range(STEPS):
        weight[ids] = own + step[:, None] * axis
        shift = _log_odds(model, pair, nouns, stems) - plain
        if _ == STEPS - 1:
            break
        step = step * torch.where(shift.abs() > 1e-6, wanted / shift, torch.ones_like(wanted)).clamp(0.2, 5)
    return dict(zip(nouns, shift.tolist(), strict=True))


def _embedding(model: LanguageModel) -> Tensor:
    module: Any = model.module
    weight: Tensor = module.get_input_embeddings().weight
    return weight


def _ids(model: LanguageModel, words: Sequence[str]) -> list[int]:
    """Token ids of words; those of several tokens are left out."""
    return list(model.single_token_words(words).values())


def _log_odds(
    model: LanguageModel, pair: ReferencePair, words: Sequence[str], stems: Sequence[str]
) -> Float[Tensor, " n"]:
    """Log-odds of the first pole against the second after each word, mean over stems, in nats."""
    poles = [_ids(model, pair.continuations[pole]) for pole in pair.poles]
    filled = [fill(stem, word, TARGET_SLOT) for word in words for stem in stems]
    prompts = [Prompt(one.text) for one in filled]
    logprobs = model.next_token_logprobs(prompts, poles[0] + poles[1])
    first, second = logprobs[:, : len(poles[0])], logprobs[:, len(poles[0]) :]
    odds = first.logsumexp(1) - second.logsumexp(1)
    return odds.view(len(words), len(stems)).mean(1)
