"""A run on a part of what it was given, so that something is seen soon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.catalogue import Drawn
    from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet

_FEWEST_CONTROLS = 20


def limited(
    targets: TargetSet, pair: ReferencePair, controls: ControlSet, *, limit: int
) -> tuple[TargetSet, ReferencePair, ControlSet]:
    """Keep the first `limit` templates, stems and fillers; enough neutral words stay to have a spread."""

    def first(listed: Mapping[Any, tuple[str, ...]]) -> dict[Any, tuple[str, ...]]:
        return {key: words[:limit] for key, words in listed.items()}

    return (
        targets.model_copy(
            update={"templates": targets.templates[:limit], "targets": first(targets.targets)}
        ),
        pair.model_copy(
            update={
                "templates": pair.templates[:limit],
                "fillers": first(pair.fillers),
                "stems": first(pair.stems),
                "reverse_stems": first(pair.reverse_stems),
            }
        ),
        controls.model_copy(update={"fillers": controls.fillers[: max(limit, _FEWEST_CONTROLS)]}),
    )


def limited_drawn(drawn: Drawn, limit: int) -> Drawn:
    """Keep the first `limit` templates of each comparison over groups, and prompts of each set."""
    return replace(
        drawn,
        comparisons=tuple(
            (targets.model_copy(update={"templates": targets.templates[:limit]}), groups, controls)
            for targets, groups, controls in drawn.comparisons
        ),
        prompts=tuple(one.model_copy(update={"cases": one.cases[:limit]}) for one in drawn.prompts),
    )
