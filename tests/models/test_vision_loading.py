"""Opening image classifiers from folders and files: which adapter, which weights, and what is refused."""

import json
import subprocess
import sys
import types

import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

import biaskit
from biaskit import models
from biaskit.errors import MissingExtraError, ModelLoadError, RequestError, UnknownNameError
from biaskit.models.families import Family, family_of
from biaskit.models.language import LanguageAdapter
from biaskit.models.vision import VisionAdapter
from biaskit.models.vision_input import VisionInput
from biaskit.records.audit_spec import Subject
from tests.models import zoo

PIXELS = torch.rand(3, 3, *zoo.SIZE, generator=torch.Generator().manual_seed(2))
FACTORY = "tests.models.zoo:PlainCNN"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("vit")
    zoo.transformers_model("vit").save_pretrained(path)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=3).save_pretrained(path)
    return path


class TestTransformersFolders:
    def test_it_is_opened_as_an_image_classifier(self, folder):
        adapter = models.load(str(folder))
        assert isinstance(adapter, VisionAdapter)
        assert (adapter.classes, adapter.folder, adapter.module.training) == (zoo.CLASSES, folder, False)
        assert adapter.input == VisionInput(
            (32, 32), (0.5,) * 3, (0.5,) * 3, resize=(32, 32), interpolation="bicubic"
        )
        own = transformers.AutoModelForImageClassification.from_pretrained(folder)
        with torch.no_grad():
            assert torch.allclose(adapter.logits(PIXELS), own((PIXELS - 0.5) / 0.5).logits, atol=1e-5)
        record = adapter.subject
        assert (record.architecture, record.width, record.dtype) == ("vit", 24, "float32")

    def test_a_text_model_stays_a_language_model(self, tiny):
        assert isinstance(models.load(str(tiny("gpt2"))), LanguageAdapter)
        with pytest.raises(RequestError, match="no image classifier, so it takes no size"):
            models.load(str(tiny("gpt2")), size=(32, 32))

    def test_settings_win_over_the_folder(self, folder):
        settings = Subject(model="-", dtype="bfloat16", classes=("a", "b", "c", "d"), attention="eager")
        adapter = models.load(str(folder), subject=settings, mean=(0.0,) * 3)
        assert adapter.input.mean == (0.0,) * 3
        assert adapter.classes == ("a", "b", "c", "d")
        assert adapter.subject.dtype == "bfloat16"
        assert adapter.module.config._attn_implementation == "eager"

    def test_the_fingerprint_knows_the_preprocessing(self, folder, tmp_path):
        zoo_copy = tmp_path / "copy"
        zoo_copy.mkdir()
        for path in folder.iterdir():
            (zoo_copy / path.name).write_bytes(path.read_bytes())
        before = models.load(str(zoo_copy)).subject.fingerprint
        assert before == models.load(str(folder)).subject.fingerprint
        said = json.loads((zoo_copy / "preprocessor_config.json").read_text())
        (zoo_copy / "preprocessor_config.json").write_text(json.dumps(said | {"resample": 2}))
        assert models.load(str(zoo_copy)).subject.fingerprint != before

    def test_without_a_processor_the_assumption_is_told(self, tmp_path):
        zoo.transformers_model("vit").save_pretrained(tmp_path)
        adapter = models.load(str(tmp_path))
        assert any("are assumed" in note for note in adapter.notes)
        zoo.transformers_model("resnet").save_pretrained(tmp_path / "resnet")
        with pytest.raises(RequestError, match="at what size"):
            models.load(str(tmp_path / "resnet"))

    def test_grey_models(self, tmp_path):
        zoo.transformers_model("vit", num_channels=1).save_pretrained(tmp_path)
        transformers.ViTImageProcessorPil(
            size={"height": 32, "width": 32}, image_mean=[0.1], image_std=[0.3]
        ).save_pretrained(tmp_path)
        adapter = models.load(str(tmp_path))
        assert adapter.input.channels == 1
        assert adapter.logits(torch.rand(2, 1, 32, 32)).shape == (2, 4)

    def test_a_model_without_a_head_is_refused(self, folder, tmp_path):
        module = transformers.ViTModel(transformers.ViTConfig(**zoo._TOKENS))
        module.save_pretrained(tmp_path)
        said = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(
            json.dumps(said | {"architectures": ["ViTForImageClassification"]})
        )
        with pytest.raises(ModelLoadError, match=r"lacks weights of an image classifier \(classifier"):
            models.load(str(tmp_path))

    def test_a_regression_is_refused(self, tmp_path):
        zoo.transformers_model("vit", problem_type="regression").save_pretrained(tmp_path)
        with pytest.raises(ModelLoadError, match="predicts a number"):
            models.load(str(tmp_path))

    def test_pickled_weights_need_permission(self, tmp_path):
        module = zoo.transformers_model("vit")
        module.config.save_pretrained(tmp_path)
        said = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(
            json.dumps(said | {"architectures": ["ViTForImageClassification"]})
        )
        torch.save(module.state_dict(), tmp_path / "pytorch_model.bin")
        with pytest.raises(ModelLoadError, match="allow-pickle"):
            models.load(str(tmp_path))
        adapter = models.load(str(tmp_path), subject=Subject(model="-", allow_pickle=True))
        with torch.no_grad():
            assert torch.allclose(adapter.logits(PIXELS), module((PIXELS - 0.5) / 0.5).logits, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "others", "family"),
    [
        ({"architectures": ["ViTForImageClassification"], "model_type": "vit"}, [], Family.VISION),
        ({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}, ["tokenizer.json"], Family.LANGUAGE),
        ({"model_type": "resnet"}, ["preprocessor_config.json"], Family.VISION),
        ({"model_type": "gpt2"}, ["tokenizer.json", "preprocessor_config.json"], Family.LANGUAGE),
        ({"architecture": "resnet18", "pretrained_cfg": {}}, [], Family.TIMM),
    ],
)
def test_the_config_says_what_it_is(tmp_path, config, others, family):
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in others:
        (tmp_path / name).touch()
    assert family_of(tmp_path) is family
    assert family_of(tmp_path, factory=True) is Family.BARE


