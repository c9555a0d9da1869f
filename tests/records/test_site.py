"""Sites are written as `resid_post.6` or in TransformerLens's words, and a typo is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.site import Site, SiteKind, named_sites

WITHOUT_LAYER = {SiteKind.EMBED, SiteKind.BOTTLENECK}
SITES = st.builds(
    lambda kind, layer: Site(kind=kind, layer=0 if kind in WITHOUT_LAYER else layer),
    st.sampled_from(SiteKind),
    st.integers(0, 200),
)


@given(SITES)
def test_what_is_printed_is_read_again(site):
    assert Site.parse(str(site)) == site


@given(SITES.filter(lambda site: site.kind not in WITHOUT_LAYER))
def test_both_forms_mean_the_same(site):
    assert Site.parse(f"blocks.{site.layer}.hook_{site.kind}") == site
    assert Site.parse(f"  {site} ") == site


@pytest.mark.parametrize(
    ("text", "kind", "layer"),
    [
        ("resid_post.6", SiteKind.RESID_POST, 6),
        ("blocks.6.hook_resid_post", SiteKind.RESID_POST, 6),
        ("blocks.11.hook_attn_out", SiteKind.ATTN_OUT, 11),
        ("blocks.2.hook_out", SiteKind.RESID_POST, 2),
        ("mlp_post.3", SiteKind.MLP_POST, 3),
        ("blocks.3.mlp.hook_post", SiteKind.MLP_POST, 3),
        ("blocks.12.hook_mlp_post", SiteKind.MLP_POST, 12),
        ("hook_embed", SiteKind.EMBED, 0),
        ("embed", SiteKind.EMBED, 0),
        ("bottleneck", SiteKind.BOTTLENECK, 0),
    ],
)
def test_forms(text, kind, layer):
    assert Site.parse(text) == Site(kind=kind, layer=layer)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("resid_pst.6", "resid_post"),
        ("blocks.6.hook_resid_pots", "resid_post"),
        ("mlpout.3", "mlp_out"),
        ("embedd", "embed"),
    ],
)
def test_a_typo_gets_near_names(text, near):
    with pytest.raises(UnknownNameError) as caught:
        Site.parse(text)
    assert near in caught.value.near


@pytest.mark.parametrize(
    "text", ["", "6", "resid_post.six", "resid_post.-1", "blocks.hook_resid_post", "blocks.1.mlp.hook_pre"]
)
def test_what_is_no_site(text):
    with pytest.raises(RequestError) as caught:
        Site.parse(text)
    assert "resid_post.6" in caught.value.fix


def test_sites_are_keys():
    assert {Site.parse("resid_post.6"): 1}[Site.parse("blocks.6.hook_resid_post")] == 1
    with pytest.raises(ValidationError, match="frozen"):
        Site.parse("resid_post.6").layer = 7


def test_a_kind_alone_means_every_layer():
    known = [Site(kind=SiteKind.EMBED), *(Site(kind=SiteKind.RESID_POST, layer=layer) for layer in range(3))]
    found = {str(site) for site in named_sites(("resid_post", "embed"), known)}
    assert found == {"embed", "resid_post.0", "resid_post.1", "resid_post.2"}
    assert {str(site) for site in named_sites(["resid_post.2"], known)} == {"resid_post.2"}
    assert {str(site) for site in named_sites(["mlp_post"], known)} == {"mlp_post.0"}, "the model says no"
    with pytest.raises(UnknownNameError, match="resid_post"):
        named_sites(["resid_pots"], known)
