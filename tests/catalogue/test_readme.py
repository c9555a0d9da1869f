"""What the two README pages show must work as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from biaskit.catalogue import (
    audit_spec,
    comparisons,
    drawn,
    probe_sets,
    read_audit_spec,
    read_probe_set,
)

ROOT = Path(__file__).parents[2]


def examples(folder):
    page = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    return {
        block.split('name = "', 1)[1].split('"', 1)[0]: block for block in blocks if "format = 1" in block
    }


def test_probe_set_examples_fit_each_other(tmp_path):
    found = examples("probes")
    assert set(found) == {"drinks", "warmth", "plain-things", "ages", "barnyard"}
    for name, text in found.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        assert read_probe_set(tmp_path / f"{name}.toml").name == name
    (compared,) = comparisons(["drinks"], ["warmth"], [tmp_path])
    assert set(compared[0].targets) == {"tea", "juice"}
    asked = drawn(["barnyard", "drawn-occupations/nurse"], ["ages"], [tmp_path])
    assert [groups.name for _, groups, _ in asked.comparisons] == ["ages"]
    assert asked.prompts[0].cases[0].replacements == {"cow": "horse"}


def test_audit_example_reads_and_its_concepts_exist(tmp_path):
    ((name, text),) = examples("audits").items()
    (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    spec = read_audit_spec(tmp_path / f"{name}.toml")
    assert {targets.name for targets, _, _ in comparisons(spec.concepts, spec.references)} == {
        "illness",
        "mental-illness",
        "winobias-occupations",
    }


def test_the_page_names_every_audit_of_prompts_with_its_concepts():
    page = (ROOT / "audits" / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| (.*) \|$", page, re.MULTILINE))
    wanted = {"diffusion", "bias-features", "representation", "homonyms", "synonyms", "interventions"}
    assert set(rows) == wanted
    for name, concepts in rows.items():
        assert all(f"`{concept}`" in concepts for concept in audit_spec(name).concepts)


def test_the_page_names_every_shipped_set():
    page = (ROOT / "probes" / "README.md").read_text(encoding="utf-8")
    missing = [name for name in probe_sets() if f"`{name}`" not in page]
    assert missing == []


@pytest.mark.parametrize("folder", ["probes", "audits"])
def test_no_line_of_the_page_runs_over(folder):
    lines = (ROOT / folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []
