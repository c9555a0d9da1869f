"""A run on disk: report.json (canonical), report.html, findings, evidence, tables; whole or not at all."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from biaskit.reporting import manifest, measurements, page, table
from biaskit.reporting.reading import REPORT, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biaskit.records.finding import Finding
    from biaskit.records.report import Report


__all__ = ["REPORT", "evidence", "folder_name", "read", "to_json", "write", "write_file"]


def write(report: Report, folder: Path) -> None:
    """Write a run folder; each file appears under its name only when it is whole.

    Files: `report.json`, `report.html`, `findings.csv` with one line a finding, one
    `evidence/<metric>.jsonl` a metric, each line one example with what it is about and how much it moves
    the number, in the estimate's unit, and one `tables/<analyzer>.<table>.csv` a table; last
    `manifest.json` with the digest of each, and of what stands in `arrays/` and `remedy/`. Evidence and
    tables of an earlier run are removed.
    """
    rows = {f"evidence/{metric}.jsonl": lines for metric, lines in evidence(report).items()}
    tables = measurements.files(report)
    for name, lines in rows.items():
        write_file(folder / name, lines)
    for name, content in tables.items():
        write_file(folder / name, measurements.as_csv(content))
    for stale in (*folder.glob("evidence/*.jsonl"), *folder.glob(f"{measurements.FOLDER}/*.csv")):
        if stale.relative_to(folder).as_posix() not in {*rows, *tables}:
            stale.unlink()
    write_file(folder / "findings.csv", table.as_csv(report))
    write_file(folder / "report.html", page.render(report))
    write_file(folder / REPORT, to_json(report))
    own = (REPORT, "report.html", "findings.csv", *rows, *tables)
    write_file(folder / manifest.NAME, manifest.text_of(folder, {*own, *_written_before(folder)}))


def _written_before(folder: Path) -> Iterator[str]:
    """Yield what a run wrote into its folder before its report."""
    for path in (*folder.glob("arrays/*.safetensors"), *folder.glob("remedy/**/*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def to_json(report: Report) -> str:
    """Return the canonical JSON.

    Keys in the order of the schema, two spaces, each list of plain values such as a table's row on one line,
    one newline at the end.
    """
    return "\n".join(_one_line_a_row(report.model_dump_json(indent=2).split("\n"))) + "\n"


def _one_line_a_row(lines: Iterable[str]) -> Iterator[str]:
    """Join the lines of each list without lists or objects in it; no text in JSON holds a line's end."""
    held: list[str] = []
    for line in lines:
        if held and line.lstrip().startswith("]"):
            first, *cells = held
            yield f"{first}{' '.join(map(str.strip, cells))}{line.strip()}"
            held = []
        elif held and not line.endswith(("[", "{")):
            held.append(line)
        else:
            yield from held
            held = [line] if line.endswith("[") else []
            if not held:
                yield line


def evidence(report: Report) -> dict[str, str]:
    """Return the evidence rows of each metric as JSON lines."""
    lines: dict[str, list[str]] = {}
    for finding in report.findings():
        for row in finding.evidence:
            content = json.dumps(_about(finding) | row.model_dump(mode="json"), ensure_ascii=False)
            lines.setdefault(finding.metric, []).append(content)
    return {metric: "\n".join(rows) + "\n" for metric, rows in lines.items()}


def _about(finding: Finding) -> dict[str, object]:
    return {
        "concepts": finding.concepts,
        "references": finding.references,
        "group": finding.group,
        "site": str(finding.site) if finding.site else None,
        "unit": finding.estimate.unit,
    }


def write_file(path: Path, text: str) -> None:
    """Write a text file under a temporary name and rename it, so that a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def folder_name(report: Report) -> str:
    """Return the usual name of a run's folder: model, concepts and a short id."""
    concepts = "-".join(report.spec.concepts[:3]) + ("-and-more" if len(report.spec.concepts) > 3 else "")
    words = "-".join(part for part in (report.subject.name, concepts, report.run.id[:8]) if part)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", words).strip(".-")[:120]
