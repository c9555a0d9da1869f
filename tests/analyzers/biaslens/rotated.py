"""The same model, presented in another basis: the residual stream turned and scaled, behaviour untouched."""

from __future__ import annotations

import torch

from biaskit.hooks.pooling import Pooling


class Rotated:
    """Presents every residual activation h as s R h, and takes edits in that basis."""

    def __init__(self, model, scale, seed=3):
        self._model, self._scale = model, scale
        width = model.subject.width
        draw = torch.randn(width, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self._turn = torch.linalg.qr(draw).Q

    def __getattr__(self, name):
        return getattr(self._model, name)

    def activations(self, prompts, sites, pooling=Pooling.LAST, edits=None):
        found = self._model.activations(prompts, sites, pooling, self._inside(edits))
        return {site: self._shown(value) for site, value in found.items()}

    def next_token_logprobs(self, prompts, tokens=None, edits=None, edit_at=Pooling.LAST):
        return self._model.next_token_logprobs(prompts, tokens, self._inside(edits), edit_at)

    def unembed(self, residual, tokens=None):
        return self._model.unembed(self._hidden(residual), tokens)

    def unembedding(self, tokens):
        return self._slope(self._model.unembedding(tokens))

    def log_odds_gradients(self, prompts, tokens, sites, pooling=Pooling.LAST):
        found = self._model.log_odds_gradients(prompts, tokens, sites, pooling)
        return found._replace(
            activations={site: self._shown(value) for site, value in found.activations.items()},
            gradients={site: self._slope(value) for site, value in found.gradients.items()},
        )

    def _shown(self, h):
        return (self._scale * h.double() @ self._turn.T).float()

    def _hidden(self, shown):
        return (shown.double() @ self._turn / self._scale).to(shown.dtype)

    def _slope(self, gradient):
        return (gradient.double() @ self._turn.T / self._scale).float()

    def _inside(self, edits):
        return {site: self._conjugated(edit) for site, edit in (edits or {}).items()}

    def _conjugated(self, edit):
        return lambda activation, rows: self._hidden(edit(self._shown(activation), rows))
