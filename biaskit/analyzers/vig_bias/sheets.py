"""The members of a slice as pictures: the image, what the model looked at, what the mask kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.images.tiles import heated, png, under_mask
from biaskit.records.contact_sheet import ContactSheet, Tile
from biaskit.saliency.explain import explain
from biaskit.saliency.grounding import ground

if TYPE_CHECKING:
    from biaskit.analyzers.vig_bias.looking import Looker


def sheet(looker: Looker, rows: Sequence[int], name: str, title: str, caption: str) -> ContactSheet:
    """Show some images, the first one first; their heat maps share one scale.

    Args:
        looker: How images are looked at.
        rows: Rows of the image set.
        name: Name of the sheet.
        title: What the images have in common.
        caption: How they were chosen; what the pictures are is added.
    """
    model, images = looker.session.model, looker.images
    pixels = model.prepare([images.pictures.read(row) for row in rows])
    logits = model.logits(pixels)
    rng = looker.session.rng(f"vig-bias/sheet/{name}")
    maps = explain(model, pixels, logits.argmax(dim=1), looker.choice, rng=rng).maps
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    cut = ground(pixels, maps, looker.masking, rng=generator)
    heat = maps.at((pixels.shape[2], pixels.shape[3])).clamp(min=0) * ~maps.dead[:, None, None]
    pictures = list(_pictures(pixels, heat, cut.mask))
    confidences, predictions = logits.softmax(dim=1).max(dim=1)
    tiles = (
        Tile(
            name=images.pictures.name(row),
            image=pictures[place][0],
            heat=pictures[place][1],
            mask=None if bool(maps.dead[place]) else pictures[place][2],
            label=images.labels[row],
            prediction=model.classes[int(predictions[place])],
            confidence=float(confidences[place]),
            remark="the map points nowhere" if bool(maps.dead[place]) else "",
        )
        for place, row in enumerate(rows)
    )
    method = f"{maps.method} at {maps.site}" if maps.site else maps.method
    said = (
        f"Heat map: {method}, one scale for the sheet; kept: the {looker.masking.keep:.0%} it ranks highest."
    )
    return ContactSheet(name=name, title=title, caption=f"{caption} {said}", tiles=tuple(tiles))


def _pictures(
    pixels: Float[Tensor, "n c h w"], heat: Float[Tensor, "n h w"], masks: Tensor
) -> Iterator[tuple[str, str, str]]:
    largest = float(heat.max())
    for image, evidence, mask in zip(pixels, heat, masks, strict=True):
        yield png(image), png(heated(image, evidence, largest)), png(under_mask(image, mask))
