"""Where a vision model can be read: the modules whose output lies over the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from biaskit.errors import LayoutError, RunError, UnknownNameError
from biaskit.hooks.trace import Run
from biaskit.hooks.unwrap import find_modules
from biaskit.models.vision_declared import declared_layout, layer_layout
from biaskit.models.vision_network import PROBES
from biaskit.records.site import Site, SiteKind
from biaskit.saliency.layout import Axes, Layout, infer_layout, possible_layouts

_LISTS = (nn.ModuleList, nn.Sequential)
_OFTEN_NOT_CALLED = (*_LISTS, nn.ModuleDict)


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A module that can be read.

    Attributes:
        path: Its dotted path.
        module: The module; its output is the activation.
        shape: Shape of that in the probing pass.
        layouts: How it may lie over the image: one where this is clear.
    """

    path: str
    module: nn.Module
    shape: tuple[int, ...]
    layouts: tuple[Layout, ...]


class VisionSites:
    """The sites of one vision model.

    Attributes:
        points: What stands at each site, bottom first.
        notes: What was noticed about modules that are no sites, one sentence each.
        size: Height and width of the model's input.
    """

    def __init__(self, points: Iterable[Point], notes: Sequence[str], size: tuple[int, int]) -> None:
        self.points = {Site(kind=_kind(point), layer=layer): point for layer, point in enumerate(points)}
        self.notes, self.size = tuple(notes), size

    def spatial(self) -> tuple[Site, ...]:
        """Return the sites whose layout is clear, bottom first."""
        return tuple(site for site, point in self.points.items() if len(point.layouts) == 1)

    def find(self, site: Site) -> Point:
        """Return what stands at a site.

        Raises:
            LayoutError: The model has no spatial axes anywhere.
            UnknownNameError: It has, but not this site.
        """
        if not self.points:
            raise LayoutError(
                "No activation of this model has spatial axes, so no map can be laid over the image.",
                fix="Use a method that works on pixels, such as occlusion.",
            )
        if site not in self.points:
            raise UnknownNameError("site", str(site), map(str, self.points))
        return self.points[site]

    def layout(self, site: Site) -> Layout:
        """Return how the activation at a site lies over the image.

        Raises:
            LayoutError: Two readings of its shape tie.
        """
        point = self.find(site)
        return point.layouts[0] if len(point.layouts) == 1 else infer_layout(point.shape, self.size)


def find_sites(
    model: nn.Module, runs: Sequence[Run], size: tuple[int, int], declared: Mapping[str, Layout]
) -> VisionSites:
    """Find the sites of a model from one pass of it.

    A site is a module that runs once a pass and whose output has spatial axes. What hands on the very tensor
    that another module gave counts once, as the innermost block. Inside a block (an element of a list of
    modules) only norms of tokens and further blocks count: the output of each block and the norm before its
    attention are there, its plumbing is not.

    Args:
        model: The model.
        runs: Every run of its modules in a pass.
        size: Height and width of the input.
        declared: Layouts by dotted path that the user stated; such a module is a site wherever it stands.

    Raises:
        UnknownNameError: A declared path names no module.
        LayoutError: A declared layout does not fit what the module gives.
        RunError: A declared module did not run, or ran more than once.
    """
    find_modules(model, declared)
    times = Counter(run.name for run in runs)
    _check_declared(runs, times, declared)
    once = {run.name: run for run in runs if times[run.name] == 1}
    points = _points(once, model, size, declared)
    counting = [point for point in points.values() if point.path in declared or _counts(point, model, points)]
    kept = _without_repeats(counting, once, model, declared)
    return VisionSites(kept, [*_unclear(kept), *_unhooked(model, runs, times, size)], size)


def _without_repeats(
    points: Sequence[Point], once: Mapping[str, Run], model: nn.Module, declared: Mapping[str, Layout]
) -> list[Point]:
    """Of those that hand on one tensor, untouched, keep the innermost block, or the first."""
    same: dict[tuple[int, int], list[str]] = {}
    last = {id(once[point.path].output): once[point.path].version for point in points}
    for point in points:
        run = once[point.path]
        if run.version == last[id(run.output)]:
            same.setdefault((id(run.output), run.version), []).append(point.path)
    chosen = {next((path for path in paths if _is_block(path, model)), paths[0]) for paths in same.values()}
    return [point for point in points if point.path in chosen or point.path in declared]


