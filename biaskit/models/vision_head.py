"""The classifier head: the last linear layer, whose output is the logits."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.hooks.trace import Run
from biaskit.models.vision_network import Ending, Probe


class Head(NamedTuple):
    """A linear layer that gives the logits.

    Attributes:
        path: Its dotted path.
        layer: The layer.
    """

    path: str
    layer: nn.Linear

    def weights(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
        """Return weight and bias, float32, on the CPU; one logit is the second of two classes."""
        weight = self.layer.weight.detach().float().cpu()
        held: Tensor | None = self.layer.bias
        bias = torch.zeros(len(weight)) if held is None else held.detach().float().cpu()
        if len(weight) == 1:
            weight, bias = (torch.cat([torch.zeros_like(part), part]) for part in (weight, bias))
        return weight.clone(), bias.clone()


def find_head(probe: Probe) -> Head | RequestError:
    """Return the linear layer that gives the logits of a pass, or an error that says there is none."""
    for run in reversed(probe.runs):
        if isinstance(run.module, nn.Linear) and _gives(run, probe):
            return Head(run.name, run.module)
    weighted = [run for run in probe.runs if any(True for _ in run.module.parameters(recurse=False))]
    last = (
        f"'{weighted[-1].name}' ({type(weighted[-1].module).__name__})"
        if weighted
        else "nothing with weights"
    )
    return RequestError(
        "The model does not end in a linear layer that gives its logits.",
        why=f"The last layer with weights is {last}.",
        fix="Retrain such a model whole, or give it a linear head on pooled features.",
    )


def with_new_head(
    model: nn.Module, head: Head, weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"]
) -> nn.Module:
    """Return a copy of a model with another head; all other weights are shared, none is changed.

    Raises:
        RequestError: The head takes other features or gives another number of classes.
    """
    classes = max(head.layer.out_features, 2)
    if tuple(weight.shape) != (classes, head.layer.in_features) or tuple(bias.shape) != (classes,):
        raise RequestError(
            f"A head of shape {tuple(weight.shape)} with {len(bias)} biases does not fit.",
            fix=f"It takes {head.layer.in_features} features and gives {classes} classes.",
        )
    held = head.layer.weight
    layer = nn.Linear(head.layer.in_features, classes, device=held.device, dtype=held.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    layer.requires_grad_(held.requires_grad)
    shared = {id(part): part for part in (*model.parameters(), *model.buffers())}
    clone = copy.deepcopy(model, shared)
    parent, _, name = head.path.rpartition(".")
    setattr(clone.get_submodule(parent), name, layer)
    return clone


def _gives(run: Run, probe: Probe) -> bool:
    output, logits = run.output, probe.logits
    if output is None or run.inputs is None or run.inputs.ndim != 2 or output.shape != logits.shape:
        return False
    found, wanted = output.float(), logits
    if probe.ending is Ending.SOFTMAX:
        # Logits come back from probabilities but for a number that is the same for all classes.
        found, wanted = (part - part.mean(dim=1, keepdim=True) for part in (found, wanted))
    return torch.allclose(found, wanted, rtol=1e-3, atol=1e-3 if probe.ending is not Ending.LOGITS else 1e-6)
