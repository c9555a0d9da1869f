"""Run an analyzer on nulls and plants, and judge the instrument by what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

import biaskit
from biaskit import analyzers
from biaskit.errors import InstrumentError, RequestError
from biaskit.records.calibration import Calibration, NullRate, Planting
from biaskit.records.estimate import Unit
from biaskit.records.progress import Progress, Silent
from biaskit.runner.specimens import LEVEL, Bench, Judgement, Specimen, bench, judgements
from biaskit.selfcheck.power_curve import POWER, detectable, points, rate
from biaskit.selfcheck.profiles import PROFILES, Profile
from biaskit.selfcheck.twins import twins

if TYPE_CHECKING:
    from pydantic import JsonValue

    from biaskit.protocols import Analyzer

MOST_ALARMS = 0.07
GRID = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
WIDE = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
# An effect of this many standard errors is found with power 0.8 at level 0.05.
_ERRORS = 2.8
_LARGEST = {"auc": 0.5, "proportion": 0.9}
_AT_NULL = {"auc": 0.5}


def selfcheck(
    name: str,
    profile: str = "quick",
    *,
    seed: int = 0,
    settings: Mapping[str, JsonValue] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Prove an analyzer on this machine.

    Args:
        name: Name of the analyzer.
        profile: `quick`, `standard` or `full`.
        seed: Seed of every null and plant.
        settings: Settings of the analyzer, over those of the profile.
        progress: Who is told how far the work is.

    Returns:
        What came of it; `trouble` says why the instrument failed, where it did.

    Raises:
        UnknownNameError: There is no analyzer, setting or profile of that name.
        RequestError: The analyzer does not say how it is planted.
        InstrumentError: Nothing was tested, so nothing can be said.
    """
    sizes = _profile(profile)
    planting = planting_of(name)
    own = {**planting.lean, **(planting.quick if sizes.smaller else {}), **(settings or {})}
    analyzer = analyzers.build(name, own)
    work = _Work(analyzer, planting, sizes, seed, progress or Silent())
    found = work.run()
    if not found.nulls:
        raise InstrumentError(
            f"Nothing of {name} was tested on a null, so its false alarms are not known.",
            why=f"No finding of {planting.metric} had both a known dose and a p-value.",
            fix="See what the analyzer tests with: biaskit show " + name,
        )
    return _calibration(work, found, profile)


def planting_of(name: str) -> Planting:
    """Return how an analyzer is planted.

    Raises:
        UnknownNameError: There is no analyzer of that name.
        RequestError: It does not say so.
    """
    planting = getattr(analyzers.load(name), "planting", None)
    if not isinstance(planting, Planting):
        raise RequestError(
            f"The analyzer '{name}' does not say how it is planted, so it cannot be checked.",
            why="It has no class variable `planting`.",
            fix="Give it one: planting: ClassVar[Planting] = Planting(metric='...').",
        )
    return planting


def _profile(name: str) -> Profile:
    from_name = PROFILES.get(name)
    if from_name is None:
        raise RequestError(f"There is no profile '{name}'.", fix=f"It is one of {', '.join(PROFILES)}.")
    return from_name


