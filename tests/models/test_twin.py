"""The random-weights twin: another model of the same shape, the same for the same seed."""

import random

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from biaskit import models
from biaskit.errors import RequestError
from biaskit.records.audit_spec import Subject
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import RECIPES, TEXTS

PROMPTS = [Prompt(text) for text in TEXTS]


@pytest.mark.parametrize("name", RECIPES)
def test_the_twin_has_the_same_sites_and_shapes_and_other_values(opened, name):
    own = opened(name)
    twin = own.reinitialised(3)
    assert twin.sites() == own.sites()
    assert type(twin.module) is type(own.module)
    sites = own.sites()
    found, original = twin.activations(PROMPTS, sites), own.activations(PROMPTS, sites)
    for site in sites:
        assert found[site].shape == original[site].shape
        assert not torch.allclose(found[site], original[site], atol=1e-2)
    shapes, drawn = ({k: w.shape for k, w in m.module.state_dict().items()} for m in (own, twin))
    assert shapes == drawn
    assert twin.reading == own.reading


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama"])
def test_the_same_seed_draws_the_same_weights_and_another_seed_others(opened, name):
    one, again, other = (opened(name).reinitialised(seed) for seed in (3, 3, 4))
    for key, weight in one.module.state_dict().items():
        assert torch.equal(weight, again.module.state_dict()[key]), key
    assert one.subject == again.subject
    assert other.subject.fingerprint != one.subject.fingerprint
    site = Site.parse("resid_post.1")
    assert not torch.allclose(*(each.activations(PROMPTS, [site])[site] for each in (one, other)), atol=1e-2)


def test_the_weights_have_the_spread_of_the_config(opened):
    own = opened("gpt2")
    weight = own.reinitialised(0).module.transformer.h[0].mlp.c_fc.weight
    assert weight.std().item() == pytest.approx(own.module.config.initializer_range, rel=0.1)
    assert own.reinitialised(0).module.transformer.h[1].ln_1.weight.eq(1).all()


def test_the_report_can_tell_them_apart(opened):
    own = opened("gpt2")
    twin = own.reinitialised(3)
    assert twin.subject.name == f"{own.subject.name} (random weights, seed 3)"
    assert twin.subject.source == f"{own.subject.source} (random weights, seed 3)"
    assert twin.subject.fingerprint != own.subject.fingerprint
    assert (twin.folder, twin.subject.revision) == (None, None)
    same = ("architecture", "layers", "width", "parameters", "dtype", "device", "layout")
    assert all(getattr(twin.subject, key) == getattr(own.subject, key) for key in same)


def test_neither_the_model_nor_any_global_generator_is_touched(opened):
    own = opened("gpt2")
    weights = {key: weight.clone() for key, weight in own.module.state_dict().items()}
    config = own.module.config.to_json_string()
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    own.reinitialised(3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]
    assert own.module.config.to_json_string() == config
    assert all(torch.equal(weight, weights[key]) for key, weight in own.module.state_dict().items())


def test_settings_and_number_format_are_kept(tiny):
    settings = Subject(
        model="-", device="cpu", dtype="bfloat16", padding="left", prepend_bos="no", batch_size=2
    )
    own = models.load(str(tiny("llama")), subject=settings)
    twin = own.reinitialised(1)
    assert twin.subject.dtype == "bfloat16"
    assert twin.settings.model_copy(update={"model": own.settings.model}) == own.settings
    wide = models.load(str(tiny("llama")), subject=settings.model_copy(update={"dtype": "float32"}))
    for key, weight in wide.reinitialised(1).module.named_parameters():
        assert torch.equal(weight.bfloat16(), twin.module.get_parameter(key))


def test_a_model_that_was_handed_over_has_a_twin_where_it_has_a_config(tiny):
    module = AutoModelForCausalLM.from_pretrained(tiny("gpt2"))
    own = models.load(module, tokenizer=AutoTokenizer.from_pretrained(tiny("gpt2")))
    twin = own.reinitialised(3)
    assert "random weights" in twin.subject.name
    assert twin.next_token_logprobs(PROMPTS).isfinite().all()


def test_a_hooked_transformer_has_none_and_says_so(tiny):
    lens = pytest.importorskip("transformer_lens")
    config = lens.HookedTransformerConfig(
        n_layers=1, d_model=8, n_ctx=16, d_head=4, n_heads=2, d_vocab=300, act_fn="gelu", device="cpu", seed=0
    )
    tokenizer = AutoTokenizer.from_pretrained(tiny("gpt2"))
    wrapped = models.load(lens.HookedTransformer(config, tokenizer=tokenizer))
    assert Site.parse("mlp_post.0") in wrapped.sites()
    with pytest.raises(RequestError, match="no random-weights twin"):
        wrapped.reinitialised(0)
