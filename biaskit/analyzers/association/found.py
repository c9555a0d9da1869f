"""What one part of the analyzer came back with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biaskit.records.finding import Finding
    from biaskit.records.table import Table


@dataclass(frozen=True, slots=True)
class Found:
    """Findings with what is to be said of them.

    Attributes:
        findings: The numbers.
        summary: What was found, one sentence each.
        caveats: What was measured on less than was asked, one sentence each.
        notes: What was chosen, one sentence each.
        tables: The measurements behind the numbers.
    """

    findings: tuple[Finding, ...]
    summary: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
