"""Which layer and which method to trust: chosen on some images, judged on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from biaskit.errors import LayoutError
from biaskit.records.estimate import Estimate
from biaskit.records.site import Site
from biaskit.saliency.classifier import Classifier
from biaskit.saliency.faithfulness import Faithfulness, Trial, TrialSettings
from biaskit.saliency.maps import Maps
from biaskit.saliency.methods import CAMS, Candidate, check_method, maps_of
from biaskit.saliency.occlusion import GRID
from biaskit.saliency.per_image import PerImage
from biaskit.saliency.scores import ScoreName, score_named
from biaskit.saliency.sides import Given, clusters_of

AUTO: Literal["auto"] = "auto"
OCCLUSION = Candidate("occlusion")


@dataclass(frozen=True, slots=True)
class Choosing:
    """What is asked for, and what is left to be chosen.

    Attributes:
        method: A name of `methods.METHODS`, or `auto`.
        site: The layer, or `auto`.
        score: What is explained about a class.
        floor: Mean agreement with occlusion below which maps count as unfaithful.
        sites: Most layers that are tried, spread evenly from the bottom to the top.
        images: Most images that are used; a third chooses, the others judge.
        clusters: What each image was sampled with, such as a person; empty: each image alone. Images of one
            cluster all choose or all judge.
    """

    method: str = AUTO
    site: Site | Literal["auto"] = AUTO
    score: ScoreName = ScoreName.CONTRASTIVE
    floor: float = 0.5
    sites: int = 6
    images: int = 96
    clusters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """One way that was tried on the choosing images.

    Attributes:
        candidate: The method and the layer.
        agreement: Its agreement with occlusion.
        dead: Share of its maps that point nowhere.
    """

    candidate: Candidate
    agreement: Estimate
    dead: float


@dataclass(frozen=True, slots=True)
class Judged:
    """Faithfulness of the chosen maps as estimates; see `Faithfulness` for what they are."""

    agreement: Estimate
    ranks: Estimate
    deletion: Estimate
    insertion: Estimate


@dataclass(frozen=True, slots=True)
class JudgedImage:
    """What the means of `Judged` are taken over; None where a measure is undefined.

    Attributes:
        place: The image's place among those that were given.
        explained: Name of the class whose map was judged.
        agreement: See `Faithfulness`.
        deletion: Likewise.
        insertion: Likewise.
    """

    place: int
    explained: str
    agreement: float | None
    deletion: float | None
    insertion: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """How maps will be computed, and how far they can be trusted.

    Attributes:
        candidate: The method and the layer.
        score: What is explained about a class.
        judged: Faithfulness on images that did not choose.
        by_class: The same for the images of each explained class.
        images: The images that both are taken over.
        tried: Everything that was tried, most faithful first.
        doubts: Why the maps have low faithfulness; empty where they passed.
        remarks: What else must be known.
    """

    candidate: Candidate
    score: ScoreName
    judged: Judged
    by_class: Mapping[str, Judged]
    images: tuple[JudgedImage, ...]
    tried: tuple[Tried, ...]
    doubts: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def low(self) -> bool:
        """Whether the maps have low faithfulness."""
        return bool(self.doubts)


def choose(
    classifier: Classifier,
    pixels: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " n"],
    asked: Choosing = Choosing(),
    *,
    rng: np.random.Generator,
) -> Choice:
    """Try layers and methods on a third of the images and judge the best on the others.

    The best is the one with the highest mean agreement with occlusion. It is said to have low faithfulness
    unless that agreement reaches the floor on the judging images with an interval above 0, and deletion or
    insertion beats random order with an interval above 0 and neither loses to it. Where the method was left
    open and no layer passes, occlusion itself is chosen and judged by deletion and insertion.

    Give images that will not be explained: otherwise the judgement speaks for these images only.

    Raises:
        RequestError: There are fewer than six images, all of one cluster, or other clusters than images.
        UnknownNameError: A method or a score that nobody knows.
        LayoutError: The method reads a layer and no layer has a spatial layout.
    """
    candidates = candidates_for(classifier, asked)
    given = Given(pixels, targets, clusters_of(asked.clusters, len(pixels)))
    first, rest = given.rows(asked.images, rng)
    settings = TrialSettings(
        _grid(classifier, candidates, pixels), score=asked.score, seed=int(rng.integers(2**31))
    )
    tried, remarks = _try(classifier, given.take(first), candidates, settings, rng)
    best = tried[0].candidate
    judge = _Judge(classifier, given.take(rest), settings, asked.floor)
    verdict = judge.judge(best)
    if asked.method == AUTO and verdict.doubts and best != OCCLUSION:
        remarks += (f"No layer gives faithful maps; the best was {best}. " + " ".join(verdict.doubts),)
        best, verdict = OCCLUSION, judge.judge(OCCLUSION)
    return Choice(
        candidate=best,
        score=asked.score,
        judged=verdict.judged,
        by_class=verdict.by_class,
        images=_images(verdict, rest.tolist(), [classifier.classes[row] for row in targets[rest].tolist()]),
        tried=tried,
        doubts=verdict.doubts,
        remarks=remarks,
    )


def candidates_for(classifier: Classifier, asked: Choosing) -> tuple[Candidate, ...]:
    """Return the ways that fit what is asked, bottom layers first."""
    if asked.method != AUTO:
        check_method(asked.method)
        if asked.method not in CAMS:
            return (Candidate(asked.method),)
    methods = tuple(CAMS) if asked.method == AUTO else (asked.method,)
    sites = usable_sites(classifier, asked.sites) if asked.site == AUTO else (asked.site,)
    if not sites and asked.method != AUTO:
        raise LayoutError(
            f"'{asked.method}' needs a layer that lies over the image, and the model has none.",
            fix="Use occlusion, integrated-gradients or gradient-x-input.",
        )
    return tuple(Candidate(method, site) for site in sites for method in methods) or (OCCLUSION,)


def usable_sites(classifier: Classifier, most: int) -> tuple[Site, ...]:
    """Return up to `most` layers with more than one cell, evenly spread, the last always among them."""
    sites = [site for site in classifier.spatial_sites() if _cells(classifier, site) > 1]
    if len(sites) <= most:
        return tuple(sites)
    return tuple(sites[round(i)] for i in np.linspace(len(sites) - 1, 0, most)[::-1])


def live_site_below(
    classifier: Classifier, pixels: Float[Tensor, "n c h w"], targets: Int[Tensor, " n"], site: Site
) -> Site | None:
    """Return the highest layer below `site` at which some image's gradient is not zero; None without one."""
    sites = classifier.spatial_sites()
    below = sites[: sites.index(site)] if site in sites else ()
    if not below:
        return None
    score = score_named(ScoreName.CONTRASTIVE, targets)
    gradients = classifier.sensitivity(pixels, score, below).gradients
    return next((lower for lower in reversed(below) if bool(gradients[lower].any())), None)


