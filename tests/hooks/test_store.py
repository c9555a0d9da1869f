"""Each prompt is captured once at each site, whatever happens in between."""

import errno
import hashlib
import json
import logging
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from biaskit.errors import ActivationError, RunError
from biaskit.hooks.pooling import Pooling
from biaskit.hooks.store import ActivationStore, default_folder
from biaskit.records.prompt import Prompt
from biaskit.records.site import Site

LOW, HIGH = Site.parse("resid_post.1"), Site.parse("resid_post.8")
WIDTH, ROWS = 6, 4


@dataclass
class Model:
    """A model whose activations are a digest of everything they depend on."""

    fingerprint: str = "weights"
    dtype: str = "float32"
    reading: str = "sdpa"
    calls: list = field(default_factory=list)

    @property
    def subject(self):
        return SimpleNamespace(fingerprint=self.fingerprint, dtype=self.dtype)

    def row(self, prompt, site, pooling):
        content = f"{self.fingerprint}{self.dtype}{self.reading}{prompt}{site}{pooling}"
        seed = int.from_bytes(hashlib.sha256(content.encode()).digest()[:7], "big")
        return torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed))

    def activations(self, prompts, sites, pooling):
        self.calls.append(([prompt.text for prompt in prompts], list(sites)))
        return {site: torch.stack([self.row(p, site, pooling) for p in prompts]) for site in sites}

    def expected(self, prompts, site, pooling=Pooling.LAST):
        return torch.stack([self.row(prompt, site, pooling) for prompt in prompts])

    @property
    def captured(self):
        return sum(len(texts) * len(sites) for texts, sites in self.calls)


class Failing(Model):
    """Fails at its second call."""

    def activations(self, prompts, sites, pooling):
        if self.calls:
            raise self.error
        return super().activations(prompts, sites, pooling)


def texts(*numbers):
    return [Prompt(f"text {number}") for number in numbers]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path):
    return ActivationStore(None if request.param == "memory" else tmp_path / "store", shard_rows=ROWS)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def on_disk(folder):
    return ActivationStore(folder, shard_rows=ROWS)


class TestEachIsCapturedOnce:
    def test_rows_come_back_in_order_for_every_site(self, store):
        model, prompts = Model(), texts(*range(11))
        found = store.activations(model, prompts, [HIGH, LOW])
        assert list(found) == [HIGH, LOW]
        for site in (LOW, HIGH):
            assert found[site].dtype == torch.float32
            assert torch.equal(found[site], model.expected(prompts, site))
        assert [len(batch) for batch, _ in model.calls] == [4, 4, 3]
        assert all(sites == [HIGH, LOW] for _, sites in model.calls)

    def test_duplicates(self, store):
        model, prompts = Model(), texts(3, 1, 3, 3, 2, 1)
        found = store.activations(model, prompts, [LOW])[LOW]
        assert torch.equal(found, model.expected(prompts, LOW))
        assert model.captured == 3

    def test_a_second_request_captures_only_what_is_new(self, store):
        model = Model()
        store.activations(model, texts(*range(6)), [LOW])
        prompts = texts(9, 5, 0, 7)
        assert torch.equal(store.activations(model, prompts, [LOW])[LOW], model.expected(prompts, LOW))
        assert model.calls[2:] == [(["text 9", "text 7"], [LOW])]

    def test_a_site_that_is_missing_is_captured_alone(self, store):
        model, prompts = Model(), texts(*range(3))
        store.activations(model, prompts, [LOW])
        found = store.activations(model, prompts, [LOW, HIGH])
        assert torch.equal(found[HIGH], model.expected(prompts, HIGH))
        assert [sites for _, sites in model.calls] == [[LOW], [HIGH]]

    @given(
        requests=st.lists(
            st.tuples(st.lists(st.integers(0, 12), max_size=14), st.sets(st.sampled_from([LOW, HIGH]))),
            max_size=6,
        )
    )
    def test_whatever_is_asked_in_whatever_order(self, requests):
        store, model, seen = ActivationStore(shard_rows=ROWS), Model(), set()
        for numbers, sites in requests:
            found = store.activations(model, texts(*numbers), sorted(sites, key=str))
            seen |= {(number, site) for number in numbers for site in sites}
            for site in sites:
                if numbers:
                    assert torch.equal(found[site], model.expected(texts(*numbers), site))
        assert model.captured == len(seen)

    def test_another_store_on_the_same_folder_captures_nothing(self, on_disk, folder):
        model, prompts = Model(), texts(*range(9))
        first = on_disk.activations(model, prompts, [LOW])[LOW]
        again = ActivationStore(folder, shard_rows=3).activations(silent := Model(), prompts, [LOW])[LOW]
        assert torch.equal(first, again)
        assert silent.calls == []

    def test_what_another_process_wrote_meanwhile_is_found(self, on_disk, folder):
        on_disk.activations(Model(), texts(1), [LOW])
        ActivationStore(folder, shard_rows=ROWS).activations(Model(), texts(2), [LOW])
        on_disk.activations(model := Model(), texts(1, 2), [LOW])
        assert model.calls == []

    @pytest.mark.parametrize(
        ("model", "prompt", "pooling"),
        [
            (Model(fingerprint="other"), Prompt("text"), Pooling.LAST),
            (Model(dtype="bfloat16"), Prompt("text"), Pooling.LAST),
            (Model(reading="eager"), Prompt("text"), Pooling.LAST),
            (Model(), Prompt("Text"), Pooling.LAST),
            (Model(), Prompt("text", (0, 2)), Pooling.LAST),
            (Model(), Prompt("text"), Pooling.MEAN),
        ],
        ids=["weights", "dtype", "reading", "text", "span", "pooling"],
    )
    def test_nothing_is_taken_for_something_else(self, store, model, prompt, pooling):
        store.activations(Model(), [Prompt("text")], [LOW])
        found = store.activations(model := replace(model, calls=[]), [prompt], [LOW], pooling)
        assert torch.equal(found[LOW], model.expected([prompt], LOW, pooling))
        assert len(model.calls) == 1

    def test_no_prompts_and_no_sites(self, store):
        assert store.activations(Model(), [], [LOW])[LOW].shape[0] == 0
        assert dict(store.activations(Model(), texts(1), [])) == {}


