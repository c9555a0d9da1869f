"""What rounding adds, against what it adds in a measurement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.measure import Asked, measure
from biaskit.decomposition.plan import Plan
from biaskit.decomposition.precision import PrecisionWarning, precision_floor
from biaskit.errors import RequestError

ONE = [Contrast(1, 0)]
PROMPTS = ["", "said"]


@pytest.fixture(scope="module")
def formats(spectrum):
    return {
        dtype: replace(spectrum.denoiser, dtype=dtype)
        for dtype in (torch.bfloat16, torch.float16, torch.float32)
    }


def floor(spectrum, formats, dtype):
    return precision_floor(formats[dtype], formats[torch.float32], spectrum.latents, PROMPTS, ONE)


def test_the_floor_is_what_rounding_adds(spectrum, formats):
    plan = Plan(nodes=16, replicates=2)
    rounded, exact = (
        measure(formats[dtype], spectrum.latents, PROMPTS, ONE, Asked(plan=plan)).orthogonal.mean[0, 0]
        for dtype in (torch.bfloat16, torch.float32)
    )
    found = floor(spectrum, formats, torch.bfloat16)
    assert found.floor[0] == pytest.approx(rounded - exact, rel=0.25)
    assert found.value[0] == pytest.approx(exact, rel=0.05)


def test_the_floor_is_the_formula_of_the_error(spectrum, formats):
    """Rounding errs by up to 2^-9 of a prediction, whose size is about 1."""
    found = floor(spectrum, formats, torch.bfloat16)
    log_snrs = spectrum.denoiser.log_snrs
    width = float(log_snrs[-1] - log_snrs[0])
    assert found.floor[0] == pytest.approx(0.5 * 4096 * found.error[0] ** 2 * width)
    assert 2**-10 <= found.error[0] <= 2**-8


def test_formats_are_told_apart(spectrum, formats):
    coarse, fine, none = (floor(spectrum, formats, dtype) for dtype in formats)
    assert coarse.floor[0] == pytest.approx(64 * fine.floor[0], rel=0.5), "three bits are 8 in the error"
    assert (none.floor == 0).all()


def test_a_floor_above_its_share_is_told_with_its_number(spectrum, formats):
    found = floor(spectrum, formats, torch.bfloat16)
    share = found.floor[0] / found.value[0]
    with pytest.warns(PrecisionWarning, match=rf"bfloat16 adds about {found.floor[0]:.2g} nats.*'said'"):
        found.warn(0.9 * share)
    assert found.remarks(1.1 * share) == ()
    assert floor(spectrum, formats, torch.float32).remarks() == ()


def test_references_that_round_and_other_models_are_refused(spectrum, formats, hard):
    half = formats[torch.float16]
    with pytest.raises(RequestError, match="rounds as well"):
        precision_floor(half, half, spectrum.latents, PROMPTS, ONE)
    with pytest.raises(RequestError, match="same model"):
        precision_floor(half, hard[0], spectrum.latents, PROMPTS, ONE)
    with pytest.raises(RequestError, match="NaN"):
        precision_floor(half, formats[torch.float32], spectrum.latents * np.nan, PROMPTS, ONE)
