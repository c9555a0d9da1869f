"""Watching a whole pass: every module, however often it runs, and no hook left behind."""

import pytest
import torch
from torch import nn

from biaskit.hooks.trace import trace


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared, self.never, self.names = nn.Linear(3, 3), nn.Linear(3, 3), nn.Identity()
        self.inplace = nn.ReLU(inplace=True)

    def forward(self, x):
        self.names("no tensor")
        return self.inplace(self.shared(self.shared(x)))


def hooks(model):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())


def test_runs_come_in_their_order_with_inputs_and_outputs():
    model, x = Odd(), torch.randn(2, 3)
    with trace(model) as runs, torch.no_grad():
        out = model(x)
    assert [run.name for run in runs] == ["names", "shared", "shared", "inplace"]
    assert runs[0].output is None
    assert runs[1].inputs is x
    assert runs[3].output is out
    assert runs[2].output is out
    assert runs[3].version == runs[2].version + 1


def test_no_hook_is_left_after_an_exception():
    model = Odd()
    with pytest.raises(RuntimeError, match="shapes"), trace(model):
        model(torch.randn(2, 4))
    assert hooks(model) == 0
