"""Where activations are read or edited: a closed vocabulary of site kinds, and a layer."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.base import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


class SiteKind(StrEnum):
    """The places a model can be opened at, in TransformerLens's words."""

    EMBED = "embed"
    RESID_PRE = "resid_pre"
    RESID_POST = "resid_post"
    ATTN_OUT = "attn_out"
    MLP_POST = "mlp_post"
    MLP_OUT = "mlp_out"
    CONV_OUT = "conv_out"
    TOKENS = "tokens"
    CROSS_ATTN = "cross_attn"
    BOTTLENECK = "bottleneck"


_SHORT = re.compile(r"^(?P<kind>[a-z_]+)(?:\.(?P<layer>\d+))?$")
_TRANSFORMER_LENS = re.compile(r"^blocks\.(?P<layer>\d+)\.hook_(?P<kind>[a-z_]+)$")
_IN_A_BLOCK = re.compile(r"^(?P<block>blocks\.\d+\.)(?P<place>hook_out|mlp\.hook_post)$")
_OUR_NAMES = {"hook_out": "hook_resid_post", "mlp.hook_post": "hook_mlp_post"}


class Site(Record):
    """One place in a model: what kind of activation, at which layer."""

    kind: SiteKind
    """What is read there."""
    layer: int = 0
    """Index of the block, from 0; always 0 for `embed` and `bottleneck`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `resid_post.6` or TransformerLens's `blocks.6.hook_resid_post`.

        Raises:
            UnknownNameError: The kind is not one of `SiteKind`.
            RequestError: The text has neither of the two forms.
        """
        name = text.strip()
        name = "embed" if name == "hook_embed" else _IN_A_BLOCK.sub(_our_name, name)
        match = _TRANSFORMER_LENS.match(name) or _SHORT.match(name)
        if match is None:
            raise RequestError(
                f"'{text}' is not a site.", fix="Write 'resid_post.6' or 'blocks.6.hook_resid_post'."
            )
        if match["kind"] not in set(SiteKind):
            raise UnknownNameError("site kind", match["kind"], SiteKind)
        return cls(kind=SiteKind(match["kind"]), layer=int(match["layer"] or 0))

    def __str__(self) -> str:
        """Return the short form, `resid_post.6`; `embed` has no layer."""
        if self.kind in {SiteKind.EMBED, SiteKind.BOTTLENECK}:
            return str(self.kind)
        return f"{self.kind}.{self.layer}"


def named_sites(names: Iterable[str], known: Iterable[Site]) -> set[Site]:
    """Return the sites that names mean: `resid_post.6` is one, `resid_post` those of every layer.

    A kind that `known` lacks is returned at layer 0, for the model to say that it has no such site.

    Raises:
        UnknownNameError: The kind is not one of `SiteKind`.
        RequestError: A name has not the form of a site.
    """
    every = tuple(known)
    found: set[Site] = set()
    for name in names:
        one = Site.parse(name)
        alike = {site for site in every if site.kind is one.kind} if name.strip() in set(SiteKind) else {one}
        found |= alike or {one}
    return found


def _our_name(match: re.Match[str]) -> str:
    return match["block"] + _OUR_NAMES[match["place"]]
