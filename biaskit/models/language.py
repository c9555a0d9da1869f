"""The language adapter: activations, behaviour and gradients of a causal model or an encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.hooks.capture import capture
from biaskit.hooks.edits import Edit
from biaskit.hooks.finite import require_finite
from biaskit.hooks.pooling import Pooling, pooler
from biaskit.models.head import Head
from biaskit.models.network import at_rest, forward_only
from biaskit.models.passes import Parts, Passes
from biaskit.models.readout import logprobs
from biaskit.models.scoring import Scoring
from biaskit.protocols import (
    LanguageModel,
    LogOddsGradients,
    TextLogprobs,
    TokenBatch,
)
from biaskit.records.audit_spec import Subject
from biaskit.records.generation import PLAIN_GENERATION, Generation
from biaskit.records.probe_set import Modality
from biaskit.records.prompt import Prompt
from biaskit.records.report import SubjectRecord
from biaskit.records.site import Site

if TYPE_CHECKING:
    from pathlib import Path


class LanguageAdapter:
    """A causal language model or an encoder, as `biaskit.protocols.LanguageModel` describes it.

    Rows come back in the order of the prompts, float32, on the CPU. Padding is never attended to and
    positions are counted without it, so batch size and padding side change nothing but speed.
    """

    modality: ClassVar[Modality] = Modality.TEXT

    def __init__(self, parts: Parts, notes: Sequence[str] = ()) -> None:
        self._network, self._layout, self._reader = parts.network, parts.layout, parts.reader
        self._parts, self._notes = parts, tuple(notes)
        self._passes = Passes(parts)
        self._head = Head(self._passes, parts.width)
        self._scoring = Scoring(self._passes, parts.settings.batch_size)

    @property
    def module(self) -> nn.Module:
        """The torch module."""
        return self._network.module

    @cached_property
    def subject(self) -> SubjectRecord:
        """What was loaded; the first look digests the weights."""
        return self._parts.describe()

    @property
    def settings(self) -> Subject:
        """How the model was opened."""
        return self._parts.settings

    @property
    def reading(self) -> str:
        """All that changes an activation beside weights and dtype, as one string for the store's key."""
        chosen = self.settings.model_dump(include={"prepend_bos", "padding", "chat_template"})
        return json.dumps(chosen | {"attention": self._network.attention}, sort_keys=True)

    @property
    def folder(self) -> Path | None:
        """The local folder the model was read from; None for a model that was handed over."""
        return self._parts.folder

    @property
    def predicts_words(self) -> bool:
        """Whether it has a language-modelling head."""
        return self._network.has_head

    @property
    def mask_token(self) -> str | None:
        """What an encoder fills in, as it is written in a text; None for a causal model."""
        return str(self._reader.tokenizer.mask_token) if self._reader.encoder else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know, one sentence each."""
        return (*self._notes, *self._passes.batcher.notes)

    def sites(self) -> tuple[Site, ...]:
        """Every site, bottom first."""
        return tuple(self._layout.points)

    def locate(self, site: Site) -> nn.Module:
        """The module whose output is the activation at `site` (its input for `resid_pre`).

        Raises:
            UnknownNameError: The model has no such site; near names are given.
        """
        return self._layout.find(site).module

    def activations(
        self,
        prompts: Sequence[Prompt],
        sites: Sequence[Site],
        pooling: Pooling = Pooling.LAST,
        edits: Mapping[Site, Edit] | None = None,
    ) -> dict[Site, Float[Tensor, "n d"]]:
        """Read pooled activations at `sites`, running no layer above the highest and no head.

        While `edits` are in force what is read at an edited site is the edited activation; an edit above all
        of `sites` changes nothing.

        Raises:
            RequestError: A prompt is empty or too long, or span pooling meets a prompt without a span.
            UnknownNameError: The model has no such site.
            ActivationError: An activation is NaN or infinite.
        """
        places, sides = self._passes.places(sites)
        readings = self._reader.read(prompts, pooling)
        at = [reading.position(pooling) for reading in readings]
        below = self._passes.below(edits or {}, sites)

        def step(rows: list[int]) -> dict[Site, Tensor]:
            batch = self._passes.batch(readings, rows, at)
            pool = batch.pooling(pooler(batch.rows, batch.words, pooling))
            with (
                self._passes.edited(below, batch),
                capture(self.module, places, read=sides, pool=pool, stop=True) as seen,
            ):
                self._network.run(batch)
            return seen

        with forward_only(self.module):
            found = self._passes.gathered(readings, step)
        return {site: _checked(found[site], site) for site in sites}

    def token_batches(self, prompts: Sequence[Prompt], sites: Sequence[Site]) -> Iterator[TokenBatch]:
        """Read the activations at every token, a batch at a time, running no layer above the highest site.

        Prompts come longest first, so that a batch holds little padding; memory stays at one batch. An
        encoder reads the text as it stands, without a mask token.

        Raises:
            RequestError: A prompt is empty or too long.
            UnknownNameError: The model has no such site.
            ActivationError: An activation is NaN or infinite.
        """
        places, sides = self._passes.places(sites)
        readings = self._reader.read(prompts, Pooling.MEAN)

        def step(rows: list[int]) -> TokenBatch:
            batch = self._passes.batch(readings, rows, [0] * len(readings))
            keep = batch.pooling(lambda activation: activation.float().cpu())
            with (
                forward_only(self.module),
                capture(self.module, places, read=sides, pool=keep, stop=True) as seen,
            ):
                self._network.run(batch)
            mask = batch.rows.mask.cpu()
            for site, activation in seen.items():
                require_finite(activation[mask], site)
            return TokenBatch(torch.tensor(rows), seen, mask)

        lengths = [len(reading.ids) for reading in readings]
        return (found for _, found in self._passes.batcher.run(lengths, step))

    def reinitialised(self, seed: int) -> LanguageModel:
        """Return a random-weights twin: same architecture, tokenizer and settings, weights drawn anew.

        The weights are those that the architecture's own initialisation gives from its config, drawn from a
        generator of its own; the twin's name and fingerprint tell it from this model.

        Raises:
            RequestError: Nothing says how this model's weights were first drawn.
        """
        if self._parts.twin is None:
            raise RequestError(
                f"'{self.subject.name}' has no random-weights twin.",
                why="It does not keep how its weights were first drawn, or it lies on several devices.",
                fix="Open it by its name on one device, or leave the random-weights control out.",
            )
        return self._parts.twin(seed)

    def single_token_words(self, words: Sequence[str]) -> dict[str, int]:
        """Token ids of those `words` that continue a text as one token; the others are left out."""
        found = {word: self._reader.continuation(word) for word in words}
        return {word: ids[0] for word, ids in found.items() if ids is not None and len(ids) == 1}

    def next_token_logprobs(
        self,
        prompts: Sequence[Prompt],
        tokens: Sequence[int] | None = None,
        edits: Mapping[Site, Edit] | None = None,
        edit_at: Pooling = Pooling.LAST,
    ) -> Float[Tensor, "n k"]:
        """Log-probabilities (nats) of `tokens` (all if None) after each prompt, while `edits` are in force.

        The edits are told the position `edit_at` (LAST or SPAN); the prediction is read at the last token.

        Raises:
            RequestError: The model has no language-modelling head, or a prompt lacks the span to edit at.
            ActivationError: A logit is NaN or infinite.
        """
        readings = self._reader.read(prompts)
        at = [reading.position(edit_at) for reading in readings]
        chosen = slice(None) if tokens is None else torch.tensor(list(tokens), dtype=torch.long)

        def step(rows: list[int]) -> dict[str, Tensor]:
            batch = self._passes.batch(readings, rows, at)
            with self._passes.edited(edits or {}, batch):
                logits = self._network.logits(batch, batch.ends[:, None])[:, 0]
            return {"logprobs": logprobs(logits).cpu()[:, chosen]}

        with forward_only(self.module):
            return self._passes.gathered(readings, step)["logprobs"]

    def unembed(
        self, residual: Float[Tensor, "n d"], tokens: Sequence[int] | None = None
    ) -> Float[Tensor, "n k"]:
        """Log-probabilities (nats) that the head reads off the last block's output.

        Whatever the model does above that block follows, be it a norm, a projection or a cap on the logits.

        Raises:
            RequestError: The model has no language-modelling head.
            ActivationError: A logit is NaN or infinite.
        """
        return self._head.unembed(residual, tokens)

    def unembedding(self, tokens: Sequence[int]) -> Float[Tensor, "k d"]:
        """Rows of the output embedding times the final norm's weight: logits per unit of normalised residual.

        Raises:
            RequestError: The model has no head that is linear above its final norm, as an encoder.
        """
        return self._head.unembedding(tokens)

    def continuation_logprobs(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        edits: Mapping[Site, Edit] | None = None,
    ) -> Float[Tensor, "n m"]:
        """Log-probability (nats) of each continuation after each prompt, while `edits` are in force.

        A continuation is joined by a space where words are. Those of one token come from one forward pass;
        the others are teacher-forced and their tokens' log-probabilities summed. Edits act at the prompt's
        last token in both. A continuation that the tokenizer does not know, and for an encoder one of several
        tokens, gets a column of NaN.
        """
        ids = [self._reader.continuation(text) for text in continuations]
        out = torch.full((len(prompts), len(ids)), torch.nan)
        single = [column for column, own in enumerate(ids) if own is not None and len(own) == 1]
        if single:
            first = [own[0] for own in ids if own is not None and len(own) == 1]
            out[:, single] = self.next_token_logprobs(prompts, first, edits)
        for column, own in enumerate(ids):
            if own is not None and len(own) > 1 and not self._reader.encoder:
                out[:, column] = self._forced(prompts, own, edits or {})
        return out

    def text_logprobs(
        self, texts: Sequence[str], edits: Mapping[Site, Edit] | None = None
    ) -> tuple[TextLogprobs, ...]:
        """Log-probability (nats) of every token of each text, special tokens not counted.

        A causal model predicts each token from those before it, the first only where a special token stands
        in front. An encoder predicts each token from all others (pseudo-log-likelihood, Salazar et al. 2020).

        Raises:
            RequestError: A text is empty or too long, or the model has no language-modelling head.
        """
        return self._scoring.text_logprobs(texts, edits)

    def generate(
        self,
        prompts: Sequence[Prompt],
        generation: Generation = PLAIN_GENERATION,
        edits: Mapping[Site, Edit] | None = None,
    ) -> tuple[tuple[str, ...], ...]:
        """Continue each prompt, `generation.samples` times, while `edits` are in force at every step.

        Raises:
            RequestError: The model is an encoder, or a setting is out of range.
        """
        return self._scoring.generate(prompts, generation, edits)

    def log_odds_gradients(
        self,
        prompts: Sequence[Prompt],
        tokens: tuple[Sequence[int], Sequence[int]],
        sites: Sequence[Site],
        pooling: Pooling = Pooling.LAST,
    ) -> LogOddsGradients:
        """Log-odds of two groups of next tokens, and their gradient at each site's read position.

        log-odds = logsumexp(logprobs of tokens[0]) - logsumexp(logprobs of tokens[1]), in nats. One forward
        and one backward pass a batch serve all sites; weights, their flags and the model's mode stay as they
        were.

        Raises:
            RequestError: `pooling` is neither LAST nor SPAN, a group is empty, or the model has no head.
            ActivationError: A gradient is NaN or infinite.
        """
        if pooling not in {Pooling.LAST, Pooling.SPAN} or not all(tokens):
            raise RequestError(
                "A gradient of log-odds needs one token to be taken at and two groups of words.",
                fix="Pool with 'last' or 'span', and check that both groups hold single-token words.",
            )
        places, sides = self._passes.places(sites)
        readings = self._reader.read(prompts, pooling)
        at = [reading.position(pooling) for reading in readings]

        def step(rows: list[int]) -> dict[str | tuple[str, Site], Tensor]:
            batch = self._passes.batch(readings, rows, at)
            with capture(self.module, places, read=sides, gradient=True) as seen:
                odds = _log_odds(self._network.logits(batch, batch.ends[:, None])[:, 0], tokens)
                grads = torch.autograd.grad(odds.sum(), [seen[site] for site in places])
            read = batch.pooling(pooler(batch.rows, None, Pooling.LAST))
            return {
                "odds": odds.detach(),
                **{("gradient", site): read(grad) for site, grad in zip(places, grads, strict=True)},
                **{("activation", site): read(seen[site].detach()) for site in places},
            }

        with torch.inference_mode(mode=False), at_rest(self.module, frozen=True):
            found = self._passes.gathered(readings, step)
        gradients, activations = (
            {site: _checked(found[kind, site], f"{site} ({kind})") for site in sites}
            for kind in ("gradient", "activation")
        )
        return LogOddsGradients(found["odds"], gradients, activations)

    def _forced(
        self, prompts: Sequence[Prompt], ids: tuple[int, ...], edits: Mapping[Site, Edit]
    ) -> Float[Tensor, " n"]:
        readings = self._reader.extended(prompts, ids[:-1])
        at = [reading.last for reading in readings]
        targets = torch.tensor(ids)

        def step(rows: list[int]) -> dict[str, Tensor]:
            batch = self._passes.batch(readings, rows, at)
            places = batch.ends[:, None] + torch.arange(len(ids), device=batch.ids.device)
            with self._passes.edited(edits, batch):
                found = logprobs(self._network.logits(batch, places)).cpu()
            wanted = targets.expand(len(rows), -1)[..., None]
            return {"logprobs": found.gather(2, wanted)[..., 0].sum(dim=1)}

        with forward_only(self.module):
            return self._passes.gathered(readings, step)["logprobs"]


def _log_odds(
    logits: Float[Tensor, "b v"], tokens: tuple[Sequence[int], Sequence[int]]
) -> Float[Tensor, " b"]:
    logprobs = logits.float().log_softmax(dim=-1)
    positive, negative = (logprobs[:, list(group)].logsumexp(dim=1) for group in tokens)
    return positive - negative


def _checked(activation: Tensor, site: object) -> Tensor:
    require_finite(activation, site)
    return activation
