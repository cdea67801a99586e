from __future__ import annotations

import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.evaluation.subjects import Task, of_onnx
from kerasdenoise.export import onnx
from kerasdenoise.export.litert import export_litert
from kerasdenoise.export.onnx import check_onnx, convert_litert
from kerasdenoise.inference.engines import OnnxEngine
from kerasdenoise.models import unet


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that is told the noise level, with weights that answer to it."""
    network = unet.build(unet.Config(widths=(4, 6), blocks=(1, 1), noise_level=True))
    rng = np.random.default_rng(3)
    for variable in network.weights:
        fan_in = np.prod(variable.shape[:-1])
        variable.assign(rng.normal(0, 0.7 * fan_in**-0.5, variable.shape))
    return network


@pytest.fixture(scope="module")
def litert(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.tflite"
    export_litert(network, path)
    return path


def _draw(height: int, width: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(height)
    noisy = rng.random((1, height, width, 3), np.float32)
    return {"noisy": noisy, "noise_level": np.full((1, height, width, 1), 0.1, np.float32)}


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-5), (True, 5e-3)])
def test_it_computes_what_the_network_does(
    network: keras.Model, litert: Path, tmp_path: Path, half: bool, tolerance: float
):
    path = tmp_path / "model.onnx"
    convert_litert(litert, path, half=half)
    engine = OnnxEngine(path)
    for size in ((16, 24), (40, 8)):
        given = _draw(*size)
        (denoised,) = engine(given).values()
        expected = keras.ops.convert_to_numpy(network([given["noisy"], given["noise_level"]]))
        assert np.abs(expected - given["noisy"]).max() > 10 * tolerance
        np.testing.assert_allclose(denoised, expected, atol=tolerance)


def test_its_tensors_are_planes_of_a_free_size(litert: Path, tmp_path: Path):
    path = tmp_path / "model.onnx"
    convert_litert(litert, path)
    engine = OnnxEngine(path)
    assert engine.input_shapes == {"noisy": [1, 3, -1, -1], "noise_level": [1, 1, -1, -1]}
    assert engine.output_shapes == {"denoised": [1, 3, -1, -1]}
    # The engine has nothing to transpose.
    assert b"Transpose" not in path.read_bytes()


def test_half_the_bits_are_half_the_bytes(litert: Path, tmp_path: Path):
    paths = [tmp_path / "whole.onnx", tmp_path / "half.onnx"]
    for half, path in enumerate(paths):
        convert_litert(litert, path, half=bool(half))
    whole, half = (path.stat().st_size for path in paths)
    assert 0.45 < half / whole < 0.75


def test_a_fixed_size_takes_no_other(litert: Path, tmp_path: Path):
    path = tmp_path / "model.onnx"
    convert_litert(litert, path, size=16)
    engine = OnnxEngine(path)
    assert engine(_draw(16, 16))["denoised"].shape == (1, 16, 16, 3)
    with pytest.raises(ModelError, match=r"model\.onnx: cannot run on a tile of 24x16x3"):
        engine(_draw(24, 16))


def test_the_same_network_makes_the_same_file(litert: Path, tmp_path: Path):
    for name in ("a", "b"):
        convert_litert(litert, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08\x12"])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx: cannot be run"):
        OnnxEngine(path)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onnx, "PACKAGES", ("numpy", "no_such_package"))
    with pytest.raises(UsageError, match=r"--onnx.*no_such_package.*kerasdenoise\[onnx\]"):
        check_onnx("--onnx")


def test_it_is_timed_beside_others(models: Path, tmp_path: Path):
    path = tmp_path / "model.onnx"
    convert_litert(models / "tiny_gray" / "model.tflite", path)
    task = Task(1, 16, tmp_path / "a.jpg", 16, 16, tmp_path / "b.jpg")
    subject = of_onnx(path, "title", 1, (16, 24), task)
    (denoised,) = pickle.loads(pickle.dumps(subject)).tile()().values()
    assert denoised.shape == (1, 16, 24, 1)