class TestStream:
    def test_it_is_what_activations_gives_cut_in_order(self, store):
        model, prompts = Model(), texts(*range(10), 3, 3)
        parts = list(store.stream(model, prompts, [LOW, HIGH]))
        assert [rows for rows, _ in parts] == [slice(0, 4), slice(4, 8), slice(8, 12)]
        for site in (LOW, HIGH):
            assert torch.equal(torch.cat([part[site] for _, part in parts]), model.expected(prompts, site))
        assert model.captured == 20

    def test_each_part_is_captured_when_it_is_asked_for(self, store):
        parts = store.stream(model := Model(), texts(*range(10)), [LOW])
        assert model.calls == []
        next(parts)
        assert len(model.calls) == 1


def test_writing_into_what_was_read_does_not_reach_the_store(store):
    model, prompts = Model(), texts(*range(ROWS))
    found = store.activations(model, prompts, [LOW])
    found[LOW].zero_()
    assert torch.equal(found[LOW], model.expected(prompts, LOW))


@pytest.mark.parametrize("order", [1, -1])
def test_what_a_model_read_in_inference_mode_can_train_a_probe(store, order):
    class Inference(Model):
        @torch.inference_mode()
        def activations(self, prompts, sites, pooling):
            return {site: value + 0 for site, value in super().activations(prompts, sites, pooling).items()}

    found = store.activations(Inference(), texts(*range(ROWS))[::order], [LOW])[LOW]
    probe = torch.nn.Linear(WIDTH, 1)
    probe(found).sum().backward()
    assert probe.weight.grad.abs().sum() > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
def test_a_whole_shard_is_mapped_from_its_file(on_disk, folder):
    found = on_disk.activations(Model(), texts(*range(ROWS)), [LOW])[LOW]
    (file,) = folder.rglob("*.safetensors")
    assert str(file) in Path("/proc/self/maps").read_text()
    del found
    assert str(file) not in Path("/proc/self/maps").read_text()


