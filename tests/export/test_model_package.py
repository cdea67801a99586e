from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasdenoise
from kerasdenoise.errors import KerasDenoiseError, ModelError, UsageError
from kerasdenoise.export import card as card_module
from kerasdenoise.export import litert, model_package
from kerasdenoise.export.card import render_card
from kerasdenoise.export.model_package import load_model, write_saved_model
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.training.network import load_run
from kerasdenoise.zoo import find_model, verify_model

FILES = {
    "README.md",
    "config.json",
    "metadata.json",
    "model.keras",
    "model.tflite",
    "recipe.toml",
    "saved_model",
}


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return np.random.default_rng(0).random((1, 24, 40, 3), np.float32)


@pytest.fixture(scope="module")
def run(training_run: Path) -> tuple[Any, keras.Model]:
    return load_run(training_run)


def _content(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_all_files_are_written(saved_models: Path):
    assert {file.name for file in saved_models.iterdir()} == {"index.json", "quick"}
    assert {file.name for file in (saved_models / "quick").iterdir()} == FILES


def test_metadata_says_what_the_model_is(saved_models: Path):
    metadata = json.loads((saved_models / "quick/metadata.json").read_text("utf-8"))
    expected = {
        "name": "quick",
        "summary": "Random weights",
        "architecture": "unet",
        "channels": 3,
        "stride": 4,
        "radius": 23,
        "license": "Apache-2.0",
    }
    assert metadata.items() >= expected.items()
    assert metadata["parameters"] > 1000
    assert metadata["mac_per_pixel"] > 100
    assert metadata["litert_difference"] < 1e-4
    assert metadata["training"]["noise"] == ["gaussian:0-55"]
    assert metadata["figures"][0]["set"] == "Textures"


def test_the_card_shows_the_figures(saved_models: Path):
    card = (saved_models / "quick/README.md").read_text("utf-8")
    assert "| Textures | 3 | gaussian:25 | 20.17 | 28.12 ± 0.25 | 0.8765 |" in card


def test_the_index_records_every_file(saved_models: Path):
    info = find_model("quick")
    assert info.folder == saved_models / "quick"
    assert info.files is not None
    assert set(info.files) == set(_content(info.folder))
    verify_model(info)


def test_the_first_model_becomes_the_default(saved_models: Path):
    index = json.loads((saved_models / "index.json").read_text("utf-8"))
    assert index["default"] == "quick"


def test_all_formats_compute_the_same(
    saved_models: Path, run: tuple[Any, keras.Model], noisy: np.ndarray
):
    expected = np.asarray(load_model("quick")(noisy))
    assert np.abs(expected - noisy).max() > 0.01
    np.testing.assert_allclose(expected, np.asarray(run[1](noisy)), atol=2e-3)
    folder = saved_models / "quick"
    results = {
        "keras by path": np.asarray(load_model(folder)(noisy)),
        "litert": LiteRTEngine(folder / "model.tflite")({"noisy": noisy})["output_0"],
    }
    reloaded = tf.saved_model.load(str(folder / "saved_model"))
    (served,) = reloaded.signatures["serving_default"](tf.constant(noisy)).values()
    results["saved_model"] = served.numpy()
    for name, result in results.items():
        np.testing.assert_allclose(result, expected, atol=1e-5, err_msg=name)


def test_weights_have_the_precision_of_float16(saved_models: Path, training_run: Path):
    _, trained = load_run(training_run)
    exact, saved = trained.get_weights(), load_model("quick").get_weights()
    for each, other in zip(saved, exact, strict=True):
        np.testing.assert_allclose(each, other, rtol=2**-11, atol=0)
    packed = [
        len(zlib.compress(np.concatenate([each.ravel() for each in weights]).tobytes()))
        for weights in (saved, exact)
    ]
    assert packed[0] < 0.75 * packed[1]


def test_a_damaged_keras_file_is_not_loaded(saved_models: Path):
    file = saved_models / "quick/model.keras"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"model\.keras: .*the file .*recorded"):
        load_model("quick")


