"""Groups of a target's images that nobody named: those that the model denoises well and badly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biaskit.decomposition.error_groups import REPLICATES, Told, error_groups
from biaskit.decomposition.measure import Asked
from biaskit.decomposition.plan import Plan
from biaskit.images.tiles import png
from biaskit.records.contact_sheet import ContactSheet, Tile
from biaskit.records.estimate import Estimate, Null, Unit
from biaskit.records.finding import Direction, Evidence, Finding, FromRows, Statistic
from biaskit.records.probe_set import SLOT
from biaskit.records.table import Table, slug
from biaskit.stats.loss_groups import LossGroups, association
from biaskit.stats.multiplicity import benjamini_hochberg

if TYPE_CHECKING:
    from biaskit.analyzers.representation.seeing import Seen
    from biaskit.analyzers.representation.study import Study

EVIDENCE = 5
COLUMNS = {
    "target": "The target.",
    "image": "Name of the image.",
    "found_loss": "Denoising loss less the images' mean on the noise that groups were found on, in nats.",
    "loss": "The same on the noise that was held out, in nats.",
    "found_group": "Number of the group it was put in, the best denoised first.",
    "best": "Whether that is the best denoised group; none between best and worst.",
}


def discovered(study: Study, seen: Sequence[Seen]) -> None:
    """Look for groups among the images of every target, and compare them with the groups that are known.

    Images of the user's own are read as the model's autoencoder encodes them, under their target's prompt.

    Raises:
        RequestError: There are too few images.
    """
    tracked = study.session.progress.track(seen, "denoising images", len(seen))
    found = [(one, _groups(study, one)) for one in tracked]
    tested = benjamini_hochberg(np.array([each.null.p for _, each in found]))
    for (one, each), q in zip(found, tested.tolist(), strict=True):
        null = each.null.model_copy(update={"adjusted": q, "correction": f"BH over {len(found)} targets"})
        study.found.findings.append(_gap(study, one, each, null))
        study.found.findings += _associations(study, one, each)
        study.found.sheets.append(_sheet(study, one, each))
    study.found.tables.append(_table(study, found))
    beyond = sum(q <= 0.05 for q in tested.tolist())
    study.found.summary.append(
        f"Without labels, {beyond} of {len(found)} targets hold images that the model denoises worse than "
        "others on noise that was held out (q 0.05)."
    )


def _groups(study: Study, one: Seen) -> LossGroups:
    targets, settings = study.compared[0].targets, study.settings
    prompt = targets.templates[0].replace(SLOT, targets.targets[one.target][0])
    plan = Plan(nodes=settings.nodes, replicates=REPLICATES, seed=study.session.seed)
    asked = Asked(plan=plan, keys=tuple(one.names))
    return error_groups(study.session.model, torch.cat(one.latents), settings.discover, Told(prompt), asked)


def _name(study: Study) -> str:
    return slug(f"losses of {study.compared[0].targets.name}")


def _shown(number: int) -> str:
    """Name of the column that holds what an image shows of one set of groups."""
    return f"shown_{number + 1}"


def _table(study: Study, found: Sequence[tuple[Seen, LossGroups]]) -> Table:
    """Return the losses and groups of every image."""
    sets = [one.groups for one in study.compared]
    shown = {_shown(n): f"The group of {one.name} that it is taken for." for n, one in enumerate(sets)}
    rows = []
    for one, each in found:
        last, members = int(each.members.max()), each.members.tolist()
        for row, image in enumerate(one.names):
            best = {0: True, last: False}.get(members[row])
            losses = (float(each.found[row]), float(each.held_out[row]))
            said = (list(groups.groups)[one.said[groups.name][row]] for groups in sets)
            rows.append((one.target, image, *losses, members[row] + 1, best, *said))
    title = f"Images of {study.compared[0].targets.name} by how well they are denoised"
    return Table.of(_name(study), title, COLUMNS | shown, rows)


def _gap(study: Study, one: Seen, each: LossGroups, null: Null) -> Finding:
    method = (
        f"held-out loss of the worst denoised of {each.members.max() + 1} groups less the best; "
        f"{each.found_gap:.2f} on the noise that the groups were found on"
    )
    return Finding(
        metric="representation.error_gap",
        concepts=(one.target,),
        direction=Direction.NONE,
        estimate=Estimate(
            value=each.gap,
            unit=Unit.NAT,
            n=len(one),
            resampling_unit="images",
            method=method,
            interval=each.interval,
            null=null,
        ),
        evidence=_evidence(one, each),
        rows=FromRows(
            table=_name(study),
            column="loss",
            where={"target": one.target},
            beside="best",
            statistic=Statistic.STEP,
        ),
    )


def _evidence(one: Seen, each: LossGroups) -> tuple[Evidence, ...]:
    worst = np.argsort(-each.held_out, kind="stable")[:EVIDENCE]
    return tuple(
        Evidence(text=one.names[row], value=float(each.held_out[row]), filler=one.target)
        for row in worst.tolist()
    )


def _associations(study: Study, one: Seen, each: LossGroups) -> list[Finding]:
    """How far found groups are the known ones: Cramer's V."""
    findings = []
    for number, compared in enumerate(study.compared):
        name = compared.groups.name
        rng = study.session.rng(f"representation/association/{one.target}/{name}")
        value, null = association(each.members, np.array(one.said[name], dtype=np.int64), rng)
        findings.append(
            Finding(
                metric="representation.error_association",
                concepts=(one.target,),
                group=name,
                direction=Direction.NONE,
                rows=FromRows(
                    table=_name(study),
                    column="found_group",
                    where={"target": one.target},
                    beside=_shown(number),
                    statistic=Statistic.CRAMERS_V,
                ),
                estimate=Estimate(
                    value=value,
                    unit=Unit.ONE,
                    n=len(one),
                    resampling_unit="images",
                    method="Cramer's V of groups found by denoising error and groups that are shown",
                    null=null,
                    reason=(
                        "Cramer's V of few images has no interval that holds near 0; its test stands beside."
                    ),
                ),
            )
        )
    return findings


def _sheet(study: Study, one: Seen, each: LossGroups) -> ContactSheet:
    """Show the images at both ends."""
    order = np.argsort(each.held_out, kind="stable").tolist()
    half = max(1, study.settings.shown // 2)
    rows = [*order[:half], *order[-half:]]
    pixels = study.session.model.decode(torch.cat(one.latents)[rows])
    return ContactSheet(
        name=slug(f"error groups {one.target}"),
        title=f"Images of '{one.target}' that are denoised best and worst",
        caption="Left the best explained, right the worst, by held-out loss in nats around the mean.",
        tiles=tuple(_tile(one, each, row, pixels[place]) for place, row in enumerate(rows)),
    )


def _tile(one: Seen, each: LossGroups, row: int, pixels: Float[Tensor, "rgb y x"]) -> Tile:
    return Tile(
        name=one.names[row],
        image=png(pixels),
        label=one.prompts[row],
        remark=f"group {int(each.members[row]) + 1}, loss {each.held_out[row]:+.2f} nats",
    )
