"""What one study found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biaskit.records.contact_sheet import ContactSheet
    from biaskit.records.dot_plot import DotPlot
    from biaskit.records.finding import Finding
    from biaskit.records.table import Table


@dataclass(eq=False)
class Found:
    """The parts of an `Analysis` that one set of targets gives; see there."""

    findings: list[Finding] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    dots: list[DotPlot] = field(default_factory=list)
    sheets: list[ContactSheet] = field(default_factory=list)
