"""The public names: pinned, sorted, loaded on first use."""

import subprocess
import sys

import pytest

import biaskit
from biaskit import errors

PUBLIC = [
    "ActivationError",
    "Analysis",
    "AuditSpec",
    "BiaskitError",
    "ByGroup",
    "CatalogueError",
    "ComparedRuns",
    "ControlSet",
    "Estimate",
    "Finding",
    "Gate",
    "ImageError",
    "InstrumentError",
    "Interval",
    "LayoutError",
    "MissingExtraError",
    "ModelLoadError",
    "NothingAuditedError",
    "ProbeSet",
    "ReferencePair",
    "Report",
    "RequestError",
    "Run",
    "RunError",
    "Session",
    "Site",
    "SiteKind",
    "SparseAutoencoderMismatchError",
    "TargetSet",
    "TextTooLongError",
    "UnknownNameError",
    "VisionSession",
    "audit",
    "capture",
    "compare",
    "edit",
    "image_set",
    "load",
    "load_classifier",
    "load_encoder",
    "load_report",
    "triangulate",
]


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_names_are_pinned_and_sorted():
    assert biaskit.__all__ == PUBLIC == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there(name):
    value = getattr(biaskit, name)
    assert value.__name__ == name
    assert name in dir(biaskit)


def test_every_error_is_public():
    own = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert own <= set(biaskit.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'adit'"):
        _ = biaskit.adit


def test_importing_the_package_imports_nothing_else():
    new = loaded_after("import biaskit") - loaded_after("import importlib, typing")
    assert {name for name in new if not name.startswith("biaskit")} <= {"__future__"}
    assert {name for name in new if name.startswith("biaskit")} == {"biaskit"}


def test_a_record_does_not_bring_torch():
    assert not {"torch", "numpy"} & loaded_after("import biaskit; biaskit.Report; biaskit.ProbeSet")


@pytest.mark.parametrize("name", ["Session", "capture", "edit"])
def test_without_torch_a_heavy_name_says_what_to_install(name):
    code = f"import sys\nsys.modules['torch'] = None\nimport biaskit\nbiaskit.{name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in done.stderr
    assert "pip install 'biaskit[text]'" in done.stderr


def test_a_heavy_name_does():
    assert "torch" in loaded_after("import biaskit; biaskit.Session")
