"""LiteRT files of a saved model, made as `export` makes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasdenoise.errors import KerasDenoiseError, ModelError, UsageError
from kerasdenoise.export import files, model_package
from kerasdenoise.export.files import Order
from kerasdenoise.export.kinds import Variant
from kerasdenoise.export.model_package import add_files, deliver_files, load_model
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.zoo import find_model, verify_model

SIZE = 96


def _order(*variants: Variant, **options: Any) -> Order:
    return Order(variants, **options)


def _content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def _patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibrates on made-up patches; how real ones are drawn is tested with `write_int8`."""
    patches = [np.random.default_rng(0).random((4, 32, 32, 3), np.float32)]
    monkeypatch.setattr(files, "draw_noisy_patches", lambda recipe, root: patches)


@pytest.mark.parametrize(
    ("variant", "file"),
    [
        (Variant(), "model.tflite"),
        (Variant("int8"), "model_int8.tflite"),
        (Variant("float16", size=96), "model_96_float16.tflite"),
        (Variant("float32", "mobile", 256), "mobile_256.tflite"),
        (Variant("int16x8", "mobile", 512), "mobile_512_int16x8.tflite"),
    ],
)
def test_a_name_says_what_a_file_is(variant: Variant, file: str):
    assert variant.file == file


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        (Variant(size=50), "--size 50: .*multiple of 8, .*; .*48 or 56"),
        (Variant(size=3), "--size 3: .*multiple of 8, .*; .*8 or 16"),
        (Variant(size=0), "--size 0: .*multiple of 8"),
        (Variant(size=-8), "--size -8: .*multiple of 8"),
        (Variant("int8", "mobile"), "--size dynamic: .*phone"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(variant: Variant, said: str):
    with pytest.raises(UsageError, match=said):
        variant.check(8)


def test_a_size_of_which_a_photo_gets_nothing_is_refused():
    Variant(size=56).check(8, 24)
    with pytest.raises(UsageError, match=r"--size 48: .*24.*; give at least 56"):
        Variant(size=48).check(8, 24)


@pytest.mark.usefixtures("_patches")
def test_kinds_for_phones_and_cpus_compute_the_same(saved_models: Path, tmp_path: Path):
    variants = [
        Variant("float32", "mobile", SIZE),
        Variant("float16", "mobile", SIZE),
        Variant("int8", "mobile", SIZE),
        Variant("int16x8"),
        Variant("float32", "cpu", SIZE),
    ]
    told: list[str] = []
    order = _order(*variants, force=True, report=lambda file, row: told.append(file))
    folder = deliver_files("quick", order, tmp_path / "out", overwrite=False)

    assert folder == tmp_path / "out/quick"
    assert told == [variant.file for variant in variants]
    values = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    noisy = values / np.float32(255)
    expected = np.asarray(load_model("quick")(noisy))
    clipped = np.clip(expected, 0, 1)
    assert np.abs(expected - noisy).max() > 0.05
    allowed = {"float32": 1e-5, "float16": 5e-3, "int8": 0.1, "int16x8": 0.05}
    for variant in variants:
        (made,) = LiteRTEngine(folder / variant.file)({"noisy": noisy}).values()
        difference = np.abs(np.clip(made, 0, 1) - clipped).max()
        assert difference <= allowed[variant.kind], variant


def test_a_file_comes_with_what_must_be_known_to_run_it(saved_models: Path, tmp_path: Path):
    variant = Variant("float32", "mobile", SIZE)
    folder = deliver_files("quick", _order(variant), tmp_path, overwrite=False)
    said = json.loads((folder / "mobile_96.json").read_text("utf-8"))
    content = (folder / "mobile_96.tflite").read_bytes()
    assert said["sha256"] == hashlib.sha256(content).hexdigest()
    assert (said["model"], said["file"], said["bytes"]) == ("quick", variant.file, len(content))
    assert said["signature"] == "serving_default"
    (given,), (made,) = said["inputs"], said["outputs"]
    assert given == {
        "name": "noisy",
        "dtype": "float32",
        "shape": [1, SIZE, SIZE, 3],
        "layout": "NHWC",
        "range": [0.0, 1.0],
        "quantization": None,
        "colors": "RGB",
    }
    assert made["shape"] == given["shape"]
    # The model sees 23 pixels far, in steps of 4, but what keeps its tone sees 40, in steps of 8.
    assert said["keeps_tone"] is True
    assert said["tile"] == {"size": SIZE, "stride": 8, "halo": 40, "step": SIZE - 80}
    assert said["psnr"] == pytest.approx(said["psnr_keras"], abs=0.01)
    assert said["photos"] == "sample_clean.png"


@pytest.mark.usefixtures("_patches")
def test_integers_say_how_they_are_read(saved_models: Path, tmp_path: Path):
    order = _order(Variant("int8", "mobile", 96), force=True)
    folder = deliver_files("quick", order, tmp_path, overwrite=False)
    said = json.loads((folder / "mobile_96_int8.json").read_text("utf-8"))
    assert said["tile"]["step"] == 96 - 2 * 40
    for tensor in (*said["inputs"], *said["outputs"]):
        assert (tensor["dtype"], tensor["range"]) == ("uint8", [0, 255])
        assert tensor["quantization"]["scale"] == pytest.approx(1 / 255)
        assert tensor["quantization"]["zero_point"] == 0


def test_the_golden_picture_tells_a_right_result_from_a_wrong_one(
    saved_models: Path, tmp_path: Path
):
    folder = deliver_files(
        "quick", _order(Variant("float32", "mobile", SIZE)), tmp_path, overwrite=False
    )
    golden = json.loads((folder / "mobile_96.json").read_text("utf-8"))["golden"]
    noisy, denoised = (
        np.frombuffer((folder / golden[name]).read_bytes(), np.uint8).reshape(SIZE, SIZE, 3)
        for name in ("noisy", "denoised")
    )
    expected = 255 * np.clip(load_model("quick")(noisy[np.newaxis] / np.float32(255))[0], 0, 1)
    assert np.abs(denoised - expected).max() <= golden["tolerance"]
    turned = 255 * np.clip(
        load_model("quick")(noisy[np.newaxis, :, :, ::-1] / np.float32(255)), 0, 1
    )
    assert np.abs(denoised - turned[0]).max() > 10 * golden["tolerance"]


@pytest.mark.usefixtures("_patches")
def test_files_join_the_model_its_card_and_the_index(saved_models: Path):
    variants = [Variant("int8"), Variant("float16", "mobile", SIZE)]
    before = _content(saved_models / "quick")
    assert (
        add_files("quick", _order(*variants, force=True), overwrite=False) == saved_models / "quick"
    )
    info = find_model("quick")
    verify_model(info)
    assert set(info.files or {}) - set(before) == {
        "model_int8.tflite",
        "model_int8.json",
        "mobile_96_float16.tflite",
        "mobile_96_float16.json",
        "mobile_96_float16.raw",
        "golden_96.raw",
    }
    assert info.int8_path == saved_models / "quick/model_int8.tflite"
    assert info.mobile_paths == [saved_models / "quick/mobile_96_float16.tflite"]
    assert set(info.metadata["files"]) == {variant.file for variant in variants}
    assert info.metadata["int8"]["psnr_int8"] == info.metadata["files"]["model_int8.tflite"]["psnr"]
    card = (saved_models / "quick/README.md").read_text("utf-8")
    assert "| `mobile_96_float16.tflite` | float16 | phones | 96 |" in card
    assert "| `model_int8.tflite` | int8 | CPUs | any |" in card
    assert {path.name for path in saved_models.iterdir()} == {"index.json", "quick"}


def test_a_file_that_is_there_is_kept_unless_it_may_be_replaced(saved_models: Path, tmp_path: Path):
    order = _order(Variant(size=SIZE))
    folder = deliver_files("quick", order, tmp_path, overwrite=False)
    (folder / "model_96.tflite").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"model_96\.tflite: already exists"):
        deliver_files("quick", order, tmp_path, overwrite=False)
    assert (folder / "model_96.tflite").read_bytes() == b"mine"
    deliver_files("quick", _order(Variant(size=SIZE + 8)), tmp_path, overwrite=False)
    deliver_files("quick", order, tmp_path, overwrite=True)
    assert len((folder / "model_96.tflite").read_bytes()) > 1000
    assert (folder / "model_104.tflite").is_file()


