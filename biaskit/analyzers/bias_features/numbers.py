"""The findings: what was measured, each with interval, null and what was sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.analyzers.bias_features.measured import (
    best_rows,
    effect_rows,
    fall_rows,
    half_rows,
    random_rows,
)
from biaskit.records.estimate import Estimate, Interval, Null, Unit
from biaskit.records.finding import Direction, Finding, FromRows

if TYPE_CHECKING:
    from biaskit.analyzers.bias_features.leans import Leans
    from biaskit.analyzers.bias_features.study import GroupStudy
    from biaskit.analyzers.bias_features.turning import Single, Turning
    from biaskit.records.table import Table
    from biaskit.steering.ranking import Overlap

IMAGES, STEPS = "images", "timesteps"
_NEITHER = "neither half of the images names a latent"
_OF_INSTRUMENT = "It describes the instrument; the model is not tested by it."


def instrument_findings(study: GroupStudy, table: Table) -> list[Finding]:
    """Return what the autoencoder explains and how well the probes read the groups, over timesteps."""
    findings = []
    for place, (column, metric, unit) in enumerate(
        (
            ("explained", "bias_features.explained", Unit.PROPORTION),
            ("auc", "bias_features.probe_auc", Unit.AUC),
        ),
        start=1,
    ):
        values = np.array([row[place] for row in table.rows if row[place] is not None], dtype=float)
        if values.size:
            found = _over_steps(study, metric, values, unit)
            rows = FromRows(table=table.name, column=column)
            findings.append(found.model_copy(update={"rows": rows}))
    return findings


def _over_steps(study: GroupStudy, metric: str, values: Float[ndarray, " t"], unit: Unit) -> Finding:
    methods = {
        "bias_features.explained": "share of variance that the autoencoder explains on images of its own",
        "bias_features.probe_auc": "AUC of linear probes of the groups on held-out images",
    }
    return Finding(
        metric=metric,
        concepts=(study.compared.targets.name,),
        site=study.settings.place.site,
        group=study.compared.groups.name,
        direction=Direction.NONE,
        estimate=Estimate(
            value=float(values.mean()),
            unit=unit,
            n=len(values),
            resampling_unit=STEPS,
            method=f"{methods[metric]}, mean over timesteps from {values.min():.3f} to {values.max():.3f}",
            reason=_OF_INSTRUMENT,
        ),
    )


def effect_findings(study: GroupStudy, turning: Turning, target: str, group: str) -> list[Finding]:
    """Return what edits do to the share of a group: of all latents, of each, and of random ones."""
    dose = turning.response.strengths.index(turning.at)
    count = len(turning.response.hits)
    whole = Finding(
        metric="bias_features.effect",
        concepts=(target,),
        site=study.settings.place.site,
        group=group,
        direction=Direction.NONE,
        headline=True,
        rows=effect_rows(study.title, turning.at),
        estimate=Estimate(
            value=turning.effect,
            unit=Unit.PROPORTION,
            n=count,
            resampling_unit=IMAGES,
            method=f"change of the share of '{group}' by {len(turning.edit.record.features)} latents at "
            f"strength {turning.at:g}, fresh seeds, same noises",
            interval=turning.response.effect_interval(dose),
            null=turning.against_random,
        ),
    )
    random = Finding(
        metric="bias_features.random_effect",
        concepts=(target,),
        site=study.settings.place.site,
        group=group,
        direction=Direction.NONE,
        rows=random_rows(study.title),
        estimate=Estimate(
            value=float(np.abs(turning.random).mean()),
            unit=Unit.PROPORTION,
            n=len(turning.random),
            resampling_unit="random sets of latents",
            method="mean absolute change of the share by random latents, equal in number and size of edit",
            interval=_range(np.abs(turning.random)),
            reason="It is the null that the effect is tested against.",
        ),
    )
    singles = [_single(study, one, target, group) for one in turning.singles]
    return [whole, _trend(study, turning, target, group), random, *singles]


def _trend(study: GroupStudy, turning: Turning, target: str, group: str) -> Finding:
    response = turning.response
    return Finding(
        metric="bias_features.largest_fall",
        concepts=(target,),
        site=study.settings.place.site,
        group=group,
        direction=Direction.LOWER,
        rows=fall_rows(study.title),
        estimate=Estimate(
            value=response.falls,
            unit=Unit.PROPORTION,
            n=len(response.hits),
            resampling_unit=IMAGES,
            method=f"largest fall of the share of '{group}' from one strength to the next; 0 is monotone",
            null=response.trend(),
            reason="A largest fall has no interval; the p is that of a rise over all strengths.",
        ),
    )


def _single(study: GroupStudy, one: Single, target: str, group: str) -> Finding:
    return Finding(
        metric="bias_features.latent",
        concepts=(target, f"latent {one.latent}"),
        site=study.settings.place.site,
        group=group,
        direction=Direction.NONE,
        headline=one.turns,
        rows=effect_rows(study.title, one.response.strengths[1], one.latent),
        estimate=Estimate(
            value=one.response.effect(1),
            unit=Unit.PROPORTION,
            n=len(one.response.hits),
            resampling_unit=IMAGES,
            method=f"change of the share of '{group}' by this latent alone, edited at the size of all",
            interval=one.response.effect_interval(1),
            null=one.null,
        ),
    )


def overlap_finding(study: GroupStudy, found_: Overlap, target: str, group: str) -> Finding:
    """Return how far two halves of the images name the same latents."""
    return Finding(
        metric="bias_features.stability",
        concepts=(target,),
        site=study.settings.place.site,
        group=group,
        direction=Direction.HIGHER,
        rows=half_rows(study.title) if any(found_.tops) else None,
        unkept="" if any(found_.tops) else _NEITHER,
        estimate=Estimate(
            value=found_.shared,
            unit=Unit.PROPORTION,
            n=2,
            resampling_unit="halves of the images",
            method="share of the top latents that both halves name; "
            f"{found_.by_chance:.3f} where labels are shuffled",
            null=Null(
                p=found_.p, kind=f"labels of one half shuffled {study.settings.shuffles} times, ranked again"
            ),
            reason="Two halves give no interval.",
        ),
    )


def shuffled_finding(
    study: GroupStudy, best: float, draws: Float[ndarray, " b"], about: tuple[str, str]
) -> Finding:
    """Return the top latent's attribution, tested against the top ones under shuffled labels."""
    reached = int((draws >= best).sum())
    return Finding(
        metric="bias_features.attribution",
        concepts=(about[0],),
        site=study.settings.place.site,
        group=about[1],
        direction=Direction.NONE,
        rows=best_rows(study.title),
        estimate=Estimate(
            value=best,
            unit=Unit.ONE,
            n=study.settings.traced,
            resampling_unit=IMAGES,
            method="largest attribution of a latent: probability it brings in, summed over timesteps",
            null=Null(
                p=(1 + reached) / (len(draws) + 1),
                kind=f"labels shuffled {len(draws)} times, probes fitted again, largest attribution",
            ),
            reason="The largest of many has no interval of its own.",
        ),
    )


def sentences(turning: Turning, leans: Leans, row: int, title: str, group: str) -> list[str]:
    """Say in plain sentences what was found."""
    column = leans.groups.index(group)
    named = [one for one in turning.singles if one.turns]
    features = ", ".join(str(one.latent) for one in named) or "none"
    share, random = leans.shares[row, column], np.abs(turning.random).mean()
    first = (
        f"{title}: '{leans.targets[row]}' is drawn as {group} in {share:.0%} of the images; "
        f"{len(turning.edit.record.features)} latents turn that by {turning.effect:+.0%} on fresh seeds, "
        f"random ones of equal size by {random:.0%} on average (p {turning.against_random.p:.2g})."
    )
    second = (
        f"Latents that by themselves turn images toward {group}: {features} "
        f"({len(turning.singles)} were tested)."
    )
    return [first, second]


def _range(values: Float[ndarray, " n"]) -> Interval:
    """The range of all draws, as it is named elsewhere in reports."""
    return Interval(
        low=float(values.min()),
        high=float(values.max()),
        level=(len(values) - 1) / (len(values) + 1) or 0.5,
        method=f"range of {len(values)} draws",
    )
