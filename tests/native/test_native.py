"""Files for phones, run by a program in C that knows neither Python nor this package."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.export.files import denoise_picture, make_picture

HERE = Path(__file__).parent
SHIPPED = sorted(
    path
    for path in (HERE.parents[1] / "saved_models").glob("*/mobile_*.json")
    if "golden" in json.loads(path.read_text("utf-8"))
)


def _library() -> Path | None:
    spec = importlib.util.find_spec("ai_edge_litert")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    return next(folder.glob("libLiteRt.so"), None)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled against the library that the Python package has."""
    compiler, library = shutil.which("cc"), _library()
    if sys.platform != "linux":
        pytest.skip("is compiled on Linux alone")
    if compiler is None:
        pytest.skip("there is no C compiler `cc`")
    if library is None:
        pytest.skip("ai-edge-litert has no libLiteRt.so here")
    target = tmp_path_factory.mktemp("native") / "denoise"
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-o", str(target)]
    command += [str(HERE / "denoise.c"), str(library), "-lm", f"-Wl,-rpath,{library.parent}"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "stdio.h: No such file" in built.stderr:
        pytest.skip("there are no headers of the C library")
    assert built.returncode == 0, built.stderr
    return target


def _denoise(program: Path, model: Path, noisy: Path, denoised: Path):
    command = [str(program), str(model), str(noisy), str(denoised)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network in files of several kinds, for tiles of 32 pixels."""
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.export.kinds import write_kind
    from kerasdenoise.export.mobile import make_mobile
    from kerasdenoise.models import find_builder, unet

    config = unet.Config(widths=(4, 8), blocks=(1, 1))
    network, build = unet.build(config), find_builder("unet", config)
    rng = np.random.default_rng(0)
    for weight in network.trainable_variables:
        weight.assign(rng.normal(0, 0.7 * np.prod(weight.shape[:-1]) ** -0.5, weight.shape))
    folder = tmp_path_factory.mktemp("models")
    noisy = [rng.random((4, 32, 32, 3), np.float32)]
    for kind in ("float32", "float16", "int8"):
        write_kind(make_mobile(network, build, 32, 32), folder / f"{kind}.tflite", kind, noisy)
    write_kind(network, folder / "any_size.tflite", "float32")
    return folder


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_it_gives_what_python_gives(program: Path, models: Path, tmp_path: Path, kind: str):
    model = models / f"{kind}.tflite"
    picture = make_picture(32, 3)
    (tmp_path / "noisy.raw").write_bytes(picture.tobytes())
    result = _denoise(program, model, tmp_path / "noisy.raw", tmp_path / "denoised.raw")
    assert result.returncode == 0, result.stderr
    denoised = (tmp_path / "denoised.raw").read_bytes()
    assert denoised == denoise_picture(model, picture).tobytes()
    assert denoised != picture.tobytes()


@pytest.mark.parametrize(
    ("model", "pixels", "said"),
    [
        ("float32.tflite", 32 * 32 * 3 - 1, r"noisy\.raw: .*large.*image"),
        ("float32.tflite", 32 * 32 * 3 + 1, r"noisy\.raw: .*large.*image"),
        ("any_size.tflite", 32 * 32 * 3, "model: .*one size"),
        ("missing.tflite", 32 * 32 * 3, "LiteRtCreateModelFromFile"),
    ],
)
def test_what_it_cannot_do_it_says(
    program: Path, models: Path, tmp_path: Path, model: str, pixels: int, said: str
):
    (tmp_path / "noisy.raw").write_bytes(bytes(pixels))
    result = _denoise(program, models / model, tmp_path / "noisy.raw", tmp_path / "denoised.raw")
    assert result.returncode == 1
    assert re.search(said, result.stderr)
    assert not (tmp_path / "denoised.raw").exists()


@pytest.mark.parametrize(
    "sidecar",
    SHIPPED
    or [pytest.param(None, marks=pytest.mark.skip(reason="no file for phones is shipped yet"))],
    ids=lambda path: path and f"{path.parent.name}-{path.stem}",
)
def test_a_shipped_file_gives_its_golden_picture(program: Path, sidecar: Path, tmp_path: Path):
    said = json.loads(sidecar.read_text("utf-8"))
    golden, folder = said["golden"], sidecar.parent
    target = tmp_path / "denoised.raw"
    result = _denoise(program, folder / said["file"], folder / golden["noisy"], target)
    assert result.returncode == 0, result.stderr
    pictures = (
        np.frombuffer(path.read_bytes(), np.uint8) for path in (target, folder / golden["denoised"])
    )
    made, expected = (picture.astype(int) for picture in pictures)
    assert np.abs(made - expected).max() <= golden["tolerance"]