def test_deciding_imports_neither_torch_nor_transformers():
    code = "import sys, biaskit.models; sys.exit(bool({'torch', 'transformers'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", code], check=True)


def bare(path, **settings):
    return models.load(
        str(path), subject=Subject(model="-", factory=FACTORY, classes=zoo.CLASSES, **settings), size=zoo.SIZE
    )


class TestBareWeights:
    @pytest.fixture
    def module(self):
        module = zoo.PlainCNN().eval()
        module.features[1].running_mean.normal_()
        return module

    @pytest.mark.parametrize("place", ["file", "folder"])
    def test_safetensors_and_a_factory(self, module, tmp_path, place):
        save_file(module.state_dict(), tmp_path / "weights.safetensors")
        adapter = bare(tmp_path / "weights.safetensors" if place == "file" else tmp_path)
        with torch.no_grad():
            assert torch.allclose(adapter.logits(PIXELS), module(PIXELS), atol=1e-5)
        twin, again = adapter.reinitialised(1), adapter.reinitialised(1)
        assert torch.equal(twin.logits(PIXELS), again.logits(PIXELS))
        assert not torch.allclose(twin.logits(PIXELS), adapter.logits(PIXELS))

    @pytest.mark.parametrize(
        "wrapped",
        [
            lambda state: state,
            lambda state: {"state_dict": state, "epoch": 3},
            lambda state: {"model": {f"module.{key}": value for key, value in state.items()}, "lr": 0.1},
            lambda state: {"net": {f"_orig_mod.module.{key}": value for key, value in state.items()}},
        ],
    )
    @pytest.mark.parametrize("suffix", [".pth", ".th"])
    def test_pickles_when_they_are_allowed(self, module, tmp_path, wrapped, suffix):
        path = tmp_path / f"checkpoint{suffix}"
        torch.save(wrapped(module.state_dict()), path)
        with pytest.raises(ModelLoadError, match="allow-pickle"):
            bare(path)
        adapter = bare(path, allow_pickle=True)
        with torch.no_grad():
            assert torch.allclose(adapter.logits(PIXELS), module(PIXELS), atol=1e-5)

    def test_code_in_a_pickle_is_never_run(self, tmp_path):
        path, proof = tmp_path / "evil.pt", tmp_path / "proof"

        class Evil:
            def __reduce__(self):
                return (proof.touch, ())

        torch.save({"state_dict": Evil()}, path)
        with pytest.raises(ModelLoadError, match="cannot be read"):
            bare(path, allow_pickle=True)
        assert not proof.exists()

    def test_the_preprocessing_beside_the_weights(self, module, tmp_path):
        save_file(module.state_dict(), tmp_path / "weights.safetensors")
        settings = Subject(model="-", factory=FACTORY)
        with pytest.raises(RequestError, match=r"preprocessor_config\.json"):
            models.load(str(tmp_path), subject=settings)
        said = {"size": {"height": 32, "width": 32}, "image_mean": [0.4] * 3, "image_std": [0.2] * 3}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
        assert models.load(str(tmp_path), subject=settings).input.mean == pytest.approx((0.4,) * 3)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda state: state.pop("head.bias"), r"lack head\.bias"),
            (lambda state: state.update({"extra.weight": torch.zeros(2)}), r"too many: extra\.weight"),
            (lambda state: state.update({"head.bias": torch.zeros(7)}), r"other shapes: head\.bias"),
        ],
    )
    def test_weights_that_do_not_fit(self, module, tmp_path, change, words):
        state = module.state_dict()
        change(state)
        save_file(state, tmp_path / "weights.safetensors")
        with pytest.raises(ModelLoadError, match=words):
            bare(tmp_path)

    def test_damaged_missing_and_several_files(self, module, tmp_path):
        with pytest.raises(ModelLoadError, match="no safetensors"):
            bare(tmp_path)
        (tmp_path / "a.safetensors").write_bytes(b"damaged")
        with pytest.raises(ModelLoadError, match="cannot be read"):
            bare(tmp_path)
        (tmp_path / "b.safetensors").write_bytes(b"damaged")
        with pytest.raises(ModelLoadError, match="2 files of weights"):
            bare(tmp_path)
        with pytest.raises(ModelLoadError, match="factory"):
            models.load(str(tmp_path / "a.safetensors"))
        with pytest.raises(ModelLoadError, match="factory"):
            models.load(str(tmp_path))

    @pytest.mark.parametrize(
        ("factory", "words"),
        [("tests.models.zoo", "names no function"), ("math:sqrt", "could not build the network")],
    )
    def test_a_factory_that_gives_nothing_says_so(self, module, tmp_path, factory, words):
        save_file(module.state_dict(), tmp_path / "weights.safetensors")
        with pytest.raises(RequestError, match=words):
            models.load(str(tmp_path), subject=Subject(model="-", factory=factory), size=zoo.SIZE)

    def test_a_factory_that_is_none(self, module, tmp_path):
        save_file(module.state_dict(), tmp_path / "weights.safetensors")
        for factory, error, words in [
            ("tests.models.zoo:PlainCN", UnknownNameError, "PlainCNN"),
            ("no_such_package:build", RequestError, "no module 'no_such_package'"),
            ("tests.models.zoo:hasattr", UnknownNameError, "hasattr"),
            ("builtins:dict", RequestError, "not a torch module"),
        ]:
            with pytest.raises(error, match=words):
                models.load(str(tmp_path), subject=Subject(model="-", factory=factory), size=zoo.SIZE)


