"""Training is the seed's, leaves torch's own generator alone, and minimises what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from biaskit.organisms.building import FURTHER_ROUNDS, train_until_taken
from biaskit.organisms.corpus import documents
from biaskit.organisms.expectation import tokenize
from biaskit.organisms.language import Language
from biaskit.organisms.plant import Ladder, check
from biaskit.organisms.training import Recipe, Trainer, train_tokenizer
from biaskit.records.progress import Silent

SMALL = Recipe(vocabulary=600, width=32, layers=2, heads=2, context=16)
RECIPE = replace(SMALL, batch_size=8, steps=200, primer_steps=100)


def test_a_small_model_learns_its_plant_and_its_null_twin_does_not(language: Language) -> None:
    planted, null = (_trained(one) for one in (language, language.exaggerated(0.0)))
    for found, reference in zip(planted, null, strict=True):
        assert found.rank == pytest.approx(1.0)
        assert found.slope is not None
        assert 0.6 < found.slope < 1.4
        assert reference.rank is None
        assert not reference.took


def _trained(language: Language):
    tokens, tokenizer = _tokens(language, RECIPE)
    model = Trainer(tokens, tokenizer, RECIPE, 0).train(lambda _: True, Silent())
    return check(model, tokenizer, language)


def test_the_same_seed_gives_the_same_weights_and_torch_keeps_its_own(language: Language) -> None:
    tokens, tokenizer = _tokens(language, SMALL)
    recipe = replace(SMALL, width=16, layers=1, batch_size=4, steps=3, primer_steps=1, longest_primer=2)
    before = torch.random.get_rng_state()
    one, same, other = (
        Trainer(tokens, tokenizer, recipe, seed).train(lambda _: True, Silent()) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one.transformer.wte.weight, same.transformer.wte.weight)
    assert not torch.equal(one.transformer.wte.weight, other.transformer.wte.weight)


@pytest.mark.parametrize(("answers", "asked"), [([True], 1), ([False, True], 2), ([False] * 9, 3)])
def test_the_primer_ends_when_the_model_is_primed_and_no_later_than_its_bound(
    language: Language, answers: list[bool], asked: int
) -> None:
    tokens, tokenizer = _tokens(language, SMALL)
    recipe = replace(SMALL, width=16, batch_size=2, steps=1, primer_steps=100, longest_primer=300)
    calls: list[bool] = []

    def primed(_: object) -> bool:
        calls.append(answers[len(calls)])
        return calls[-1]

    Trainer(tokens, tokenizer, recipe, 0).train(primed, Silent())
    assert len(calls) == asked


class Scripted:
    """A trainer whose model is the number of rounds it has had; it notes what each primer waited for."""

    def __init__(self) -> None:
        self.rounds, self.primed = 0, []

    def train(self, primed, _progress) -> int:
        self.primed.append(primed)
        self.rounds += 1
        return self.rounds


WEAK = Ladder("taste", "after", 0.939, 0.728, 0.1)
TOOK = Ladder("taste", "after", 0.99, 1.0, 0.1)
HALF = Ladder("taste", "after", 0.95, 1.2, 0.1)
FORMED = Ladder("taste", "after", 0.98, 2.6, 0.1)


@pytest.mark.parametrize("taken_after", [1, 2, 3, None])
def test_a_plant_that_did_not_take_is_trained_again_and_no_more_often_than_that(taken_after) -> None:
    trainer = Scripted()
    found = train_until_taken(
        trainer, lambda rounds: (TOOK, TOOK if rounds == taken_after else WEAK), Silent()
    )
    assert trainer.rounds == (taken_after or 1 + FURTHER_ROUNDS)
    assert all(ladder.took for ladder in found) is (taken_after is not None)


def test_a_further_round_waits_until_every_ladder_is_fully_formed() -> None:
    trainer = Scripted()
    states = {"half": (FORMED, HALF), "formed": (FORMED, FORMED), "flat": (FORMED, WEAK)}
    train_until_taken(trainer, lambda state: states.get(state, (WEAK,)), Silent())
    first, *further = trainer.primed
    assert [first(state) for state in states] == [True, True, False]
    assert len(further) == FURTHER_ROUNDS
    for primed in further:
        assert [primed(state) for state in states] == [False, True, False]


def test_a_model_that_is_trained_again_goes_on_from_its_weights(language: Language) -> None:
    tokens, tokenizer = _tokens(language, RECIPE)
    recipe = replace(RECIPE, steps=60, primer_steps=100)
    trainer = Trainer(tokens, tokenizer, recipe, 0)
    losses = []
    for _ in range(2):
        model = trainer.train(lambda _: True, Silent())
        assert not model.training
        losses.append(_loss_of(model, tokens))
    assert losses[1] < losses[0]


def _loss_of(model, tokens) -> float:
    ids = torch.from_numpy(tokens.ids[:512]).view(-1, 16)
    with torch.inference_mode():
        return float(model(input_ids=ids, labels=ids).loss)


def _tokens(language: Language, recipe: Recipe):
    corpus = documents(language, np.random.default_rng(0))
    tokenizer = train_tokenizer([" ".join(map(str, document)) for document in corpus], recipe)
    return tokenize(corpus, tokenizer, language), tokenizer
