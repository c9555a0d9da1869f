"""Find a remedy, save it, and audit the model with it on what took no part in finding it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from biaskit import mitigations
from biaskit.errors import RequestError, UnknownNameError
from biaskit.records.audit_spec import AnalyzerSpec
from biaskit.records.probe_set import Modality
from biaskit.runner.audit import perform
from biaskit.runner.modalities import OPENS, WANTS
from biaskit.runner.request import Options, Request, request

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.mitigations.protocol import Mitigation
    from biaskit.records.finding import Analysis
    from biaskit.runner.run import Run

REMEDY, WORK = "remedy", "work"


@dataclass(frozen=True)
class _FindAndAudit:
    """A mitigation where an analyzer stands: what it finds is saved before it is measured."""

    mitigation: Mitigation
    folder: Path
    name: ClassVar[str] = "mitigate"
    modality: ClassVar[Modality] = Modality.ANY
    unit: ClassVar[str] = "proportion"
    nulls: ClassVar[tuple[str, ...]] = ()
    limitations: ClassVar[tuple[str, ...]] = ()

    def analyze(self, session: Any) -> Analysis:
        """Find, save, measure."""
        remedy = self.mitigation.find(session, self.folder / WORK)
        remedy.save(self.folder / REMEDY)
        return self.mitigation.audit(session, remedy)


def to_mitigate(
    model: object,
    concepts: str | Sequence[str],
    references: str | Sequence[str],
    options: Options,
    name: str = mitigations.DEFAULT,
) -> Request:
    """Resolve every name of a mitigation, as an audit's are; nothing heavy is loaded.

    Raises:
        UnknownNameError: The mitigation does not exist.
        RequestError: Something is missing, or has a value that it cannot take.
        UnknownNameError: A concept or set of groups does not exist.
    """
    if name not in mitigations.BUILT_IN:
        raise UnknownNameError("mitigation", name, mitigations.BUILT_IN)
    return request(model, concepts, references, None, {**options, "analyzers": (mitigations.READS_AS[name],)})


def mitigate(
    asked: Request, out: Path, name: str = mitigations.DEFAULT, settings: Mapping[str, Any] | None = None
) -> Run:
    """Find a remedy: for the first groups that are named, the others watched; or for one concept on one pair.

    `out` receives the report, the remedy (`remedy/`) and what the search finished (`work/`): the same call
    goes on after an interruption.

    Raises:
        UnknownNameError: The mitigation or a setting does not exist.
        RequestError: The request cannot be carried out; nothing was found.
        NothingAuditedError: No classifier tells the groups apart.
    """
    made = mitigations.build(name, settings or {})
    _check_given(made, asked)
    spec = asked.spec.model_copy(
        update={"analyzers": (AnalyzerSpec(name=name, settings={}),), "gates": (), "description": ""}
    )
    resolved = replace(asked, spec=spec, out_dir=out)
    return perform(resolved, (_FindAndAudit(made, out),))


def _check_given(made: Mitigation, asked: Request) -> None:
    """Refuse a mitigation of another kind of model than what was given is for.

    Raises:
        RequestError: They do not fit.
    """
    given = Modality.TEXT_TO_IMAGE if asked.drawn else Modality.IMAGE if asked.images else Modality.TEXT
    if made.modality is given:
        return
    fitting = [one for one in mitigations.BUILT_IN if mitigations.build(one, {}).modality is given]
    raise RequestError(
        f"'{made.name}' mends {OPENS[made.modality]}, and what was given is for {OPENS[given]}.",
        fix=f"Use --mitigation {', '.join(fitting)}. {WANTS[made.modality]}".strip(),
    )
