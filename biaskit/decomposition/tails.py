"""What of an orthogonal information lies outside the trained log-SNRs.

Near its ends the integrand f of `i^o = 1/2 INT f d alpha` falls as e^alpha below and as e^-alpha above, so
that what is missing beyond an end is `1/2 f` there; f at the end is carried over from the outermost node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from biaskit.decomposition.passes import Replicate


def tails(one: Replicate, log_snrs: Float[Tensor, " levels"]) -> Float[Tensor, "2 c"]:
    """Estimate what lies below and above the trained log-SNRs from one replicate, in nats.

    Args:
        one: The replicate.
        log_snrs: Log-SNR of every trained level, ascending.
    """
    visited = log_snrs[one.levels]
    first, last = visited.argmin(), visited.argmax()
    low = one.differences[:, first] / 2 * torch.exp(log_snrs[0] - visited[first])
    high = one.differences[:, last] / 2 * torch.exp(visited[last] - log_snrs[-1])
    return torch.stack([low, high])
