"""Renderings of a report: pure functions of the record, loaded when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from biaskit.errors import UnknownNameError

if TYPE_CHECKING:
    from biaskit.records.report import Report

FORMATS = {
    ".html": "biaskit.reporting.page:render",
    ".json": "biaskit.reporting.folder:to_json",
    ".md": "biaskit.reporting.markdown:render",
    ".txt": "biaskit.reporting.terminal:as_text",
}


def render(report: Report, ending: str) -> str:
    """Render a report in the form that a file's ending names.

    Raises:
        UnknownNameError: There is no such form.
    """
    if ending.lower() not in FORMATS:
        raise UnknownNameError("form of report", ending or "(no ending)", FORMATS)
    module, _, function = FORMATS[ending.lower()].partition(":")
    text: str = getattr(import_module(module), function)(report)
    return text
