"""Mend a vision model by training its head again under a rule that does not leave a group behind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.mitigations.saved import DigestedRecord, Files
from biaskit.protocols import VisionModel
from biaskit.retraining.examples import Examples
from biaskit.retraining.last_layer import LastLayer
from biaskit.retraining.rule import Rule
from biaskit.retraining.scaled import Scaled

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS, RECORD = "head.safetensors", "head.json"
FILES = Files("head", WEIGHTS, RECORD)


class HeadRecord(DigestedRecord):
    """What is known of a mended head, apart from its weights."""

    format: Literal[1] = 1
    """Version of the file."""
    rule: str
    """Name of the rule it was trained by."""
    settings: dict[str, Any]
    """The rule's settings."""
    classes: tuple[str, ...]
    """Names of the classes, in the order of the logits."""
    groups: dict[str, int]
    """How many examples of each group it was trained on, by the group's name."""
    width: int
    """Length of the features it reads."""
    model: str
    """Fingerprint of the model whose features it reads."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadRemedy:
    """A head that takes the place of a model's own.

    Attributes:
        weight: One row a class.
        bias: One number a class.
        record: Where it comes from.
    """

    weight: Float[Tensor, "k d"]
    bias: Float[Tensor, " k"]
    record: HeadRecord

    def apply(self, model: VisionModel) -> VisionModel:
        """Return `model` with this head; the one given is left as it is.

        Raises:
            RequestError: The model has other classes, features or weights than the one it was trained for.
        """
        if tuple(model.classes) != self.record.classes:
            ours, theirs = ", ".join(self.record.classes), ", ".join(model.classes)
            raise RequestError(f"This head tells {ours}; the model tells {theirs}.")
        if (width := model.head()[0].shape[1]) != self.record.width:
            raise RequestError(f"This head reads {self.record.width} features; the model gives {width}.")
        if model.subject.fingerprint != self.record.model:
            raise RequestError(
                "This head was trained on the features of another model.",
                why=f"That model's fingerprint begins {self.record.model[:12]}, this one's "
                f"{model.subject.fingerprint[:12]}.",
                fix="Load the model that the head was trained for, or train a head for this one.",
            )
        return model.with_head(self.weight, self.bias)

    def save(self, folder: Path | str) -> None:
        """Write `head.safetensors` and `head.json`; neither name ever stands for half a file.

        Raises:
            RequestError: The folder cannot be written.
        """
        FILES.write(folder, _packed(self.weight, self.bias), self.record)

    @classmethod
    def load(cls, folder: Path | str) -> HeadRemedy:
        """Read a head that was saved.

        Raises:
            RequestError: A file is missing, damaged or of a later version, or the two do not belong together.
        """
        record, tensors = FILES.read(folder, HeadRecord)
        return cls(tensors["weight"], tensors["bias"], record)


@dataclass(frozen=True, slots=True)
class RetrainHead:
    """Trains the classifier head again and leaves the features as they are.

    Training starts from a head of zeros on standardised features, so that rules of two stages see an early
    stage; the head that comes out reads raw features.

    Attributes:
        rule: How it is trained.
    """

    name: ClassVar[str] = "retrain-head"
    rule: Rule = field(default_factory=LastLayer)

    def fit(
        self,
        model: VisionModel,
        examples: Examples,
        generator: torch.Generator,
        groups: Sequence[str] = (),
    ) -> HeadRemedy:
        """Train a head for `model`.

        Args:
            model: The model to mend.
            examples: Pixels, or the model's own features, with labels and groups.
            generator: Source of batches and splits.
            groups: Names of the groups; their numbers where none are given.

        Raises:
            RequestError: A label is no class of the model, the features are of another width, a group has no
                name, or the rule cannot use the groups.
        """
        rows = _features(model, examples)
        sizes = _sizes(rows, groups)
        scaled = Scaled(rows.inputs)
        trained = self.rule.train(
            _zeros(rows.inputs.shape[1], len(model.classes)),
            Examples(scaled.rows.float(), rows.labels, rows.groups),
            generator,
        )
        weight, bias = (part.float() for part in scaled.unfold(*_parts(trained)))
        record = HeadRecord(
            rule=self.rule.name,
            settings=_settings(self.rule),
            classes=tuple(model.classes),
            groups=sizes,
            width=weight.shape[1],
            model=model.subject.fingerprint,
            digest=hashlib.sha256(_packed(weight, bias)).hexdigest(),
        )
        return HeadRemedy(weight, bias, record)


def _features(model: VisionModel, examples: Examples) -> Examples:
    if not len(examples):
        raise RequestError("There is no example to train a head on.")
    last = int(examples.labels.max())
    if last >= len(model.classes) or int(examples.labels.min()) < 0:
        raise RequestError(f"Label {last} is no class: the model has {len(model.classes)}, counted from 0.")
    inputs = model.features(examples.inputs) if examples.inputs.ndim == 4 else examples.inputs
    width = model.head()[0].shape[1]
    if inputs.ndim != 2 or inputs.shape[1] != width:
        raise RequestError(
            f"Examples of shape {tuple(examples.inputs.shape)} are neither pixels nor {width} features each."
        )
    return Examples(inputs.detach().float().cpu(), examples.labels.cpu(), examples.groups.cpu())


def _sizes(rows: Examples, names: Sequence[str]) -> dict[str, int]:
    sizes = rows.group_sizes(len(names)).tolist()
    if names and len(sizes) > len(names):
        raise RequestError(f"There are {len(sizes)} groups and {len(names)} names for them.")
    known = names or [str(number) for number in range(len(sizes))]
    return dict(zip(known, sizes, strict=True))


def _zeros(width: int, classes: int) -> nn.Linear:
    with torch.random.fork_rng(devices=[]):
        layer = nn.Linear(width, classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _parts(trained: nn.Module) -> tuple[Tensor, Tensor]:
    if not isinstance(trained, nn.Linear):
        raise RequestError(f"The rule gave a {type(trained).__name__} in place of a linear layer.")
    return trained.weight.detach(), trained.bias.detach()


def _settings(rule: object) -> dict[str, Any]:
    if not is_dataclass(rule) or isinstance(rule, type):
        return {}
    settings: dict[str, Any] = json.loads(json.dumps(asdict(rule), default=str))
    return settings


def _packed(weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"]) -> bytes:
    return save({"weight": weight.contiguous(), "bias": bias.contiguous()})
