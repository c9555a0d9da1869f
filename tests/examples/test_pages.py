"""What a cell printed, drew and returned stands on its page; it is executed again when something changes."""

import base64
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import nbformat.v4 as nb
import pytest

PNG = b"\x89PNG made up"


@pytest.fixture(scope="module")
def notebooks():
    spec = spec_from_file_location("notebooks", Path(__file__).parents[2] / "docs" / "notebooks.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def executed_cell():
    cell = nb.new_code_cell("run()")
    cell.outputs = [
        nb.new_output("stream", name="stdout", text="\x1b[31mfood\x1b[0m +1.2\n"),
        nb.new_output("stream", name="stderr", text="reading activations: 1 of 3"),
        nb.new_output("display_data", data={"image/png": base64.b64encode(PNG).decode()}),
        nb.new_output("display_data", data={"text/html": "<p>a\n\n  \nb</p>", "text/plain": "Run"}),
        nb.new_output("execute_result", data={"text/plain": "(<Axes: >,)"}),
    ]
    return cell


def reported_cell():
    cell = nb.new_code_cell("run")
    shown = {"text/html": '<div class="bk">report</div>', "text/plain": "Run"}
    cell.outputs = [
        nb.new_output("execute_result", data=shown),
        nb.new_output("execute_result", data={"text/plain": "3"}),
    ]
    return cell


def test_a_page_shows_what_its_cells_show(notebooks):
    made = nb.new_notebook(cells=[nb.new_markdown_cell("# Title"), executed_cell(), reported_cell()])
    page = "\n\n".join(filter(None, notebooks.cells(made, "first-audit")))
    assert page.startswith("# Title\n\n```python\nrun()\n```\n\n```text\nfood +1.2\n```")
    assert "reading activations" not in page
    assert "![what this cell draws](first-audit-1.png)" in page
    assert '<div class="output">\n<p>a\nb</p>\n</div>' in page
    assert "Axes" not in page
    assert '<iframe src="first-audit-2.html"' in page
    assert page.endswith("```text\n3\n```")
    files = notebooks.files(made, "first-audit")
    assert files["first-audit-1.png"] == PNG
    assert b'<div class="bk">report</div>' in files["first-audit-2.html"]


def test_an_example_is_executed_once_for_each_state_of_the_package(notebooks, monkeypatch, tmp_path):
    runs = []

    class Client:
        def __init__(self, notebook, **_):
            self.notebook = notebook

        def execute(self, **_):
            runs.append(self.notebook.cells[0].source)
            self.notebook.cells.append(executed_cell())

    monkeypatch.setattr(notebooks, "KEPT", tmp_path)
    monkeypatch.setattr(notebooks.nbclient, "NotebookClient", Client)
    first = notebooks.executed(["first_audit"])["first_audit"]
    again = notebooks.executed(["first_audit"])["first_audit"]
    assert len(runs) == 1
    assert again.cells[-1].outputs == first.cells[-1].outputs
    monkeypatch.setattr(notebooks, "READ", ("biaskit/errors.py",))
    notebooks.executed(["first_audit"])
    assert len(runs) == 2
