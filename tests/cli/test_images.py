"""`biaskit audit --images`: the flags reach the request, and a fault exits with 2 before anything runs."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PIL import Image

from biaskit import analyzers, models
from biaskit.runner.run import Run
from tests.runner.vision_fakes import Classifier, Encoder

FLAGS = (
    *("--images", "mine.csv", "--image-column", "file", "--label-column", "animal"),
    *("--part-column", "split", "--attribute-column", "sex", "--cluster-column", "who"),
    *("--caption-column", "said", "--encoder", "some/clip"),
    *("--classes", "cat,dog,bird", "--factory", "some.module:build", "--allow-pickle"),
)


@pytest.fixture
def photos(tmp_path):
    rows = ["file,animal,split,sex,who,said"]
    for kind in ("cat", "dog"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for row in range(12):
            name = f"photos/{kind}/{row:02d}.png"
            Image.new("RGB", (4, 4), (row, 0, 0)).save(tmp_path / name)
            rows.append(f"{name},{kind},test,f,p{row},A {kind}.")
    (tmp_path / "mine.csv").write_text("\n".join(rows))


@pytest.fixture
def looking(biaskit, plugins, photos, monkeypatch):
    plugins.append(EntryPoint("looking", "tests.runner.vision_fakes:Looking", analyzers.GROUP))
    monkeypatch.setattr(models, "load", lambda *_, **__: Classifier())
    monkeypatch.setattr(models, "load_encoder", lambda *_, **__: Encoder())
    return lambda *flags: biaskit("audit", "--model", "some/model", "--analyzers", "looking", *flags)


def the_run():
    (folder,) = Path("biaskit-runs").iterdir()
    return Run.read(folder)


def test_every_flag_reaches_the_spec(looking):
    done = looking(*FLAGS)
    assert done.code == 0, done.err
    run = the_run()
    assert run.spec.images[0].model_dump() == {
        "path": "mine.csv",
        "image": "file",
        "label": "animal",
        "part": "split",
        "attributes": ("sex",),
        "cluster": "who",
        "caption": "said",
    }
    assert run.spec.encoder.model == "some/clip"
    subject = run.spec.subject
    assert (subject.classes, subject.factory) == (("cat", "dog", "bird"), "some.module:build")
    assert subject.allow_pickle is True
    assert "mine" in done.out


def test_a_folder_alone_is_enough(looking):
    assert looking("--images", "photos").code == 0
    assert the_run().spec.subject.allow_pickle is False


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--images", "photoss"), "photos"),
        (("--images", "mine.csv"), "named 'image'"),
        (("--part-column", "split"), "no images"),
        (("--images", "photos/cat"), "lie in no class"),
        (("--images", "photos", "--concepts", "food"), "reads images"),
        (("--concepts", "food"), "--images"),
        ((), "--images"),
    ],
)
def test_a_fault_exits_with_2_and_writes_nothing(looking, flags, said):
    done = looking(*flags)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not Path("biaskit-runs").exists()


def test_validate_and_show_read_the_images_of_an_audit(biaskit, photos, tmp_path):
    suite = tmp_path / "suite.toml"
    text = 'format = 1\nname = "suite"\n[[images]]\npath = "{}"\n[encoder]\nmodel = "some/clip"\n'
    suite.write_text(text.format("photos"))
    done = biaskit("validate", suite)
    assert (done.code, "images photos" in done.out) == (0, True), done.err
    suite.write_text(text.format("fotos"))
    done = biaskit("validate", suite)
    assert (done.code, "photos" in done.err) == (2, True)


def test_the_schema_of_a_spec_knows_images(biaskit):
    found = biaskit("schema", "spec").out
    assert '"ImageSpec"' in found
    assert '"EncoderSpec"' in found
