"""Names, folders and hubs: what opens, and what is said where it does not."""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load as load_weights
from safetensors.torch import save_file as save_weights

from biaskit import models, organisms
from biaskit.errors import MissingExtraError, ModelLoadError, RequestError, UnknownNameError
from biaskit.models import hub, opening, parts
from biaskit.records.audit_spec import Subject
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site
from tests.models.conftest import save_tiny

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROMPTS = [Prompt("the food was")]


def on_cpu(**settings):
    return Subject(model="-", device="cpu", **settings)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty hub cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_in_cache(cache, name, folder):
    place = cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    shutil.copytree(folder, place / "snapshots" / COMMIT)


def test_gpt2_opens_by_name_from_a_cache(tiny, cache):
    put_in_cache(cache, "gpt2", tiny("gpt2"))
    adapter = models.load("gpt2", subject=on_cpu(), offline=True)
    assert (adapter.subject.name, adapter.subject.source) == ("gpt2", f"gpt2@{COMMIT}")
    assert adapter.subject.revision == COMMIT
    assert adapter.settings.revision == COMMIT
    by_folder = models.load(str(tiny("gpt2")), subject=on_cpu())
    assert adapter.subject.fingerprint == by_folder.subject.fingerprint
    assert torch.equal(adapter.next_token_logprobs(PROMPTS), by_folder.next_token_logprobs(PROMPTS))
    with pytest.raises(ModelLoadError, match="not in the cache"):
        models.load("gpt2", subject=on_cpu(revision="v9"), offline=True)


