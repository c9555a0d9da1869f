"""Executes the examples, so that their pages show what they print and draw.

An executed notebook is kept in build/notebooks until the example or the package changes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jupytext
import nbclient
import nbformat

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "notebooks"
READ = ("biaskit/**/*.py", "biaskit/**/*.jinja", "probes/*.toml", "audits/*.toml")
AT_ONCE = 2
KEY = "biaskit_digest"
REPORT = '<div class="bk">'
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def executed(names: Iterable[str]) -> dict[str, Any]:
    """Return each example as a notebook with its outputs, two at a time where they must be run.

    Raises:
        CellExecutionError: A cell failed.
    """
    package = _digest(path for pattern in READ for path in sorted(ROOT.glob(pattern)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        wanted = {name: pool.submit(_one, name, package) for name in names}
        return {name: one.result() for name, one in wanted.items()}


def _one(name: str, package: str) -> Any:
    source, kept = ROOT / "examples" / f"{name}.py", KEPT / f"{name}.ipynb"
    digest = hashlib.sha256(f"{package}{_digest([source])}".encode()).hexdigest()
    if kept.is_file():
        known = nbformat.read(kept, as_version=4)
        if known.metadata.get(KEY) == digest:
            return known
    notebook = jupytext.read(source)
    run = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(source.parent)}},
    )
    run.execute(env=_environment())
    notebook.metadata[KEY] = digest
    KEPT.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, kept)
    return notebook


def _environment() -> dict[str, str]:
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    return {key: value for key, value in os.environ.items() if key != "MPLBACKEND"} | {
        "PYTHONPATH": os.pathsep.join(paths)
    }


def _digest(paths: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def files(notebook: Any, name: str) -> Mapping[str, bytes]:
    """Return what stands beside a page: the pictures that were drawn and the reports that were shown."""
    return {
        file: base64.b64decode(data["image/png"]) if "image/png" in data else _whole(data["text/html"])
        for file, data in _beside(notebook, name)
    }


def cells(notebook: Any, name: str) -> Iterator[str]:
    """Yield each cell as Markdown: words, or code followed by what it printed, drew and returned."""
    names = iter([file for file, _ in _beside(notebook, name)])
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
            continue
        yield f"```python\n{cell.source}\n```"
        drawn = any("image/png" in _data(output) for output in cell.outputs)
        for output in cell.outputs:
            data = _data(output)
            if _stands_beside(data):
                yield _picture(next(names)) if "image/png" in data else _frame(next(names))
            elif not (drawn and output.output_type == "execute_result"):
                yield _written(output)


def _beside(notebook: Any, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    outputs = [_data(output) for cell in notebook.cells for output in cell.get("outputs", ())]
    kept = filter(_stands_beside, outputs)
    return [
        (f"{name}-{i}.{'png' if 'image/png' in data else 'html'}", data) for i, data in enumerate(kept, 1)
    ]


def _stands_beside(data: Mapping[str, Any]) -> bool:
    """Whether an output is a picture or a report; a report has styles of its own and a width it adapts to."""
    return "image/png" in data or REPORT in data.get("text/html", "")


def _whole(fragment: str) -> bytes:
    return f'<!doctype html><meta charset="utf-8"><title>report</title>\n{fragment}'.encode()


def _picture(file: str) -> str:
    return f"![what this cell draws]({file})"


def _frame(file: str) -> str:
    style = "width:100%;height:34rem;border:0"
    return f'<iframe src="{file}" title="what this cell shows" style="{style}" loading="lazy"></iframe>'


def _data(output: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = output.get("data", {})
    return found


def _written(output: Any) -> str:
    """Return what a cell printed or returned; what it said aside, as progress, is left out."""
    if output.output_type == "stream":
        text = _ESCAPES.sub("", output.text).rstrip() if output.name == "stdout" else ""
        return f"```text\n{text}\n```" if text else ""
    data = _data(output)
    if "text/html" in data:
        # Markdown ends a block of HTML at a blank line.
        inner = "\n".join(line for line in data["text/html"].splitlines() if line.strip())
        return f'<div class="output">\n{inner}\n</div>'
    return f"```text\n{data.get('text/plain', '').rstrip()}\n```"
