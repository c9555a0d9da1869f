"""The run-time check of the test run: shapes and number formats of tensors, and nothing else.

All other types are mypy's business. Given whole signatures, beartype would refuse `Self` in methods and
protocols that are not run-time checkable, and would read every property of a model to see if it is one.
"""

from inspect import isclass
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def holds_shape(hint) -> bool:
    return (isclass(hint) and issubclass(hint, AbstractArray)) or any(map(holds_shape, get_args(hint)))


def check(function):
    """Return `function` with every annotation checked at run time that holds a shape."""
    hints = function.__annotations__
    function.__annotations__ = {name: hint if holds_shape(hint) else Any for name, hint in hints.items()}
    return beartype(function)