def _cells(classifier: Classifier, site: Site) -> int:
    try:
        layout = classifier.layout(site)
    except LayoutError:
        return 0
    return layout.height * layout.width


def _grid(classifier: Classifier, candidates: Sequence[Candidate], pixels: Tensor) -> tuple[int, int]:
    layouts = [classifier.layout(c.site) for c in candidates if c.site is not None]
    height = max((layout.height for layout in layouts), default=GRID[0])
    width = max((layout.width for layout in layouts), default=GRID[1])
    return min(height, GRID[0], pixels.shape[2]), min(width, GRID[1], pixels.shape[3])


def _try(
    classifier: Classifier,
    given: Given,
    candidates: Sequence[Candidate],
    settings: TrialSettings,
    rng: np.random.Generator,
) -> tuple[tuple[Tried, ...], tuple[str, ...]]:
    pixels, targets = given.pixels, given.targets
    trial = Trial(classifier, pixels, targets, settings)
    maps = maps_of(classifier, pixels, score_named(settings.score, targets), candidates)
    measured = {candidate: trial.agreement(found) for candidate, found in maps.items()}
    tried = [
        Tried(candidate, own.estimate(rng, given.clusters), float(maps[candidate].dead.float().mean()))
        for candidate, own in measured.items()
    ]
    tried.sort(key=lambda one: _merit(measured[one.candidate]), reverse=True)
    silent = dict.fromkeys(
        c.site for c, found in maps.items() if c.site is not None and bool(found.zero_gradient.all())
    )
    remarks = (dead_layer(classifier, pixels[:2], targets[:2], site) for site in silent)
    return tuple(tried), tuple(remarks)


