"""Prompts from a call, a suite or an organism to the session of an analyzer, and what is refused before."""

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from PIL import Image

import biaskit
from biaskit import analyzers, models, organisms
from biaskit.catalogue import drawn
from biaskit.errors import BiaskitError, RequestError, UnknownNameError
from biaskit.images.in_memory import image_set
from biaskit.records.audit_spec import AuditSpec, Subject
from biaskit.records.report import Status
from biaskit.runner.limits import limited_drawn
from biaskit.runner.planted import concepts
from biaskit.runner.request import request
from tests.runner import drawing_fakes
from tests.runner.drawing_fakes import Pipeline
from tests.runner.fakes import Model

OWN = ["portrait-occupations"]


@pytest.fixture(autouse=True)
def _drawing(plugins, monkeypatch):
    plugins.append(EntryPoint("painting", "tests.runner.drawing_fakes:Painting", analyzers.GROUP))
    monkeypatch.setitem(analyzers.BUILT_IN, "diffusion-pid", "tests.runner.drawing_fakes:Painting")
    monkeypatch.setattr(models, "load", lambda *_, **__: Pipeline())
    monkeypatch.setattr(models, "on_disk", lambda *_, **__: None)
    drawing_fakes.SEEN.clear()


@pytest.fixture
def planted(tmp_path):
    """A folder as an organism is built in, with the concepts that a test names."""

    def write(content):
        (tmp_path / "built").mkdir(exist_ok=True)
        (tmp_path / "built" / "config.json").write_text("{}")
        (tmp_path / "built" / "plant.json").write_text(json.dumps(content))
        return str(tmp_path / "built")

    return write


def audit(model="some/model", concepts="drawn-occupations/nurse", **options):
    return biaskit.audit(model, concepts, **options)


def seen():
    (one,) = drawing_fakes.SEEN
    return one


def test_all_that_was_asked_reaches_the_analyzer_and_the_report(tmp_path):
    run = audit(
        concepts=["drawn-occupations/nurse", "homonyms"],
        references=["gender-words", "ethnicity-words"],
        seed=7,
        cache=tmp_path,
    )
    analyzer, session = seen()
    assert analyzer.images == 4
    assert [(one.targets.name, one.groups.name) for one in session.comparisons] == [
        ("drawn-occupations", "gender-words"),
        ("drawn-occupations", "ethnicity-words"),
    ]
    assert [one.name for one in session.prompts] == ["homonyms"]
    assert (session.seed, session.images, session.cache.parent) == (7, (), tmp_path)
    assert {(one.name, one.kind) for one in run.probe_sets} == {
        ("drawn-occupations", "target"),
        ("gender-words", "groups"),
        ("ethnicity-words", "groups"),
        ("neutral-people", "controls"),
        ("homonyms", "prompts"),
    }
    assert run.run.status is Status.COMPLETE
    assert [one.name for one in run.spec.analyzers] == ["diffusion-pid"]


def test_without_a_cache_nothing_is_kept():
    audit(cache=None)
    assert seen()[1].cache is None


@pytest.mark.parametrize("name", ["diffusion", "homonyms", "synonyms", "interventions"])
def test_the_shipped_audits_run(name):
    assert biaskit.audit("some/model", spec=name).run.status is Status.COMPLETE
    session = seen()[1]
    assert session.comparisons or session.prompts


def test_an_audit_that_names_no_analyzer_runs_the_fitting_one(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('format = 1\nname = "mine"\nconcepts = ["synonyms"]\n')
    run = biaskit.audit("some/model", spec=path)
    assert [one.name for one in run.spec.analyzers] == ["diffusion-pid"]
    suite = AuditSpec(name="texts", subject=Subject(model="some/model"), concepts=("food",))
    assert [one.name for one in request(None, (), (), suite, {}).spec.analyzers] == ["biaslens"]


def test_an_organism_brings_its_own_concepts(planted):
    run = biaskit.audit(planted({"concepts": OWN}))
    assert list(run.spec.concepts) == OWN
    assert [one.groups.name for one in seen()[1].comparisons] == ["portrait-gender", "portrait-age"]


def test_the_shipped_one_does():
    assert list(concepts("organism:portraits")) == OWN


def test_concepts_of_the_call_and_of_the_suite_win_over_an_organisms(planted):
    built = planted({"concepts": OWN})
    assert list(biaskit.audit(built, "synonyms").spec.concepts) == ["synonyms"]
    assert list(biaskit.audit(built, spec="homonyms").spec.concepts) == ["homonyms"]


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"concepts": "food"},
        {"concepts": [3, None]},
        {"concepts": ["../x.toml", "/etc/x.toml", "a.toml"]},
    ],
)
def test_what_a_folder_says_is_never_a_path(planted, content):
    assert concepts(planted(content)) == ()


