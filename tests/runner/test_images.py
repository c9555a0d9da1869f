"""Images from a call, a suite or an organism to the session of an analyzer, and what is refused before."""

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from PIL import Image

import biaskit
from biaskit import analyzers, models, organisms
from biaskit.errors import BiaskitError, ModelLoadError, RequestError, UnknownNameError
from biaskit.images.image_set import Part
from biaskit.images.in_memory import image_set
from biaskit.records.audit_spec import AnalyzerSpec, AuditSpec, EncoderSpec, ImageSpec, Subject
from biaskit.records.report import Status
from tests.runner import vision_fakes
from tests.runner.fakes import Model
from tests.runner.vision_fakes import Captions, Classifier, Encoder


@pytest.fixture(autouse=True)
def _vision(plugins, monkeypatch):
    plugins.append(EntryPoint("looking", "tests.runner.vision_fakes:Looking", analyzers.GROUP))
    monkeypatch.setattr(models, "load", lambda *_, **__: Classifier())
    monkeypatch.setattr(models, "on_disk", lambda *_, **__: None)
    vision_fakes.SEEN.clear()


@pytest.fixture
def photos(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for row in range(30):
            Image.new("RGB", (4, 4), (row, 0, 0)).save(tmp_path / "photos" / kind / f"{row:02d}.png")
    return tmp_path / "photos"


@pytest.fixture
def table(photos):
    rows = [
        f"photos/{kind}/{row:02d}.png,{kind},{'val' if row % 2 else 'test'},{'fm'[row % 2]},p{row},A {kind}."
        for kind in ("cat", "dog")
        for row in range(30)
    ]
    path = photos.with_name("mine.csv")
    path.write_text("\n".join(["file,animal,split,sex,who,said", *rows]))
    return path


COLUMNS = {
    "image_column": "file",
    "label_column": "animal",
    "part_column": "split",
    "attribute_columns": ("sex",),
    "cluster_column": "who",
    "caption_column": "said",
}


def audit(model="some/model", analyzers="looking", **options):
    return biaskit.audit(model, analyzers=analyzers, **options)


def session():
    (one,) = vision_fakes.SEEN
    return one


def test_a_folder_reaches_the_analyzer_and_the_report(photos):
    (photos / "cat" / "notes.txt").touch()
    run = audit(images=str(photos), seed=5)
    assert run.run.status is Status.COMPLETE
    assert run.findings()[0].estimate.value == 60
    (record,) = run.probe_sets
    assert (record.name, record.kind, record.source) == ("photos", "images", "photos")
    assert record.digest == session().images[0].digest
    assert (session().seed, session().encoder, session().captioner) == (5, None, None)
    assert "a note of the model" in run.analyses[0].notes
    assert any("1 with .txt" in caveat for caveat in run.analyses[0].caveats)
    assert run.spec.images == (ImageSpec(path=str(photos)),)


def test_every_column_reaches_the_set(table):
    audit(images=table, **COLUMNS)
    (images,) = session().images
    assert set(images.parts) == {Part.VALIDATION, Part.TEST}
    assert images.attributes["sex"][:2] == ("f", "m")
    assert (images.clusters[1], images.captions[30]) == ("p1", "A dog.")


def test_other_pixels_are_another_run(photos):
    first = audit(images=photos).run.id
    assert audit(images=photos).run.id == first
    Image.new("RGB", (4, 4), "white").save(photos / "cat" / "00.png")
    assert audit(images=photos).run.id != first


def test_images_in_memory(photos):
    labels = ["cat", "dog"] * 15
    made = image_set(np.zeros((30, 4, 4, 3), np.uint8), labels, name="made")
    run = audit(images=[made, photos])
    assert [one.name for one in run.probe_sets] == ["photos", "made"]
    assert "made" not in run.run.command
    with pytest.raises(BiaskitError, match="Two sets of images are named 'made'"):
        audit(images=[made, made])


@pytest.mark.parametrize("limit", [2, 25])
def test_a_limit_takes_some_of_each_label(photos, limit):
    images = image_set(np.zeros((60, 4, 4), np.uint8), ["cat", "dog"] * 30)
    run = audit(images=[photos, images], limit=limit)
    assert run.run.status is Status.PARTIAL
    assert [one.estimate.value for one in run.findings()] == [2 * max(limit, 20)] * 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": "fotos"}, "Did you mean photos"),
        ({"images": 5}, "A int is no set of images"),
        ({"image_column": "x"}, "'image_column' was given and no images"),
        ({"images": "photos", "part_column": "x"}, "no columns"),
        ({"images": "organism:reviews"}, "organism with images"),
        ({"images": "photos", "encoder": "nowhere/at/all/."}, "no model folder"),
        ({"images": "photos", "encoder": object()}, "no text-image encoder"),
        ({"images": "photos", "captioner": object()}, "no captioner"),
        ({}, "No concept was named and no data or images given"),
        ({"concepts": "food"}, "'looking' reads images, and none were given"),
        ({"images": "photos", "concepts": "food"}, "concepts or labelled texts were given too"),
        ({"images": "photos", "analyzers": "steady"}, "'steady' reads texts, and images were given"),
        ({"images": "photos", "analyzers": "steady,looking"}, "open different ones"),
    ],
)
def test_what_is_refused_before_the_model_is_opened(photos, monkeypatch, options, said):
    monkeypatch.chdir(photos.parent)
    late = "encoder" in options or "captioner" in options
    if not late:
        monkeypatch.setattr(models, "load", lambda *_, **__: pytest.fail("the model was opened"))
    with pytest.raises(BiaskitError, match=said):
        audit(**options)


