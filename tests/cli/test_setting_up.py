"""The verbs around a run: init, fetch, cache."""

import json
import os
import re
import shutil
import socket
import tomllib

import pytest
import torch
import yaml
from huggingface_hub import HfApi, constants

import biaskit as package
from biaskit import catalogue, cli, models, organisms
from biaskit.concepts import sae_loading
from biaskit.errors import ModelLoadError
from biaskit.hooks.shelf import DiskShelf, Shard, digest_tensor
from biaskit.models import hub
from tests.cli.test_real_names import command, endpoint, shipped  # noqa: F401  fixtures
from tests.models.test_loading import COMMIT, put_in_cache

on_disk = models.on_disk


@pytest.mark.parametrize("ci", ["github", "gitlab", "none"])
@pytest.mark.parametrize("limit", [(), ("--at-most", "0.3")])
def test_init_writes_what_validates(biaskit, tmp_path, ci, limit):
    done = biaskit("init", "new", "--model", "gpt2", "--concepts", "food,service", "--ci", ci, *limit)
    assert done.code == 0, done.err
    spec = catalogue.audit_spec(tmp_path / "new" / "biaskit.toml")
    assert (spec.subject.model, spec.concepts) == ("gpt2", ("food", "service"))
    assert [gate.at_most for gate in spec.gates] == ([0.3] if limit else [])
    assert biaskit("validate", "new/biaskit.toml").code == 0
    workflows = list((tmp_path / "new").rglob("*.yml"))
    assert len(workflows) == (ci != "none")
    for path in workflows:
        assert yaml.safe_load(path.read_text())
        assert f"=={package.__version__}" in path.read_text()


def test_init_writes_over_nothing(biaskit, tmp_path):
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "biaskit.yml").write_text("mine")
    done = biaskit("init")
    assert (done.code, "biaskit.yml' exists already; nothing was written" in done.err) == (2, True)
    assert not (tmp_path / "biaskit.toml").exists()


