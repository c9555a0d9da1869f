"""Shapes in signatures are checked in the test run, and nothing turns that off unseen.

A name that is imported for the type checker only makes the run-time check of its whole annotation pass
on anything, so every name beside a shape must be a real import.
"""

import ast
import builtins
from contextlib import suppress

import pytest
import shape_checks
import torch
from jaxtyping import TypeCheckError

from biaskit.concepts.mean_difference import fit_mean_difference
from tests.architecture.sources import Source, under_type_checking

SHAPED = {"Float", "Float32", "Float64", "Int", "Bool", "Shaped", "Num", "Complex"}


def names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def annotations(function) -> list[ast.AST]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    found = [argument.annotation for argument in every if argument is not None]
    return [annotation for annotation in (*found, function.returns) if annotation is not None]


def bound_at_run_time(tree: ast.Module) -> set[str]:
    guarded, bound = under_type_checking(tree), set(dir(builtins))
    for node in ast.walk(tree):
        if node in guarded:
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            bound.add(node.name)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    return bound


def in_protocols(tree: ast.Module) -> set[ast.AST]:
    protocols = (
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.ClassDef) and "Protocol" in set().union(*map(names, n.bases), set())
    )
    return {inner for protocol in protocols for inner in ast.walk(protocol)}


def unchecked(source) -> list[str]:
    bound, skipped = bound_at_run_time(source.tree), in_protocols(source.tree)
    return [
        f"{source.path}:{annotation.lineno} {sorted(names(annotation) - bound)}"
        for function in source.functions
        if function not in skipped
        for annotation in annotations(function)
        if names(annotation) & SHAPED and names(annotation) - bound
    ]


def test_every_shape_is_checked_at_run_time(sources):
    assert [line for source in sources.values() for line in unchecked(source)] == []


def test_a_shape_behind_the_guard_is_found(tmp_path):
    text = (
        "from typing import TYPE_CHECKING\nfrom jaxtyping import Float\n"
        "if TYPE_CHECKING:\n    from torch import Tensor\n"
        "def f(x: Float[Tensor, 'n d']) -> int: ...\n"
    )
    assert unchecked(Source("m", "m.py", text, ast.parse(text))) == ["m.py:5 ['Tensor']"]


def test_a_wrong_shape_is_refused():
    right = torch.randn(5, 3), torch.randn(4, 3)
    fit_mean_difference(*right)
    with pytest.raises(TypeCheckError):
        fit_mean_difference(right[0], torch.randn(4, 2))
    with pytest.raises(TypeCheckError):
        fit_mean_difference(right[0], torch.randn(4))


def test_of_many_calls_the_first_and_some_later_ones_are_checked():
    right, wrong = torch.randn(5, 3), torch.randn(4, 2)
    for _ in range(shape_checks.ALWAYS):
        fit_mean_difference(right, right + 1)
    with pytest.raises((ValueError, RuntimeError)) as unchecked:
        fit_mean_difference(right, wrong)
    assert not isinstance(unchecked.value, TypeCheckError)
    for _ in range(shape_checks.SELDOM - shape_checks.ALWAYS - 2):
        with suppress(ValueError, RuntimeError):
            fit_mean_difference(right, wrong)
    with pytest.raises(TypeCheckError):
        fit_mean_difference(right, wrong)
    shape_checks.begin()
    with pytest.raises(TypeCheckError):
        fit_mean_difference(right, wrong)
