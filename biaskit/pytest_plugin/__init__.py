"""pytest: each gate of an audit is a test item.

The plug-in stands in every test run of an environment that has biaskit, so this file imports nothing but
pytest, adds options that all start with `--biaskit-`, and does nothing until a spec or a fixture asks for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from biaskit.records.report import Report

_FAIL_ON = ("fail", "warn", "undecided", "never")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini value."""
    group = parser.getgroup("biaskit", "bias audits")
    option = group.addoption
    option("--biaskit-spec", action="append", default=[], metavar="FILE", help="Audit whose gates are tests.")
    option("--biaskit-run", metavar="FOLDER", help="Judge this saved run; no model is opened.")
    option("--biaskit-model", metavar="NAME", help="Model to audit, in the place of the spec's.")
    option("--biaskit-baseline", metavar="FOLDER", help="Earlier run that gates against a baseline refer to.")
    option(
        "--biaskit-update-baseline",
        action="store_true",
        help="Write the run to the baseline's folder; the gates fail, so that it is not left on.",
    )
    option(
        "--biaskit-fail-on",
        choices=_FAIL_ON,
        default="fail",
        help="What fails a test; undecided gates that do not are skipped. [fail]",
    )
    option("--biaskit-offline", action="store_true", help="Make any attempt to reach the network an error.")
    parser.addini("biaskit_spec", type="paths", default=[], help="Audits whose gates are tests.")


def pytest_configure(config: pytest.Config) -> None:
    """Put the specs among what is collected; those of the ini file only where no paths were named."""
    config.addinivalue_line(
        "markers",
        "biaskit(metric, at_most, rule, mde, ...): a gate; `biaskit_gate` judges by it; `-m 'not biaskit'` "
        "leaves gates out",
    )
    wanted = list(config.getoption("--biaskit-spec"))
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        wanted += [str(path) for path in config.getini("biaskit_spec")]
    config.args += [one for one in wanted if one not in config.args]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a spec that was asked for; any other file is none of ours."""
    config = parent.config
    named = [config.invocation_params.dir / one for one in config.getoption("--biaskit-spec")]
    named += config.getini("biaskit_spec")
    if not named or file_path.resolve() not in {path.resolve() for path in named}:
        return None
    made: pytest.Collector = _items().SpecFile.from_parent(parent, path=file_path)
    return made


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a test that says how it is judged and takes nothing that judges."""
    marker = item.get_closest_marker("biaskit")
    asks = marker is not None and bool(marker.args or marker.kwargs)
    if asks and "biaskit_gate" not in getattr(item, "fixturenames", ()):
        pytest.fail(
            "The marker biaskit(...) judges nothing by itself: take the fixture biaskit_gate.", pytrace=False
        )


@pytest.fixture
def biaskit_gate(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Return a function that judges a report, a finding or an estimate by the test's marker."""
    yield from import_module("biaskit.pytest_plugin.marked").gate(request)


@pytest.fixture(scope="session")
def bias_audit(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Return a function with the arguments of `biaskit.audit` that makes each run once a session."""
    audit: Callable[..., Report] = _items().auditor(request.config)
    return audit


@pytest.fixture(scope="session")
def bias_baseline(request: pytest.FixtureRequest) -> Report | None:
    """Return the run in `--biaskit-baseline`, or None."""
    found: Report | None = _items().baseline(request.config)
    return found


def _items() -> Any:
    """Load what collects and judges, once there is something to judge."""
    return import_module("biaskit.pytest_plugin.items")