def test_a_file_says_what_it_holds(on_disk, folder):
    on_disk.activations(Model(), texts(1), [LOW], Pooling.MEAN)
    with safe_open(next(folder.rglob("*.safetensors")), framework="pt") as file:
        origin = json.loads(json.loads(file.metadata()["biaskit"])["origin"])
    assert origin[1:] == ["weights", "float32", "sdpa", "mean", "resid_post.1"]


def test_progress_is_told_for_what_is_captured(store):
    told = []

    class Told:
        def track(self, items, label, total=None):
            told.append((label, total))
            yield from items

    for _ in range(2):
        store.activations(Model(), texts(*range(9)), [LOW], progress=Told())
    assert told == [("reading activations", 3)]


class TestFaults:
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory")])
    def test_a_run_that_was_broken_off_goes_on_where_it_was(self, on_disk, folder, tmp_path, error):
        prompts = texts(*range(11))
        broken = Failing()
        broken.error = error
        with pytest.raises(type(error)):
            on_disk.activations(broken, prompts, [LOW, HIGH])
        on_disk.activations(resumed := Model(), prompts, [LOW, HIGH])
        assert [len(batch) for batch, _ in resumed.calls] == [4, 3]
        ActivationStore(tmp_path / "whole", shard_rows=ROWS).activations(Model(), prompts, [LOW, HIGH])
        assert contents(folder) == contents(tmp_path / "whole")

    @pytest.mark.parametrize("writes", [2, 3])
    def test_a_run_killed_while_it_writes(self, folder, tmp_path, writes):
        prompts = texts(*range(11))

        def killed():
            count, fsync = [], os.fsync

            def dying(handle):
                count.append(handle)
                if len(count) == writes:
                    os.kill(os.getpid(), signal.SIGKILL)
                fsync(handle)

            os.fsync = dying
            ActivationStore(folder, shard_rows=ROWS).activations(Model(), prompts, [LOW, HIGH])

        process = multiprocessing.get_context("fork").Process(target=killed)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert len(list(folder.rglob("*.safetensors"))) == writes - 1
        resumed = ActivationStore(folder, shard_rows=ROWS)
        resumed.activations(model := Model(), prompts, [LOW, HIGH])
        assert model.captured == 22 - 4 * (writes - 1)
        ActivationStore(tmp_path / "whole", shard_rows=ROWS).activations(Model(), prompts, [LOW, HIGH])
        kept = {path: content for path, content in contents(folder).items() if path.suffix != ".tmp"}
        assert kept == contents(tmp_path / "whole")

    def test_two_processes_on_one_folder(self, folder, tmp_path):
        prompts = texts(*range(60))

        def run(order):
            found = ActivationStore(folder, shard_rows=ROWS).activations(Model(), prompts[::order], [LOW])
            assert torch.equal(found[LOW], Model().expected(prompts[::order], LOW))

        processes = [
            multiprocessing.get_context("fork").Process(target=run, args=(order,)) for order in (1, 1, -1)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert not list(folder.rglob("*.tmp"))
        ActivationStore(folder).activations(silent := Model(), prompts, [LOW])
        assert silent.calls == []

    def test_a_full_disk(self, on_disk, folder, monkeypatch):
        prompts, model = texts(*range(11)), Model()
        written, fsync = [], os.fsync

        def full(handle):
            written.append(handle)
            if len(written) > 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(handle)

        monkeypatch.setattr("biaskit.hooks.shelf.os.fsync", full)
        with pytest.raises(RunError, match=r"No space is left.*2 shards .* kept in") as caught:
            on_disk.activations(model, prompts, [LOW])
        assert "prune" in caught.value.fix
        assert sorted(path.suffix for path in contents(folder)) == [".safetensors", ".safetensors"]
        monkeypatch.undo()
        found = on_disk.activations(resumed := Model(), prompts, [LOW])[LOW]
        assert torch.equal(found, model.expected(prompts, LOW))
        assert resumed.captured == 3

    def test_a_folder_that_cannot_be_written(self, on_disk, monkeypatch):
        def denied(*_, **__):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Path, "mkdir", denied)
        with pytest.raises(RunError, match="cannot be written") as caught:
            on_disk.activations(Model(), texts(1), [LOW])
        assert "Permission denied" in caught.value.why

    @pytest.mark.parametrize("damage", ["empty", "truncated", "header", "flipped", "foreign"])
    def test_a_damaged_file_is_captured_again_and_told(self, on_disk, folder, damage, caplog):
        prompts, model = texts(*range(7)), Model()
        on_disk.activations(model, prompts, [LOW])
        whole = contents(folder)
        path = sorted(folder.rglob("*.safetensors"))[0]
        content = path.read_bytes()
        spoilt = {
            "empty": b"",
            "truncated": content[:-5],
            "header": content[:20] + b"#" + content[21:],
            "flipped": content[:-5] + bytes([content[-5] ^ 4]) + content[-4:],
            "foreign": content.replace(b"crc32", b"crc64"),
        }
        assert spoilt[damage] != content
        path.write_bytes(spoilt[damage])
        with caplog.at_level(logging.WARNING, logger="biaskit"):
            found = ActivationStore(folder, shard_rows=ROWS).activations(again := Model(), prompts, [LOW])[
                LOW
            ]
        assert torch.equal(found, model.expected(prompts, LOW))
        assert "captured again" in caplog.text
        assert 0 < again.captured < 7
        assert contents(folder) == whole

    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_what_is_not_a_number_is_not_kept(self, store, value):
        class Broken(Model):
            def activations(self, prompts, sites, pooling):
                found = super().activations(prompts, sites, pooling)
                found[HIGH][1, 2] = value
                return found

        with pytest.raises(ActivationError, match=r"resid_post\.8 .* in 1 of 3 rows"):
            store.activations(Broken(), texts(1, 2, 3), [HIGH])
        assert store.size().shards == 0

    def test_a_wrong_number_of_rows_is_told(self, store):
        class Short(Model):
            def activations(self, prompts, sites, pooling):
                return {
                    site: value[1:] for site, value in super().activations(prompts, sites, pooling).items()
                }

        with pytest.raises(RunError, match=r"gave 2 rows .* for 3 prompts"):
            store.activations(Short(), texts(1, 2, 3), [LOW])

    def test_files_removed_while_in_use_are_told(self, store):
        found = store.activations(Model(), texts(*range(6)), [LOW])
        store._shelf.prune(0)
        with pytest.raises(RunError, match="disappeared") as caught:
            _ = found[LOW]
        assert "Run again" in caught.value.fix
        assert torch.equal(store.activations(Model(), texts(1), [LOW])[LOW], Model().expected(texts(1), LOW))


