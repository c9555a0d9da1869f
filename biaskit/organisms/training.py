"""Train a small byte-pair tokenizer and a GPT-2 on a planted corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from biaskit.records.progress import Progress

END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Size and schedule of a training run; the defaults take about two CPU minutes.

    Attributes:
        vocabulary: Most tokens the tokenizer may have; large enough that common words are one token.
        width: Width of the residual stream.
        layers: Number of blocks.
        heads: Attention heads per block.
        context: Tokens per training sequence.
        batch_size: Sequences per step.
        steps: Optimizer steps.
        learning_rate: Peak of the one-cycle schedule.
    """

    vocabulary: int = 3000
    width: int = 96
    layers: int = 3
    heads: int = 4
    context: int = 48
    batch_size: int = 64
    steps: int = 900
    learning_rate: float = 4e-3


def train_tokenizer(documents: Sequence[str], recipe: Recipe) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer in GPT-2's manner; only `<|endoftext|>` is special."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
        model_max_length=recipe.context * 2,
    )


def pack(documents: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> Int[ndarray, " t"]:
    """Join all documents into one row of token ids, each begun by the end-of-text token."""
    encoded = tokenizer(list(documents), add_special_tokens=False)["input_ids"]
    begin = [tokenizer.bos_token_id]
    return np.concatenate([np.asarray(begin + ids, dtype=np.int64) for ids in encoded])


def train_model(
    tokens: Int[ndarray, " t"],
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    seed: int,
    progress: Progress,
) -> GPT2LMHeadModel:
    """Train a GPT-2 from random weights on next-token prediction.

    Weights and batches are drawn from `seed`; torch's global generator is left as it was found.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(_config(tokenizer, recipe))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.15, final_div_factor=1e3
    )
    model.train()
    batches = _batches(tokens, recipe, np.random.default_rng(seed))
    for _, batch in zip(progress.track(range(recipe.steps), "training"), batches, strict=False):
        optimizer.zero_grad()
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


def _config(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> GPT2Config:
    return GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=recipe.context * 2,
        n_embd=recipe.width,
        n_layer=recipe.layers,
        n_head=recipe.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _batches(tokens: Int[ndarray, " t"], recipe: Recipe, rng: np.random.Generator) -> Iterator[Tensor]:
    """Yield shuffled rows of the token stream, cut anew at another offset in each epoch."""
    while True:
        offset = int(rng.integers(recipe.context))
        count = (len(tokens) - offset) // recipe.context
        rows = tokens[offset : offset + count * recipe.context].reshape(count, recipe.context)
        order = rng.permutation(count)
        for start in range(0, count - recipe.batch_size + 1, recipe.batch_size):
            yield torch.from_numpy(rows[order[start : start + recipe.batch_size]])
