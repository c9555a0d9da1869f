"""Every layout of the table against what transformers itself reports."""

import pytest
import torch
from torch import nn

from biaskit.errors import ModelLoadError, UnknownNameError
from biaskit.hooks.capture import capture
from biaskit.models import layouts
from biaskit.models.layouts import find_layout
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import RECIPES, TEXTS

PROMPTS = [Prompt(text) for text in TEXTS]
# These normalise after adding, so the stream is no sum of what the blocks add.
POST_NORM = {"bert", "minilm", "roberta", "distilbert", "opt-350m"}


def hidden_states(adapter, prompt):
    """Hidden states of transformers for one unpadded prompt, at its read position: layers + 1 of width d."""
    reading = adapter._reader.read([prompt])[0]
    with torch.inference_mode():
        states = adapter.module(
            input_ids=torch.tensor([reading.ids]), output_hidden_states=True, return_dict=True
        ).hidden_states
    return [state[0, reading.last] for state in states]


@pytest.mark.parametrize("name", RECIPES)
def test_the_residual_stream_is_what_transformers_reports(opened, name):
    adapter = opened(name)
    sites = [Site.parse(site) for site in ("resid_pre.0", "resid_post.0", "resid_pre.1")]
    found = adapter.activations(PROMPTS, sites)
    for row, prompt in enumerate(PROMPTS):
        states = hidden_states(adapter, prompt)
        for site, state in zip(sites, (states[0], states[1], states[1]), strict=True):
            torch.testing.assert_close(found[site][row], state, atol=1e-5, rtol=1e-5)
    assert adapter.subject.layout == "known"
    assert adapter.subject.layers == 2


@pytest.mark.parametrize("name", RECIPES)
def test_the_last_block_is_what_the_final_norm_and_the_head_turn_into_logits(opened, name):
    adapter = opened(name)
    last = Site.parse("resid_post.1")
    found = adapter.activations(PROMPTS, [last])[last]
    for row, prompt in enumerate(PROMPTS):
        reading = adapter._reader.read([prompt])[0]
        with capture(adapter.module, {"out": adapter.locate(last)}) as seen, torch.inference_mode():
            adapter.module(input_ids=torch.tensor([reading.ids]))
        torch.testing.assert_close(found[row], seen["out"][0, reading.last], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in POST_NORM])
@pytest.mark.parametrize("layer", [0, 1])
def test_a_block_adds_what_attention_and_mlp_put_out(opened, name, layer):
    adapter = opened(name)
    pre, attn, mlp, post = sites = [
        Site.parse(f"{kind}.{layer}") for kind in ("resid_pre", "attn_out", "mlp_out", "resid_post")
    ]
    found = adapter.activations(PROMPTS, sites)
    assert found[attn].abs().max() > 0.01
    assert found[mlp].abs().max() > 0.01
    torch.testing.assert_close(found[post], found[pre] + found[attn] + found[mlp], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["bert", "minilm", "roberta", "distilbert"])
def test_an_encoder_normalises_the_sum_of_stream_and_attention_and_then_adds_the_mlp(opened, name):
    adapter = opened(name)
    block = adapter.locate(Site.parse("resid_post.0"))
    norms = [part for part in block.modules() if isinstance(part, nn.LayerNorm)]
    pre, attn, mlp, post = sites = [
        Site.parse(f"{kind}.0") for kind in ("resid_pre", "attn_out", "mlp_out", "resid_post")
    ]
    found = adapter.activations(PROMPTS, sites)
    with torch.no_grad():
        expected = norms[1](norms[0](found[pre] + found[attn]) + found[mlp])
    torch.testing.assert_close(found[post], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_the_embedding_site_is_the_row_of_the_token(opened, name):
    adapter = opened(name)
    site = Site.parse("embed")
    found = adapter.activations(PROMPTS, [site])[site]
    readings = adapter._reader.read(PROMPTS)
    with torch.no_grad():
        expected = adapter.module.get_input_embeddings()(
            torch.tensor([reading.ids[reading.last] for reading in readings])
        )
    assert torch.equal(found, expected)


def test_the_sites_stand_bottom_first(opened):
    names = [str(site) for site in opened("gpt2").sites()]
    assert names == [
        "embed",
        *("resid_pre.0", "attn_out.0", "mlp_out.0", "resid_post.0"),
        *("resid_pre.1", "attn_out.1", "mlp_out.1", "resid_post.1"),
    ]


def test_a_layer_that_is_not_there_is_answered_with_near_ones(opened):
    with pytest.raises(UnknownNameError, match=r"resid_post\.2(.|\n)*Did you mean(.|\n)*2 layers, 0 to 1"):
        opened("gpt2").locate(Site.parse("resid_post.2"))
    with pytest.raises(UnknownNameError, match="cross_attn"):
        opened("gpt2").activations(PROMPTS, [Site.parse("cross_attn.0")])


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2", "opt", "bert", "bloom"])
def test_an_architecture_outside_the_table_is_laid_out_by_its_blocks(opened, name, monkeypatch):
    known = opened(name)
    monkeypatch.setattr(layouts, "TABLE", {})
    ids = torch.tensor([[0, 1, 2, 3, 4]])
    layout = find_layout(known.module, "novel", lambda: known.module(input_ids=ids))
    assert layout.layers == 2
    assert "'novel'" in layout.description
    assert "2 blocks" in layout.description
    for site in ("embed", "resid_pre.0", "resid_post.0", "resid_pre.1", "resid_post.1"):
        assert layout.find(Site.parse(site)).module is known.locate(Site.parse(site))
    with pytest.raises(UnknownNameError, match=r"attn_out\.0"):
        layout.find(Site.parse("attn_out.0"))


class Widening(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 8), nn.Linear(8, 4)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def test_a_model_without_blocks_is_refused():
    module = Widening()
    with pytest.raises(ModelLoadError, match="layers of this 'odd' model"):
        find_layout(module, "odd", lambda: module(torch.zeros(2, 3, 4)))
