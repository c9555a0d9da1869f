"""What an analyzer is handed: the model, the probe sets, the activation store and the seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.hooks.pooling import Pooling
from biaskit.records.progress import Progress, Silent
from biaskit.records.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.hooks.store import ActivationStore
    from biaskit.images.image_set import ImageSet
    from biaskit.protocols import (
        AttributeClassifier,
        Captioner,
        DenoisingModel,
        LanguageModel,
        TextImageEncoder,
        VisionModel,
    )
    from biaskit.records.labelled_texts import LabelledTexts
    from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet
    from biaskit.records.prompt import Prompt
    from biaskit.records.prompt_set import GroupSet, PromptSet


@dataclass(frozen=True, slots=True)
class Comparison:
    """Targets that are compared on one reference pair, with the controls that fit the same slots.

    Attributes:
        targets: The target set; all of its targets are compared.
        pair: The two reference poles.
        controls: Neutral nouns for the same templates and stems.
    """

    targets: TargetSet
    pair: ReferencePair
    controls: ControlSet


class _Seeded:
    """Generators that are derived from one seed."""

    __slots__ = ()
    seed: int

    def rng(self, label: str) -> np.random.Generator:
        """Return a numpy generator of its own for `label`: the same label gives the same stream."""
        return np.random.default_rng(self._derived_seed(label))

    def torch_rng(self, label: str) -> torch.Generator:
        """Return a torch generator (CPU) of its own for `label`."""
        return torch.Generator().manual_seed(self._derived_seed(label))

    def _derived_seed(self, label: str) -> int:
        digest = hashlib.sha256(f"{self.seed}/{label}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True, slots=True)
class VisionSession(_Seeded):
    """All that an analyzer of images gets.

    Attributes:
        model: The loaded classifier.
        images: The image sets, each with its labels.
        encoder: Where images and texts are compared; None where none was named.
        captioner: Who describes images that carry no caption; None where nobody does.
        seed: Seed from which every generator of the run is derived.
        progress: Who is told how far the work is.
    """

    model: VisionModel
    images: tuple[ImageSet, ...]
    encoder: TextImageEncoder | None = None
    captioner: Captioner | None = None
    seed: int = 0
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """Targets, such as occupations, that are compared over groups of people in prompts.

    Attributes:
        targets: The target set; its templates are prompts.
        groups: The groups, and how a group's word joins a target's in a prompt.
        controls: Neutral nouns for the same templates.
    """

    targets: TargetSet
    groups: GroupSet
    controls: ControlSet


@dataclass(frozen=True, slots=True)
class DiffusionSession(_Seeded):
    """All that an analyzer of text-to-image models gets.

    Attributes:
        model: The loaded model.
        comparisons: Targets and groups that are compared.
        prompts: Prompts whose words are taken apart.
        images: Images of the user's own, by label; empty where the model is to draw them.
        classifiers: Who tells which group an image shows, one for each set of groups; its `attribute` is the
            set's name.
        captioner: Who describes images that carry no caption; None where nobody does.
        encoder: Where images and texts are compared; None where none was named.
        cache: Folder in which finished parts are kept, so that a killed run goes on; None keeps nothing.
        seed: Seed from which every generator of the run is derived.
        progress: Who is told how far the work is.
    """

    model: DenoisingModel
    comparisons: tuple[GroupComparison, ...] = ()
    prompts: tuple[PromptSet, ...] = ()
    images: tuple[ImageSet, ...] = ()
    classifiers: tuple[AttributeClassifier, ...] = ()
    captioner: Captioner | None = None
    encoder: TextImageEncoder | None = None
    cache: Path | None = None
    seed: int = 0
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True, slots=True)
class Session(_Seeded):
    """All that an analyzer gets.

    Attributes:
        model: The loaded model.
        comparisons: What is compared with what; empty where only labelled texts were given.
        store: Where captured activations are kept; each is captured once.
        seed: Seed from which every generator of the run is derived.
        progress: Who is told how far the work is.
        labelled: The user's own labelled texts.
    """

    model: LanguageModel
    comparisons: tuple[Comparison, ...]
    store: ActivationStore
    seed: int = 0
    progress: Progress = field(default_factory=Silent)
    labelled: tuple[LabelledTexts, ...] = ()

    def activations(
        self, prompts: Sequence[Prompt], sites: Sequence[Site], pooling: Pooling = Pooling.LAST
    ) -> Mapping[Site, Float[Tensor, "n d"]]:
        """Return pooled activations at `sites`, float32, capturing only what the store does not hold."""
        return self.store.activations(self.model, prompts, sites, pooling, self.progress)