class TestReplacing:
    """Writing over a model that is there; the files themselves are made by copying."""

    @pytest.fixture(autouse=True)
    def _quick_files(self, saved_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ready = shutil.copytree(saved_models / "quick", saved_models.parent / "ready")

        def write(denoiser: Any, recipe: Any, folder: Path, *_: object) -> dict[str, Any]:
            shutil.copytree(ready, folder, dirs_exist_ok=True)
            return json.loads((ready / "metadata.json").read_text("utf-8"))

        monkeypatch.setattr(model_package, "_write_files", write)

    def test_a_model_that_is_there_is_kept(self, saved_models: Path, run: tuple):
        before = _content(saved_models)
        with pytest.raises(UsageError, match=r"quick: already exists.*--name.*--overwrite"):
            write_saved_model(run[1], run[0], saved_models / "quick")
        assert _content(saved_models) == before

    def test_it_is_replaced_on_request(self, saved_models: Path, run: tuple):
        write_saved_model(run[1], run[0], saved_models / "quick", overwrite=True)
        assert {file.name for file in (saved_models / "quick").iterdir()} == FILES
        assert "Not measured" in (saved_models / "quick/README.md").read_text("utf-8")
        verify_model(find_model("quick"))

    @pytest.mark.parametrize("foreign", ["notes.txt", "photos/a.jpg", None])
    def test_what_this_program_did_not_write_is_never_replaced(
        self, saved_models: Path, run: tuple, foreign: str | None
    ):
        if foreign is None:  # a folder that the index does not know
            target = shutil.copytree(saved_models / "quick", saved_models / "mine")
        else:
            target = saved_models / "quick"
            (target / foreign).parent.mkdir(exist_ok=True)
            (target / foreign).write_text("not a model's", "utf-8")
        before = _content(saved_models)
        with pytest.raises(UsageError, match=r"kerasdenoise (did not write|wrote)"):
            write_saved_model(run[1], run[0], target, overwrite=True)
        assert _content(saved_models) == before

    def test_another_model_joins_the_index(self, saved_models: Path, run: tuple):
        write_saved_model(run[1], run[0], saved_models / "other")
        index = json.loads((saved_models / "index.json").read_text("utf-8"))
        assert index["default"] == "quick"
        assert set(index["models"]) == {"quick", "other"}
        verify_model(find_model("quick"))
        verify_model(find_model("other"))

    @pytest.mark.parametrize(
        "where",
        ["measure", "card", "rename"],
    )
    def test_a_failure_leaves_everything_as_it_was(
        self, saved_models: Path, run: tuple, monkeypatch: pytest.MonkeyPatch, where: str
    ):
        before = _content(saved_models)

        def fail(*_: object) -> Any:
            raise UsageError(where, "failed")

        measure: Callable[..., list] = fail if where == "measure" else lambda _: []
        if where == "card":
            monkeypatch.setattr(card_module, "render_card", fail)
        if where == "rename":
            rename = Path.rename

            def refuse(self: Path, target: Path) -> Path:
                return (
                    fail()
                    if self.name == "quick" and target.name == "quick"
                    else rename(self, target)
                )

            monkeypatch.setattr(Path, "rename", refuse)
        with pytest.raises(UsageError, match=f"{where}: failed"):
            write_saved_model(
                run[1], run[0], saved_models / "quick", overwrite=True, measure=measure
            )
        assert _content(saved_models) == before
        assert {file.name for file in saved_models.iterdir()} == {"index.json", "quick"}

    def test_an_index_that_cannot_be_read_is_found_before_anything_is_replaced(
        self, saved_models: Path, run: tuple
    ):
        (saved_models / "index.json").write_text("{", "utf-8")
        before = _content(saved_models)
        with pytest.raises(ModelError, match=r"index\.json: .*JSON"):
            write_saved_model(
                run[1],
                run[0],
                saved_models / "quick",
                overwrite=True,
                measure=lambda _: [{**_row(), "psnr": 1.0}],
            )
        assert _content(saved_models) == before


def _row() -> dict[str, Any]:
    return {
        "set": "Another",
        "noise": None,
        "images": 2,
        "noisy_psnr": 20.0,
        "psnr": 21.0,
        "psnr_error": 0.1,
        "ssim": 0.5,
    }


def test_a_file_that_computes_something_else_is_never_kept(
    tmp_path: Path, run: tuple, saved_models: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe, denoiser = run

    def other_weights(network: keras.Model, target: Path) -> None:
        shutil.copy(saved_models / "quick/model.tflite", target)

    changed = keras.models.clone_model(denoiser)
    changed.set_weights([0.9 * weight for weight in denoiser.get_weights()])
    monkeypatch.setattr(litert, "export_litert", other_weights)
    with pytest.raises(KerasDenoiseError, match=r"model\.tflite: differs"):
        write_saved_model(changed, recipe, tmp_path / "zoo/quick")
    assert list((tmp_path / "zoo").iterdir()) == []


def test_no_git_is_no_obstacle(monkeypatch: pytest.MonkeyPatch):
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert model_package._commit() == "unknown"


NOISY = np.random.default_rng(0).random((16, 24, 3), np.float32)


@pytest.fixture
def further(saved_models: Path) -> keras.Model:
    """The saved model `quick` with another last layer, as after some training."""
    network = kerasdenoise.load_model("quick")
    tail = network.get_layer("tail")
    tail.set_weights([weight + 0.01 for weight in tail.get_weights()])
    return network


def _run_keras(network: keras.Model) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(NOISY[np.newaxis]))[0]


def test_a_network_that_was_trained_further_is_saved_like_any_other(
    further: keras.Model, saved_models: Path, tmp_path: Path
):
    folder = kerasdenoise.save_model(further, tmp_path / "mine")
    assert folder == tmp_path / "mine"
    assert {file.name for file in folder.iterdir()} == FILES - {"saved_model"} | {"model.json"}
    info, source = find_model(folder), find_model("quick")
    for field in ("architecture", "stride", "radius", "channels", "keeps_tone"):
        assert getattr(info, field) == getattr(source, field)
    card = (folder / "README.md").read_text("utf-8")
    assert "trained further" in card
    assert "from `quick`" in card
    sidecar = json.loads((folder / "model.json").read_text("utf-8"))
    assert sidecar["sha256"] == hashlib.sha256(info.litert_path.read_bytes()).hexdigest()
    assert sidecar["inputs"][0]["shape"] == [1, -1, -1, 3]
    again = _run_keras(kerasdenoise.load_model(folder))
    np.testing.assert_allclose(again, _run_keras(further), atol=1e-6)
    with pytest.raises(UsageError, match="exists"):
        kerasdenoise.save_model(further, folder)


@pytest.mark.usefixtures("run_here")
@pytest.mark.parametrize("kind", ["network", "file"])
def test_a_network_that_was_trained_further_denoises(
    further: keras.Model, tmp_path: Path, kind: str
):
    model = further
    if kind == "file":
        model = tmp_path / "mine.keras"
        further.save(model)
    denoiser = kerasdenoise.Denoiser(model)
    folder = denoiser.info.folder
    assert (denoiser.info.name, denoiser.info.keeps_tone) == (
        "unet" if kind == "network" else "mine",
        True,
    )
    before = kerasdenoise.Denoiser("quick").denoise_pixels(NOISY)
    denoised = denoiser.denoise_pixels(NOISY)
    assert np.abs(denoised - before).max() > 1e-3
    saved = kerasdenoise.Denoiser(folder).denoise_pixels(NOISY)
    np.testing.assert_array_equal(denoised, saved)
    del denoiser
    assert not folder.exists()


def test_a_networks_origin_may_be_a_run_or_a_config(
    training_run: Path, run: tuple[Any, keras.Model], tmp_path: Path
):
    assert find_model(kerasdenoise.save_model(training_run / "model.keras", tmp_path / "a")).stride
    config = run[0].model.config
    folder = kerasdenoise.save_model(run[1], tmp_path / "b", like=config)
    info = find_model(folder)
    assert (info.radius, info.keeps_tone, info.metadata["license"]) == (23, False, "not stated")


def test_what_a_network_is_made_from_has_to_be_known(saved_models: Path, tmp_path: Path):
    other = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3)])
    with pytest.raises(ModelError, match="is a different network from quick"):
        kerasdenoise.save_model(other, tmp_path / "other", like="quick")
    with pytest.raises(ModelError, match=r"no known model; .*like="):
        kerasdenoise.save_model(other, tmp_path / "other")
    with pytest.raises(ModelError, match=r"none\.keras: does not exist"):
        kerasdenoise.Denoiser(tmp_path / "none.keras")
    assert not (tmp_path / "other").exists()


