"""How likely a model finds whole texts, and what it writes itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.hooks.edits import Edit
from biaskit.hooks.pooling import Pooling
from biaskit.models.batches import Batch, Batcher
from biaskit.models.network import forward_only
from biaskit.models.passes import Passes
from biaskit.models.reading import Reading
from biaskit.models.readout import logprobs
from biaskit.protocols import TextLogprobs
from biaskit.records.generation import PLAIN_GENERATION, Generation
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site

# Logits at every token take this many times the memory of those at one.
_SHARE_OF_A_BATCH = 8


class Scoring:
    """Scores and writes texts with one model's passes."""

    def __init__(self, passes: Passes, batch_size: int) -> None:
        self._passes, self._network, self._reader = passes, passes.network, passes.reader
        self._batcher = Batcher(max(1, batch_size // _SHARE_OF_A_BATCH))

    def text_logprobs(
        self, texts: Sequence[str], edits: Mapping[Site, Edit] | None = None
    ) -> tuple[TextLogprobs, ...]:
        """Log-probability of every token of each text; see `biaskit.protocols.LanguageModel`."""
        readings = self._reader.read([Prompt(text) for text in texts], Pooling.MEAN)
        scored = [_scored(reading, first=0 if self._reader.encoder else 1) for reading in readings]
        score = self._masked if self._reader.encoder else self._causal
        with forward_only(self._network.module):
            found = score(readings, scored, edits or {})
        return tuple(
            TextLogprobs(tuple(reading.ids[place] for place in places), rows)
            for reading, places, rows in zip(readings, scored, found, strict=True)
        )

    def generate(
        self,
        prompts: Sequence[Prompt],
        generation: Generation = PLAIN_GENERATION,
        edits: Mapping[Site, Edit] | None = None,
    ) -> tuple[tuple[str, ...], ...]:
        """Continue each prompt; see `biaskit.protocols.LanguageModel`.

        Raises:
            RequestError: The model is an encoder, or a setting is out of range.
        """
        if self._reader.encoder:
            raise RequestError("An encoder fills in words and writes no text.", fix="Use a causal model.")
        if generation.tokens < 1 or generation.samples < 1 or not 0 < generation.top_p <= 1:
            raise RequestError("Generation needs at least one token and sample, and top_p in (0, 1].")
        rows = [reading for reading in self._reader.read(prompts) for _ in range(generation.samples)]
        streams = [_stream(generation.seed, *divmod(row, generation.samples)) for row in range(len(rows))]
        written: list[list[int]] = [[] for _ in rows]
        going = list(range(len(rows)))
        with forward_only(self._network.module):
            for _ in range(generation.tokens):
                now = [_longer(rows[row], written[row]) for row in going]
                chosen = self._next(now, generation, [streams[row] for row in going], edits or {})
                for row, token in zip(going, chosen, strict=True):
                    written[row].append(token)
                going = [row for row in going if written[row][-1] != self._end]
                if not going:
                    break
        texts = [self._reader.tokenizer.decode(ids, skip_special_tokens=True) for ids in written]
        count = generation.samples
        return tuple(tuple(texts[start : start + count]) for start in range(0, len(texts), count))

    @property
    def _end(self) -> int | None:
        end = self._reader.tokenizer.eos_token_id
        return None if end is None else int(end)

    def _next(
        self,
        readings: Sequence[Reading],
        generation: Generation,
        streams: Sequence[np.random.Generator],
        edits: Mapping[Site, Edit],
    ) -> list[int]:
        at = [reading.last for reading in readings]
        draws = torch.tensor([stream.random() for stream in streams], dtype=torch.float64)

        def step(rows: list[int]) -> dict[str, Tensor]:
            batch = self._passes.batch(readings, rows, at)
            with self._passes.edited(edits, batch):
                logits = self._network.logits(batch, batch.ends[:, None])[:, 0]
            return {"token": _sampled(logprobs(logits).cpu().double(), draws[rows], generation)}

        return [int(token) for token in self._passes.gathered(readings, step)["token"]]

    def _causal(
        self, readings: Sequence[Reading], scored: Sequence[range], edits: Mapping[Site, Edit]
    ) -> list[Float[Tensor, " t"]]:
        out = [torch.empty(0)] * len(readings)
        lengths, at = [len(one.ids) for one in readings], [one.last for one in readings]

        def step(rows: list[int]) -> list[Tensor]:
            batch = self._passes.batch(readings, rows, at)
            places = _places(batch, [scored[row] for row in rows], [readings[row] for row in rows])
            with self._passes.edited(edits, batch):
                found = logprobs(self._network.logits(batch, (places - 1).clamp_min(0))).cpu()
            ids = batch.ids.gather(1, places).cpu()
            values = found.gather(2, ids[..., None])[..., 0]
            return [values[i, : len(scored[row])] for i, row in enumerate(rows)]

        for rows, found in self._batcher.run(lengths, step):
            for row, value in zip(rows, found, strict=True):
                out[row] = value.clone()
        return out

    def _masked(
        self, readings: Sequence[Reading], scored: Sequence[range], edits: Mapping[Site, Edit]
    ) -> list[Float[Tensor, " t"]]:
        """Each token from all others: it is replaced by the mask token and predicted there (Salazar 2020)."""
        mask = int(self._reader.tokenizer.mask_token_id)
        pairs = [(one, place) for one, own in zip(readings, scored, strict=True) for place in own]
        hidden = [_hidden(one, place, mask) for one, place in pairs]
        wanted = torch.tensor([one.ids[place] for one, place in pairs])
        at = [one.last for one in hidden]

        def step(rows: list[int]) -> dict[str, Tensor]:
            batch = self._passes.batch(hidden, rows, at)
            with self._passes.edited(edits, batch):
                found = logprobs(self._network.logits(batch, batch.ends[:, None])[:, 0]).cpu()
            return {"value": found.gather(1, wanted[rows][:, None])[:, 0]}

        values = self._passes.gathered(hidden, step)["value"]
        return list(torch.split(values, [len(places) for places in scored]))


def _scored(reading: Reading, *, first: int) -> range:
    """The tokens of the text that can be predicted: nothing stands before the first where there is no BOS."""
    return range(max(reading.words[0], first), reading.words[1])


def _hidden(reading: Reading, place: int, mask: int) -> Reading:
    ids = (*reading.ids[:place], mask, *reading.ids[place + 1 :])
    return replace(reading, ids=ids, last=place)


def _longer(reading: Reading, written: Sequence[int]) -> Reading:
    longer = reading.followed_by(written)
    return replace(longer, last=len(longer.ids) - 1)


def _places(batch: Batch, scored: Sequence[range], readings: Sequence[Reading]) -> Int[Tensor, "b k"]:
    """Where the scored tokens stand in the padded batch; a shorter row repeats its last one."""
    width = max(1, *map(len, scored))
    rows = [[*own, *[own[-1] if own else 0] * (width - len(own))] for own in scored]
    moved = batch.ends.cpu() - torch.tensor([reading.last for reading in readings])
    return (torch.tensor(rows) + moved[:, None]).to(batch.ids.device)


def _stream(seed: int, prompt: int, sample: int) -> np.random.Generator:
    """Draws of one sample of one prompt: the same in any batch."""
    return np.random.default_rng([seed, prompt, sample])


def _sampled(
    found: Float[Tensor, "b v"], draws: Float[Tensor, " b"], generation: Generation
) -> Int[Tensor, " b"]:
    """Draw by the inverse distribution function from the likeliest tokens that hold `top_p`; greedy at 0."""
    if generation.temperature == 0:
        return found.argmax(dim=1)
    share, order = (found / generation.temperature).softmax(dim=1).sort(dim=1, descending=True, stable=True)
    before = share.cumsum(dim=1) - share
    share = torch.where(before < generation.top_p, share, 0.0)
    up_to = (share / share.sum(dim=1, keepdim=True)).cumsum(dim=1)
    place = (up_to < draws[:, None]).sum(dim=1).clamp_max(found.shape[1] - 1)
    return order.gather(1, place[:, None])[:, 0]
