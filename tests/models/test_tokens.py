"""Activations at every token, against the pooled ones and against a plain forward pass."""

import weakref

import pytest
import torch

from biaskit import models
from biaskit.errors import ActivationError, RequestError, UnknownNameError
from biaskit.hooks.pooling import Pooling
from biaskit.models.network import TransformersNetwork
from biaskit.records.audit_spec import Subject
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import CAUSAL, RECIPES, TEXTS

PROMPTS = [Prompt(text) for text in TEXTS]
SITES = [Site.parse(site) for site in ("embed", "mlp_post.0", "resid_post.0")]


def unrolled(adapter, sites=SITES):
    """Activations of each prompt's own tokens, in the order of the prompts."""
    out = {}
    for batch in adapter.token_batches(PROMPTS, sites):
        for place, row in enumerate(batch.rows.tolist()):
            mask = batch.mask[place]
            out[row] = {site: found[place, mask] for site, found in batch.activations.items()}
    return [out[row] for row in range(len(PROMPTS))]


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("name", RECIPES)
def test_mean_and_maximum_over_the_tokens_are_the_pooled_activations(opened, name, padding):
    adapter = opened(name, batch_size=3, padding=padding)
    tokens = unrolled(adapter)
    mean, largest = (adapter.activations(PROMPTS, SITES, pooling) for pooling in (Pooling.MEAN, Pooling.MAX))
    for row, found in enumerate(tokens):
        for site in SITES:
            torch.testing.assert_close(found[site].mean(0), mean[site][row], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(found[site].amax(0), largest[site][row], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_each_token_is_what_the_full_model_gives_it(opened, name):
    adapter = opened(name, batch_size=3)
    last = SITES[-1]
    for found, prompt in zip(unrolled(adapter, [last]), PROMPTS, strict=True):
        reading = adapter._reader.read([prompt])[0]
        with torch.inference_mode():
            states = adapter.module(input_ids=torch.tensor([reading.ids]), output_hidden_states=True)
        kept = ~torch.tensor(reading.special)
        torch.testing.assert_close(found[last], states.hidden_states[1][0, kept], atol=1e-5, rtol=1e-5)


def test_every_prompt_comes_once_longest_first(opened):
    adapter = opened("llama", batch_size=2)
    batches = list(adapter.token_batches(PROMPTS, SITES[:1]))
    lengths = [int(batch.mask.sum(1).max()) for batch in batches]
    assert lengths == sorted(lengths, reverse=True)
    assert sorted(row for batch in batches for row in batch.rows.tolist()) == [0, 1, 2, 3]
    for batch in batches:
        (found,) = batch.activations.values()
        assert found.dtype == torch.float32
        assert found.shape == (*batch.mask.shape, 32)


def test_one_batch_is_held_at_a_time_and_nothing_is_run_before_it_is_asked_for(opened, monkeypatch):
    adapter = opened("gpt2", batch_size=1)
    runs, run = [], TransformersNetwork.run
    monkeypatch.setattr(TransformersNetwork, "run", lambda self, batch: runs.append(1) or run(self, batch))
    batches = adapter.token_batches(PROMPTS, SITES[:1])
    assert runs == []
    seen = weakref.ref(next(batches).activations[SITES[0]])
    assert runs == [1]
    next(batches)
    assert seen() is None
    assert not torch.is_inference_mode_enabled()
    batches.close()


def test_layers_above_the_highest_site_do_not_run(opened):
    adapter = opened("gpt2")
    ran = []
    above = adapter.locate(Site.parse("resid_post.1")).register_forward_hook(lambda *_: ran.append(1))
    try:
        list(adapter.token_batches(PROMPTS, SITES))
        assert ran == []
        list(adapter.token_batches(PROMPTS, [Site.parse("resid_post.1")]))
        assert ran
    finally:
        above.remove()


def test_a_probe_can_be_trained_on_them(opened):
    batch = next(iter(opened("gpt2").token_batches(PROMPTS, SITES[:1])))
    weight = torch.zeros(32, requires_grad=True)
    (batch.activations[SITES[0]] @ weight).sum().backward()
    assert weight.grad.abs().sum() > 0


def test_mistakes_are_answered_before_the_first_batch(opened):
    with pytest.raises(RequestError, match="no text"):
        opened("gpt2").token_batches([], SITES)
    with pytest.raises(UnknownNameError):
        opened("gpt2").token_batches(PROMPTS, [Site.parse("mlp_post.9")])


def test_what_is_no_number_is_refused(tiny):
    adapter = models.load(str(tiny("gpt2")), subject=Subject(model="-", device="cpu"))
    with torch.no_grad():
        adapter.module.transformer.h[0].mlp.c_proj.bias[0] = float("nan")
    list(adapter.token_batches(PROMPTS, [Site.parse("mlp_post.0")]))
    with pytest.raises(ActivationError, match=r"resid_post\.0"):
        list(adapter.token_batches(PROMPTS, SITES))
