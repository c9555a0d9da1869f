"""Every layout of the table against what transformers itself reports."""

from functools import partial

import pytest
import torch
import transformers
from torch import nn

from biaskit.errors import ModelLoadError, UnknownNameError
from biaskit.hooks.capture import capture
from biaskit.models import layouts
from biaskit.models.layouts import find_layout
from biaskit.models.neurons import down_projections
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import RECIPES, TEXTS

PROMPTS = [Prompt(text) for text in TEXTS]
# These normalise after adding, so the stream is no sum of what the blocks add.
POST_NORM = {"bert", "minilm", "roberta", "distilbert", "opt-350m"}

# In the others the parts of the MLP stand in the block itself, or more than a projection closes it.
NEURONS_FOUND = {"gpt2", "llama", "gemma2"}


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


GELU_TANH = partial(nn.functional.gelu, approximate="tanh")
PLAIN = {
    "gpt2": ("mlp.c_fc", GELU_TANH),
    "gpt_neox": ("mlp.dense_h_to_4h", nn.functional.gelu),
    "gpt_neox-serial": ("mlp.dense_h_to_4h", nn.functional.gelu),
    "phi": ("mlp.fc1", GELU_TANH),
    "opt": ("fc1", nn.functional.gelu),
    "opt-350m": ("fc1", nn.functional.gelu),
    "bloom": ("mlp.dense_h_to_4h", GELU_TANH),
    "bert": ("intermediate.dense", nn.functional.gelu),
    "minilm": ("intermediate.dense", nn.functional.gelu),
    "roberta": ("intermediate.dense", nn.functional.gelu),
    "distilbert": ("ffn.lin1", nn.functional.gelu),
}
GATES = dict.fromkeys(("gemma", "gemma2", "gemma3"), GELU_TANH)


def neurons(name, block, x):
    """The neurons by the formula of the architecture, from what its MLP's first projection is given."""
    if name in PLAIN:
        path, act = PLAIN[name]
        return act(block.get_submodule(path)(x))
    act = GATES.get(name, nn.functional.silu)
    if name == "phi3":
        gate, up = block.mlp.gate_up_proj(x).chunk(2, dim=-1)
        return act(gate) * up
    return act(block.mlp.gate_proj(x)) * block.mlp.up_proj(x)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("layer", [0, 1])
def test_the_neurons_are_what_the_formula_of_the_mlp_gives(opened, name, layer):
    adapter = opened(name)
    site = Site.parse(f"mlp_post.{layer}")
    found = adapter.activations(PROMPTS, [site])[site]
    block = adapter.locate(Site.parse(f"resid_post.{layer}"))
    first = PLAIN.get(name, ("mlp.gate_up_proj" if name == "phi3" else "mlp.gate_proj",))[0]
    points, sides = {"x": block.get_submodule(first), "out": adapter.locate(site)}, {"x": "input"}
    for row, prompt in enumerate(PROMPTS):
        reading = adapter._reader.read([prompt])[0]
        with capture(adapter.module, points, read=sides) as seen, torch.inference_mode():
            adapter.module(input_ids=torch.tensor([reading.ids]))
        with torch.no_grad():
            expected = neurons(name, block, seen["x"].view(len(reading.ids), -1))
            torch.testing.assert_close(found[row], expected[reading.last], atol=1e-5, rtol=1e-5)
            down = adapter.locate(site)(expected).view(-1)
        torch.testing.assert_close(down, seen["out"].view(-1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", ["GPTNeoConfig", "GPTJConfig"])
def test_the_neurons_of_the_other_members_of_the_family(config):
    settings = {"vocab_size": 20, "max_position_embeddings": 16, "n_positions": 16}
    if config == "GPTNeoConfig":
        settings |= {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global"], 2]]}
    else:
        settings |= {"n_embd": 16, "n_layer": 2, "n_head": 2, "rotary_dim": 4}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = getattr(transformers, config)(**settings)
        module = transformers.AutoModelForCausalLM.from_config(own).eval()
    layout = find_layout(module, own.model_type, lambda: None)
    assert layout.description == "known"
    place, block = layout.find(Site.parse("mlp_post.1")), layout.find(Site.parse("resid_post.1")).module
    up = next(part for key, part in block.mlp.named_children() if key in {"c_fc", "fc_in"})
    points, sides = {"x": up, "neurons": place.module}, {"x": "input", "neurons": place.side}
    with capture(module, points, read=sides) as seen, torch.inference_mode():
        module(input_ids=torch.tensor([[1, 2, 3]]))
    with torch.no_grad():
        torch.testing.assert_close(seen["neurons"], GELU_TANH(up(seen["x"])), atol=1e-5, rtol=1e-5)


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
        *("resid_pre.0", "attn_out.0", "mlp_post.0", "mlp_out.0", "resid_post.0"),
        *("resid_pre.1", "attn_out.1", "mlp_post.1", "mlp_out.1", "resid_post.1"),
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
    found = ("mlp_post.0", "mlp_post.1") if name in NEURONS_FOUND else ()
    for site in ("embed", "resid_pre.0", "resid_post.0", "resid_pre.1", "resid_post.1", *found):
        assert layout.find(Site.parse(site)).module is known.locate(Site.parse(site))
    with pytest.raises(UnknownNameError, match=r"attn_out\.0"):
        layout.find(Site.parse("attn_out.0"))
    assert (Site.parse("mlp_post.0") in layout.points) is (name in NEURONS_FOUND)
    assert ("apart from the neurons" in layout.description) is (name in NEURONS_FOUND)


def test_looking_for_neurons_leaves_the_model_as_it_was(tiny):
    module = transformers.AutoModelForCausalLM.from_pretrained(tiny("llama")).train()
    module.lm_head.weight.requires_grad_(False)
    learning = [name for name, own in module.named_parameters() if own.requires_grad]
    blocks = list(module.model.layers)
    found = down_projections(module, blocks, lambda: module(input_ids=torch.tensor([[0, 1, 2, 3, 4]] * 2)))
    assert found == [block.mlp.down_proj for block in blocks]
    assert all(part.training for part in module.modules())
    assert [name for name, own in module.named_parameters() if own.requires_grad] == learning
    assert all(own.grad is None for own in module.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


class Blocks(nn.Module):
    """Two blocks of one part each, which mixes tokens, bends what it reads, or adds something at the end."""

    def __init__(self, **settings):
        super().__init__()
        self.layers = nn.ModuleList([Block(**settings) for _ in range(2)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Block(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.part = Part(**settings)

    def forward(self, x):
        return x + self.part(x)


class Part(nn.Module):
    def __init__(self, *, mixes=False, bends=True, adds=False):
        super().__init__()
        self.mixes, self.bends, self.adds = mixes, bends, adds
        self.up, self.down = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        hidden = self.up(x)
        hidden = hidden.tanh() if self.bends else hidden
        hidden = hidden + hidden.mean(1, keepdim=True) if self.mixes else hidden
        return self.down(hidden) + (x if self.adds else 0)


@pytest.mark.parametrize(
    ("settings", "found"),
    [({}, True), ({"mixes": True}, False), ({"bends": False}, False), ({"adds": True}, False)],
)
def test_neurons_are_taken_only_from_what_acts_as_an_mlp(settings, found):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module, x = Blocks(**settings), torch.randn(2, 5, 4)
    layout = find_layout(module, "odd", lambda: module(x))
    assert (Site.parse("mlp_post.1") in layout.points) is found
    if found:
        assert layout.find(Site.parse("mlp_post.1")).module is module.layers[1].part.down


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