def test_labels_must_be_the_models_classes(photos, monkeypatch):
    (photos / "dog").rename(photos / "Dog")
    with pytest.raises(UnknownNameError, match="'Dog' and 'dog' differ in case alone"):
        audit(images=photos)
    made = image_set(np.zeros((30, 4, 4), np.uint8), ["cat", "horse"] * 15)
    with pytest.raises(UnknownNameError, match="horse"):
        audit(images=made)


def test_a_broken_image_is_named_before_anything_runs(photos):
    (photos / "cat" / "07.png").write_bytes(b"nothing")
    with pytest.raises(RequestError, match=r"cat/07\.png"):
        audit(images=photos)
    assert vision_fakes.SEEN == []


def test_a_model_of_the_other_kind_is_refused(photos, monkeypatch):
    with pytest.raises(RequestError, match=r"none of the language models[\s\S]*image classifiers"):
        biaskit.audit("some/model", "food", analyzers="steady")
    monkeypatch.setattr(models, "load", lambda *_, **__: Model())
    with pytest.raises(RequestError, match=r"none of the image classifiers[\s\S]*biaslens, association"):
        audit(images=photos)


def test_images_alone_run_the_analyzer_that_is_made_for_them(photos, monkeypatch):
    monkeypatch.setitem(analyzers.BUILT_IN, "vig-bias", "tests.runner.vision_fakes:Looking")
    run = biaskit.audit("some/model", images=photos)
    assert [one.name for one in run.spec.analyzers] == ["vig-bias"]


def test_encoder_and_captioner_may_be_handed_over(photos):
    encoder, captioner = Encoder(), Captions()
    run = audit(images=photos, encoder=encoder, captioner=captioner)
    assert (session().encoder, session().captioner) == (encoder, captioner)
    assert run.spec.encoder is None


def test_a_named_encoder_is_opened(photos, monkeypatch):
    opened = []
    monkeypatch.setattr(models, "load_encoder", lambda *a, **k: opened.append((a, k)) or Encoder())
    run = audit(
        images=photos, encoder=EncoderSpec(model="some/clip", revision="abc"), device="cpu", offline=True
    )
    assert opened == [(("some/clip",), {"revision": "abc", "device": "cpu", "offline": True})]
    assert run.spec.encoder == EncoderSpec(model="some/clip", revision="abc")


def test_an_encoder_that_lies_beside_the_model_is_taken(photos, tmp_path, monkeypatch):
    (tmp_path / "model" / "clip").mkdir(parents=True)
    monkeypatch.setattr(Classifier, "folder", tmp_path / "model")
    opened = []
    monkeypatch.setattr(models, "load_encoder", lambda name, **_: opened.append(name) or Encoder())
    audit(images=photos)
    assert opened == [str(tmp_path / "model" / "clip")]


