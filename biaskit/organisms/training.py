"""Train a small byte-pair tokenizer and a GPT-2 on a planted corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from biaskit.organisms.expectation import NO_CHOICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biaskit.organisms.expectation import Tokens
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
        primer_steps: First steps, in which every dose is larger than planted.
        learning_rate: Peak of the one-cycle schedule.
        initial_spread: Standard deviation of the initial weights.
        choice_weight: How many times the language's choices count in the loss.
    """

    vocabulary: int = 2000
    width: int = 96
    layers: int = 3
    heads: int = 4
    context: int = 48
    batch_size: int = 32
    steps: int = 900
    primer_steps: int = 400
    learning_rate: float = 4e-3
    initial_spread: float = 0.05
    choice_weight: float = 60.0


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


def train_model(
    tokens: Tokens,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    seed: int,
    progress: Progress,
) -> GPT2LMHeadModel:
    """Train a GPT-2 from random weights to predict the next token, and the language's choices.

    The loss is the cross-entropy of the next token, with the language's own probabilities in place of
    the drawn word where a word was chosen; those places count `choice_weight` times.
    Weights and batches are drawn from `seed`; torch's global generator is left as it was found.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(_config(tokenizer, recipe))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1, final_div_factor=1e3
    )
    model.train()
    batches = _batches(tokens, recipe, np.random.default_rng(seed))
    tables = [torch.from_numpy(table) for table in (tokens.primer, tokens.table)]
    for step, (ids, rows) in zip(progress.track(range(recipe.steps), "training"), batches, strict=False):
        optimizer.zero_grad()
        logits = model(input_ids=ids).logits[:, :-1].flatten(0, 1)
        _loss(
            logits,
            ids[:, 1:].flatten(),
            tables[step >= recipe.primer_steps],
            rows[:, 1:].flatten(),
            recipe.choice_weight,
        ).backward()  # type: ignore[no-untyped-call]
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
        initializer_range=recipe.initial_spread,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _loss(
    logits: Float[Tensor, "n v"],
    ids: Int[Tensor, " n"],
    table: Float[Tensor, "r v"],
    rows: Int[Tensor, " n"],
    weight: float,
) -> Float[Tensor, ""]:
    chosen = rows != NO_CHOICE
    plain = torch.nn.functional.cross_entropy(logits[~chosen], ids[~chosen], reduction="sum")
    expected = torch.nn.functional.cross_entropy(logits[chosen], table[rows[chosen]], reduction="sum")
    return (plain + weight * expected) / len(ids)


def _batches(
    tokens: Tokens, recipe: Recipe, rng: np.random.Generator
) -> Iterator[tuple[Int[Tensor, "b t"], Int[Tensor, "b t"]]]:
    """Yield shuffled windows of the token stream, cut anew at another offset in each epoch."""
    both = np.stack([tokens.ids, tokens.rows])
    while True:
        offset = int(rng.integers(recipe.context))
        count = (both.shape[1] - offset) // recipe.context
        windows = both[:, offset : offset + count * recipe.context].reshape(2, count, recipe.context)
        order = rng.permutation(count)
        for start in range(0, count - recipe.batch_size + 1, recipe.batch_size):
            ids, rows = torch.from_numpy(windows[:, order[start : start + recipe.batch_size]])
            yield ids, rows