@pytest.mark.parametrize("where", ["second file", "card"])
def test_a_failure_leaves_everything_as_it_was(
    saved_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    before = _content(saved_models)

    def fail(*_: object) -> None:
        raise ModelError(where, "failed")

    variants = [Variant(size=SIZE)]
    if where == "card":
        monkeypatch.setattr(model_package, "write_card", fail)
    else:
        variants.append(Variant("int8", size=SIZE))
        monkeypatch.setattr(files, "draw_noisy_patches", lambda *_: [])
        monkeypatch.setattr(files, "write_kind", _failing_from("int8", files.write_kind, fail))
        with pytest.raises(KerasDenoiseError, match="failed"):
            deliver_files("quick", _order(*variants), tmp_path / "out", overwrite=False)
        assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(KerasDenoiseError, match="failed"):
        add_files("quick", _order(*variants), overwrite=False)
    assert _content(saved_models) == before
    assert {path.name for path in saved_models.iterdir()} == {"index.json", "quick"}


def _failing_from(kind: str, write: Any, fail: Any) -> Any:
    return lambda network, path, each, noisy: (fail if each == kind else write)(
        network, path, each, noisy
    )


def test_integers_without_photos_name_what_to_give(saved_models: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"integers .*photos .*; .*--photos"):
        deliver_files("quick", _order(Variant("int8")), tmp_path, overwrite=False)
    assert not (tmp_path / "quick").exists()


def test_a_folder_of_photos_serves_for_all(saved_models: Path, tmp_path: Path):
    from PIL import Image

    (tmp_path / "mine").mkdir()
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 7, 3), np.uint8))
    coarse.resize((400, 390)).save(tmp_path / "mine/a.png")
    order = _order(Variant("int8"), photos=tmp_path / "mine", force=True)
    folder = deliver_files("quick", order, tmp_path / "out", overwrite=False)
    said = json.loads((folder / "model_int8.json").read_text("utf-8"))
    assert (said["photos"], said["images"]) == ("mine", 1)


