"""Training a sparse autoencoder on the spot, with sae-lens's trainer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.concepts.direction import as_float64
from biaskit.concepts.processing import expected_norm_scale
from biaskit.concepts.sae_loading import load_folder, quietly
from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
from biaskit.errors import MissingExtraError, RequestError
from biaskit.records.site import Site

try:
    from sae_lens import (
        BatchTopKTrainingSAE,
        BatchTopKTrainingSAEConfig,
        LoggingConfig,
        SAETrainer,
        TopKTrainingSAE,
        TopKTrainingSAEConfig,
    )
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.sae import SAEMetadata
except ModuleNotFoundError as error:
    raise MissingExtraError("sae-lens", "text") from error

Architecture = Literal["topk", "batchtopk"]


@dataclass(frozen=True, slots=True)
class SaeTraining:
    """Settings of a training run.

    Attributes:
        d_sae: Number of latents.
        k: Latents that fire for a row, exactly (`topk`) or on average (`batchtopk`).
        architecture: `batchtopk` is saved and read as JumpReLU with its learned threshold.
        steps: Optimiser steps.
        batch: Rows in a step, drawn without replacement until all were seen.
        learning_rate: Adam's rate, falling linearly to 0 over the last fifth.
        seed: Seed of the initial weights and of the order of rows.
    """

    d_sae: int
    k: int
    architecture: Architecture = "topk"
    steps: int = 800
    batch: int = 1024
    learning_rate: float = 2e-3
    seed: int = 0

    def check(self) -> None:
        """Raise a RequestError where the settings cannot be trained."""
        if not 0 < self.k <= self.d_sae or min(self.steps, self.batch) < 1:
            raise RequestError(
                f"An autoencoder of {self.d_sae} latents with k {self.k} over {self.steps} steps "
                f"of {self.batch} rows cannot be trained.",
                fix="Give 0 < k <= d_sae, and at least one step of one row.",
            )


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What the saved configuration says of the activations, so that loading need not guess.

    Attributes:
        site: Where they were read.
        model_name: Of which model.
        prepend_bos: Whether the texts began with the BOS token.
        centred: Whether the rows are those of TransformerLens's centred stream.
    """

    site: Site
    model_name: str
    prepend_bos: bool
    centred: bool = False


def train(activations: Float[Tensor, "n d"], settings: SaeTraining, source: TrainedOn) -> SparseAutoencoder:
    """Train an autoencoder on rows of activations; the same seed gives the same weights.

    Rows are scaled to an average length of sqrt(d) while training, and the scale is folded into the
    weights, so the result reads raw rows. One thread is used, and neither the global random state nor
    the number of threads is left changed.

    Raises:
        ActivationError: There is no row, or a value is NaN or infinite.
        RequestError: The settings cannot be trained.
    """
    settings.check()
    rows = as_float64(activations, "training").float()
    trainer = StreamedTraining(rows, settings, source)
    for batch in _batches(rows, settings):
        trainer.step(batch)
    return trainer.finish()


class StreamedTraining:
    """A training run whose rows are handed over as they come; it keeps none of them.

    The average length that rows are scaled by is that of the first rows.

    Raises:
        RequestError: The settings cannot be trained.
    """

    def __init__(self, first: Float[Tensor, "n d"], settings: SaeTraining, source: TrainedOn) -> None:
        settings.check()
        self.settings, self.source = settings, source
        with _reproducible(settings.seed):
            self._trainer = _trainer(first, settings, _metadata(source))

    @property
    def steps(self) -> int:
        """Steps that were taken."""
        return int(self._trainer.n_training_steps)

    @property
    def dead(self) -> float:
        """Share of latents that have not fired for a while, between 0 and 1; AuxK trains on them."""
        return float(self._trainer.dead_neurons.float().mean())

    def step(self, batch: Float[Tensor, "b d"]) -> None:
        """Take one step."""
        with _reproducible(self.settings.seed + self.steps + 1):
            self._trainer.step(batch)
            self._trainer.n_training_steps += 1

    def finish(self) -> SparseAutoencoder:
        """Fold the scale into the weights and return the autoencoder."""
        self._trainer.set_final_sae_metadata()
        module = self._trainer.sae
        module.fold_activation_norm_scaling_factor(self._trainer.activation_scaler.scaling_factor)
        with TemporaryDirectory() as folder:
            module.save_inference_model(folder)
            return load_folder(Path(folder), site=self.source.site).named("trained on the spot")


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Sum in one order, with gradients, from a seed, and leave the global state as it was."""
    with ExitStack() as stack:
        for each in (_one_thread(), torch.inference_mode(mode=False), torch.random.fork_rng(devices=[])):
            stack.enter_context(each)
        stack.enter_context(torch.enable_grad())
        torch.default_generator.manual_seed(seed)
        yield


def _trainer(
    rows: Float[Tensor, "n d"], settings: SaeTraining, metadata: SAEMetadata
) -> SAETrainer[Any, Any]:
    classes: dict[str, tuple[Any, Any]] = {
        "topk": (TopKTrainingSAE, TopKTrainingSAEConfig),
        "batchtopk": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig),
    }
    autoencoder, config = classes[settings.architecture]
    shape = config(
        d_in=rows.shape[1],
        d_sae=settings.d_sae,
        k=settings.k,
        normalize_activations="expected_average_only_in",
        metadata=metadata,
    )
    module = quietly(autoencoder, shape)
    trainer = SAETrainer(_schedule(settings), module, iter(()))
    trainer.activation_scaler.scaling_factor = expected_norm_scale(rows)
    return trainer


def _schedule(settings: SaeTraining) -> SAETrainerConfig:
    return SAETrainerConfig(
        total_training_samples=settings.steps * settings.batch,
        train_batch_size_samples=settings.batch,
        lr=settings.learning_rate,
        lr_end=settings.learning_rate / 10,
        lr_decay_steps=settings.steps // 5,
        dead_feature_window=max(10, settings.steps // 8),
        logger=LoggingConfig(log_to_wandb=False),
    )


def _metadata(source: TrainedOn) -> SAEMetadata:
    kind, layer = source.site.kind, source.site.layer
    return SAEMetadata(
        hook_name="hook_embed" if kind == "embed" else f"blocks.{layer}.hook_{kind}",
        model_name=source.model_name,
        prepend_bos=source.prepend_bos,
        model_from_pretrained_kwargs={"center_writing_weights": True} if source.centred else {},
    )


def _batches(rows: Float[Tensor, "n d"], settings: SaeTraining) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(settings.seed)
    order = torch.empty(0, dtype=torch.long)
    for _ in range(settings.steps):
        while len(order) < settings.batch:
            order = torch.cat([order, torch.randperm(len(rows), generator=generator)])
        yield rows[order[: settings.batch]]
        order = order[settings.batch :]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sum in one order whatever the machine, and do not spin on cores that others use."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
