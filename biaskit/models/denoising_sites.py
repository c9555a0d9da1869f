"""Where a denoising network can be read and edited."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from biaskit.errors import UnknownNameError
from biaskit.records.site import Site, SiteKind


def find_sites(network: nn.Module) -> dict[Site, nn.Module]:
    """Return the sites of a network, bottom first.

    `bottleneck` is a UNet's middle block, `conv_out.N` the blocks on the way down and up, `cross_attn.N` the
    attention to the text, `tokens.N` the blocks of a transformer of one stream. Blocks of two streams (SD3,
    Flux) give the text first, so they are met before they run: `resid_pre.N` is the image that block N is
    given.
    """
    found: dict[Site, nn.Module] = {}
    ways = [*getattr(network, "down_blocks", ()), *getattr(network, "up_blocks", ())]
    for layer, block in enumerate(ways):
        found[Site(kind=SiteKind.CONV_OUT, layer=layer)] = block
    middle = getattr(network, "mid_block", None)
    if middle is not None:
        found[Site(kind=SiteKind.BOTTLENECK)] = middle
    named = [module for name, module in network.named_modules() if name.endswith("attn2")]
    for layer, module in enumerate(filter(_attends, named)):
        found[Site(kind=SiteKind.CROSS_ATTN, layer=layer)] = module
    blocks = [*getattr(network, "transformer_blocks", ()), *getattr(network, "single_transformer_blocks", ())]
    for layer, block in enumerate(blocks):
        of_one_stream = type(block).__name__ == "BasicTransformerBlock"
        kind = SiteKind.TOKENS if of_one_stream else SiteKind.RESID_PRE
        found[Site(kind=kind, layer=layer)] = block
    return found


def located(points: Mapping[Site, nn.Module], site: Site) -> nn.Module:
    """Return the module at a site.

    Raises:
        UnknownNameError: There is no such site; near names are given.
    """
    if site not in points:
        raise UnknownNameError("site", str(site), map(str, points))
    return points[site]


def _attends(module: nn.Module) -> bool:
    return getattr(module, "to_k", None) is not None