@pytest.mark.parametrize("model", ["", "some/model", "organism:nobody", "demo", "/no/such/folder"])
def test_other_models_bring_none(model):
    assert concepts(model) == ()


@pytest.mark.parametrize("name", organisms.LANGUAGES)
def test_an_organism_of_texts_must_be_told(name):
    with pytest.raises(RequestError, match="No concept was named"):
        biaskit.audit(f"organism:{name}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concepts": ["homonyms", "food"]}, "two runs"),
        ({"concepts": "homonyms", "analyzers": "steady"}, "does not open text-to-image models"),
        ({"concepts": "homonyms", "analyzers": "painting,steady"}, "open different ones"),
        ({"concepts": "food", "analyzers": "painting"}, "'painting' reads prompts, and none were given"),
        ({"concepts": "homonymz"}, "homonyms"),
        ({"references": "gender"}, "set of groups"),
        ({"data": "mine.csv"}, "labelled texts too"),
    ],
)
def test_what_is_refused_before_the_model_is_opened(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"A text of number {row},{'ab'[row % 2]}" for row in range(60))
    (tmp_path / "mine.csv").write_text(f"text,label\n{rows}\n")
    monkeypatch.setattr(models, "load", lambda *_, **__: pytest.fail("the model was opened"))
    with pytest.raises(BiaskitError, match=said):
        audit(**options)


def test_a_model_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setattr(models, "load", lambda *_, **__: Model())
    with pytest.raises(RequestError, match=r"none of the text-to-image models[\s\S]*language models"):
        audit()


def test_a_text_analyzer_is_refused_a_pipeline():
    with pytest.raises(RequestError, match=r"text-to-image models[\s\S]*diffusion-pid"):
        audit(concepts="food", analyzers="steady")


def test_a_limit_takes_less_of_everything():
    audit(concepts=["drawn-occupations", "homonyms"], limit=2)
    analyzer, session = seen()
    (compared,) = session.comparisons
    assert analyzer.images == 2
    assert len(compared.targets.templates) == len(session.prompts[0].cases) == 2
    assert len(compared.targets.targets) == 40
    assert len(compared.controls.fillers) == 20


@pytest.mark.parametrize(("asked", "drawn_images"), [(1, 1), (3, 3), (9, 3)])
def test_a_limit_never_draws_more_than_was_asked(asked, drawn_images):
    audit(limit=3, settings={"images": asked})
    assert seen()[0].images == drawn_images


def test_a_limit_keeps_few_words_a_target_and_group():
    whole = drawn(["drawn-occupations/nurse"])
    ((targets, groups, controls),) = whole.comparisons
    many = targets.model_copy(update={"targets": {"nurse": ("a", "b", "c")}})
    wide = groups.model_copy(update={"groups": {"x": ("d", "e", "f"), "y": ("g",)}})
    ((fewer, narrow, _),) = limited_drawn(type(whole)(((many, wide, controls),)), 2).comparisons
    assert fewer.targets == {"nurse": ("a", "b")}
    assert narrow.groups == {"x": ("d", "e"), "y": ("g",)}


def test_images_of_the_users_own_by_target(tmp_path):
    for target in ("nurse", "cook", "unasked"):
        (tmp_path / "photos" / target).mkdir(parents=True)
        for row in range(20):
            Image.new("RGB", (4, 4), (row, 0, 0)).save(tmp_path / "photos" / target / f"{row:02d}.png")
    run = audit(concepts="drawn-occupations/nurse,drawn-occupations/cook", images=tmp_path / "photos")
    (images,) = seen()[1].images
    assert len(images) == 60
    assert ("photos", "images") in {(one.name, one.kind) for one in run.probe_sets}


def test_a_target_without_images_is_told_before_anything_runs():
    made = image_set(np.zeros((40, 4, 4), np.uint8), ["nurze", "cook"] * 20)
    with pytest.raises(UnknownNameError, match="nurze") as caught:
        audit(images=made)
    assert caught.value.near == ("nurze",)
    assert drawing_fakes.SEEN == []
