"""Student's t in plain Python against scipy, and the two corrections against the ones on arrays."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from biaskit.gates.evidence import benjamini_hochberg, holm
from biaskit.gates.student import quantile, tail
from biaskit.stats import multiplicity

FREEDOMS = (1, 2, 3.7, 7, 30, 119.5, 5000, math.inf)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("t", [-40.0, -3.0, -0.2, 0.0, 1e-9, 0.5, 1.96, 4.0, 12.0, 60.0])
def test_the_tail_is_scipys(t, freedom):
    expected = stats.norm.sf(t) if math.isinf(freedom) else stats.t.sf(t, freedom)
    assert tail(t, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("probability", [1e-6, 0.025, 0.5, 0.95, 0.975, 0.9999])
def test_the_quantile_is_scipys(probability, freedom):
    expected = stats.norm.ppf(probability) if math.isinf(freedom) else stats.t.ppf(probability, freedom)
    assert quantile(probability, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("probability", [0.0, 1.0, -1.0])
def test_a_quantile_of_certainty_is_refused(probability):
    with pytest.raises(ValueError, match="strictly between"):
        quantile(probability)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_corrections_are_those_on_arrays(p):
    values = np.array(p, dtype=float)
    assert holm(p) == pytest.approx(multiplicity.holm(values).tolist())
    assert benjamini_hochberg(p) == pytest.approx(multiplicity.benjamini_hochberg(values).tolist())
