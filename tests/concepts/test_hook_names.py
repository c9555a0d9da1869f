import pytest

from biaskit.concepts.hook_names import same_activation, site_of
from biaskit.errors import SparseAutoencoderMismatchError
from biaskit.records.site import Site


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("blocks.6.hook_resid_pre", "resid_pre.6"),
        ("blocks.11.hook_resid_post", "resid_post.11"),
        ("blocks.3.hook_out", "resid_post.3"),
        ("blocks.2.hook_mlp_out", "mlp_out.2"),
        ("blocks.2.mlp.hook_post", "mlp_post.2"),
        ("hook_embed", "embed"),
        ("transformer.h.1", "resid_post.1"),
        ("transformer.h.1.mlp", "mlp_out.1"),
        ("model.layers.20", "resid_post.20"),
        ("model.layers.20.output", "resid_post.20"),
        ("model.layers.4.self_attn", "attn_out.4"),
        ("gpt_neox.layers.2", "resid_post.2"),
        ("bert.encoder.layer.7", "resid_post.7"),
        ("resid_post.5", "resid_post.5"),
    ],
)
def test_names_are_read(name, site):
    assert site_of(name) == Site.parse(site)


@pytest.mark.parametrize(
    "name", ["blocks.1.hook_resid_mid", "blocks.1.attn.hook_z", "transformer.h.1.mlp.act", "h"]
)
def test_places_that_are_no_sites_are_refused(name):
    with pytest.raises(SparseAutoencoderMismatchError, match="not a site"):
        site_of(name)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("resid_post.4", "resid_pre.5", True),
        ("resid_post.4", "resid_post.4", True),
        ("resid_post.4", "resid_pre.4", False),
        ("resid_post.4", "mlp_out.4", False),
        ("resid_pre.0", "embed", False),
    ],
)
def test_what_a_block_writes_is_what_the_next_one_reads(one, other, same):
    assert same_activation(Site.parse(one), Site.parse(other)) is same
    assert same_activation(Site.parse(other), Site.parse(one)) is same
