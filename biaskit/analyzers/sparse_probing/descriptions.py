"""Selectivity and description length: is it the property that is read, and how easily?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from biaskit.analyzers.sparse_probing.floors import control_task
from biaskit.analyzers.sparse_probing.methods import INVERSE_PENALTIES
from biaskit.analyzers.sparse_probing.text_table import compression_rows, selectivity_rows
from biaskit.probing.controls import selectivity, share_right
from biaskit.probing.logistic import Logistic
from biaskit.probing.mdl import online_code
from biaskit.records.finding import Direction, Finding

if TYPE_CHECKING:
    from biaskit.analyzers.sparse_probing.bench import Bench
    from biaskit.analyzers.sparse_probing.findings import Scribe
    from biaskit.analyzers.sparse_probing.measure import Subject


def descriptions(
    bench: Bench, subject: Subject, scribe: Scribe, controls: Sequence[str]
) -> Iterator[Finding]:
    """Yield selectivity and compression of the logistic probe on the residual stream, where asked for."""
    place = subject.at(subject.focus, scribe.question)
    question, about = place.question, ("logistic", place.site)
    judged = control_task(bench, place) if "control-task" in controls else None
    if judged is not None:
        right, by_heart = map(share_right, judged)
        scribe.texts.keep(question, {"right": right, "right_control": by_heart})
        estimate, rows = selectivity(*judged), selectivity_rows(question)
        yield scribe.finding(
            "selectivity", estimate, *about, headline=True, direction=Direction.NONE, rows=rows
        )
    if "description-length" in controls:
        rng = bench.session.rng(f"sparse-probing/code/{question.name}")
        code = online_code(place.rows, question.problem, Logistic(INVERSE_PENALTIES), rng)[""]
        scribe.texts.keep(question, {"bits": code.bits, "raw_bits": np.ones(len(code.bits))})
        rows = compression_rows(question)
        yield scribe.finding("compression", code.estimate(), *about, headline=True, rows=rows)
