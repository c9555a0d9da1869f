"""What no linter offers: sizes, cycles, where hooks are registered, what the catalogue may hold."""

import ast
import re
from statistics import median, quantiles

import pytest

from tests.architecture.sources import under_type_checking

LONGEST_FILE, LONGEST_FUNCTION, NINETIETH, MEDIAN = 400, 50, 30, 10
REGISTERS_A_HOOK = re.compile(r"register_\w*hook")
NAMES_A_SOURCE = re.compile(r"\b(19|20)\d\d\b|arXiv|doi", re.IGNORECASE)


def body_lines(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def imports(source, known) -> set[str]:
    guarded = under_type_checking(source.tree)
    found = set()
    for node in ast.walk(source.tree):
        if node in guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return (found & known) - {source.module}


def reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    seen, waiting = set(), [start]
    while waiting:
        new = edges[waiting.pop()] - seen
        seen |= new
        waiting.extend(new)
    return seen


def test_no_file_is_long(sources):
    long = {source.path: source.text.count("\n") for source in sources.values()}
    assert {path: lines for path, lines in long.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_long(sources):
    long = {
        f"{source.path}:{function.lineno} {function.name}": body_lines(function)
        for source in sources.values()
        for function in source.functions
        if body_lines(function) > LONGEST_FUNCTION
    }
    assert long == {}


def test_functions_are_short_as_a_rule(sources):
    sizes = [body_lines(function) for source in sources.values() for function in source.functions]
    assert median(sizes) < MEDIAN
    assert quantiles(sizes, n=10)[-1] < NINETIETH


def test_no_import_cycle(sources):
    edges = {name: imports(source, set(sources)) for name, source in sources.items()}
    assert [name for name in sources if name in reachable(name, edges)] == []


def test_hooks_are_registered_in_one_place(sources):
    elsewhere = [
        source.path
        for source in sources.values()
        if REGISTERS_A_HOOK.search(source.text) and not source.path.startswith("biaskit/hooks/")
    ]
    assert elsewhere == []


@pytest.mark.parametrize("name", ["utils", "helpers", "manager", "config", "common", "misc"])
def test_no_drawer(sources, name):
    assert [module for module in sources if module.rpartition(".")[2] == name] == []


def test_every_analyzer_names_its_source(sources):
    analyzers = [
        source
        for source in sources.values()
        if any(
            isinstance(node, ast.ClassDef) and any(getattr(f, "name", "") == "analyze" for f in node.body)
            for node in source.tree.body
        )
        and source.module.startswith("biaskit.analyzers.")
    ]
    assert [s.path for s in analyzers if not NAMES_A_SOURCE.search(ast.get_docstring(s.tree) or "")] == []


def test_every_module_says_what_it_is(sources):
    empty = [s.path for s in sources.values() if (ast.get_docstring(s.tree) or "TODO").startswith("TODO")]
    assert empty == []


@pytest.mark.parametrize("catalogue", ["probes", "audits"])
def test_the_catalogue_holds_data_alone(root, catalogue):
    kinds = {path.suffix for path in (root / catalogue).rglob("*") if path.is_file()}
    assert kinds <= {".toml", ".md", ".jsonl"}
