"""Forward passes over prompts: padded, sorted by length, with edits in force, back in the caller's order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from biaskit.hooks.edit import edit
from biaskit.hooks.edits import Edit
from biaskit.hooks.unwrap import Side
from biaskit.models.batches import Batch, Batcher, Padding, collate
from biaskit.models.layouts import Layout
from biaskit.models.network import Network
from biaskit.models.reading import Reader, Reading
from biaskit.records.audit_spec import Subject
from biaskit.records.report import SubjectRecord
from biaskit.records.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.protocols import LanguageModel

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a language adapter is put together from.

    Attributes:
        network: Runs the model.
        layout: Where its sites are.
        reader: Turns prompts into tokens.
        width: Width of its residual stream.
        settings: How it was opened.
        describe: Digests the weights and says what was loaded; called once, when it is asked for.
        folder: The local folder it was read from.
        twin: Draws the weights anew; None where nothing says how they were first drawn.
    """

    network: Network
    layout: Layout
    reader: Reader
    width: int
    settings: Subject
    describe: Callable[[], SubjectRecord]
    folder: Path | None = None
    twin: Callable[[int], LanguageModel] | None = None


class Passes:
    """Runs a model over prompts, a batch at a time.

    Attributes:
        network: Runs the model.
        layout: Where its sites are.
        reader: Turns prompts into tokens.
        batcher: Sorts rows by length and halves batches when memory runs out.
    """

    def __init__(self, parts: Parts) -> None:
        self.network, self.layout, self.reader = parts.network, parts.layout, parts.reader
        self.batcher = Batcher(parts.settings.batch_size)
        self._left = parts.settings.padding == "left"

    def places(self, sites: Sequence[Site]) -> tuple[dict[Site, nn.Module], dict[Site, Side]]:
        """Return the module of each site, and the side of it that is read.

        Raises:
            UnknownNameError: The model has no such site.
        """
        points = {site: self.layout.find(site) for site in sites}
        return (
            {site: point.module for site, point in points.items()},
            {site: point.side for site, point in points.items()},
        )

    def below(self, edits: Mapping[Site, Edit], sites: Sequence[Site]) -> dict[Site, Edit]:
        """Leave out the edits that lie above all of `sites`, where nothing is run."""
        order = {site: place for place, site in enumerate(self.layout.points)}
        highest = max((order[site] for site in sites), default=-1)
        return {site: change for site, change in edits.items() if order.get(site, -1) <= highest}

    def batch(self, readings: Sequence[Reading], rows: list[int], at: Sequence[int]) -> Batch:
        """Put rows side by side; `at` says at which token each of the readings is read or edited."""
        padding = Padding(self.reader.padding_token, self._left, self.network.device)
        return collate([readings[row] for row in rows], rows, [at[row] for row in rows], padding)

    def gathered(
        self, readings: Sequence[Reading], step: Callable[[list[int]], Mapping[K, Tensor]]
    ) -> dict[K, Tensor]:
        """Run `step` over batches and put its rows back in the order of the readings, float32, on the CPU."""
        out: dict[K, Tensor] = {}
        for rows, found in self.batcher.run([len(reading.ids) for reading in readings], step):
            for key, value in found.items():
                if key not in out:
                    # Made outside inference mode, so that callers may differentiate through what they get.
                    with torch.inference_mode(mode=False):
                        out[key] = torch.empty((len(readings), *value.shape[1:]), dtype=torch.float32)
                out[key][rows] = value.float().cpu()
        return out

    @contextmanager
    def edited(self, edits: Mapping[Site, Edit], batch: Batch) -> Iterator[None]:
        """Keep `edits` in force for one forward pass of `batch`."""
        points = [(self.layout.find(site), change) for site, change in edits.items()]
        with ExitStack() as stack:
            for point, change in points:
                bound = batch.editing(change)
                stack.enter_context(edit(self.network.module, {point.module: bound}, read=point.side))
            yield