class TestLoadedModules:
    def test_the_public_name_opens_them(self):
        adapter = biaskit.load(
            zoo.PlainCNN(), classes=zoo.CLASSES, size=(32, 32), mean=(0.5,) * 3, std=(0.2,) * 3
        )
        assert isinstance(adapter, VisionAdapter)
        assert adapter.subject.source == "PlainCNN in memory"

    def test_what_a_model_carries_with_it_is_used(self):
        module = zoo.PlainCNN()
        module.pretrained_cfg = {
            "input_size": (3, 32, 32),
            "mean": (0.1,) * 3,
            "std": (0.2,) * 3,
            "crop_pct": 1.0,
        }
        assert models.load(module).input == VisionInput((32, 32), (0.1,) * 3, (0.2,) * 3, resize=32)
        adapter = models.load(zoo.transformers_model("vit"))
        assert (adapter.size, adapter.classes) == ((32, 32), zoo.CLASSES)

    def test_a_module_of_unknown_size(self):
        with pytest.raises(RequestError, match="at what size"):
            models.load(zoo.PlainCNN())

    def test_neither_text_nor_image(self):
        with pytest.raises(RequestError, match="language model"):
            models.load(object())

    def test_weights_of_unknown_origin_have_no_twin(self):
        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale, self.head = nn.Parameter(torch.ones(1)), nn.Linear(3 * 32 * 32, 4)

            def forward(self, x):
                return self.head(self.scale * x.flatten(1))

        with pytest.raises(RequestError, match="no random-weights twin"):
            models.load(Own(), size=zoo.SIZE).reinitialised(0)


