"""What goes wrong on the way is said in plain words with an exit code, and what was found is kept."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Model

from biaskit import cli, organisms
from biaskit.hooks.store import ActivationStore
from biaskit.models.language import LanguageAdapter
from biaskit.records.report import Status
from biaskit.reporting import folder as folders
from biaskit.runner.run import Run
from tests.cli.conftest import Done
from tests.reporting.sample import build_report

QUICK = ("-A", "axes=", "-A", "random_directions=1")
AUDIT = ("audit", "--model", "demo", "--concepts", "food", "--offline", "--out-dir", "run", *QUICK)

PAIR = """
format = 1
kind = "target"
name = "mine"
description = "Mine."
source = "me"
licence = "CC0-1.0"
noun_class = "thing"
references = ["sentiment"]
controls = "neutral-nouns"
templates = ["The {x} is here."]
[targets]
"""


@pytest.fixture
def real(capfd, monkeypatch, tmp_path):
    """Run one command line with the real demo model, in an empty folder with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("NO_COLOR", "COLUMNS", "BIASKIT_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        code = cli.run([str(one) for one in arguments])
        seen = capfd.readouterr()
        assert "Traceback" not in seen.out + seen.err
        return Done(code, seen.out, seen.err)

    return run


@pytest.fixture
def model(tmp_path):
    """A copy of the demo model's folder, to be damaged."""
    return Path(shutil.copytree(organisms.folder("reviews"), tmp_path / "model"))


def content(folder):
    """The report without what differs between two runs of the same request."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return json.dumps({key: value for key, value in report.items() if key != "run"})


def held():
    return ActivationStore(Path(os.environ["XDG_CACHE_HOME"]) / "biaskit" / "activations").size().shards


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model", "organism:rewievs"), "Did you mean reviews?"),
        (("--model", "gtp/2/x"), "There is no model folder"),
        (("--concepts", "foood"), "Did you mean food?"),
        (("--concepts", "winobias-occupations/nurs"), "Did you mean winobias-occupations/nurse"),
        (("--references", "sentimnt"), "Did you mean sentiment"),
        (("--analyzers", "biaslense"), "Did you mean biaslens or"),
        (("-A", "axis_controlls=3"), "Did you mean axis_controls?"),
        (("-A", "axis_controls=many"), "axis_controls"),
        (("-A", "axes=stated,readuot"), "Did you mean readout?"),
        (("-A", "positions=lsat"), "Did you mean last"),
        (("--device", "cuda:99"), "cannot be used here"),
        (("--probes", "nowhere"), "nowhere"),
        (("--set", "gates.0.at_mots=1"), "at_mots"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_does_not_exist_is_answered_with_near_names(real, flags, said):
    done = real(*AUDIT, *flags)
    assert done.code == 2
    assert said in done.err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "kind: this key is missing"),
        (PAIR.encode() + b"soup = []\n", "soup"),
        (PAIR.encode() + b'soup = ["soup", "Soup"]\n', "twice"),
        (PAIR.encode() + 'soup = ["caf\xe9"]\n'.encode("latin-1"), "UTF-8"),
        (PAIR.replace("sentiment", "lopsided").encode() + b'soup = ["soup"]\n', "pole"),
    ],
    ids=["empty", "no words", "duplicated", "not utf-8", "one-sided"],
)
def test_a_probe_set_that_cannot_be_used_is_named(real, text, said, tmp_path):
    one_sided = (Path(__file__).parents[2] / "probes" / "sentiment.toml").read_text(encoding="utf-8")
    (tmp_path / "lopsided.toml").write_text(
        one_sided.replace('name = "sentiment"', 'name = "lopsided"').replace(
            "[fillers]", "[fillers]\nodd = ['x']"
        ),
        encoding="utf-8",
    )
    (tmp_path / "mine.toml").write_bytes(text)
    done = real(*AUDIT, "--concepts", tmp_path / "mine.toml", "--probes", tmp_path)
    assert done.code == 2, done.out + done.err
    assert said in done.err
    assert ".toml" in done.err


def test_weights_that_are_not_numbers(real, model):
    weights = load_file(model / "model.safetensors")
    weights["transformer.h.1.mlp.c_fc.weight"][0, 0] = float("nan")
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    done = real(*AUDIT, "--model", model)
    assert done.code == 3
    assert "not a finite number" in done.err or "NaN" in done.err, done.err
    run = Run.read("run")
    assert run.run.status is Status.ERROR
    assert "biaslens: stopped by ActivationError" in run.not_measured[0]


@pytest.mark.parametrize("fault", ["width", "site", "nowhere"])
def test_an_autoencoder_that_does_not_fit(real, model, fault):
    (place,) = (model / "saes").iterdir()
    if fault == "width":
        narrow(place, 8)
    elif fault == "site":
        config = json.loads((place / "cfg.json").read_text())
        config["metadata"]["hook_name"] = "blocks.0.hook_resid_post"
        (place / "cfg.json").write_text(json.dumps(config))
    else:
        place = model / "nowhere"
    done = real(*AUDIT, "-A", "axes=sae", "-A", f"autoencoder={place}")
    assert done.code == 2, done.err
    expected = {"width": "8", "site": "resid_post.0", "nowhere": "neither a folder nor"}
    assert expected[fault] in done.err
    assert str(place) in done.err
    assert held() > 0


def narrow(folder, width):
    config = json.loads((folder / "cfg.json").read_text())
    weights = load_file(folder / "sae_weights.safetensors")
    full = config["d_in"]
    for axis in (0, 1):
        weights = {
            name: one.narrow(axis, 0, width).contiguous()
            if one.ndim > axis and one.shape[axis] == full
            else one
            for name, one in weights.items()
        }
    save_file(weights, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(config | {"d_in": width}))


def test_a_full_disk_under_the_activations(real, monkeypatch):
    fsync, written = os.fsync, []

    def full(handle):
        written.append(handle)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr("biaskit.hooks.shelf.os.fsync", full)
        done = real(*AUDIT)
    assert done.code == 3
    assert "No space is left for activations; 1 shards" in done.err
    assert "goes on where it stopped" in done.err
    assert held() == 1
    assert Run.read("run").run.status is Status.ERROR
    assert real(*AUDIT, "--force").code == 0


def test_a_full_disk_under_the_run_folder(real, monkeypatch, tmp_path):
    write, rescue = folders.write_file, tmp_path / "rescue"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(rescue))

    def full(path, text):
        if rescue not in path.parents or everywhere:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, text)

    monkeypatch.setattr(folders, "write_file", full)
    everywhere = False
    done = real(*AUDIT)
    assert done.code == 0
    assert "could not be written to run (No space left on device); it is in" in done.err
    (saved,) = rescue.glob("biaskit-run-*")
    assert Run.read(saved).findings("biaslens.score")
    everywhere = True
    done = real(*AUDIT)
    assert done.code == 3
    assert "Only what follows is left of it" in done.err
    assert "food leans to negative-sentiment" in done.out


def test_memory_that_runs_out_halves_the_batch_and_the_report_says_so(real, monkeypatch):
    assert real(*AUDIT, "--no-cache", "--out-dir", "plain").code == 0
    forward = GPT2Model.forward

    def small(self, input_ids=None, *rest, **named):
        if input_ids is not None and len(input_ids) > 20:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, input_ids, *rest, **named)

    monkeypatch.setattr(GPT2Model, "forward", small)
    assert real(*AUDIT, "--no-cache").code == 0
    run, plain = Run.read("run"), Run.read("plain")
    assert "Memory ran out; batches were halved to 16." in run.analyses[0].notes
    for one, other in zip(run.findings("biaslens.score"), plain.findings("biaslens.score"), strict=True):
        assert one.estimate.value == pytest.approx(other.estimate.value, abs=1e-5)


def test_ctrl_c_keeps_what_there_is(real, monkeypatch):
    capture = LanguageAdapter.activations

    def interrupted(self, *arguments, **named):
        if held():
            signal.raise_signal(signal.SIGINT)
        return capture(self, *arguments, **named)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(LanguageAdapter, "activations", interrupted)
            done = real(*AUDIT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.code == 130
    run = Run.read("run")
    assert run.run.status is Status.INTERRUPTED
    assert "interrupted" in run.not_measured[0]
    assert "interrupted" in done.out
    assert held() == 1


KILLED = """
import os, signal, sys
from biaskit import cli
from biaskit.models.language import LanguageAdapter
capture, calls = LanguageAdapter.activations, []
def killed(self, *arguments, **named):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return capture(self, *arguments, **named)
LanguageAdapter.activations = killed
cli.run(sys.argv[1:])
"""


def test_a_killed_run_goes_on_and_ends_the_same(real, monkeypatch):
    root = str(Path(__file__).parents[2])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *AUDIT],
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not Path("run").exists()
    assert held() == 1
    captured = counted(monkeypatch)
    assert real(*AUDIT).code == 0
    resumed = len(captured)
    captured.clear()
    assert real(*AUDIT, "--no-cache", "--out-dir", "whole").code == 0
    assert 0 < resumed < len(captured)
    assert content(Path("run")) == content(Path("whole"))


def counted(monkeypatch):
    """Return a list that grows by each prompt that is captured."""
    captured, capture = [], LanguageAdapter.activations

    def counting(self, prompts, *arguments, **named):
        captured.extend(prompts)
        return capture(self, prompts, *arguments, **named)

    monkeypatch.setattr(LanguageAdapter, "activations", counting)
    return captured


def test_a_report_of_a_later_version_says_which(biaskit, tmp_path):
    content = json.loads(folders.to_json(build_report())) | {"schema_version": 7}
    (tmp_path / "report.json").write_text(json.dumps(content))
    done = biaskit("gate", "report.json")
    assert (done.code, "of schema version 7, and this version of biaskit reads 1" in done.err) == (2, True)


def test_a_run_folder_without_a_report_is_said_in_words(biaskit, tmp_path):
    (tmp_path / "run").mkdir()
    done = biaskit("gate", "run")
    assert (done.code, "Errno" in done.err) == (2, False)
    assert "'run/report.json': No such file or directory" in done.err


def test_an_audit_that_is_no_toml_is_called_an_audit(biaskit, tmp_path):
    (tmp_path / "mine.toml").write_text('format = 1\nname = "mine"\n[[gates]\n')
    done = biaskit("validate", "mine.toml")
    assert (done.code, "not a usable audit" in done.err, "line 3" in done.err) == (2, True, True)


def test_a_file_that_is_gone_is_named_once(biaskit, tmp_path):
    folders.write(build_report(), tmp_path / "run")
    gone = next((tmp_path / "run" / "evidence").iterdir())
    gone.unlink()
    done = biaskit("verify", "run")
    assert (done.code, done.err.count(f"evidence/{gone.name} is missing")) == (6, 1)