@pytest.mark.parametrize("offline", [False, True])
def test_what_is_not_cached_offline_is_said_with_what_to_do(tiny, cache, offline, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", not offline)
    put_in_cache(cache, "owner/tiny", tiny("gpt2"))
    with pytest.raises(ModelLoadError) as caught:
        models.load("owner/tyni", offline=offline)
    text = str(caught.value)
    assert "'owner/tyni' is not in the cache, and the network is switched off" in text
    assert "Did you mean owner/tiny?" in text
    assert "hf download" in text
    assert "HF_HOME" in text
    assert caught.value.exit_code == 2


def test_an_unreachable_hub_is_named(cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelLoadError, match=r"http://127\.0\.0\.1:9 cannot be reached(.|\n)*hf download"):
        hub.fetch("gpt2", None, offline=False, allow_pickle=False)


def test_a_cache_that_lacks_needless_files_is_used(tiny, cache):
    put_in_cache(cache, "gpt2", tiny("gpt2"))
    folder = cache / "models--gpt2" / "snapshots" / COMMIT
    assert hub._usable(folder)
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert not hub._usable(folder)


class Hub(BaseHTTPRequestHandler):
    """Answers what a hub client asks about the one repository in `folder`."""

    folder: Path

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/gated"):
            return self.refuse(403, "GatedRepo")
        if not path.startswith(("/api/models/gpt2", "/gpt2/resolve/")):
            return self.refuse(404, "RepoNotFound")
        if "/revision/" in path and not path.endswith(("/main", COMMIT)):
            return self.refuse(404, "RevisionNotFound")
        if "/tree/" in path:
            return self.send_json([self.entry(file) for file in sorted(self.folder.iterdir())], body)
        if path.startswith("/api/"):
            files = sorted(self.folder.iterdir())
            siblings = [{"rfilename": file.name, "size": file.stat().st_size} for file in files]
            return self.send_json({"id": "gpt2", "sha": COMMIT, "siblings": siblings}, body)
        return self.send_file(self.folder / path.rsplit("/", 1)[1], body)

    def entry(self, file):
        return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": f"{hash(file.name):x}"}

    def refuse(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_json(self, value, body):
        self.send_bytes(json.dumps(value).encode(), body, {"Content-Type": "application/json"})

    def send_file(self, file, body):
        if not file.is_file():
            return self.refuse(404, "EntryNotFound")
        return self.send_bytes(file.read_bytes(), body, {"ETag": f'"{file.name}"', "X-Repo-Commit": COMMIT})

    def send_bytes(self, data, body, headers):
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def endpoint(tiny):
    """A hub on this machine that holds the tiny gpt2 as `gpt2`."""
    handler = type("TinyHub", (Hub,), {"folder": tiny("gpt2")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


PROGRAM = """
import sys
from biaskit import models
from biaskit.errors import ModelLoadError
from biaskit.records.audit_spec import Subject
from biaskit.records.prompt import Prompt
for name in sys.argv[1:]:
    name, _, revision = name.partition("@")
    try:
        adapter = models.load(name, subject=Subject(model="-", device="cpu", revision=revision or None))
    except ModelLoadError as error:
        print(name, error.what)
    else:
        logprob = adapter.next_token_logprobs([Prompt("the food was")])[0, 3].item()
        print(name, adapter.subject.revision, logprob)
"""


def test_gpt2_opens_by_name_from_a_hub(tiny, endpoint, tmp_path):
    environment = {
        **{key: value for key, value in os.environ.items() if not key.endswith("_OFFLINE")},
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    names = ["gpt2", "gpt3", "gated/gpt2", "gpt2@v9"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], env=environment, capture_output=True, text=True, check=True
    )
    expected = models.load(str(tiny("gpt2")), subject=on_cpu()).next_token_logprobs(PROMPTS)[0, 3].item()
    assert done.stdout.splitlines() == [
        f"gpt2 {COMMIT} {expected}",
        "gpt3 The hub knows no model 'gpt3' (or it is private).",
        "gated/gpt2 'gated/gpt2' is open only to those who were granted access.",
        "gpt2 'gpt2' has no revision 'v9'.",
    ]


def test_the_demo_is_the_organism_of_reviews(tiny, monkeypatch):
    asked = []

    def folder(name):
        asked.append(name)
        return tiny("gpt2")

    monkeypatch.setattr(organisms, "folder", folder)
    demo = models.load("demo", subject=on_cpu())
    named = models.load("organism:occupations", subject=on_cpu())
    assert asked == ["reviews", "occupations"]
    assert (demo.subject.name, demo.subject.source) == ("demo", "organism:reviews")
    assert named.subject.source == "organism:occupations"


def test_a_misspelt_organism_is_answered_with_near_ones_and_without_torch():
    program = (
        "import sys; from biaskit import models; from biaskit.errors import UnknownNameError\n"
        "try: models.load('organism:rewievs')\n"
        "except UnknownNameError as error: print(error.near, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "('reviews',) False"


def test_a_hub_name_that_is_nowhere_is_answered_without_torch():
    program = (
        "import sys; from biaskit import models; from biaskit.errors import ModelLoadError\n"
        "try: models.load('gpt22', offline=True)\n"
        "except ModelLoadError as error: print(error.what, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "'gpt22' is not in the cache, and the network is switched off. False"


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(ModelLoadError, match=r"no config\.json"):
        models.load(str(tmp_path))
    (tmp_path / "gpt2-food").mkdir()
    with pytest.raises(ModelLoadError, match=r"gpt2-fod(.|\n)*gpt2-food"):
        models.load(str(tmp_path / "gpt2-fod"))
    (tmp_path / "weights.bin").touch()
    with pytest.raises(ModelLoadError, match="is a file"):
        models.load(str(tmp_path / "weights.bin"))
    for odd in ("a/b/c", "../x", "na me", ""):
        with pytest.raises(ModelLoadError):
            models.load(odd)


def test_a_folder_has_no_revision(tiny):
    with pytest.raises(RequestError, match="no revision 'v1'"):
        models.load(str(tiny("gpt2")), subject=on_cpu(revision="v1"))


def broken(tiny, tmp_path, name="gpt2"):
    return Path(shutil.copytree(tiny(name), tmp_path / "broken"))


def test_pickled_weights_need_leave(tiny, tmp_path):
    folder = broken(tiny, tmp_path)
    expected = models.load(str(folder), subject=on_cpu())
    torch.save(expected.module.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"no safetensors(.|\n)*--allow-pickle"):
        models.load(str(folder), subject=on_cpu())
    adapter = models.load(str(folder), subject=on_cpu(allow_pickle=True))
    torch.testing.assert_close(adapter.next_token_logprobs(PROMPTS), expected.next_token_logprobs(PROMPTS))
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ModelLoadError, match="no weights"):
        models.load(str(folder), subject=on_cpu(allow_pickle=True))


class Sting:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_a_pickle_that_would_run_code_does_not(tiny, tmp_path, monkeypatch):
    folder = broken(tiny, tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({"a": Sting()}, folder / "pytorch_model.bin")
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("code ran"))
    with pytest.raises(ModelLoadError, match="cannot be opened"):
        models.load(str(folder), subject=on_cpu(allow_pickle=True))


def test_weights_that_are_cut_off_or_missing(tiny, tmp_path):
    folder = broken(tiny, tmp_path)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelLoadError, match="cannot be opened"):
        models.load(str(folder), subject=on_cpu())
    kept = {key: value for key, value in load_weights(whole).items() if "h.1.mlp" not in key}
    save_weights(kept, weights, metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"4 weights of 'gpt2' are missing"):
        models.load(str(folder), subject=on_cpu())


def test_a_head_that_the_weights_lack_is_not_made_up(tiny, tmp_path):
    folder = broken(tiny, tmp_path, "minilm")
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["BertForMaskedLM"]
    (folder / "config.json").write_text(json.dumps(config))
    adapter = models.load(str(folder), subject=on_cpu())
    with pytest.raises(RequestError, match="predicts no words"):
        adapter.next_token_logprobs(PROMPTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "t5"}, "encoder-decoder"),
        ({"model_type": "vit", "architectures": ["ViTModel"]}, "no language model"),
        ({"model_type": "unheard-of", "auto_map": {"AutoConfig": "x.Y"}}, "never run"),
        ({"model_type": None}, "cannot be opened"),
    ],
)
def test_what_is_no_language_model_is_refused(tiny, tmp_path, changes, message):
    folder = broken(tiny, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(ModelLoadError, match=message):
        models.load(str(folder), subject=on_cpu())


def test_sixteen_bits_are_noted(tiny, caplog):
    with caplog.at_level(logging.WARNING, logger="biaskit.models"):
        adapter = models.load(str(tiny("gpt2")), subject=on_cpu(dtype="bfloat16"))
    assert adapter.subject.dtype == "bfloat16"
    assert any("bfloat16" in note for note in adapter.notes)
    assert "bfloat16" in caplog.text
    site = Site.parse("resid_post.1")
    found = adapter.activations(PROMPTS, [site])[site]
    exact = models.load(str(tiny("gpt2")), subject=on_cpu()).activations(PROMPTS, [site])[site]
    assert found.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(found, exact) > 0.99
    odds, gradients, _ = adapter.log_odds_gradients(PROMPTS, ([3], [4]), [site])
    assert odds.dtype == gradients[site].dtype == torch.float32


def test_an_exact_model_has_no_notes(opened):
    assert opened("gpt2").notes == ()


def test_attention_is_a_setting_and_falls_back_where_there_is_no_sdpa(opened):
    assert '"attention": "sdpa"' in opened("gpt2").reading
    eager = opened("gpt2", attention="eager")
    assert '"attention": "eager"' in eager.reading
    torch.testing.assert_close(
        eager.next_token_logprobs(PROMPTS), opened("gpt2").next_token_logprobs(PROMPTS), atol=1e-5, rtol=1e-5
    )
    assert '"attention": "eager"' in opened("gemma2").reading
    assert any("no sdpa" in note for note in opened("gemma2").notes)


def test_devices(monkeypatch):
    assert opening.choose_device("cpu") == "cpu"
    assert opening.choose_device("auto") in {"cpu", "cuda", "mps"}
    for device in ("nonsense", "cuda:99"):
        with pytest.raises(RequestError, match=f"'{device}' cannot be used"):
            opening.choose_device(device)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert opening.choose_device("balanced") == "cpu"


def test_the_fingerprint_follows_weights_tokenizer_and_config(tiny, tmp_path, opened):
    folder = broken(tiny, tmp_path)
    prints = {opened("gpt2").subject.fingerprint}
    prints.add(models.load(str(folder), subject=on_cpu()).subject.fingerprint)
    assert len(prints) == 1
    (folder / "README.md").write_text("nothing")
    assert models.load(str(folder), subject=on_cpu(prepend_bos="no")).subject.fingerprint in prints
    save_tiny("gpt2", folder, n_inner=40)
    prints.add(models.load(str(folder), subject=on_cpu()).subject.fingerprint)
    assert len(prints) == 2
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    prints.add(models.load(str(folder), subject=on_cpu()).subject.fingerprint)
    assert len(prints) == 3


def test_reading_settings_are_told_apart(opened):
    readings = {
        opened("gpt2", **settings).reading for settings in ({}, {"prepend_bos": "no"}, {"padding": "left"})
    }
    assert len(readings) == 3


def test_a_missing_package_is_named_with_its_extra(tiny, monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named '{name}'", name="transformers")

    monkeypatch.setattr(parts, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"transformers(.|\n)*biaskit\[text\]"):
        models.load(str(tiny("gpt2")))


def test_an_unknown_organism_is_answered_with_near_ones():
    with pytest.raises(UnknownNameError):
        models.load("organism:nothing-like-it")


def test_loading_writes_nothing(tiny, capfd):
    folder = str(tiny("bert"))
    capfd.readouterr()
    models.load(folder, subject=on_cpu())
    assert capfd.readouterr() == ("", "")


def test_a_balanced_model_opens_through_accelerate(tiny, opened, monkeypatch):
    asked, weights = [], opening._weights

    def spy(opener, folder, options):
        asked.append(options["device_map"])
        return weights(opener, folder, options)

    monkeypatch.setattr(opening, "choose_device", lambda name: name)
    monkeypatch.setattr(opening, "_weights", spy)
    adapter = models.load(str(tiny("gpt2")), subject=Subject(model="-", device="balanced"))
    assert asked == ["balanced"]
    torch.testing.assert_close(
        adapter.next_token_logprobs(PROMPTS), opened("gpt2").next_token_logprobs(PROMPTS)
    )


def test_a_model_that_does_not_fit_is_refused_with_what_to_do(tiny, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(opening, "_weights", full)
    with pytest.raises(ModelLoadError, match=r"does not fit into memory(.|\n)*bfloat16"):
        models.load(str(tiny("gpt2")), subject=on_cpu())
