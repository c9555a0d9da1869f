"""What is found in one study, gathered while it is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biaskit.records.contact_sheet import ContactSheet
    from biaskit.records.dot_plot import DotPlot
    from biaskit.records.figure import Figure
    from biaskit.records.finding import Finding
    from biaskit.records.table import Table


@dataclass(eq=False)
class Said:
    """The parts of an `Analysis` that one study gives; see there."""

    findings: list[Finding] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    dots: list[DotPlot] = field(default_factory=list)
    sheets: list[ContactSheet] = field(default_factory=list)
