"""One small model of each kind a hook may meet."""

from collections import OrderedDict
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

VOCABULARY, WIDTH, LAYERS = 61, 32, 4


@dataclass(frozen=True, slots=True)
class Split:
    """What a module may give that is neither tensor nor tuple."""

    label: str
    hidden: torch.Tensor
    extra: torch.Tensor
    doubled: bool = field(default=False)


class Splitter(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x):
        return Split("kept", self.linear(x), x, doubled=True)


class Toy(nn.Module):
    """Gives a frozen dataclass, a named argument and a dictionary to the modules that follow."""

    def __init__(self):
        super().__init__()
        self.splitter = Splitter()
        self.named = Named()
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        split = self.splitter(x)
        assert split.label == "kept"
        assert split.doubled
        return self.head(self.named(scale=2.0, hidden=split.hidden)["hidden"] + split.extra)


class Named(nn.Module):
    def forward(self, scale, *, hidden):
        return OrderedDict(scale=scale, hidden=hidden * scale)


@dataclass(frozen=True)
class Case:
    """A model, how it is called, and modules inside it, bottom first."""

    model: nn.Module
    inputs: torch.Tensor
    points: tuple[str, ...]

    def __call__(self):
        out = self.model(self.inputs)
        return out if isinstance(out, torch.Tensor) else out.logits

    def module(self, name):
        return self.model.get_submodule(name)


def gpt2():
    config = GPT2Config(
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=4,
        vocab_size=VOCABULARY,
        n_positions=64,
        bos_token_id=0,
        eos_token_id=0,
    )
    points = tuple(f"transformer.h.{layer}" for layer in range(LAYERS))
    return Case(GPT2LMHeadModel(config).eval(), torch.randint(1, VOCABULARY, (3, 7)), points)


def bert():
    config = BertConfig(
        num_hidden_layers=LAYERS,
        hidden_size=WIDTH,
        num_attention_heads=4,
        intermediate_size=64,
        vocab_size=VOCABULARY,
    )
    points = tuple(f"bert.encoder.layer.{layer}" for layer in range(LAYERS))
    return Case(BertForMaskedLM(config).eval(), torch.randint(1, VOCABULARY, (3, 7)), points)


def convolutional():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 4, 3),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(64, 5),
    )
    return Case(model.eval(), torch.randn(2, 3, 8, 8), ("0", "2", "5"))


def toy():
    return Case(Toy().eval(), torch.randn(4, 6), ("splitter", "named", "head"))


MAKERS = {"causal": gpt2, "encoder": bert, "convolutional": convolutional, "dataclass": toy}


@pytest.fixture(params=MAKERS, ids=list(MAKERS))
def case(request):
    return MAKERS[request.param]()


@pytest.fixture
def causal():
    return gpt2()


@pytest.fixture
def conv():
    return convolutional()


@pytest.fixture
def dataclass_model():
    return toy()


@pytest.fixture
def encoder():
    return bert()


@pytest.fixture
def hooks_on():
    """Count the hooks on all modules of a model."""

    def count(model):
        return sum(
            len(registered)
            for module in model.modules()
            for registered in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        )

    return count