@dataclass(frozen=True, slots=True)
class _Found:
    """Tests of nulls and of plants, and the doses that were asked for."""

    nulls: list[Judgement]
    plants: list[Judgement]
    doses: tuple[float, ...]
    subjects: Mapping[str, str]
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """An analyzer, how it is planted, and how much is run."""

    analyzer: Analyzer
    planting: Planting
    sizes: Profile
    seed: int
    progress: Progress

    def run(self) -> _Found:
        """Run the nulls first: they tell which doses are worth planting."""
        shown, numbers = bench(self.planting.plant), count()
        benches: list[Bench] = [
            shown,
            *twins(self.planting.plant, self.sizes.twins, self.seed, self.progress),
        ]
        made = [one for each in benches for one in self._nulls(each)]
        nulls = self._tested(made, numbers, "nulls", shown)
        doses = _grid(nulls, shown) if shown.tunable else ()
        plants = self._tested(list(self._plants(shown, doses)), numbers, "plants", shown)
        subjects = {name: digest for each in benches for name, digest in each.subjects.items()}
        return _Found(nulls, plants, doses, subjects, shown.unit)

    def _nulls(self, shown: Bench) -> Iterator[_Made]:
        for make in shown.nulls.values():
            for number in range(self.sizes.nulls):
                yield _Made(make, self.seed + number)

    def _plants(self, shown: Bench, doses: Sequence[float]) -> Iterator[_Made]:
        for number in range(self.sizes.plants):
            yield _Made(lambda seed: shown.planted(seed, doses), self.seed + number)

    def _tested(
        self, made: Sequence[_Made], numbers: Iterator[int], what: str, shown: Bench
    ) -> list[Judgement]:
        tracked = self.progress.track(made, f"{self.analyzer.name} on {what}", len(made))
        return [test for one in tracked for test in self._judged(one(), next(numbers), shown)]

    def _judged(self, specimen: Specimen, number: int, shown: Bench) -> Iterator[Judgement]:
        findings = specimen.fitted(self.analyzer).analyze(specimen.session).findings
        return judgements(findings, self.planting, specimen, shown, number)


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A specimen that is made when its turn comes."""

    make: Any
    seed: int

    def __call__(self) -> Specimen:
        specimen: Specimen = self.make(self.seed)
        return specimen


def _grid(nulls: Sequence[Judgement], shown: Bench) -> tuple[float, ...]:
    """Return doses around the one that should be found with power 0.8; a wide range where units differ."""
    if not all(test.comparable for test in nulls):
        return WIDE
    stated = _stated(nulls)
    if stated is None:
        away = np.array([test.value - _AT_NULL.get(shown.unit, 0.0) for test in nulls])
        stated = _ERRORS * float(np.sqrt(np.mean(away**2))) if away.size else 0.0
    largest = _LARGEST.get(shown.unit, float("inf"))
    return tuple(dict.fromkeys(min(share * stated, largest) for share in GRID))


def _stated(tests: Sequence[Judgement]) -> float | None:
    """Return the median of the minimum detectable effects that the estimates state."""
    given = [test.detectable for test in tests if test.detectable is not None]
    return float(np.median(given)) if given else None


def _calibration(work: _Work, found: _Found, profile: str) -> Calibration:
    alarms = _alarms(found.nulls)
    curve = points(found.plants, found.doses)
    settings: dict[str, Any] = asdict(work.analyzer)  # type: ignore[call-overload]
    nulls = tuple(_by_kind(found.nulls))
    unit = Unit(found.unit)
    made = Calibration(
        analyzer=work.analyzer.name,
        provider=analyzers.find(work.analyzer.name).provider,
        tool_version=biaskit.__version__,
        metric=work.planting.metric,
        settings=bearing(settings, work.planting),
        profile=profile,
        seed=work.seed,
        created_at=datetime.now(UTC),
        subjects=dict(found.subjects),
        level=LEVEL,
        nulls=nulls,
        false_alarms=alarms,
        dose_unit=found.unit,
        power=curve,
        detectable=detectable(curve, alarms.value or 0.0, unit),
        detectable_analytic=_stated(found.plants),
    )
    return made.model_copy(update={"trouble": tuple(trouble(made))})


def bearing(settings: Mapping[str, Any], planting: Planting) -> dict[str, JsonValue]:
    """Return the settings that bear on the planted metric, as plain data."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in settings.items()
        if key not in planting.lean
    }


def _alarms(tests: Sequence[Judgement]) -> Any:
    what = f"share of tests with p <= {LEVEL} on nulls"
    return rate([test.alarm for test in tests], [test.trial for test in tests], what)


def _by_kind(tests: Sequence[Judgement]) -> Iterator[NullRate]:
    for kind in dict.fromkeys(test.kind for test in tests):
        own = [test for test in tests if test.kind == kind]
        yield NullRate(null=kind, trials=len({test.trial for test in own}), rate=_alarms(own))


def trouble(made: Calibration) -> Iterator[str]:
    """Yield why the instrument failed, on evidence: an interval wholly beyond what is allowed."""
    for one in made.nulls:
        interval = one.rate.interval
        if interval is not None and interval.low > MOST_ALARMS:
            yield (
                f"On {one.null} it raises false alarms in {one.rate.value:.1%} of {one.rate.n} tests "
                f"(95% interval {interval.low:.1%} to {interval.high:.1%}), more than {MOST_ALARMS:.0%}."
            )
    if not made.power:
        yield "No plant was tested, so what it can find is not known."
        return
    last = made.power[-1]
    if last.rate.interval is not None and last.rate.interval.high < POWER:
        yield (
            f"Of plants of {last.dose:.3g} {made.dose_unit}, the largest, it finds {last.rate.value:.0%} "
            f"(95% interval up to {last.rate.interval.high:.0%}), less than {POWER:.0%}."
        )
