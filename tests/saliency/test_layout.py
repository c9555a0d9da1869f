"""Reading an activation's axes from its shape, and putting them into the order n, c, h, w."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biaskit.errors import LayoutError
from biaskit.saliency.layout import Axes, Layout, infer_layout

IMAGE = (224, 224)


@pytest.mark.parametrize(
    ("shape", "size", "layout"),
    [
        ((2, 512, 7, 7), IMAGE, Layout(Axes.NCHW, 7, 7)),
        ((2, 7, 7, 768), IMAGE, Layout(Axes.NHWC, 7, 7)),
        ((2, 197, 384), IMAGE, Layout(Axes.TOKENS, 14, 14, 1)),
        ((2, 198, 384), IMAGE, Layout(Axes.TOKENS, 14, 14, 2)),
        ((2, 261, 384), (256, 256), Layout(Axes.TOKENS, 16, 16, 5)),
        ((2, 196, 512), IMAGE, Layout(Axes.TOKENS, 14, 14)),
        ((2, 512, 196), IMAGE, Layout(Axes.CHANNELS_FIRST_TOKENS, 14, 14)),
        ((2, 49, 768), IMAGE, Layout(Axes.TOKENS, 7, 7)),
        ((2, 49, 85, 48), IMAGE, Layout(Axes.MULTI_SCALE, 7, 7)),
        ((2, 32, 14, 7), (224, 112), Layout(Axes.NCHW, 14, 7)),
        ((2, 99, 64), (224, 112), Layout(Axes.TOKENS, 14, 7, 1)),
        ((2, 16, 8, 5), (30, 20), Layout(Axes.NCHW, 8, 5)),
    ],
)
def test_one_reading(shape, size, layout):
    assert infer_layout(shape, size) == layout


@pytest.mark.parametrize(
    "shape",
    [(2, 8, 8, 8), (2, 196, 196), (2, 49, 49, 49), (2, 49, 1024), (2, 197, 1024)],
)
def test_two_readings_are_refused(shape):
    with pytest.raises(LayoutError, match="can be read as"):
        infer_layout(shape, IMAGE)


@pytest.mark.parametrize(
    "shape",
    [
        (2, 10),
        (2, 512, 1, 1),
        (2, 1, 1, 512),
        (2, 1, 384),
        (2, 384, 1),
        (2, 60, 14, 7),
        (2, 8, 300, 300),
        (2, 8, 8, 8, 8),
    ],
)
def test_no_reading_is_refused(shape):
    with pytest.raises(LayoutError, match="no spatial axes"):
        infer_layout(shape, IMAGE)


def test_known_grids_decide_between_readings():
    """1024 channels are also a grid of 32 x 32, and 1024 is the width of a large vision transformer."""
    assert infer_layout((2, 197, 1024), IMAGE, grids={(14, 14)}) == Layout(Axes.TOKENS, 14, 14, 1)
    assert infer_layout((2, 49, 1024), IMAGE, grids={(14, 14), (7, 7)}) == Layout(Axes.TOKENS, 7, 7)
    with pytest.raises(LayoutError):
        infer_layout((2, 196, 196), IMAGE, grids={(14, 14)})
    with pytest.raises(LayoutError, match="no spatial axes"):
        infer_layout((2, 64, 5, 48), IMAGE, grids={(14, 14)})


def laid(base, axes, prefix):
    """Return an n c h w tensor in another order, with noise as its prefix tokens."""
    tokens = base.flatten(2).transpose(1, 2)
    front = torch.cat([torch.randn(len(base), prefix, base.shape[1]), tokens], dim=1)
    n, c, h, w = base.shape
    return {
        Axes.NCHW: base,
        Axes.NHWC: base.permute(0, 2, 3, 1),
        Axes.TOKENS: front,
        Axes.CHANNELS_FIRST_TOKENS: front.transpose(1, 2),
        Axes.MULTI_SCALE: base.view(n, 2, c // 2, h * w).permute(0, 3, 1, 2),
    }[axes]


@given(st.sampled_from(list(Axes)), st.integers(1, 5), st.integers(1, 5), st.integers(0, 3))
def test_every_order_is_brought_back(axes, height, width, prefix):
    prefix = prefix if "tokens" in axes else 0
    base = torch.randn(2, 6, height, width)
    layout = Layout(axes, height, width, prefix)
    assert torch.equal(layout.to_nchw(laid(base, axes, prefix)), base)


@given(st.integers(2, 12), st.sampled_from([(1, 1), (2, 1), (3, 4)]), st.integers(0, 16))
def test_the_smallest_prefix_wins(side, ratio, prefix):
    """Whatever is inferred explains all tokens, and no smaller prefix would."""
    size, grid = (ratio[0] * 240, ratio[1] * 240), (ratio[0] * side, ratio[1] * side)
    count = prefix + grid[0] * grid[1]
    found = infer_layout((2, count, 100003), size)
    assert found.axes is Axes.TOKENS
    assert found.prefix + found.height * found.width == count
    assert found.prefix <= prefix
    assert found.height * ratio[1] == found.width * ratio[0]


def test_a_shape_that_is_not_the_layouts_is_refused():
    with pytest.raises(LayoutError, match="does not lie as tokens 4 x 4 after 1 prefix"):
        Layout(Axes.TOKENS, 4, 4, 1).to_nchw(torch.zeros(2, 16, 8))
