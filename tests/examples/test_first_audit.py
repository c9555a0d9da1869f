"""The notebook runs from top to bottom, and what it finds is what was planted."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "first_audit.py"


def test_the_first_audit_finds_what_was_planted(capsys):
    names = runpy.run_path(str(EXAMPLE))
    doses = names["plant"]["doses"]["sentiment"]
    for concept, finding in names["scores"].items():
        assert finding.estimate.value == pytest.approx(doses[concept], abs=0.4)
    assert "planted" in capsys.readouterr().out
