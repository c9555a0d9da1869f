"""Models that are already in memory: transformers, TransformerBridge, HookedTransformer."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from biaskit import models
from biaskit.errors import RequestError
from biaskit.records.audit_spec import Subject
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import TEXTS, make_tokenizer

PROMPTS = [Prompt(text) for text in TEXTS]
NAMES = ("embed", "resid_pre.0", "attn_out.1", "mlp_out.0", "mlp_post.1", "resid_post.1")
SITES = [Site.parse(site) for site in NAMES]


class Shift:
    def __call__(self, activation, rows):
        changed = activation.clone()
        changed[torch.arange(len(rows.index)), rows.position] += 0.5
        return changed


def agree(wrapped, reference, atol=1e-5):
    expected = reference.activations(PROMPTS, SITES)
    for site, found in wrapped.activations(PROMPTS, SITES).items():
        torch.testing.assert_close(found, expected[site], atol=atol, rtol=1e-5)
    edits = {SITES[3]: Shift()}
    for own in (None, edits):
        torch.testing.assert_close(
            wrapped.next_token_logprobs(PROMPTS, edits=own),
            reference.next_token_logprobs(PROMPTS, edits=own),
            atol=atol,
            rtol=1e-5,
        )
    odds, gradients, _ = wrapped.log_odds_gradients(PROMPTS, ([5, 6], [7]), SITES)
    expected_odds, expected_gradients, _ = reference.log_odds_gradients(PROMPTS, ([5, 6], [7]), SITES)
    torch.testing.assert_close(odds, expected_odds, atol=atol, rtol=1e-5)
    for site in SITES:
        torch.testing.assert_close(gradients[site], expected_gradients[site], atol=1e-4, rtol=1e-4)


def test_a_model_of_transformers(tiny, opened):
    module = AutoModelForCausalLM.from_pretrained(tiny("gpt2"))
    module.train()
    tokenizer = AutoTokenizer.from_pretrained(tiny("gpt2"))
    wrapped = models.load(module, tokenizer=tokenizer)
    agree(wrapped, opened("gpt2"))
    assert module.training
    again = models.load(module, tokenizer=tokenizer)
    assert again.subject.fingerprint == wrapped.subject.fingerprint
    with torch.no_grad():
        module.transformer.h[0].mlp.c_fc.weight[0, 0] += 1
    assert models.load(module, tokenizer=tokenizer).subject.fingerprint != wrapped.subject.fingerprint


def test_a_model_needs_its_tokenizer(tiny):
    with pytest.raises(RequestError, match="tokenizer=tokenizer"):
        models.load(AutoModelForCausalLM.from_pretrained(tiny("gpt2")))


def test_any_other_object_is_refused():
    with pytest.raises(RequestError, match="A Linear cannot be audited"):
        models.load(torch.nn.Linear(2, 2), tokenizer=make_tokenizer("bytes"))


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox"])
def test_a_transformer_bridge(tiny, opened, name):
    bridge_module = pytest.importorskip("transformer_lens.model_bridge")
    bridge = bridge_module.TransformerBridge.boot_transformers(str(tiny(name)), device="cpu")
    wrapped = models.load(bridge)
    assert wrapped.notes == ()
    assert wrapped.subject.layers == 2
    agree(wrapped, opened(name))


@pytest.mark.parametrize("padding", ["right", "left"])
def test_a_hooked_transformer(tiny, opened, padding):
    lens = pytest.importorskip("transformer_lens")
    hf = AutoModelForCausalLM.from_pretrained(tiny("gpt2"))
    config = lens.HookedTransformerConfig(
        n_layers=2,
        d_model=32,
        n_ctx=64,
        d_head=8,
        n_heads=4,
        d_mlp=48,
        d_vocab=hf.config.vocab_size,
        act_fn="gelu_new",
        normalization_type="LN",
        eps=1e-5,
        original_architecture="GPT2LMHeadModel",
        default_prepend_bos=False,
        device="cpu",
    )
    hooked = lens.HookedTransformer(config, tokenizer=AutoTokenizer.from_pretrained(tiny("gpt2")))
    conversions = pytest.importorskip("transformer_lens.pretrained.weight_conversions")

    hooked.load_and_process_state_dict(
        conversions.convert_gpt2_weights(hf, config),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
    )
    wrapped = models.load(hooked, subject=Subject(model="-", padding=padding))
    agree(wrapped, opened("gpt2"), atol=2e-5)
    assert wrapped.subject.architecture == "GPT2LMHeadModel"
    assert wrapped.subject.layers == 2
    residual = wrapped.activations(PROMPTS, SITES)[SITES[-1]]
    torch.testing.assert_close(
        wrapped.unembed(residual), wrapped.next_token_logprobs(PROMPTS), atol=2e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        wrapped.unembedding([3, 4]), opened("gpt2").unembedding([3, 4]), atol=1e-5, rtol=1e-5
    )
    assert wrapped.continuation_logprobs(PROMPTS, ["he", "kind people"]).isfinite().all()


def test_a_processed_bridge_says_so(tiny, opened):
    bridge_module = pytest.importorskip("transformer_lens.model_bridge")
    bridge = bridge_module.TransformerBridge.boot_transformers(str(tiny("gpt2")), device="cpu")
    bridge.enable_compatibility_mode()
    wrapped, reference = models.load(bridge), opened("gpt2")
    assert any("processed the weights" in note for note in wrapped.notes)
    torch.testing.assert_close(
        wrapped.next_token_logprobs(PROMPTS),
        reference.next_token_logprobs(PROMPTS),
        atol=1e-5,
        rtol=1e-5,
    )
    site = SITES[-1]
    plain = reference.activations(PROMPTS, [site])[site]
    centred = plain - plain.mean(1, keepdim=True)
    torch.testing.assert_close(wrapped.activations(PROMPTS, [site])[site], centred, atol=1e-5, rtol=1e-5)


def test_a_model_that_is_spread_out_by_accelerate(tiny, opened, tmp_path):
    layers = {"transformer.h.0": "disk", "transformer.h.1": "cpu"}
    rest = dict.fromkeys(("transformer.wte", "transformer.wpe", "transformer.ln_f", "lm_head"), "cpu")
    module = AutoModelForCausalLM.from_pretrained(
        tiny("gpt2"), device_map={**layers, **rest, "transformer.drop": "cpu"}, offload_folder=tmp_path
    )
    wrapped = models.load(module, tokenizer=AutoTokenizer.from_pretrained(tiny("gpt2")))
    agree(wrapped, opened("gpt2"))
    with pytest.raises(RequestError, match="outside memory"):
        _ = wrapped.subject
