"""What of an orthogonal information lies outside the trained log-SNRs.

Near its ends the integrand f of `i^o = 1/2 INT f d alpha` falls as e^alpha below and as e^-alpha above, so
that what is missing beyond an end is `1/2 f` there; f at the end is carried over from the outermost node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.decomposition.measured import Tails

if TYPE_CHECKING:
    from biaskit.decomposition.passes import Replicate


def tails(found: Sequence[Sequence[Replicate]], log_snrs: Float[Tensor, " levels"]) -> Tails:
    """Estimate what lies below and above the trained log-SNRs, image by image, as means over replicates."""
    low = [torch.stack([_low(one, log_snrs) for one in each]).mean(dim=0).numpy() for each in found]
    high = [torch.stack([_high(one, log_snrs) for one in each]).mean(dim=0).numpy() for each in found]
    return Tails(low=np.stack(low), high=np.stack(high))


def _low(one: Replicate, log_snrs: Float[Tensor, " levels"]) -> Float[Tensor, " c"]:
    first = log_snrs[one.levels].argmin()
    return one.differences[:, first] / 2 * torch.exp(log_snrs[0] - log_snrs[one.levels[first]])


def _high(one: Replicate, log_snrs: Float[Tensor, " levels"]) -> Float[Tensor, " c"]:
    last = log_snrs[one.levels].argmax()
    return one.differences[:, last] / 2 * torch.exp(log_snrs[one.levels[last]] - log_snrs[-1])
