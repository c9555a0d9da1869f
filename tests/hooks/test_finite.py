"""NaN and infinity are refused with site and number of rows; large finite numbers are not."""

import pytest
import torch

from biaskit.errors import ActivationError
from biaskit.hooks.finite import require_finite
from biaskit.records.site import Site

SITE = Site.parse("resid_post.3")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("shape", [(6, 4), (6, 2, 3)])
def test_rows_are_counted(value, shape):
    activation = torch.zeros(shape)
    activation[1, 0] = activation[4] = value
    with pytest.raises(ActivationError, match=r"resid_post\.3 are NaN or infinite in 2 of 6 rows") as caught:
        require_finite(activation, SITE)
    assert "float32" in caught.value.fix


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_sum_that_overflows_is_not_held_against_finite_values(dtype):
    require_finite(torch.full((4, 4), torch.finfo(dtype).max, dtype=dtype), SITE)
    require_finite(torch.empty(0, 4, dtype=dtype), SITE)
