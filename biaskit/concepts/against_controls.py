"""Targets against neutral nouns, from a table of prompts x nouns: value, interval, null, smallest effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from biaskit.concepts.nouns import LEAST_PEERS, Nouns
from biaskit.records.estimate import UNTESTED, Estimate, Null, Unit
from biaskit.stats.bootstrap import (
    two_way_degrees_of_freedom,
    two_way_interval,
    two_way_standard_error,
)
from biaskit.stats.conformal import control_p
from biaskit.stats.multiplicity import benjamini_hochberg
from biaskit.stats.power import minimum_detectable_effect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Wording:
    """How the estimates of one table are described.

    Attributes:
        method: How the cells were computed, one phrase.
        unit: What a cell counts in.
        rows: What the rows of the table are.
    """

    method: str
    unit: Unit = Unit.NAT
    rows: str = "stems"


NO_PEERS = (
    f"{UNTESTED} too few neutral nouns are like its nouns in being one token or several; "
    f"it takes {LEAST_PEERS}"
)
"""Why a target has no null."""


def estimates_against_controls(
    cells: Float[ndarray, "g n"],
    nouns: Nouns,
    wording: Wording,
    rng: np.random.Generator,
) -> dict[str, Estimate]:
    """Return one estimate for each target: mean of its cells, against the neutral controls.

    The interval resamples stems and fillers; the null is the conformal test of the target's nouns against
    the controls that are like them (see `Nouns.peers`), adjusted over all targets of the comparison that
    were tested.
    """
    by_noun = cells.mean(axis=0)
    nulls = {
        target: null
        for target, columns in nouns.columns.items()
        if columns and (null := _against_peers(by_noun, nouns, columns, rng)) is not None
    }
    adjusted = _adjusted(nulls)
    return {
        target: _estimate(cells[:, list(columns)], adjusted.get(target), wording)
        for target, columns in nouns.columns.items()
    }


def _against_peers(
    by_noun: Float[ndarray, " n"], nouns: Nouns, columns: Sequence[int], rng: np.random.Generator
) -> Null | None:
    peers = nouns.peers(columns)
    if peers is None:
        return None
    null = control_p(by_noun[list(peers.nouns)], by_noun[list(peers.controls)], rng=rng)
    kind = null.kind
    if len(peers.nouns) < len(columns):
        kind += f"; on {len(peers.nouns)} of {len(columns)} nouns"
    if len(peers.controls) < len(nouns.controls):
        like = "of the target's form" if peers.whole_form else "of as many tokens, one or several"
        kind += f"; of {len(nouns.controls)} controls those {like}"
    return null.model_copy(update={"kind": kind})


def _adjusted(nulls: Mapping[str, Null]) -> dict[str, Null]:
    if not nulls:
        return {}
    q = benjamini_hochberg(np.array([null.p for null in nulls.values()]))
    correction = f"Benjamini-Hochberg over {len(nulls)} targets"
    return {
        target: null.model_copy(update={"adjusted": float(value), "correction": correction})
        for (target, null), value in zip(nulls.items(), q, strict=True)
    }


def _estimate(cells: Float[ndarray, "g f"], null: Null | None, wording: Wording) -> Estimate:
    rows, fillers = cells.shape
    basis: dict[str, Any] = {
        "unit": wording.unit,
        "n": cells.size,
        "resampling_unit": f"{rows} {wording.rows} x {fillers} fillers",
        "method": wording.method,
    }
    if fillers == 0:
        reason = "none of the target's words is a single token for this model"
        return Estimate(value=None, reason=reason, **basis)
    if cells.size == 1:
        reason = f"one of the {wording.rows} with one word cannot be resampled"
        reason = reason if null is not None else f"{NO_PEERS}; {reason}"
        return Estimate(value=float(cells[0, 0]), null=null, reason=reason, **basis)
    error = two_way_standard_error(cells)
    return Estimate(
        value=float(cells.mean()),
        interval=two_way_interval(cells),
        null=null,
        minimum_detectable_effect=minimum_detectable_effect(error, df=two_way_degrees_of_freedom(cells)),
        reason=None if null is not None else NO_PEERS,
        **basis,
    )
