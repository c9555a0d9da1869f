"""A run on a part of what it was given, so that something is seen soon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from biaskit.records.probe_set import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biaskit.catalogue import Drawn
    from biaskit.protocols import Analyzer
    from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet

_FEWEST_CONTROLS = 20


def limited(
    targets: TargetSet, pair: ReferencePair, controls: ControlSet, *, limit: int
) -> tuple[TargetSet, ReferencePair, ControlSet]:
    """Keep the first `limit` templates, stems and fillers; enough neutral words stay to have a spread."""
    return (
        _fewer(targets, limit),
        pair.model_copy(
            update={
                "templates": pair.templates[:limit],
                "fillers": _first(pair.fillers, limit),
                "stems": _first(pair.stems, limit),
                "reverse_stems": _first(pair.reverse_stems, limit),
            }
        ),
        _fewer_controls(controls, limit),
    )


def limited_drawn(drawn: Drawn, limit: int) -> Drawn:
    """Keep the first `limit` templates and words of each comparison over groups, and prompts of each set."""
    return replace(
        drawn,
        comparisons=tuple(
            (
                _fewer(targets, limit),
                groups.model_copy(update={"groups": _first(groups.groups, limit)}),
                _fewer_controls(controls, limit),
            )
            for targets, groups, controls in drawn.comparisons
        ),
        prompts=tuple(one.model_copy(update={"cases": one.cases[:limit]}) for one in drawn.prompts),
    )


def fewer_images(analyzer: Analyzer, limit: int | None) -> Analyzer:
    """Let an analyzer of text-to-image models draw at most `limit` images where its setting says more."""
    asked: Any = getattr(analyzer, "images", 0)
    if limit is None or analyzer.modality is not Modality.TEXT_TO_IMAGE or asked <= limit:
        return analyzer
    fewer: Analyzer = replace(analyzer, images=limit)  # type: ignore[type-var]  # every analyzer is a dataclass
    return fewer


def _fewer(targets: TargetSet, limit: int) -> TargetSet:
    kept = {"templates": targets.templates[:limit], "targets": _first(targets.targets, limit)}
    return targets.model_copy(update=kept)


def _fewer_controls(controls: ControlSet, limit: int) -> ControlSet:
    return controls.model_copy(update={"fillers": controls.fillers[: max(limit, _FEWEST_CONTROLS)]})


def _first(listed: Mapping[Any, tuple[str, ...]], limit: int) -> dict[Any, tuple[str, ...]]:
    return {key: words[:limit] for key, words in listed.items()}