def test_a_model_of_another_version_is_named(saved_models: Path, monkeypatch: pytest.MonkeyPatch):
    import keras

    def refuse(*_: object, **__: object) -> None:
        raise TypeError("Could not locate class 'LayerOfTomorrow'")

    monkeypatch.setattr(keras.models, "load_model", refuse)
    with pytest.raises(ModelError, match=r"cannot be read by kerasdenoise .*made by "):
        load_model("quick")


def test_patches_are_laid_side_by_side():
    patches = [np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1) * np.ones((1, 4, 4, 3))]
    (first, second) = files._fit(patches, 8)
    assert first.shape == (1, 8, 8, 3)
    assert first[0, ::4, ::4, 0].tolist() == [[0, 1], [2, 3]]
    assert second[0, ::4, ::4, 0].tolist() == [[4, 5], [6, 7]]
    assert [image.shape for image in files._fit(patches, 13)] == [(1, 13, 13, 3)]
    assert len(files._fit(patches, 3)) == 8


def test_a_network_trained_in_integers_makes_those_files(saved_models: Path, tmp_path: Path):
    """It needs no photos: the training has set the scales."""
    from kerasdenoise.models import make_config
    from kerasdenoise.models._parts import copy_weights
    from kerasdenoise.training.fake_quantization import build_rounded, set_scales

    denoiser = load_model("quick")
    entry = json.loads((saved_models / "quick/config.json").read_text("utf-8"))
    config = make_config(entry["architecture"], entry["config"])
    rounded = build_rounded(entry["architecture"], config)
    copy_weights(denoiser, rounded)
    set_scales(rounded, [np.random.default_rng(0).random((4, 32, 32, 3), np.float32)])
    variants = [Variant("int8"), Variant("int8", "mobile", SIZE)]
    order = _order(*variants, integers=rounded, force=True)
    folder = deliver_files("quick", order, tmp_path, overwrite=False)
    values = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    noisy = values / np.float32(255)
    expected = np.asarray(rounded(noisy))
    for variant in variants:
        (made,) = LiteRTEngine(folder / variant.file)({"noisy": noisy}).values()
        assert 255 * np.abs(made - expected).mean() < 1, variant
