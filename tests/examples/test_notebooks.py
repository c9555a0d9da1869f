"""Each example is a notebook: it is converted, executed, and shows its pictures."""

from pathlib import Path

import jupytext
import nbclient
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = {"first_audit": 1, "gate_in_ci": 1, "write_an_analyzer": 1, "vision": 2, "diffusion": 1}


def notebook(name):
    return jupytext.read(EXAMPLES / f"{name}.py")


@pytest.mark.parametrize("name", PICTURES)
def test_an_example_opens_with_what_it_is_about(name):
    first, *cells = notebook(name).cells
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert {cell.cell_type for cell in cells} == {"markdown", "code"}
    assert all(cell.source.strip() for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_a_notebook_runs_and_shows_its_pictures(name, monkeypatch):
    monkeypatch.delenv("MPLBACKEND")  # the kernel chooses the one that shows pictures in the page
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent), prepend=":")
    opened = notebook(name)
    nbclient.NotebookClient(
        opened, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(EXAMPLES)}}
    ).execute()
    shown = [output for cell in opened.cells for output in cell.get("outputs", ())]
    pictures = [one for one in shown if "image/png" in one.get("data", {})]
    assert len(pictures) == PICTURES[name]
