"""What a model's head reads off its last residual stream, with as little of the model run as that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.errors import RequestError
from biaskit.models.network import forward_only
from biaskit.models.passes import Passes
from biaskit.models.reading import Reading
from biaskit.models.readout import agrees, logprobs, norm_scale, plain_head, unembedding_rows
from biaskit.records.site import Site, SiteKind

ROWS = 256


class Head:
    """The head of one model.

    Whether norm and output embedding alone are all of it is found out once, on the first row.
    """

    def __init__(self, passes: Passes, width: int) -> None:
        self._passes, self._width = passes, width
        self._plain: Callable[[Tensor], Tensor] | None = None
        self._compared = False

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
        direct = self._direct(residual[:1])
        if direct is None:
            return self._run(residual, tokens)
        chosen = slice(None) if tokens is None else torch.tensor(list(tokens), dtype=torch.long)
        with forward_only(self._passes.network.module):
            parts = [logprobs(direct(rows)).cpu()[:, chosen] for rows in torch.split(residual, ROWS)]
        return torch.cat(parts)

    def _direct(self, row: Float[Tensor, "one d"]) -> Callable[[Tensor], Tensor] | None:
        """Return norm and output embedding where they are the whole head, as compared on one row."""
        if not self._compared:
            guess = plain_head(self._passes.network.module, self._passes.layout.norm)
            with forward_only(self._passes.network.module):
                same = guess is not None and agrees(guess, row, self._run(row, None))
            self._plain, self._compared = guess if same else None, True
        return self._plain

    def _run(self, residual: Float[Tensor, "n d"], tokens: Sequence[int] | None) -> Float[Tensor, "n k"]:
        last = Site(kind=SiteKind.RESID_POST, layer=self._passes.layout.layers - 1)
        readings = [Reading((self._passes.reader.padding_token,), 0, (False,), (0, 1), spanned=False)] * len(
            residual
        )
        chosen = slice(None) if tokens is None else torch.tensor(list(tokens), dtype=torch.long)

        def step(rows: list[int]) -> dict[str, Tensor]:
            batch = self._passes.batch(readings, rows, [0] * len(readings))
            own = residual[rows].to(batch.ids.device)
            with self._passes.edited({last: lambda _activation, _rows: own[:, None]}, batch):
                logits = self._passes.network.logits(batch, batch.ends[:, None])[:, 0]
            return {"logprobs": logprobs(logits).cpu()[:, chosen]}

        with forward_only(self._passes.network.module):
            return self._passes.gathered(readings, step)["logprobs"]

    def unembedding(self, tokens: Sequence[int]) -> Float[Tensor, "k d"]:
        """Rows of the output embedding times the final norm's weight: logits per unit of normalised residual.

        Raises:
            RequestError: The model has no head that is linear above its final norm, as an encoder.
        """
        if self._passes.reader.encoder:
            raise RequestError(
                "An encoder's head is not linear, so it has no unembedding.",
                fix="Use the gradient of the log-odds instead.",
            )
        width = self._width
        with torch.no_grad():
            rows = unembedding_rows(self._passes.network.module, list(tokens), width)
            return rows * norm_scale(self._passes.layout.norm, width)
