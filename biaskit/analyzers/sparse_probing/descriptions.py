"""Selectivity and description length: is it the property that is read, and how easily?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from biaskit.analyzers.sparse_probing.floors import selectivity
from biaskit.analyzers.sparse_probing.methods import INVERSE_PENALTIES
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
    estimate = selectivity(bench, place) if "control-task" in controls else None
    if estimate is not None:
        about = "selectivity", estimate, "logistic", place.site
        yield scribe.finding(*about, headline=True, direction=Direction.NONE)
    if "description-length" in controls:
        rng = bench.session.rng(f"sparse-probing/code/{place.question.name}")
        code = online_code(place.rows, place.question.problem, Logistic(INVERSE_PENALTIES), rng)[""]
        yield scribe.finding("compression", code.estimate(), "logistic", place.site, headline=True)
