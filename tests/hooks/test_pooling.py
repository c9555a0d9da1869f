"""Pooling reads the tokens it names, in float32, and never padding or a special token."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biaskit.errors import RunError
from biaskit.hooks.edits import Rows
from biaskit.hooks.pooling import Pooling, last_token, pool

# Right padding, no padding, left padding; token 0 of the first row is special.
MASK = torch.tensor([[0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1]]).bool()
SPANS = torch.tensor([[0, 0, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]).bool()
ROWS = Rows(index=torch.tensor([4, 2, 9]), position=torch.tensor([3, 5, 5]), mask=MASK)
INSIDE = {"text": [[1, 2, 3], [0, 1, 2, 3, 4, 5], [3, 4, 5]], "span": [[2, 3], [1, 2], [3, 4, 5]]}


def activation(dtype=torch.float32):
    values = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    # What must not be read would show.
    return values.masked_fill(~MASK[..., None], torch.nan)


def by_hand(values, places, reduce):
    return torch.stack([reduce(values[row, columns].float()) for row, columns in enumerate(places)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("spans", [None, SPANS], ids=["text", "span"])
def test_each_pooling_is_its_definition(dtype, spans):
    values, places = activation(dtype), INSIDE["text" if spans is None else "span"]
    expected = {
        Pooling.LAST: by_hand(values, [[3], [5], [5]], lambda tokens: tokens[0]),
        Pooling.SPAN: by_hand(values, places, lambda tokens: tokens[-1]),
        Pooling.MEAN: by_hand(values, places, lambda tokens: tokens.mean(dim=0)),
        Pooling.MAX: by_hand(values, places, lambda tokens: tokens.amax(dim=0)),
    }
    for pooling, value in expected.items():
        pooled = pool(values, ROWS, spans, pooling)
        assert pooled.dtype == torch.float32
        torch.testing.assert_close(pooled, value)


@given(seed=st.integers(0, 10**6), left=st.integers(0, 4), right=st.integers(0, 4))
def test_padding_on_either_side_changes_nothing(seed, left, right):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(2, 5, 3, generator=generator)
    spans = torch.rand(2, 5, generator=generator) > 0.5
    spans[:, 2] = True
    plain = Rows(torch.arange(2), torch.tensor([4, 4]), torch.ones(2, 5, dtype=torch.bool))
    padded = Rows(
        plain.index, plain.position + left, torch.nn.functional.pad(plain.mask, (left, right), value=False)
    )
    wide = torch.nn.functional.pad(values, (0, 0, left, right), value=torch.nan)
    # Whatever the spans say about padding, the mask wins.
    wide_spans = torch.nn.functional.pad(spans, (left, right), value=True)
    for pooling in Pooling:
        torch.testing.assert_close(
            pool(wide, padded, wide_spans, pooling), pool(values, plain, spans, pooling)
        )


@pytest.mark.parametrize("pooling", [Pooling.SPAN, Pooling.MEAN, Pooling.MAX])
def test_an_empty_span_is_told_with_its_row(pooling):
    spans = SPANS.clone()
    spans[1] = False
    with pytest.raises(RunError, match=r"1 prompt\(s\) holds no token \(rows 2\)"):
        pool(activation(), ROWS, spans, pooling)
    assert torch.isfinite(pool(activation(), ROWS, spans, Pooling.LAST)).all()


def test_the_last_token_of_a_span_with_a_hole():
    assert last_token(torch.tensor([[True, False, True, False], [True, False, False, False]])).tolist() == [
        2,
        0,
    ]