def _merit(agreement: PerImage) -> float:
    """Return the mean over images, which one cluster alone has too; -1 where fewer than two are measured."""
    known = agreement.values[np.isfinite(agreement.values)].astype(float)
    return float(known.mean()) if known.size > 1 else -1.0


def dead_layer(
    classifier: Classifier, pixels: Float[Tensor, "n c h w"], targets: Int[Tensor, " n"], site: Site
) -> str:
    """Say that no cell at a layer reaches the score, and which layer to use."""
    live = live_site_below(classifier, pixels, targets, site)
    advice = f"Use {live}." if live is not None else "Use occlusion."
    return f"No cell at {site} reaches the score, as where only a class token is read above it. {advice}"


@dataclass(frozen=True, slots=True)
class _Verdict:
    judged: Judged
    by_class: Mapping[str, Judged]
    measured: Faithfulness
    doubts: tuple[str, ...]


def _images(verdict: _Verdict, places: Sequence[int], explained: Sequence[str]) -> tuple[JudgedImage, ...]:
    found = verdict.measured
    measures = (found.agreement, found.deletion, found.insertion)
    rows = zip(*([_known(value) for value in one.values.tolist()] for one in measures), strict=True)
    return tuple(
        JudgedImage(place, name, *row) for place, name, row in zip(places, explained, rows, strict=True)
    )


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


class _Judge:
    """Images that did not choose, and the measures that every candidate shares on them."""

    def __init__(self, classifier: Classifier, given: Given, settings: TrialSettings, floor: float) -> None:
        self._classifier, self._clusters = classifier, given.clusters
        self._pixels, self._targets = given.pixels, given.targets
        self._trial = Trial(classifier, self._pixels, self._targets, settings)
        self._score, self._floor = score_named(settings.score, self._targets), floor
        self._rng = np.random.default_rng(settings.seed)

    def judge(self, candidate: Candidate) -> _Verdict:
        maps: Maps = maps_of(self._classifier, self._pixels, self._score, (candidate,))[candidate]
        found = self._trial.faithfulness(maps)
        names, classes = self._classifier.classes, self._targets.numpy()
        by_class = {
            names[int(c)]: self._judged(found, np.flatnonzero(classes == c)) for c in np.unique(classes)
        }
        judged = self._judged(found, np.arange(len(classes)))
        said = doubts(judged, self._floor, reference=candidate == OCCLUSION)
        return _Verdict(judged, by_class, found, said)

    def _judged(self, found: Faithfulness, rows: Int[ndarray, " m"]) -> Judged:
        own, clusters = found.rows(rows), None if self._clusters is None else self._clusters[rows]
        parts = (own.agreement, own.ranks, own.deletion, own.insertion)
        return Judged(*(part.estimate(self._rng, clusters) for part in parts))


def doubts(judged: Judged, floor: float, *, reference: bool = False) -> tuple[str, ...]:
    """Say why maps have low faithfulness; nothing where they passed.

    Args:
        judged: Their faithfulness.
        floor: The agreement that they must reach.
        reference: Whether they are the occlusion map itself, which agreement cannot judge.
    """
    found = []
    agreement = judged.agreement
    if not reference and (not _above_zero(agreement) or (agreement.value or 0.0) < floor):
        found.append(f"Low faithfulness: agreement with occlusion is {_said(agreement)}, floor {floor:g}.")
    gains = (judged.deletion, judged.insertion)
    if not any(map(_above_zero, gains)) or any(map(_below_zero, gains)):
        found.append(
            "Low faithfulness: against random order, deletion gains "
            f"{_said(judged.deletion)} and insertion {_said(judged.insertion)}."
        )
    return tuple(found)


def _above_zero(estimate: Estimate) -> bool:
    return estimate.interval is not None and estimate.interval.low > 0


def _below_zero(estimate: Estimate) -> bool:
    return estimate.interval is not None and estimate.interval.high < 0


def _said(estimate: Estimate) -> str:
    if estimate.value is None or estimate.interval is None:
        return f"unknown ({estimate.reason})"
    return f"{estimate.value:.2f} [{estimate.interval.low:.2f}, {estimate.interval.high:.2f}]"