class TestSpace:
    def test_size_is_what_the_folder_holds(self, on_disk, folder):
        on_disk.activations(Model(), texts(*range(10)), [LOW, HIGH])
        assert on_disk.size().shards == 6
        assert on_disk.size().bytes == sum(map(len, contents(folder).values()))

    def test_prune_keeps_what_was_used_last(self, on_disk, folder):
        for name in ("read again", "forgotten"):
            on_disk.activations(Model(name), texts(1), [LOW])
        for path in folder.rglob("*.safetensors"):
            os.utime(path, (1, 1))
        ActivationStore(folder).activations(Model("read again"), texts(1), [LOW])
        held = on_disk.size().bytes
        assert 0 < on_disk.prune(keep_bytes=held - 1) < held
        on_disk.activations(kept := Model("read again"), texts(1), [LOW])
        on_disk.activations(lost := Model("forgotten"), texts(1), [LOW])
        assert (kept.captured, lost.captured) == (0, 1)

    def test_pruning_all(self, store):
        prompts = texts(*range(10))
        store.activations(Model(), prompts, [LOW])
        held = store.size().bytes
        assert store.prune() == held > 0
        assert store.size().shards == 0
        store.activations(model := Model(), prompts, [LOW])
        assert model.captured == 10

    def test_leftovers_of_killed_runs_go_after_an_hour(self, on_disk, folder):
        on_disk.activations(Model(), texts(1), [LOW])
        context = next(folder.iterdir())
        for name, age in (("old", 4000), ("new", 10)):
            leftover = context / f".{name}.tmp"
            leftover.touch()
            os.utime(leftover, (leftover.stat().st_mtime - age,) * 2)
        on_disk.prune(keep_bytes=10**9)
        assert [path.name for path in folder.rglob("*.tmp")] == [".new.tmp"]

    def test_the_default_folder_lies_in_the_users_cache(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert default_folder() == tmp_path / "biaskit" / "activations"
