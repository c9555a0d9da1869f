"""The command line of text-to-image audits: what is listed, shown and checked, and the run itself."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import jsonschema
import pytest

from biaskit import analyzers, catalogue, models
from biaskit.runner import environment
from biaskit.runner.run import Run
from tests.runner import drawing_fakes
from tests.runner.drawing_fakes import Pipeline


@pytest.fixture
def painting(biaskit, plugins, monkeypatch, tmp_path):
    plugins.append(EntryPoint("painting", "tests.runner.drawing_fakes:Painting", analyzers.GROUP))
    monkeypatch.setitem(analyzers.BUILT_IN, "diffusion-pid", "tests.runner.drawing_fakes:Painting")
    monkeypatch.setattr(models, "load", lambda *_, **__: Pipeline())
    monkeypatch.setattr("biaskit.cli.audit.user_cache_path", lambda _: tmp_path / "cache")
    drawing_fakes.SEEN.clear()
    return lambda *flags: biaskit("audit", "--model", "some/model", *flags)


def session():
    ((_, seen),) = drawing_fakes.SEEN
    return seen


def test_concepts_of_prompts_are_enough(painting, tmp_path):
    done = painting("--concepts", "drawn-occupations/nurse,homonyms", "--references", "ethnicity-words")
    assert done.code in {0, 5}, done.err
    (folder,) = Path("biaskit-runs").iterdir()
    run = Run.read(folder)
    assert run.spec.references == ("ethnicity-words",)
    assert {one.name for one in run.probe_sets} >= {"drawn-occupations", "ethnicity-words", "homonyms"}
    assert session().cache.is_relative_to(tmp_path / "cache")


def test_no_cache_keeps_nothing(painting):
    painting("--concepts", "homonyms", "--no-cache")
    assert session().cache is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--concepts", "homonyms,food"), "two runs"),
        (("--concepts", "homonymz"), "homonyms"),
        (("--concepts", "drawn-occupations", "--references", "gender-word"), "gender-words"),
        (("--concepts", "drawn-occupations", "--references", "gender"), "set of groups"),
        (("--concepts", "food", "--references", "gender-words"), "reference pair"),
        (("--concepts", "homonyms", "--analyzers", "steady"), "diffusion-pid"),
        (("--concepts", "food", "--analyzers", "painting"), "reads prompts"),
        (("--concepts", "food", "--analyzers", "steady"), "text-to-image"),
    ],
)
def test_a_fault_exits_with_2_and_writes_nothing(painting, flags, said):
    done = painting(*flags)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not Path("biaskit-runs").exists()


@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("concepts", ("drawn-occupations", "gender-words", "homonyms", "8 prompts")),
        ("references", ("ethnicity-words", "asian - black - hispanic - white")),
        ("controls", ("portrait-neutral",)),
        ("audits", ("diffusion", "interventions")),
        ("analyzers", ("diffusion-pid",)),
    ],
)
def test_they_are_listed(biaskit, what, holds):
    out = biaskit("list", what).out
    assert all(one in out for one in holds)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("gender-words", ("groups", "{group} {target}", "female, woman", "persons")),
        ("prompt-interventions", ("a cow and a giraffe in the grass", "horse for cow")),
        ("drawn-occupations", ("gender-words", "a photo of the {x}", "target nurse")),
        ("drawn-occupations/nurse", ("target nurse",)),
        ("homonyms", ("diffusion-pid", "a ceramic bowl on the table", "ceramic with bowl")),
    ],
)
def test_they_are_shown(biaskit, name, holds):
    done = biaskit("show", name)
    assert done.code == 0, done.err
    assert all(one in done.out for one in holds)


def test_show_answers_a_typo_with_groups(biaskit):
    done = biaskit("show", "gender-wrds")
    assert (done.code, "gender-words" in done.err) == (2, True)


def test_validate_reads_an_audit_and_a_set_of_one_name(biaskit):
    done = biaskit("validate", "diffusion", "homonyms", "gender-words")
    assert done.code == 0, done.err
    assert "4 of 4" in done.out
    assert "1 comparisons over groups, 0 prompts" in done.out
    assert "0 comparisons over groups, 8 prompts" in done.out


@pytest.mark.parametrize(
    ("concepts", "said"), [('["homonyms", "food"]', "two runs"), ('["homonymz"]', "homonyms")]
)
def test_validate_refuses_an_audit_that_could_not_run(biaskit, tmp_path, concepts, said):
    path = tmp_path / "mine.toml"
    path.write_text(f'format = 1\nname = "mine"\nconcepts = {concepts}\n')
    done = biaskit("validate", path)
    assert (done.code, said in done.err) == (2, True)


@pytest.mark.parametrize("name", ["gender-words", "homonyms", "drawn-occupations"])
def test_the_printed_schema_knows_groups_and_prompts(biaskit, name):
    schema = json.loads(biaskit("schema", "probe-set").out)
    content = json.loads(catalogue.probe_set(name).model_dump_json())
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"kind": "crowd"}, schema)


def test_doctor_tells_what_the_extra_lacks(biaskit, monkeypatch):
    needed = [
        "click>=8",
        "torch>=2.6; extra == 'text'",
        'no-such-package<1,>=0.4; extra == "diffusion"',
        "torch>=2.6; extra == 'diffusion'",
    ]
    monkeypatch.setattr(environment, "requires", lambda _: needed)
    out = biaskit("doctor").out
    assert "not installed: no-such-package; pip install 'biaskit[diffusion]'" in " ".join(out.split())
    assert environment.missing_packages("text") == ()
