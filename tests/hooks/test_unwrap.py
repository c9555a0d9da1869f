"""The activation is found in, and put back into, every shape of output, and nothing else is touched."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPast

from biaskit.errors import RunError
from biaskit.hooks.unwrap import activation_of, with_activation

OLD, NEW, OTHER = torch.zeros(2), torch.ones(2), torch.full((2,), 2.0)
Pair = namedtuple("Pair", "label hidden other")


@dataclass
class Plain:
    label: str
    hidden: torch.Tensor
    other: torch.Tensor


@dataclass(frozen=True, slots=True)
class Frozen:
    label: str
    hidden: torch.Tensor
    other: torch.Tensor


CONTAINERS = {
    "tuple": ((OLD, OTHER), (NEW, OTHER)),
    "none first": ((None, OLD, OTHER), (None, NEW, OTHER)),
    "list": ([OLD, OTHER], [NEW, OTHER]),
    "named tuple": (Pair("x", OLD, OTHER), Pair("x", NEW, OTHER)),
    "dictionary": ({"a": 1, "hidden": OLD}, {"a": 1, "hidden": NEW}),
    "ordered": (OrderedDict(hidden=OLD, other=OTHER), OrderedDict(hidden=NEW, other=OTHER)),
    "dataclass": (Plain("x", OLD, OTHER), Plain("x", NEW, OTHER)),
    "frozen with slots": (Frozen("x", OLD, OTHER), Frozen("x", NEW, OTHER)),
    "model output": (BaseModelOutput(OLD, (OTHER,)), BaseModelOutput(NEW, (OTHER,))),
    "model output with a gap": (
        BaseModelOutputWithPast(last_hidden_state=OLD, attentions=(OTHER,)),
        BaseModelOutputWithPast(last_hidden_state=NEW, attentions=(OTHER,)),
    ),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_the_first_tensor_is_exchanged_and_the_given_output_is_not(kind):
    given, expected = CONTAINERS[kind]
    assert activation_of(given, "m") is OLD
    changed = with_activation(given, NEW)
    assert type(changed) is type(given)
    assert repr(changed) == repr(expected)
    assert activation_of(changed, "m") is NEW
    assert activation_of(given, "m") is OLD
    if hasattr(given, "last_hidden_state"):
        assert changed.last_hidden_state is changed["last_hidden_state"] is changed[0] is NEW


@pytest.mark.parametrize("nothing", [None, 3, (), {"a": None}, ("x", [OLD])])
def test_an_output_without_a_tensor_is_told(nothing):
    with pytest.raises(RunError, match="Module 'm' gives no tensor"):
        activation_of(nothing, "m")
