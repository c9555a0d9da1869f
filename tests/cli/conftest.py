"""The command line in this process, with fake analyzers and a fake model behind it."""

from dataclasses import dataclass

import pytest

from biaskit import cli, models
from tests.runner import conftest as runner
from tests.runner.fakes import Model

plugins = runner.plugins


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def biaskit(capfd, monkeypatch, tmp_path):
    """Run one command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "load", lambda *_, **__: Model())
    monkeypatch.setattr(models, "on_disk", lambda *_, **__: None)
    for name in ("NO_COLOR", "COLUMNS", "BIASKIT_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        code = cli.run([str(one) for one in arguments])
        seen = capfd.readouterr()
        return Done(code, seen.out, seen.err)

    return run


@pytest.fixture
def audit(biaskit, plugins):
    """Run `biaskit audit` with the fake model and, unless told otherwise, a fake analyzer that works."""

    def run(*arguments, analyzers="steady"):
        model = ("audit", "--model", "some/model", "--concepts", "food", "--analyzers", analyzers)
        return biaskit(*model, *arguments)

    return run