def _points(
    once: Mapping[str, Run], model: nn.Module, size: tuple[int, int], declared: Mapping[str, Layout]
) -> dict[str, Point]:
    """Read every output; grids that are clear help to read those that are not."""
    shapes = {
        name: tuple(run.output.shape)
        for name, run in once.items()
        # A position embedding or a batch of windows has another number of rows.
        if run.output is not None
        and run.output.is_floating_point()
        and run.output.ndim in {3, 4}
        and len(run.output) == PROBES
    }
    known = {
        name: declared.get(name)
        or layer_layout(once[name].module, shape)
        or declared_layout(model, shape, size)
        for name, shape in shapes.items()
    }
    grids = {(layout.height, layout.width) for layout in known.values() if layout is not None}
    for axes in (4, 3):
        for shape in shapes.values():
            clear = possible_layouts(shape, size, grids=grids) if len(shape) == axes else ()
            grids |= {(layout.height, layout.width) for layout in clear if len(clear) == 1}
    found = {}
    for name, shape in shapes.items():
        layout = known[name]
        layouts = possible_layouts(shape, size, grids=grids) if layout is None else (layout,)
        if layouts:
            found[name] = Point(name, once[name].module, shape, layouts)
    return found


def _check_declared(runs: Sequence[Run], times: Counter[str], declared: Mapping[str, Layout]) -> None:
    given = {run.name: run.output for run in runs}
    for path, layout in declared.items():
        if times[path] != 1:
            raise RunError(
                f"Module '{path}' ran {times[path]} times in one pass, so it has no activation of its own.",
                why="Its hook never fires where it is called by a method other than `forward`."
                if not times[path]
                else "Several layers share it.",
                fix="Declare the layout of a module inside it or around it.",
            )
        output = given[path]
        if output is None or not layout.fits(output.shape):
            shape = None if output is None else tuple(output.shape)
            raise LayoutError(f"Module '{path}' gives an activation of shape {shape}, not {layout}.")


def _counts(point: Point, model: nn.Module, points: Mapping[str, Point]) -> bool:
    """Whether a module is a block, stands in none, or is a norm of tokens."""
    if _is_block(point.path, model) or (
        "norm" in type(point.module).__name__.lower() and point.layouts[0].axes is not Axes.NCHW
    ):
        return True
    return not any(above in points and _is_block(above, model) for above in _above(point.path))


def _is_block(path: str, model: nn.Module) -> bool:
    parent = model.get_submodule(path.rpartition(".")[0])
    leaf = not any(True for _ in model.get_submodule(path).children())
    return isinstance(parent, _LISTS) and not leaf


def _above(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _unclear(points: Sequence[Point]) -> list[str]:
    paths = [point.path for point in points if len(point.layouts) > 1]
    if not paths:
        return []
    return [f"The activation of {_some(paths)} can be read in two ways; declare its layout to use it."]


def _unhooked(model: nn.Module, runs: Sequence[Run], times: Counter[str], size: tuple[int, int]) -> list[str]:
    """Say which larger modules cannot be read because they never ran, or ran several times."""
    large = {
        name: module
        for name, module in model.named_modules()
        if name and any(True for _ in module.children())
    }
    silent = [name for name, module in large.items() if not times[name] and _is_meant_to_run(module)]
    shapes = {run.name: tuple(run.output.shape) for run in runs if run.output is not None}
    often = [name for name in large if times[name] > 1 and possible_layouts(shapes.get(name, ()), size)]
    notes = []
    if silent:
        notes.append(
            f"Hooks on {_some(silent)} never fire (called by another method than `forward`): no sites."
        )
    if often:
        notes.append(f"{_some(often)} run more than once in a pass and are no sites.")
    return notes


def _is_meant_to_run(module: nn.Module) -> bool:
    return not isinstance(module, _OFTEN_NOT_CALLED) and any(True for _ in module.parameters())


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _kind(point: Point) -> SiteKind:
    flat = {Axes.TOKENS, Axes.CHANNELS_FIRST_TOKENS, Axes.MULTI_SCALE}
    return SiteKind.TOKENS if point.layouts[0].axes in flat else SiteKind.CONV_OUT
