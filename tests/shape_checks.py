"""The run-time check of the test run: shapes and number formats of tensors, and nothing else.

All other types are mypy's business. Given whole signatures, beartype would refuse `Self` in methods and
protocols that are not run-time checkable, and would read every property of a model to see if it is one.

A check takes some 50 microseconds, a hundred times what a small function takes. Calls of one function in one
test are mostly alike, so the first `ALWAYS` in each test are checked, and then every `SELDOM`-th.
"""

from collections import Counter
from dataclasses import is_dataclass
from functools import partial, wraps
from importlib.machinery import SourceFileLoader
from inspect import isclass
from typing import Any, get_args
from unittest.mock import patch

import jaxtyping
from beartype import beartype
from jaxtyping import AbstractArray, _import_hook

ALWAYS, SELDOM = 32, 256

_check_all = jaxtyping.jaxtyped
_calls: Counter = Counter()


def holds_shape(hint) -> bool:
    return (isclass(hint) and issubclass(hint, AbstractArray)) or any(map(holds_shape, get_args(hint)))


def check(function):
    """Return `function` with every annotation checked at run time that holds a shape."""
    hints = function.__annotations__
    function.__annotations__ = {name: hint if holds_shape(hint) else Any for name, hint in hints.items()}
    return beartype(function)


def install() -> None:
    """Let jaxtyping decorate with `sparing`, and find the bytecode of what checked files import.

    As it stands its import hook gives bytecode another name for as long as a checked file runs. So torch,
    transformers and all else that it imports would be compiled anew in every process.
    """
    jaxtyping.jaxtyped = sparing
    _import_hook._JaxtypingLoader.exec_module = SourceFileLoader.exec_module
    _import_hook._JaxtypingLoader.get_code = _code


def _code(loader, name):
    own = partial(_import_hook._optimized_cache_from_source, loader._typechecker.get_hash())
    with patch("importlib._bootstrap_external.cache_from_source", own):
        return SourceFileLoader.get_code(loader, name)


def begin() -> None:
    """A test begins: the first calls of every function are checked again."""
    _calls.clear()


def sparing(*, typechecker):
    """Return a decorator that checks the calls that could still be news in this test."""

    def decorated(one):
        if not isclass(one):
            return _sampled(one, typechecker) if _may_hold_shape(one) else one
        if is_dataclass(one):
            one.__init__ = _sampled(one.__init__, typechecker)
        return one

    return decorated


def _may_hold_shape(function) -> bool:
    """Tell by what its file imports; the annotations themselves are still strings."""
    return any(getattr(value, "__module__", None) == "jaxtyping" for value in function.__globals__.values())


def _sampled(function, typechecker):
    checked = None

    @wraps(function)
    def call(*args, **kwargs):
        nonlocal checked
        _calls[call] += 1
        if _calls[call] > ALWAYS and _calls[call] % SELDOM:
            return function(*args, **kwargs)
        # Most functions are never called in one run of a few tests, and a check takes milliseconds to make.
        checked = checked or _check_all(function, typechecker=typechecker)
        return checked(*args, **kwargs)

    return call