@pytest.fixture
def organism(tmp_path, monkeypatch):
    """An organism of images that is shipped for the run of a test."""
    folder = tmp_path / "shapes"
    (folder / "clip").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "plant.json").write_text('{"plant": {}, "subject": {}}')
    (folder / "clip" / "config.json").write_text("{}")
    images = image_set(np.zeros((30, 4, 4), np.uint8), ["cat", "dog"] * 15, name="shapes")
    monkeypatch.setattr(organisms, "names", lambda: ("shapes", "reviews"))
    monkeypatch.setattr(organisms, "folder", lambda name: folder)
    monkeypatch.setattr(organisms, "images", lambda place: images if place == folder else None)
    monkeypatch.setattr(models, "load_encoder", lambda *_, **__: Encoder())
    return folder


@pytest.mark.usefixtures("organism")
def test_an_organism_brings_its_images_and_its_encoder():
    run = audit("organism:shapes")
    assert run.spec.images == (ImageSpec(path="organism:shapes"),)
    assert run.probe_sets[0].name == "shapes"
    assert isinstance(session().encoder, Encoder)


def test_an_organism_of_ones_own_brings_its_images_too(organism):
    run = audit(str(organism))
    assert run.spec.images == (ImageSpec(path=str(organism)),)
    assert len(session().images[0]) == 30


@pytest.mark.usefixtures("organism")
def test_an_organisms_images_may_be_asked_of_another_model():
    audit(images="organism:shapes", encoder="organism:shapes")
    assert len(session().images[0]) == 30


def test_a_misspelt_organism_is_answered_before_anything_is_missed():
    with pytest.raises(UnknownNameError) as caught:
        biaskit.audit("organism:shape")
    assert caught.value.near[0] == "shapes"


@pytest.fixture
def suite(photos):
    def write(path="photos", **more):
        lines = ["format = 1", 'name = "suite"', "[subject]", 'model = "some-model"', "[[images]]"]
        lines += [f'path = "{path}"', *(f'{key} = "{value}"' for key, value in more.items())]
        lines += ["[encoder]", 'model = "some/clip"', "[[analyzers]]", 'name = "looking"']
        target = photos.with_name("suite.toml")
        target.write_text("\n".join(lines))
        return target

    return write


def test_images_of_a_suite_are_found_beside_it(suite, monkeypatch):
    monkeypatch.setattr(models, "load_encoder", lambda *_, **__: Encoder())
    run = biaskit.audit(spec=suite())
    assert run.spec.images == (ImageSpec(path="photos"),)
    assert run.findings()[0].estimate.value == 60


@pytest.mark.parametrize("path", ["../photos", "/etc", "~/photos"])
def test_images_of_a_suite_do_not_leave_its_folder(suite, path):
    with pytest.raises(BiaskitError, match="leaves the folder"):
        biaskit.audit(spec=suite(path))


def test_a_misspelt_key_of_a_suite_is_answered(suite):
    with pytest.raises(BiaskitError, match="label"):
        biaskit.audit(spec=suite(lable="x"))


def test_what_a_call_names_takes_the_place_of_the_suites(suite, photos):
    run = biaskit.audit(spec=suite("gone"), images=photos, encoder=Encoder())
    assert run.spec.images == (ImageSpec(path=str(photos)),)


def test_how_bare_weights_are_opened_reaches_the_spec(photos):
    run = audit(images=photos, factory="some.module:build", classes="cat,dog,bird", allow_pickle=True)
    subject = run.spec.subject
    assert (subject.factory, subject.classes, subject.allow_pickle) == (
        "some.module:build",
        ("cat", "dog", "bird"),
        True,
    )
    base = AuditSpec(
        name="mine",
        subject=Subject(model="a", allow_pickle=True, classes=("x",)),
        analyzers=(AnalyzerSpec(name="looking"),),
    )
    kept = audit(spec=base, images=photos, allow_pickle=None).spec.subject
    assert (kept.allow_pickle, kept.classes) == (True, ("x",))


def test_the_report_names_the_encoder_in_json(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "load_encoder", lambda *_, **__: Encoder())
    audit(images=photos, encoder="some/clip", out_dir=tmp_path / "run")
    content = json.loads((tmp_path / "run" / "report.json").read_text())
    assert content["spec"]["encoder"]["model"] == "some/clip"


def test_an_encoder_that_is_nowhere_is_an_error_before_the_model_is_opened(photos, monkeypatch):
    monkeypatch.setattr(models, "load", lambda *_, **__: pytest.fail("the model was opened"))
    with pytest.raises(ModelLoadError, match="no model folder"):
        audit(images=photos, encoder="./nowhere")
