"""Packages for darktable, by what its reader asks of them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.cli import group
from kerasdenoise.errors import KerasDenoiseError, ModelError
from kerasdenoise.export.darktable import write_package
from kerasdenoise.export.files import Order
from kerasdenoise.export.kinds import Variant
from kerasdenoise.inference.engines import LiteRTEngine, OnnxEngine
from kerasdenoise.plain_json import write_json

ID = "denoise-kerasdenoise-quick"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((64, 64)).save(folder / "a.png")
    return folder


def _run(*args: object) -> None:
    group.main([*map(str, args)], standalone_mode=False)


def test_a_package_holds_what_darktable_reads(saved_models: Path, photos: Path, tmp_path: Path):
    _run("export", "quick", "--target", "darktable", "--photos", photos, "-o", tmp_path / "out")
    package = tmp_path / "out/darktable" / f"{ID}.dtmodel"
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    # darktable takes the first entry's folder as the id, and looks for these two in it.
    assert {name.split("/")[0] for name in names} == {ID}
    folder = tmp_path / "installed" / ID
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["id"], config["task"], config["backend"]) == (ID, "denoise", "onnx")
    assert all(isinstance(config[key], str) for key in ("name", "description", "version"))
    assert config["num_inputs"] == 1
    assert config["attributes"]["input_sizes"][0] % config["attributes"]["size_multiple"] == 0
    assert all(isinstance(value, str) for value in config["model_card"].values())
    assert config["model_card"]["license"] == "Apache-2.0"

    engine = OnnxEngine(folder / "model.onnx")
    assert list(engine.input_shapes.values()) == [[1, 3, -1, -1]]
    noisy = {"noisy": np.random.default_rng(0).random((1, 24, 32, 3), np.float32)}
    (denoised,) = engine(noisy).values()
    (expected,) = LiteRTEngine(saved_models / "quick/model.tflite")(noisy).values()
    np.testing.assert_allclose(denoised, expected, atol=1e-4)

    versions = json.loads((package.parent / "versions.json").read_text("utf-8"))
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert versions == {
        "models": {ID: {"version": config["version"], "sha256": f"sha256:{digest}"}}
    }


def test_the_same_weights_make_the_same_package(saved_models: Path, photos: Path, tmp_path: Path):
    options = ("export", "quick", "--target", "darktable", "--photos", photos, "-o", tmp_path)
    _run(*options)
    package = tmp_path / "darktable" / f"{ID}.dtmodel"
    first = package.read_bytes()
    with pytest.raises(KerasDenoiseError, match=r"already exists.*--overwrite"):
        _run(*options)
    write_json(package.parent / "versions.json", {"models": {"other": {"version": "1"}}})
    _run(*options, "--overwrite")
    assert package.read_bytes() == first
    versions = json.loads((package.parent / "versions.json").read_text("utf-8"))
    assert set(versions["models"]) == {"other", ID}


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"channels": 1}, "gray"),
        ({"noise_level": True}, "must be told the noise level"),
        ({"global_context": True}, "statistics of the whole image"),
    ],
)
def test_what_darktable_cannot_run_is_refused(
    saved_models: Path, tmp_path: Path, changes: dict[str, object], cause: str
):
    path = saved_models / "quick/metadata.json"
    write_json(path, {**json.loads(path.read_text("utf-8")), **changes})
    with pytest.raises(ModelError, match=cause):
        write_package("quick", Order([Variant(target="onnx")]), tmp_path, overwrite=False)
    assert not (tmp_path / "darktable").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--add"], "--add: cannot be combined with --target darktable"),
        (["--size", "64"], "--size: cannot be combined with --target darktable"),
        (["--onnx"], "--onnx: cannot be combined with --target darktable"),
        (["--int8"], "--int8: is only for LiteRT files"),
        (["--float16", "--float32"], "two number types"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    saved_models: Path, photos: Path, tmp_path: Path, options: list[str], message: str
):
    with pytest.raises(KerasDenoiseError, match=message):
        _run("export", "quick", "--target", "darktable", "--photos", photos, *options)


def test_a_file_that_lists_no_models_stays(saved_models: Path, photos: Path, tmp_path: Path):
    folder = tmp_path / "darktable"
    folder.mkdir()
    write_json(folder / "versions.json", {"models": []})
    with pytest.raises(ModelError, match=r"versions\.json.*does not list models"):
        _run("export", "quick", "--target", "darktable", "--photos", photos, "-o", tmp_path)
    assert [each.name for each in folder.iterdir()] == ["versions.json"]


def test_onnx_files_are_measured_and_described(saved_models: Path, photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    _run("export", "quick", "--onnx", "--float32", "--float16", "--photos", photos, "-o", out)
    files = sorted(each.name for each in (out / "quick").iterdir())
    assert files == [
        "model.onnx",
        "model.onnx.json",
        "model_float16.onnx",
        "model_float16.onnx.json",
    ]
    described = json.loads((out / "quick/model_float16.onnx.json").read_text("utf-8"))
    assert (described["target"], described["kind"]) == ("onnx", "float16")
    assert described["psnr"] == pytest.approx(described["psnr_keras"], abs=0.01)
    (noisy,) = described["inputs"]
    assert (noisy["name"], noisy["layout"], noisy["shape"]) == ("noisy", "NCHW", [1, 3, -1, -1])


def test_onnx_files_join_their_model(saved_models: Path, photos: Path):
    _run("export", "quick", "--onnx", "--add", "--photos", photos)
    metadata = json.loads((saved_models / "quick/metadata.json").read_text("utf-8"))
    assert metadata["files"]["model.onnx"]["target"] == "onnx"
    assert "| `model.onnx` | float32 | ONNX engines | any |" in (
        saved_models / "quick/README.md"
    ).read_text("utf-8")
