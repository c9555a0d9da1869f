"""The language adapter: activations, behaviour and gradients of a causal model or an encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from biaskit.errors import RequestError
from biaskit.hooks.capture import capture
from biaskit.hooks.edit import edit
from biaskit.hooks.edits import Edit
from biaskit.hooks.finite import require_finite
from biaskit.hooks.pooling import Pooling, pooler
from biaskit.hooks.unwrap import Side
from biaskit.models.batches import Batch, Batcher, Padding, collate
from biaskit.models.layouts import Layout
from biaskit.models.network import Network, at_rest, forward_only
from biaskit.models.reading import Reader, Reading
from biaskit.models.readout import agrees, norm_scale, plain_head, unembedding_rows
from biaskit.protocols import LogOddsGradients
from biaskit.records.audit_spec import Subject
from biaskit.records.probe_set import Modality
from biaskit.records.prompt import Prompt
from biaskit.records.report import SubjectRecord
from biaskit.records.site import Site, SiteKind

if TYPE_CHECKING:
    from pathlib import Path

K = TypeVar("K", bound=Hashable)
HEAD_ROWS = 256


@dataclass(frozen=True, slots=True)
class Parts:
    """What a language adapter is put together from.

    Attributes:
        network: Runs the model.
        layout: Where its sites are.
        reader: Turns prompts into tokens.
        width: Width of its residual stream.
        settings: How it was opened.
        describe: Digests the weights and says what was loaded; called once, when it is asked for.
        folder: The local folder it was read from.
    """

    network: Network
    layout: Layout
    reader: Reader
    width: int
    settings: Subject
    describe: Callable[[], SubjectRecord]
    folder: Path | None = None


class LanguageAdapter:
    """A causal language model or an encoder, as `biaskit.protocols.LanguageModel` describes it.

    Rows come back in the order of the prompts, float32, on the CPU. Padding is never attended to and
    positions are counted without it, so batch size and padding side change nothing but speed.
    """

    modality: ClassVar[Modality] = Modality.TEXT

    def __init__(self, parts: Parts, notes: Sequence[str] = ()) -> None:
        self._network, self._layout, self._reader = parts.network, parts.layout, parts.reader
        self._parts, self._notes = parts, tuple(notes)
        self._batcher = Batcher(parts.settings.batch_size)
        self._head: Callable[[Tensor], Tensor] | None = None
        self._head_compared = False

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
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know, one sentence each."""
        return (*self._notes, *self._batcher.notes)

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
        places, sides = self._places(sites)
        readings = self._reader.read(prompts, pooling)
        at = [reading.position(pooling) for reading in readings]
        below = self._below(edits or {}, sites)

        def step(rows: list[int]) -> dict[Site, Tensor]:
            batch = self._batch(readings, rows, at)
            pool = batch.pooling(pooler(batch.rows, batch.words, pooling))
            with (
                self._edited(below, batch),
                capture(self.module, places, read=sides, pool=pool, stop=True) as seen,
            ):
                self._network.run(batch)
            return seen

        with forward_only(self.module):
            found = self._gathered(readings, step)
        return {site: _checked(found[site], site) for site in sites}

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
            batch = self._batch(readings, rows, at)
            with self._edited(edits or {}, batch):
                logits = self._network.logits(batch, batch.ends[:, None])[:, 0]
            return {"logprobs": _logprobs(logits).cpu()[:, chosen]}

        with forward_only(self.module):
            return self._gathered(readings, step)["logprobs"]

    def unembed(
        self, residual: Float[Tensor, "n d"], tokens: Sequence[int] | None = None
    ) -> Float[Tensor, "n k"]:
        """Log-probabilities (nats) that the head reads off the last block's output.

        The last block of a one-token text is made to give `residual`; all that the model does above it
        follows, be it a norm, a projection or a cap on the logits. Where norm and output embedding alone give
        the same for the first row, no block is run for the others.

        Raises:
            RequestError: The model has no language-modelling head.
            ActivationError: A logit is NaN or infinite.
        """
        direct = self._direct_head(residual[:1])
        if direct is None:
            return self._unembedded(residual, tokens)
        chosen = slice(None) if tokens is None else torch.tensor(list(tokens), dtype=torch.long)
        with forward_only(self.module):
            parts = [_logprobs(direct(rows)).cpu()[:, chosen] for rows in torch.split(residual, HEAD_ROWS)]
        return torch.cat(parts)

    def _direct_head(self, row: Float[Tensor, "one d"]) -> Callable[[Tensor], Tensor] | None:
        """Return norm and output embedding where they are the whole head, as compared on one row."""
        if not self._head_compared:
            guess = plain_head(self.module, self._layout.norm)
            with forward_only(self.module):
                same = guess is not None and agrees(guess, row, self._unembedded(row, None))
            self._head, self._head_compared = guess if same else None, True
        return self._head

    def _unembedded(
        self, residual: Float[Tensor, "n d"], tokens: Sequence[int] | None
    ) -> Float[Tensor, "n k"]:
        last = Site(kind=SiteKind.RESID_POST, layer=self._layout.layers - 1)
        readings = [Reading((self._reader.padding_token,), 0, (False,), (0, 1), spanned=False)] * len(
            residual
        )
        chosen = slice(None) if tokens is None else torch.tensor(list(tokens), dtype=torch.long)

        def step(rows: list[int]) -> dict[str, Tensor]:
            batch = self._batch(readings, rows, [0] * len(readings))
            own = residual[rows].to(batch.ids.device)
            with self._edited({last: lambda _activation, _rows: own[:, None]}, batch):
                logits = self._network.logits(batch, batch.ends[:, None])[:, 0]
            return {"logprobs": _logprobs(logits).cpu()[:, chosen]}

        with forward_only(self.module):
            return self._gathered(readings, step)["logprobs"]

    def unembedding(self, tokens: Sequence[int]) -> Float[Tensor, "k d"]:
        """Rows of the output embedding times the final norm's weight: logits per unit of normalised residual.

        Raises:
            RequestError: The model has no head that is linear above its final norm, as an encoder.
        """
        if self._reader.encoder:
            raise RequestError(
                "An encoder's head is not linear, so it has no unembedding.",
                fix="Use the gradient of the log-odds instead.",
            )
        width = self._parts.width
        with torch.no_grad():
            rows = unembedding_rows(self.module, list(tokens), width)
            return rows * norm_scale(self._layout.norm, width)

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
        places, sides = self._places(sites)
        readings = self._reader.read(prompts, pooling)
        at = [reading.position(pooling) for reading in readings]

        def step(rows: list[int]) -> dict[str | tuple[str, Site], Tensor]:
            batch = self._batch(readings, rows, at)
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
            found = self._gathered(readings, step)
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
            batch = self._batch(readings, rows, at)
            places = batch.ends[:, None] + torch.arange(len(ids), device=batch.ids.device)
            with self._edited(edits, batch):
                logprobs = _logprobs(self._network.logits(batch, places)).cpu()
            wanted = targets.expand(len(rows), -1)[..., None]
            return {"logprobs": logprobs.gather(2, wanted)[..., 0].sum(dim=1)}

        with forward_only(self.module):
            return self._gathered(readings, step)["logprobs"]

    def _places(self, sites: Sequence[Site]) -> tuple[dict[Site, nn.Module], dict[Site, Side]]:
        points = {site: self._layout.find(site) for site in sites}
        return (
            {site: point.module for site, point in points.items()},
            {site: point.side for site, point in points.items()},
        )

    def _below(self, edits: Mapping[Site, Edit], sites: Sequence[Site]) -> dict[Site, Edit]:
        order = {site: place for place, site in enumerate(self._layout.points)}
        highest = max((order[site] for site in sites), default=-1)
        return {site: change for site, change in edits.items() if order.get(site, -1) <= highest}

    def _batch(self, readings: Sequence[Reading], rows: list[int], at: Sequence[int]) -> Batch:
        padding = Padding(self._reader.padding_token, self.settings.padding == "left", self._network.device)
        return collate([readings[row] for row in rows], rows, [at[row] for row in rows], padding)

    def _gathered(
        self, readings: Sequence[Reading], step: Callable[[list[int]], Mapping[K, Tensor]]
    ) -> dict[K, Tensor]:
        out: dict[K, Tensor] = {}
        for rows, found in self._batcher.run([len(reading.ids) for reading in readings], step):
            for key, value in found.items():
                if key not in out:
                    # Made outside inference mode, so that callers may differentiate through what they get.
                    with torch.inference_mode(mode=False):
                        out[key] = torch.empty((len(readings), *value.shape[1:]), dtype=torch.float32)
                out[key][rows] = value.float().cpu()
        return out

    @contextmanager
    def _edited(self, edits: Mapping[Site, Edit], batch: Batch) -> Iterator[None]:
        points = [(self._layout.find(site), change) for site, change in edits.items()]
        with ExitStack() as stack:
            for point, change in points:
                bound = batch.editing(change)
                stack.enter_context(edit(self.module, {point.module: bound}, read=point.side))
            yield


def _logprobs(logits: Float[Tensor, "*n v"]) -> Float[Tensor, "*n v"]:
    require_finite(logits.reshape(-1, logits.shape[-1]), "the logits")
    return logits.float().log_softmax(dim=-1)


def _log_odds(
    logits: Float[Tensor, "b v"], tokens: tuple[Sequence[int], Sequence[int]]
) -> Float[Tensor, " b"]:
    logprobs = logits.float().log_softmax(dim=-1)
    positive, negative = (logprobs[:, list(group)].logsumexp(dim=1) for group in tokens)
    return positive - negative


def _checked(activation: Tensor, site: object) -> Tensor:
    require_finite(activation, site)
    return activation
