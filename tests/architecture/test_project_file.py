"""The project file and the pins say the same, and installing an extra brings only what it must."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import biaskit
from biaskit.errors import MissingExtraError

LIGHT = {"click", "jinja2", "junitparser", "platformdirs", "pydantic", "rich"}


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def extras(project):
    return {
        name: [Requirement(line) for line in lines]
        for name, lines in project["optional-dependencies"].items()
    }


@pytest.fixture(scope="module")
def pins(root):
    lines = [line for line in (root / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def names(requirements) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def test_the_light_half_needs_six_packages(project):
    assert names(map(Requirement, project["dependencies"])) == LIGHT


@pytest.mark.parametrize("extra", ["text", "vision", "diffusion", "dev", "bench"])
def test_every_pin_satisfies_the_requirement(extras, pins, extra):
    for requirement in extras[extra]:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_every_pin_is_exact_and_stands_once(root):
    lines = [line for line in (root / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", line) for line in lines)
    packages = [line.partition("==")[0] for line in lines]
    assert packages == sorted(set(packages))


def test_torch_is_pinned(pins):
    assert pins["torch"] == "2.13.0"


def test_transformer_lens_and_sae_lens_fit_each_other(extras):
    bounds = {requirement.name: str(requirement.specifier) for requirement in extras["text"]}
    assert bounds["transformer-lens"] == "<4,>=3.9"
    assert bounds["sae-lens"] == "<7,>=6.54"


def test_all_holds_the_three_modalities_and_no_torchvision(extras, pins):
    (everything,) = extras["all"]
    assert everything.extras == {"text", "vision", "diffusion", "plot"}
    pulled = set().union(*(names(extras[extra]) for extra in ("text", "vision", "diffusion", "dev")))
    assert not {"torchvision", "timm", "open-clip-torch"} & (pulled | pins.keys())
    wanted = {
        "torch",
        "transformer-lens",
        "sae-lens",
        "captum",
        "diffusers",
        "scikit-learn",
        "pandas",
        "matplotlib",
    }
    assert wanted <= pulled


def test_a_missing_extra_names_one_that_exists(extras):
    assert "pip install 'biaskit[text]'" in str(MissingExtraError("torch", "text"))
    assert {"text", "vision", "diffusion", "timm", "all", "dev"} <= extras.keys()


def test_the_version_is_said_once(root, project):
    assert project["dynamic"] == ["version"]
    assert f"version: {biaskit.__version__}" in (root / "CITATION.cff").read_text()


def test_the_command_is_the_main_function(project):
    assert project["scripts"] == {"biaskit": "biaskit.cli:main"}