class TestTimm:
    @pytest.fixture
    def folder(self, tmp_path):
        config = {
            "architecture": "plain_cnn",
            "num_classes": 4,
            "label_names": ["c", "d", "f", "o"],
            "label_descriptions": dict(zip("cdfo", zoo.CLASSES, strict=True)),
            "pretrained_cfg": {
                "input_size": [3, 32, 32],
                "mean": [0.4] * 3,
                "std": [0.2] * 3,
                "crop_pct": 0.8,
            },
        }
        (tmp_path / "config.json").write_text(json.dumps(config))
        save_file(zoo.PlainCNN().state_dict(), tmp_path / "model.safetensors")
        return tmp_path

    def test_it_is_opened_by_timm(self, folder, monkeypatch):
        asked = []

        def create_model(name, **settings):
            asked.append((name, settings))
            return zoo.PlainCNN(classes=settings["num_classes"])

        monkeypatch.setitem(sys.modules, "timm", types.SimpleNamespace(create_model=create_model))
        monkeypatch.delitem(sys.modules, "biaskit.models.vision_timm", raising=False)
        adapter = models.load(str(folder))
        monkeypatch.delitem(sys.modules, "biaskit.models.vision_timm")
        assert asked == [("plain_cnn", {"pretrained": False, "num_classes": 4})]
        assert adapter.classes == zoo.CLASSES
        assert adapter.input == VisionInput((32, 32), (0.4,) * 3, (0.2,) * 3, resize=40)

    def test_without_timm_the_extra_is_named(self, folder, monkeypatch):
        monkeypatch.setitem(sys.modules, "timm", None)
        monkeypatch.delitem(sys.modules, "biaskit.models.vision_timm", raising=False)
        with pytest.raises(MissingExtraError, match=r"biaskit\[timm\]"):
            models.load(str(folder))

    def test_a_torchvision_without_its_operators_is_told(self, folder, monkeypatch, tmp_path):
        package = tmp_path / "broken"
        package.mkdir()
        (package / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
        monkeypatch.syspath_prepend(package)
        monkeypatch.delitem(sys.modules, "timm", raising=False)
        monkeypatch.delitem(sys.modules, "biaskit.models.vision_timm", raising=False)
        with pytest.raises(RequestError, match="pip uninstall torchvision"):
            models.load(str(folder))


def test_what_was_opened_once_is_taken_as_it_is():
    opened = models.load("organism:shapes")
    assert models.load(opened) is opened
