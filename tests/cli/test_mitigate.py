"""Which remedy `biaskit mitigate` means, and what is refused before a model is opened."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest

from biaskit.cli.mitigate import _free, _name
from biaskit.errors import RequestError
from biaskit.records.report import Status

mitigate = import_module("biaskit.cli.mitigate")


@pytest.mark.parametrize(
    ("mitigation", "method", "meant", "left"),
    [
        (None, None, "steer-generator", None),
        (None, "leace", "erase", "leace"),
        (None, "retrain-head", "retrain-head", None),
        ("retrain-head", None, "retrain-head", None),
        ("erase", "inlp", "erase", "inlp"),
    ],
)
def test_a_method_or_a_mitigation_names_the_remedy(mitigation, method, meant, left):
    flags = {"mitigation": mitigation, "method": method}
    assert _name(flags) == meant
    assert flags["method"] == left


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            (
                "--method",
                "retrain-head",
                "--model",
                "organism:portraits",
                "--concepts",
                "portrait-occupations",
            ),
            "mends image classifiers, and what was given is for text-to-image models",
        ),
        (
            ("--model", "demo", "--concepts", "food"),
            "mends text-to-image models, and what was given is for l",
        ),
        (("--method", "retrain-hed", "--model", "demo", "--concepts", "food"), "leace"),
        (("--mitigation", "retrain-hed", "--model", "demo", "--concepts", "food"), "retrain-head"),
    ],
)
def test_a_remedy_for_another_kind_of_model_is_refused(biaskit, flags, said):
    done = biaskit("mitigate", *flags, "--out-dir", "out")
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


@pytest.mark.parametrize("status", list(Status))
def test_a_finished_remedy_is_kept_and_an_interrupted_one_goes_on(tmp_path, monkeypatch, status):
    _free(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    monkeypatch.setattr(mitigate, "read", lambda *_: SimpleNamespace(run=SimpleNamespace(status=status)))
    if status in {Status.INTERRUPTED, Status.ERROR}:
        _free(tmp_path)
        return
    with pytest.raises(RequestError, match="finished remedy"):
        _free(tmp_path)
