"""Trackers: what they are handed, and, where they are installed, what they kept."""

import importlib
import json
import re
import sys
from types import SimpleNamespace

import pytest

from biaskit.errors import MissingExtraError, UnknownNameError
from biaskit.reporting import folder, trackers
from tests.reporting.hostile import hostile_report
from tests.reporting.sample import build_report


class Run(SimpleNamespace):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done = True


@pytest.fixture
def saved(tmp_path):
    folder.write(build_report(), tmp_path / "run")
    return tmp_path / "run"


def test_mlflow_is_handed_numbers_settings_and_the_folder(saved, monkeypatch):
    kept = {}
    run = Run(info=SimpleNamespace(run_id="abc"))
    fake = SimpleNamespace(
        start_run=lambda run_name: kept.update(name=run_name) or run,
        log_params=lambda given: kept.update(params=given),
        log_metrics=lambda given: kept.update(metrics=given),
        log_artifacts=lambda place: kept.update(place=place),
    )
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    assert trackers.track(build_report(), saved, "mlflow") == "abc"
    assert kept["place"] == str(saved)
    assert kept["params"]["model"] == "organism:reviews, seed 0"
    assert kept["metrics"] == trackers.numbers(build_report())
    assert run.done


def test_wandb_is_handed_numbers_settings_and_the_folder(saved, monkeypatch):
    kept = {}
    run = Run(id="abc", summary={}, log_artifact=lambda one: kept.update(artifact=one))

    class Artifact(SimpleNamespace):
        def __init__(self, name, **rest):
            super().__init__(name=name, **rest)

        def add_dir(self, place):
            self.place = place

    fake = SimpleNamespace(init=lambda **given: kept.update(given) or run, Artifact=Artifact)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    assert trackers.track(build_report(), saved, "wandb") == "abc"
    assert run.summary == trackers.numbers(build_report())
    assert (kept["artifact"].place, kept["artifact"].type) == (str(saved), "audit")
    assert kept["config"]["run"] == build_report().run.id


def test_numbers_are_those_of_the_report_under_names_that_every_tracker_takes():
    report = build_report()
    found = trackers.numbers(report)
    headline = [one for one in report.findings() if one.headline]
    values = [value for name, value in found.items() if name.endswith("/value")]
    assert values == [one.estimate.value for one in headline]
    assert found["gates/fail"] == 2
    assert found["biaslens.score/food/positive - negative/references given target/resid_post.2/low"] == 1.16
    assert not [name for name in found if any(other.startswith(f"{name}/") for other in found)]
    for name in trackers.numbers(hostile_report()):
        assert re.fullmatch(r"[A-Za-z0-9_\-. /]{1,250}", name)


def test_a_tracker_that_is_missing_or_unknown(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"biaskit\[mlflow\]"):
        trackers.track(build_report(), saved, "mlflow")
    with pytest.raises(UnknownNameError, match="wandb"):
        trackers.track(build_report(), saved, "wandbb")


@pytest.mark.slow
def test_the_real_mlflow_keeps_it(saved, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="`pip install 'biaskit[mlflow]'` ends this skip")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    run = trackers.track(build_report(), saved, "mlflow")
    kept = mlflow.get_run(run)
    assert kept.data.metrics == pytest.approx(trackers.numbers(build_report()))
    assert kept.data.params == trackers.settings(build_report())
    assert list(tmp_path.rglob("artifacts/report.json"))


@pytest.mark.slow
def test_the_real_wandb_keeps_it_offline(saved, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="`pip install 'biaskit[wandb]'` ends this skip")
    for name, value in {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    importlib.reload(wandb)
    run = trackers.track(build_report(), saved, "wandb")
    (kept,) = tmp_path.glob(f"wandb/offline-run-*-{run}")
    assert (kept / f"run-{run}.wandb").stat().st_size > 1000
    assert json.loads((saved / "report.json").read_text())
