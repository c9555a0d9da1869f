"""Who tells groups from images: from the call or the suite to the session."""

from __future__ import annotations

import shutil

import pytest
import torch
from models import tiny_clip

from biaskit import catalogue, models, organisms
from biaskit.errors import RequestError, UnknownNameError
from biaskit.models.classifying import Said, load_classifier
from biaskit.organisms import portraits
from biaskit.records.audit_spec import ClassifierSpec
from biaskit.runner.classifiers import texts
from biaskit.runner.diffusion import diffusion_session
from biaskit.runner.request import request

SHAPES_CLIP = str(organisms.folder("shapes") / "clip")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    place = tmp_path_factory.mktemp("portraits") / "untrained"
    portraits.untrained(place, 0)
    return models.load(str(place))


class Handed:
    name, fingerprint, attribute, classes = "mine", "f" * 64, "portrait-age", ("old", "young")

    def probabilities(self, pixels):
        return torch.full((len(pixels), 2), 0.5)


def session(model, **options):
    asked = request(str(model.folder), "portrait-occupations", (), None, options)
    return diffusion_session(asked, model)


def test_without_any_there_is_none(pipeline):
    assert session(pipeline).classifiers == ()


def test_an_organism_reads_itself():
    shipped = models.load("organism:portraits")
    found = session(shipped).classifiers
    assert [(one.attribute, one.classes) for one in found] == [
        ("portrait-gender", ("female", "male")),
        ("portrait-age", ("old", "young")),
    ]


def test_the_encoder_reads_zero_shot(pipeline, tmp_path):
    found = session(pipeline, encoder=tiny_clip.write(tmp_path / "clip")).classifiers
    assert [one.attribute for one in found] == ["portrait-gender", "portrait-age"]
    assert all(one.name.endswith("zero-shot") for one in found)


def test_an_encoder_that_does_not_know_the_groups_words_is_refused(pipeline):
    with pytest.raises(RequestError, match="does not know 'female', a word of 'female'"):
        session(pipeline, classifier=SHAPES_CLIP)
    with pytest.raises(RequestError, match="'clip' does not know 'baker', nor 13 further words"):
        session(pipeline, encoder=SHAPES_CLIP)


def test_a_name_or_an_object_for_one_set_goes_first(pipeline):
    found = session(pipeline, classifier=["portrait-gender=organism:portraits", Handed()]).classifiers
    assert [one.name for one in found] == ["organism:portraits", "mine"]


def test_a_suite_says_what_stands_for_each_group(tmp_path, pipeline):
    path = tmp_path / "mine.toml"
    path.write_text(
        'format = 1\nname = "mine"\nconcepts = ["portrait-occupations"]\nreferences = ["portrait-age"]\n'
        '[[classifiers]]\nmodel = "./clip"\n[classifiers.classes]\nold = ["a zero"]\nyoung = ["a one"]\n'
    )
    shutil.copytree(SHAPES_CLIP, tmp_path / "clip")
    asked = request(str(pipeline.folder), (), (), path, {})
    assert asked.spec.classifiers == (
        ClassifierSpec(model="./clip", classes={"old": ("a zero",), "young": ("a one",)}),
    )
    (found,) = diffusion_session(asked, pipeline).classifiers
    assert found.texts == {"old": ("a zero",), "young": ("a one",)}


@pytest.mark.parametrize(
    ("classifier", "kind", "said"),
    [
        ("portrait-gendre=organism:portraits", UnknownNameError, "portrait-gender"),
        ("organism:portrets", UnknownNameError, "portraits"),
        (object(), RequestError, "no classifier"),
        (ClassifierSpec(model=SHAPES_CLIP, classes={"femal": ("x",)}), UnknownNameError, "female"),
        ("organism:shapes", UnknownNameError, "class of the classifier"),
    ],
)
def test_what_cannot_tell_groups_is_refused(pipeline, classifier, kind, said):
    with pytest.raises(kind, match=said):
        session(pipeline, classifier=classifier)


def test_texts_are_templates_over_words_and_neutral_nouns():
    ((compared),) = catalogue.drawn(["drawn-occupations/nurse"]).comparisons
    found = texts(compared)
    assert set(found) == {"female", "male"}
    assert all(len(said) == 8 * 2 * 4 for said in found.values())
    assert any("woman" in said for said in found["female"])


def test_a_classifier_with_classes_of_the_same_names_needs_no_mapping():
    model = models.load("organism:shapes")
    first, second = model.classes
    asked = Said(
        {"one": (first.upper(), "no such class"), "other": (second,)}, {"one": ("x",), "other": ("y",)}
    )
    found = load_classifier("organism:shapes", "kind", asked)
    assert found.owned == {"one": [first], "other": [second]}
