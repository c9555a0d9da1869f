"""Run the checks on an analyzer, all at once or each as a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from biaskit.testing.checks import CHECKS
from biaskit.testing.subject import Subject

if TYPE_CHECKING:
    from pydantic import JsonValue

    from biaskit.protocols import Analyzer
    from biaskit.runner.specimens import Bench


class CheckFailedError(AssertionError):
    """An analyzer does not pass the conformance kit."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check.

    Attributes:
        name: Name of the check, such as `check_leaves_no_hook`.
        meaning: What it asks, one sentence.
        trouble: What is wrong; empty where the check passed.
    """

    name: str
    meaning: str
    trouble: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.trouble


def analyzer_checks(
    kind: type[Analyzer],
    settings: Mapping[str, JsonValue] | None = None,
    *,
    bench: Bench | None = None,
    seed: int = 0,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield every check of an analyzer as a name and a function that raises AssertionError.

    The checks share their analyses: a null twice and a plant once, on a small organism.

    Args:
        kind: The analyzer's class.
        settings: Settings over those that its `planting` names.
        bench: Where specimens come from; None for the organism of its kind of plant.
        seed: Seed of the specimens.
    """
    subject = Subject(kind, settings, bench, seed)
    for check in CHECKS:
        yield check.__name__, partial(check, subject)


def check_analyzer(
    kind: type[Analyzer],
    settings: Mapping[str, JsonValue] | None = None,
    *,
    bench: Bench | None = None,
    seed: int = 0,
) -> tuple[CheckResult, ...]:
    """Run every check of an analyzer; see `analyzer_checks` for the arguments.

    Returns:
        The result of each check, where all of them passed.

    Raises:
        CheckFailedError: A check failed; every failure is named.
    """
    checks = analyzer_checks(kind, settings, bench=bench, seed=seed)
    results = tuple(_result(name, check) for name, check in checks)
    failed = [one for one in results if not one.passed]
    if failed:
        named = getattr(kind, "name", kind.__name__)
        lines = "\n".join(f"- {one.name}: {one.trouble}" for one in failed)
        raise CheckFailedError(f"'{named}' fails {len(failed)} of {len(results)} checks.\n{lines}")
    return results


def _result(name: str, check: Callable[[], None]) -> CheckResult:
    meaning = next((one.__doc__ or "" for one in CHECKS if one.__name__ == name), "")
    try:
        check()
    except AssertionError as error:
        return CheckResult(name, meaning, str(error))
    except Exception as error:  # noqa: BLE001  whatever an analyzer raises is what is reported
        return CheckResult(name, meaning, f"{type(error).__name__}: {error}")
    return CheckResult(name, meaning)


def parametrize_with_checks(
    kinds: Iterable[type[Analyzer]], settings: Mapping[str, JsonValue] | None = None
) -> Any:
    """Make every check of every analyzer a test of its own; needs pytest.

    Use it on a test of one argument::

        @parametrize_with_checks([MyAnalyzer])
        def test_conformance(check):
            check()
    """
    pytest = import_module("pytest")
    cases = [
        pytest.param(check, id=f"{getattr(kind, 'name', kind.__name__)}-{name}")
        for kind in kinds
        for name, check in analyzer_checks(kind, settings)
    ]
    return pytest.mark.parametrize("check", cases)
