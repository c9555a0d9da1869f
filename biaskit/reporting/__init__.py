"""Renderings of a report: pure functions of the record, loaded when they are used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from biaskit.errors import UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path

    from biaskit.records.audit_spec import FailOn
    from biaskit.records.report import Report


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a report.

    Attributes:
        home: The function that writes it, as `module:function`.
        endings: What a file of this form is called, the usual ending first.
        what: What it is for, one phrase.
    """

    home: str
    endings: tuple[str, ...]
    what: str


FORMS = {
    "html": Form("page:render", (".html", ".htm"), "one page that needs nothing else"),
    "json": Form("folder:to_json", (".json",), "the canonical form"),
    "markdown": Form("markdown:render", (".md",), "for a pull request or a wiki"),
    "summary": Form("job_summary:render", (".summary.md",), "one screen for a job summary"),
    "text": Form("terminal:as_text", (".txt",), "what the terminal shows"),
    "junit": Form("junit:render", (".junit.xml", ".xml"), "one test case a verdict, for build servers"),
    "sarif": Form("sarif:render", (".sarif", ".sarif.json"), "alerts for code scanning"),
    "csv": Form("table:as_csv", (".csv",), "one line a finding, for spreadsheets"),
    "model-card": Form("model_card:render", (".card.md",), "metadata and text for a model card"),
    "every-eval-ever": Form(
        "every_eval_ever:render", (".eee.json",), "the common form of evaluation results"
    ),
}


_OF_BUILDS = frozenset({"junit", "sarif", "summary"})


def form_of(path: Path) -> str:
    """Return the form that a file's name asks for; of several endings that fit, the longest decides.

    Raises:
        UnknownNameError: No form has that ending.
    """
    endings = {ending: name for name, form in FORMS.items() for ending in form.endings}
    fitting = [ending for ending in endings if path.name.lower().endswith(ending)]
    if not fitting:
        raise UnknownNameError(
            "form of report", path.suffix or "(no ending)", endings, fix="Or name the form with --format."
        )
    return endings[max(fitting, key=len)]


def render(report: Report, name: str, spec: Path | None = None, fail_on: FailOn | None = None) -> str:
    """Render a report in one of `FORMS`.

    Args:
        report: The report.
        name: The form's name.
        spec: The audit's TOML file; SARIF results stand at its lines, other forms do not need it.
        fail_on: What fails a build, for JUnit, SARIF and the summary; by default a failure.

    Raises:
        UnknownNameError: There is no such form.
    """
    if name not in FORMS:
        raise UnknownNameError("form of report", name, FORMS)
    module, _, function = FORMS[name].home.partition(":")
    made = getattr(import_module(f"biaskit.reporting.{module}"), function)
    further: dict[str, object] = {"spec": spec} if name == "sarif" else {}
    if fail_on is not None and name in _OF_BUILDS:
        further["fail_on"] = fail_on
    text: str = made(report, **further)
    return text