def test_init_answers_a_typo_and_quotes_what_it_is_given(biaskit, tmp_path):
    done = biaskit("init", "--concepts", "fod")
    assert (done.code, "Did you mean food?" in done.err) == (2, True)
    name = 'a"\nrevision = "x'
    assert biaskit("init", "--model", name, "--ci", "none").code == 0
    assert tomllib.loads((tmp_path / "biaskit.toml").read_text())["subject"] == {"model": name}


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_starter_workflow_names_flags_that_exist(biaskit, tmp_path, ci):
    biaskit("init", "--ci", ci)
    (path,) = list(tmp_path.rglob("*.yml"))
    lines = re.findall(r"biaskit (\w+) (.*)", path.read_text())
    assert {verb for verb, _ in lines} >= {"fetch", "audit", "gate"}
    for verb, rest in lines:
        known = {one for parameter in cli.biaskit.get_command(None, verb).params for one in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, verb


def test_fetch_brings_what_an_offline_audit_opens(command, endpoint, tmp_path):  # noqa: F811
    (tmp_path / "a.toml").write_text(
        'format = 1\nname = "a"\nconcepts = ["food"]\n[subject]\nmodel = "gpt2"\n'
        '[[analyzers]]\nname = "biaslens"\n[analyzers.settings]\nautoencoder = "none"\n'
    )
    done = command("fetch", "-c", "a.toml", HF_ENDPOINT=endpoint)
    assert done.returncode == 0, done.stderr
    assert COMMIT[:12] in done.stdout
    snapshot = tmp_path / "home" / "hub" / "models--gpt2" / "snapshots" / COMMIT
    assert (snapshot / "model.safetensors").stat().st_size > 1e6
    # The hub is gone now.
    again = command("fetch", "--model", "gpt2", "--encoder", "gpt3", HF_ENDPOINT=endpoint)
    assert (again.returncode, "The hub knows no model 'gpt3'" in again.stderr) == (2, True)


def test_a_plan_tells_what_a_fetch_would_bring(command, endpoint, shipped, tmp_path):  # noqa: F811
    asked = ("plan", "--model", "gpt2", "--concepts", "food", "--json")
    kinds = (".json", ".safetensors", ".txt", ".jinja")
    files = [one for one in shipped.iterdir() if one.suffix in kinds]
    before = json.loads(command(*asked, HF_ENDPOINT=endpoint).stdout)
    assert before["download_mib"] == pytest.approx(sum(one.stat().st_size for one in files) / 2**20)
    assert before["downloads"] == [f"gpt2 from the hub: {before['download_mib']:,.1f} MiB"]
    offline = json.loads(command(*asked, "--offline", HF_ENDPOINT=endpoint).stdout)
    assert (offline["download_mib"], "not asked offline" in offline["downloads"][0]) == (None, True)
    gone = json.loads(command(*asked, HF_ENDPOINT="http://127.0.0.1:9").stdout)
    assert (gone["download_mib"], "not known how much" in gone["downloads"][0]) == (None, True)
    put_in_cache(tmp_path / "home" / "hub", "gpt2", shipped)
    after = json.loads(command(*asked, HF_ENDPOINT=endpoint).stdout)
    assert (after["download_mib"], after["downloads"]) == (0, [])


def test_a_hub_that_does_not_answer_is_not_waited_for(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(hub, "ASKED_S", 0.2)
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(hub, "HfApi", lambda: HfApi(endpoint=place))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        with pytest.raises(ModelLoadError):
            hub.missing_bytes("gpt2", None)


def test_fetch_of_nothing(biaskit):
    done = biaskit("fetch")
    assert (done.code, "Nothing was named" in done.err) == (2, True)
    assert biaskit("fetch", "-c", "quick").code == 2


def test_fetch_brings_autoencoders_and_tells_those_it_cannot(biaskit, monkeypatch, tmp_path):
    asked = []

    def load(release, sae_id):
        asked.append(f"{release}:{sae_id}")
        if "5" in sae_id:
            raise ModelLoadError("It cannot be reached.")

    place = tmp_path / "gpt2"
    shutil.copytree(organisms.folder("reviews"), place)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"n_layer": 7, "num_hidden_layers": 7}))
    monkeypatch.setattr(sae_loading, "load_published", load)
    monkeypatch.setattr(models, "on_disk", on_disk)
    done = biaskit("fetch", "--model", place, "--autoencoders", "--autoencoder", "mine:blocks.2")
    assert done.code == 0, done.err
    assert len(asked) == 8
    assert asked[-1] == "mine:blocks.2"
    assert "It cannot be reached" in done.err


@pytest.fixture
def store(tmp_path):
    shelf = DiskShelf(tmp_path / "store")
    for age, name in enumerate(("aa", "bb")):
        shard = Shard(
            digest_tensor([bytes(16)]),
            torch.zeros(1, 1000),
            json.dumps([1, name * 32, "float32", "{}", "last", "embed"]),
        )
        shelf.write(name * 16, "0123", shard)
        path = tmp_path / "store" / (name * 16) / "0123.safetensors"
        os.utime(path, (1_000_000 + age, 1_000_000 + age))
    return tmp_path / "store"


def test_cache_lists_measures_and_prunes(biaskit, store):
    listed = biaskit("cache", "list", "--folder", store).out.splitlines()
    assert [line.split(",")[0] for line in listed[1:]] == ["embed", "embed"]
    assert "model bbbbbbbbbbbb" in listed[1]
    assert "1970-01-12" in listed[1]
    assert "2 shards" in biaskit("cache", "size", "--folder", store).out
    kept = biaskit("cache", "prune", "--keep", "5k", "--folder", store).out
    assert "1 shards" in kept
    assert [path.parent.name for path in store.rglob("*.safetensors")] == ["bb" * 16]
    assert "0 shards" in biaskit("cache", "prune", "--folder", store).out


@pytest.mark.parametrize("size", ["much", "-1", "1PB"])
def test_cache_refuses_what_is_no_size(biaskit, store, size):
    done = biaskit("cache", "prune", "--keep", size, "--folder", store)
    assert (done.code, "is no size" in done.err) == (2, True)
    assert len(list(store.rglob("*.safetensors"))) == 2


def test_cache_of_a_folder_that_is_none(biaskit, tmp_path):
    assert biaskit("cache", "list", "--folder", tmp_path / "nowhere").code == 2
    (tmp_path / "empty").mkdir()
    assert "nothing" in biaskit("cache", "list", "--folder", tmp_path / "empty").out
