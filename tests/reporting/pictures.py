"""A hand-made report of an analyzer of images: groups side by side and a contact sheet."""

from __future__ import annotations

import torch

from biaskit.images.tiles import heated, png, under_mask
from biaskit.records.contact_sheet import ContactSheet, Tile
from biaskit.records.dot_plot import Dot, DotPlot, DotRow
from biaskit.records.finding import Analysis
from tests.reporting.sample import build_report


def tile(count, right=False):
    pixels = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(count)) * 0.5
    pixels[2, 4:12, 4:12] = 1.0
    heat = torch.zeros(32, 32)
    heat[3:13, 3:13] = 1.0
    return Tile(
        name=f"test/{count:03}.png",
        image=png(pixels),
        heat=png(heated(pixels, heat)),
        mask=png(under_mask(pixels, heat > 0)),
        label="seven",
        prediction="seven" if right else "four",
        confidence=0.93,
        remark=f"{count + 1} of 10",
    )


def sheet(**changes):
    given = {
        "name": "slice-1",
        "title": "domino 1: seven, blue patch",
        "caption": "The ten images that belong to the slice most.",
        "tiles": tuple(tile(count, right=count == 3) for count in range(6)),
    }
    return ContactSheet(**given | changes)


def dots(**changes):
    groups = (
        ("seven, blue", 212, 0.12, 0.91),
        ("seven, red", 1201, 0.99, 0.97),
        ("four, blue", 3, None, 0.67),
    )
    rows = tuple(
        DotRow(
            name=name,
            n=n,
            dots=(
                Dot(
                    series="before", value=before, low=before and before - 0.05, high=before and before + 0.01
                ),
                Dot(series="after", value=after, low=after - 0.06, high=after + 0.02),
            ),
        )
        for name, n, before, after in groups
    )
    given = {"name": "groups", "title": "Accuracy by group", "series": ("before", "after"), "rows": rows}
    return DotPlot(**given | changes)


def pictured(**changes):
    given = {"analyzer": "vig-bias", "settings": {}, "findings": (), "sheets": (sheet(),), "dots": (dots(),)}
    return build_report(analyses=(Analysis(**given | changes),), verdicts=())
