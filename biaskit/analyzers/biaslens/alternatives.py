"""The other axes' findings: calibrated first, silent where they are not oriented."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from biaskit.analyzers.biaslens.axes import CAV, READOUT, SAE, STATED, cav, readout, sae, stated
from biaskit.analyzers.biaslens.calibration import Calibrator
from biaskit.analyzers.biaslens.estimates import Basis, plain_estimate, target_estimates
from biaskit.analyzers.biaslens.findings import UNDECIDED
from biaskit.analyzers.biaslens.sae_choice import Audited, open_view
from biaskit.analyzers.biaslens.sae_view import fvu_finding, latent_findings
from biaskit.errors import BiaskitError
from biaskit.records.estimate import Null, Unit
from biaskit.records.finding import Direction, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biaskit.analyzers.biaslens.calibration import Calibration
    from biaskit.analyzers.biaslens.findings import Scribe
    from biaskit.concepts.pole_tokens import PoleTokens
    from biaskit.concepts.sae_source import View


def alternative_findings(
    scribe: Scribe, tokens: PoleTokens, names: Sequence[str], autoencoder: str
) -> tuple[list[Finding], list[str]]:
    """Calibrate each named axis at the reported point and report what it says, with notes.

    Args:
        scribe: Writes the findings of the references given the target.
        tokens: The next tokens that stand for the poles.
        names: Which axes.
        autoencoder: How the sparse autoencoder is chosen; looked up only if `sae` is among the names.
    """
    measured, session = scribe.measured, scribe.session
    findings: list[Finding] = []
    notes: list[str] = []
    calibrator = Calibrator(session, measured, tokens)
    view = None
    if SAE in names:
        rows = measured.activations.flatten(0, 1)
        groups = [example.filler for example in measured.grid.examples]
        view = open_view(session, scribe.comparison, autoencoder, Audited(measured.point.site, rows, groups))
        notes.append(view.note)
        findings += fvu_finding(scribe, view)
        findings += latent_findings(scribe, view)
    for name in names:
        try:
            axis, about = _axis(name, scribe, tokens, view)
        except BiaskitError as error:
            notes.append(f"The axis '{name}' was not fitted: {error.what}")
            continue
        findings += about
        if axis is not None:
            findings += _findings(name, axis, scribe, calibrator)
    return findings, notes


def _axis(
    name: str, scribe: Scribe, tokens: PoleTokens, view: View | None
) -> tuple[Float[Tensor, " d"] | None, list[Finding]]:
    """Return the axis, None where it has no autoencoder, and what is known of its fit."""
    session, comparison, site = scribe.session, scribe.comparison, scribe.measured.point.site
    if name == STATED:
        return stated(session, comparison, site), []
    if name == CAV:
        return _cav(scribe)
    if name == READOUT:
        return readout(session, tokens), []
    if view is None or view.autoencoder is None:
        return None, []
    return sae(session, comparison, site, view.autoencoder), []


def _cav(scribe: Scribe) -> tuple[Float[Tensor, " d"], list[Finding]]:
    probe = cav(scribe.session, scribe.comparison, scribe.measured.point.site)
    auc = probe.held_out_auc
    if not probe.converged:
        auc = auc.model_copy(update={"method": f"{auc.method}; the solver did not converge"})
    target, folds = scribe.comparison.targets.name, np.array(probe.fold_aucs)
    rows = scribe.keep("cav_auc", target, range(len(folds)), folds)
    told = scribe.finding("cav_auc", target, auc, direction=Direction.NONE, rows=rows)
    return probe.direction.vector, [told]


def _findings(name: str, axis: Float[Tensor, " d"], scribe: Scribe, calibrator: Calibrator) -> list[Finding]:
    calibration = calibrator.calibrate(axis)
    slope = _slope(name, calibration, scribe)
    if not calibration.oriented:
        reason = f"{UNDECIDED}not oriented: moving neutral controls along it does no more than random axes do"
        estimate = plain_estimate(None, Unit.NAT, Basis(0, "fillers", f"{name} axis, calibrated", reason))
        return [
            slope,
            *(scribe.finding(f"axis_{name}", target, estimate) for target in scribe.measured.nouns.columns),
        ]
    turned = ", turned because moving along it lowers the log-odds" if calibration.turned else ""
    method = f"{name} axis x calibrated slope{turned}"
    rng = scribe.session.rng(f"biaslens/axis/{name}")
    cells = calibrator.scores(axis, calibration)
    estimates = target_estimates(cells, scribe.measured, method, rng)
    return [
        slope,
        *(
            scribe.finding(f"axis_{name}", target, found, rows=scribe.by_noun(f"axis_{name}", target, cells))
            for target, found in estimates.items()
        ),
    ]


def _slope(name: str, calibration: Calibration, scribe: Scribe) -> Finding:
    random = abs(calibration.random)
    p = (1 + int((random >= abs(calibration.slope)).sum())) / (1 + len(random))
    estimate = plain_estimate(
        calibration.slope,
        Unit.NAT,
        Basis(
            n=len(scribe.measured.grid.stems),
            over="stems x neutral controls",
            method=f"change of the log-odds for one unit along the {name} axis",
            reason=None,
        ),
        calibration.interval,
        Null(p=p, kind=f"{len(random)} random axes of equal length"),
    )
    target, metric = scribe.comparison.targets.name, f"calibration_{name}"
    rows = scribe.keep(metric, target, scribe.measured.grid.stems, calibration.by_stem)
    return scribe.finding(metric, target, estimate, direction=Direction.NONE, rows=rows)
