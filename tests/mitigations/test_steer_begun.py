"""A search goes on with what it had finished only where it is the same search."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from biaskit.errors import RequestError
from biaskit.mitigations.steer_generator import SteerGenerator
from biaskit.records.site import Site


def kept(**changed):
    known = {
        "model": "f" * 64,
        "site": Site.parse("bottleneck"),
        "layout": "map",
        "images": 384,
        "latents": 512,
    }
    held = known | changed
    return SimpleNamespace(record=SimpleNamespace(**held), sae=SimpleNamespace(d_sae=held["latents"]))


def test_the_same_search_goes_on():
    same = kept()
    assert SteerGenerator()._begun(same, "f" * 64) is same


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "a" * 64}, "model aaaaaaaaaaaa, and now ffffffffffff is asked for"),
        ({"site": Site.parse("conv_out.1")}, "site conv_out.1"),
        ({"layout": "place"}, "layout place"),
        ({"images": 64}, "images 64, and now 384"),
        ({"latents": 64}, "latents 64"),
    ],
)
def test_another_search_is_refused(changed, said):
    with pytest.raises(RequestError, match=said):
        SteerGenerator()._begun(kept(**changed), "f" * 64)