@pytest.fixture
def metadata() -> dict[str, Any]:
    return {
        "name": "quick",
        "summary": "Random weights",
        "architecture": "unet",
        "channels": 3,
        "stride": 4,
        "radius": 23,
        "global_context": False,
        "noise_level": False,
        "estimates_level": False,
        "bytes_per_pixel": 1843,
        "parameters": 1234567,
        "mac_per_pixel": 45678,
        "litert_difference": 3.2e-7,
        "license": "Apache-2.0",
        "training": {
            "steps": 30000,
            "data": ["train/a", "train/b"],
            "data_license": "CC0",
            "noise": ["gaussian:0-55", "camera"],
            "commit": "0123456789abcdef",
            "version": "1.2.3",
        },
        "figures": [],
    }


@pytest.mark.parametrize(
    "said",
    [
        "# quick",
        "Random weights.",
        "| Parameters | 1,234,567 |",
        "| Multiply-accumulates per pixel | 45,678 |",
        "| Memory | 1,843 bytes per pixel of a tile |",
        "| Receptive field | 23 pixels in each direction |",
        "1 x H x W x 3",
        "sides multiples of 4",
        "30,000 steps",
        "`0123456789ab`",
        "version 1.2.3",
        "| Noise in training | `gaussian:0-55`, `camera` |",
        "| License of the weights | Apache-2.0 |",
        "| License of the data | CC0 |",
        "Not measured",
    ],
)
def test_the_card_says_it(metadata: dict[str, Any], said: str):
    assert said in render_card(metadata)


