"""The site that an autoencoder's configuration names, and when two sites are one tensor."""

from __future__ import annotations

import re

from biaskit.errors import BiaskitError, SparseAutoencoderMismatchError
from biaskit.records.site import Site, SiteKind

_BLOCK = re.compile(
    r"^(?:.*\.)?(?:h|layers?|blocks|block)\.(?P<layer>\d+)(?:\.(?P<part>[a-z_]+))?(?:\.output)?$"
)
_PARTS = {
    None: SiteKind.RESID_POST,
    "output": SiteKind.RESID_POST,
    "mlp": SiteKind.MLP_OUT,
    "feed_forward": SiteKind.MLP_OUT,
    "attn": SiteKind.ATTN_OUT,
    "self_attn": SiteKind.ATTN_OUT,
    "attention": SiteKind.ATTN_OUT,
}


def site_of(hook_name: str) -> Site:
    """Read a TransformerLens name (`blocks.1.hook_resid_post`) or a module path (`transformer.h.1`).

    The path of a block names what the block puts out, `resid_post`.

    Raises:
        SparseAutoencoderMismatchError: The name has neither form, or names a place that is no site.
    """
    match = _BLOCK.match(hook_name)
    if match is not None and match["part"] in _PARTS:
        return Site(kind=_PARTS[match["part"]], layer=int(match["layer"]))
    try:
        return Site.parse(hook_name)
    except BiaskitError as error:
        raise SparseAutoencoderMismatchError(
            f"The autoencoder was trained at '{hook_name}', which is not a site biaskit reads.",
            why=error.what,
            fix="If it is one under another name, give the site yourself.",
        ) from error


def same_activation(one: Site, other: Site) -> bool:
    """Tell whether two sites name the same tensor: what block l writes is what block l + 1 reads."""
    return _written(one) == _written(other)


def _written(site: Site) -> Site:
    if site.kind == SiteKind.RESID_PRE and site.layer > 0:
        return Site(kind=SiteKind.RESID_POST, layer=site.layer - 1)
    return site
