"""Train a small byte-pair tokenizer and a GPT-2 on a planted corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    from biaskit.organisms.expectation import Tokens
    from biaskit.records.progress import Progress

END_OF_TEXT = "<|endoftext|>"
WARM_UP = 100
CHECK_EVERY = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """Size and schedule of a training run; the defaults take two to four CPU minutes.

    Attributes:
        vocabulary: Most tokens the tokenizer may have; large enough that common words are one token.
        width: Width of the residual stream.
        layers: Number of blocks.
        heads: Attention heads per block.
        context: Tokens per training sequence.
        batch_size: Sequences per step.
        steps: Optimizer steps with the planted doses; the learning rate falls to 0 over them.
        primer_steps: Fewest steps before them, in which every dose is larger than planted.
        longest_primer: Most such steps; they end as soon as the behaviour follows every ladder.
        learning_rate: Peak of the learning rate.
        initial_spread: Standard deviation of the initial weights.
        choice_weight: How many times the language's choices count in the loss.
    """

    vocabulary: int = 2000
    width: int = 96
    layers: int = 3
    heads: int = 4
    context: int = 48
    batch_size: int = 32
    steps: int = 700
    primer_steps: int = 400
    longest_primer: int = 1600
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


class Trainer:
    """Trains a GPT-2 from random weights to predict the next token, and the language's choices.

    The loss is the cross-entropy of the next token, with the language's own probabilities in place of
    the drawn word where a word was chosen; those places count `choice_weight` times.
    """

    def __init__(self, tokens: Tokens, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, seed: int) -> None:
        """Draw weights and batches from `seed`; torch's global generator is left as it was found."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = GPT2LMHeadModel(_config(tokenizer, recipe))
        self._recipe = recipe
        self._optimizer = torch.optim.AdamW(self.model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
        self._batches = _batches(tokens, recipe, np.random.default_rng(seed))
        self._primer, self._table = (torch.from_numpy(table) for table in (tokens.primer, tokens.table))

    def train(self, primed: Callable[[GPT2LMHeadModel], bool], progress: Progress) -> GPT2LMHeadModel:
        """Train with larger doses until the model is `primed`, then with the planted ones.

        Called again, it goes on from the weights it left, with the learning rate from the start.

        Args:
            primed: Whether the behaviour already follows every ladder; asked every 100 steps.
            progress: Who is told how far the work is.
        """
        recipe, peak = self._recipe, self._recipe.learning_rate
        self.model.train()
        for step in progress.track(range(recipe.longest_primer), "learning to look"):
            self._step(self._primer, peak * min(1.0, (step + 1) / WARM_UP))
            if step + 1 >= recipe.primer_steps and (step + 1) % CHECK_EVERY == 0:
                taken = primed(self.model.eval())
                self.model.train()
                if taken:
                    break
        for step in progress.track(range(recipe.steps), "learning the doses"):
            self._step(self._table, peak * (1 + np.cos(np.pi * step / recipe.steps)) / 2)
        return self.model.eval()

    def _step(self, table: Float[Tensor, "r v"], learning_rate: float) -> None:
        ids, rows = next(self._batches)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.zero_grad()
        logits = self.model(input_ids=ids).logits[:, :-1].flatten(0, 1)
        loss = _loss(logits, ids[:, 1:].flatten(), table, rows[:, 1:].flatten(), self._recipe.choice_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()


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
