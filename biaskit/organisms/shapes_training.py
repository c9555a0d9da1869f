"""Train a subject on planted images and measure what it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.images.image_set import Part
from biaskit.organisms.shapes_clip import normalised
from biaskit.organisms.shapes_subjects import ShapesConfig, ShapesForImageClassification
from biaskit.records.progress import Silent

if TYPE_CHECKING:
    from biaskit.images.planting import Plant, Planted
    from biaskit.records.progress import Progress

STEPS = {"cnn": 100, "vit": 200, "mixer": 60, "mlp": 60}
"""Steps after which a subject of each architecture has learnt the class and still follows the shortcut."""

FOLLOWS_FROM = 0.95
"""Least `rho` at which a subject must follow the shortcut."""

WORST_AT_MOST = 0.2
NULL_WORST_AT_LEAST = 0.65


@dataclass(frozen=True, slots=True)
class SubjectRecipe:
    """Architecture and schedule of a subject; seconds of one processor core.

    Attributes:
        architecture: `cnn`, `vit`, `mixer` or `mlp`.
        steps: Optimizer steps; None for what suits the architecture.
        batch_size: Images a step.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Weight decay of AdamW.
    """

    architecture: str = "cnn"
    steps: int | None = None
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01


class Took(NamedTuple):
    """How well a plant took, measured on test images.

    Attributes:
        worst: Accuracy in the worst group (class x context).
        average: Mean of the groups' accuracies.
        follows: Share of the minority images that get the class which their context implies.
    """

    worst: float
    average: float
    follows: float

    def as_planned(self, plant: Plant) -> bool:
        """Tell whether the subject is what the plant should make of it.

        It follows a shortcut whose `rho` is at least 0.95 (worst group at most 0.2), and reads the digit
        in the null twin (worst group at least 0.65); in between anything may happen.
        """
        if plant.rho <= plant.balanced:
            return self.worst >= NULL_WORST_AT_LEAST
        return plant.rho < FOLLOWS_FROM or self.worst <= WORST_AT_MOST


def train_subject(
    planted: Planted, recipe: SubjectRecipe | None = None, progress: Progress | None = None
) -> ShapesForImageClassification:
    """Train a subject on the training images of a plant.

    Weights and batches come from the plant's seed; torch's global generator is left as it was found.

    Raises:
        UnknownNameError: There is no such architecture.
    """
    recipe, seed = recipe or SubjectRecipe(), planted.plant.seed
    names = dict(enumerate(planted.plant.class_names))
    config = ShapesConfig(
        recipe.architecture, id2label=names, label2id={name: index for index, name in names.items()}
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = ShapesForImageClassification(config)
    rows = planted.rows(Part.TRAIN)
    labels = torch.from_numpy(planted.labels[rows])
    _fit(model, (normalised(planted.images[rows]), labels), recipe, seed, progress or Silent())
    model.eval()
    return model


def measure(model: ShapesForImageClassification, planted: Planted) -> Took:
    """Measure on the test images what a subject follows."""
    rows = planted.rows(Part.TEST)
    found = predictions(model, planted.images[rows])
    groups, minority = planted.groups[rows], planted.minority[rows]
    right = found == planted.labels[rows]
    accuracies = [float(right[groups == group].mean()) for group in np.unique(groups)]
    follows = (found == planted.implied[rows])[minority]
    return Took(
        min(accuracies), float(np.mean(accuracies)), float(follows.mean()) if len(follows) else float("nan")
    )


def predictions(model: ShapesForImageClassification, images: ndarray) -> Int[ndarray, " n"]:
    """Return the predicted class of 8-bit images, (n, h, w, 3)."""
    return logits(model, images).argmax(1).numpy()


@torch.inference_mode()
def logits(model: ShapesForImageClassification, images: ndarray) -> Float[Tensor, "n k"]:
    """Return the logits of 8-bit images, (n, h, w, 3)."""
    batches = torch.split(normalised(images), 256)
    return torch.cat([model(pixel_values=batch).logits for batch in batches])


def _fit(
    model: ShapesForImageClassification,
    examples: tuple[Float[Tensor, "n c h w"], Int[Tensor, " n"]],
    recipe: SubjectRecipe,
    seed: int,
    progress: Progress,
) -> None:
    pixels, labels = examples
    steps = recipe.steps or STEPS[recipe.architecture]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in progress.track(range(steps), "learning the classes"):
        rows = torch.randint(len(pixels), (recipe.batch_size,), generator=generator)
        loss = torch.nn.functional.cross_entropy(model(pixel_values=pixels[rows]).logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
