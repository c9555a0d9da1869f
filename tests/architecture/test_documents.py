"""What the documents say of the tree, the commands and each other is so."""

import re
import tomllib

import pytest

import biaskit
from biaskit import catalogue, errors

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/quickstart.md",
    "docs/glossary.md",
    "docs/index.md",
    "docs/vision.md",
    "docs/diffusion.md",
    "docs/representation.md",
    "docs/ci.md",
)


def test_the_annotated_tree_names_every_part_of_the_package(root):
    guide = (root / "CONTRIBUTING.md").read_text()
    parts = [path for path in (root / "biaskit").iterdir() if path.name not in {"__pycache__", "py.typed"}]
    missing = [
        path.name for path in parts if not re.search(rf"^  {re.escape(path.name)}\b", guide, re.MULTILINE)
    ]
    assert missing == []


def test_the_guide_shows_the_example_as_it_is(root):
    guide = (root / "CONTRIBUTING.md").read_text()
    assert "examples/mean_difference_analyzer.py" in guide


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_within_the_repository_lead_somewhere(root, document):
    text = (root / document).read_text()
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and "://" not in target]
    missing = [target for target in local if not ((root / document).parent / target).exists()]
    assert [target for target in missing if not target.startswith("docs/images/")] == []


@pytest.mark.parametrize("document", ["README.md", "docs/quickstart.md"])
def test_make_targets_that_are_named_exist(root, document):
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", (root / document).read_text(), re.MULTILINE)) <= targets


def test_extras_that_are_named_exist(root):
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(
        re.findall(r"biaskit\[([a-z,]+)\]", " ".join((root / name).read_text() for name in DOCUMENTS))
    )
    assert {extra for names in named for extra in names.split(",")} <= extras.keys()


def test_exit_codes_of_the_readme_are_those_of_the_errors(root):
    codes = {value.exit_code for value in vars(errors).values() if hasattr(value, "exit_code")}
    listed = {
        int(code) for code in re.findall(r"^\| (\d+) \|", (root / "README.md").read_text(), re.MULTILINE)
    }
    assert codes | {0, 1, 4, 130} == listed


def test_the_audit_in_the_quickstart_is_one(root, tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", (root / "docs/quickstart.md").read_text(), re.DOTALL)
    path = tmp_path / "hiring.toml"
    path.write_text(block)
    assert catalogue.audit_spec(path).gates[0].at_most == 0.5


def test_every_public_name_of_the_readme_is_one(root):
    text = (root / "README.md").read_text() + (root / "docs/quickstart.md").read_text()
    named = set(re.findall(r"\bbiaskit\.([a-z_]\w*)\b(?!\.toml)", text))
    assert named <= {*biaskit.__all__}