def test_the_card_warns_first_of_what_is_invented(metadata: dict[str, Any]):
    warned = render_card({**metadata, "invents_detail": True}).splitlines()
    warned = warned[warned.index("# quick") :]  # what is above is for programs
    assert warned[1] == ""
    assert "detail" in warned[2]
    assert "invented" in warned[2]
    assert "invented" not in render_card({**metadata, "invents_detail": False})
    assert "up to 100/255" in render_card({**metadata, "highest_level": 100 / 255})


def test_a_network_with_global_context_sees_everything(metadata: dict[str, Any]):
    card = render_card(metadata | {"global_context": True})
    assert "| 23 pixels in each direction, and statistics of the whole image |" in card


def test_a_network_that_is_told_the_level_says_so(metadata: dict[str, Any]):
    assert "the noise level at each pixel" not in render_card(metadata)
    assert "the noise level at each pixel" in render_card(metadata | {"noise_level": True})


def test_a_network_that_estimates_the_level_says_so(metadata: dict[str, Any]):
    assert "Noise level" not in render_card(metadata)
    card = render_card(metadata | {"estimates_level": True})
    assert "| Noise level | estimated by `level.tflite`" in card


def test_what_a_training_started_and_learned_from_is_named(metadata: dict[str, Any]):
    assert "after" not in render_card(metadata)
    assert "taught" not in render_card(metadata)
    training = {"earlier": ["recipe_earlier_1.toml"], "teacher": "runs/photo"}
    card = render_card(metadata | {"training": metadata["training"] | training})
    assert "by `recipe.toml` after `recipe_earlier_1.toml`, taught by `runs/photo`, at" in card


@pytest.mark.parametrize(("noise", "called"), [("gaussian:25", "gaussian:25"), (None, "its own")])
def test_figures_are_a_table(metadata: dict[str, Any], noise: str | None, called: str):
    row = {
        "set": "CBSD68",
        "noise": noise,
        "images": 68,
        "noisy_psnr": 20.174,
        "psnr": 30.626,
        "psnr_error": 0.251,
        "ssim": 0.87654,
    }
    card = render_card(metadata | {"figures": [row]})
    assert f"| CBSD68 | 68 | {called} | 20.17 | 30.63 ± 0.25 | 0.8765 |" in card
    assert "Not measured" not in card


def test_files_that_were_kept_by_force_are_marked(metadata: dict[str, Any]):
    row = {
        "kind": "int8",
        "target": "mobile",
        "size": 256,
        "bytes": 9,
        "photos": "set",
        "images": 3,
    }
    row |= {"noise": "gaussian:25", "psnr": 29.0, "psnr_keras": 30.0}
    files = {"a.tflite": row | {"forced": False}, "b.tflite": row | {"forced": True}}
    card = render_card(metadata | {"files": files})
    assert "| `a.tflite` |" in card
    assert "| `b.tflite` (`--force`) |" in card
    assert "without that option" in card
    assert "--force" not in render_card(metadata | {"files": {"a.tflite": files["a.tflite"]}})


def test_parts_that_were_not_trained_keep_their_weights_to_the_last_bit():
    from kerasdenoise.export.model_package import _round_weights
    from kerasdenoise.models import build

    network = build("detail_ddim", preset="tiny")
    parts = {name: network.get_layer(name) for name in ("noise_level", "tile", "detail")}
    before = {name: part.get_weights()[0] for name, part in parts.items()}
    _round_weights(network)
    for name, part in parts.items():
        assert np.array_equal(part.get_weights()[0], before[name]) == (name != "detail")
