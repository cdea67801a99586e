from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.evaluation.comparison.model_files import NetworkAlone
from kerasdenoise.evaluation.comparison.other_networks import (
    build_ffdnet,
    convert,
    has_onnxruntime,
)
from kerasdenoise.evaluation.comparison.subjects import Task, of_onnx
from kerasdenoise.evaluation.synthetic_photo import make_noisy
from kerasdenoise.export.litert import export_litert
from kerasdenoise.models import mac_per_pixel
from kerasdenoise.zoo import ModelInfo, find_model


@pytest.mark.slow
@pytest.mark.skipif(not has_onnxruntime(), reason="needs onnxruntime and tf2onnx")
@pytest.mark.parametrize("name", ["tiny", "tiny_gray"])
def test_it_is_the_same_network(models: Path, tmp_path: Path, name: str):
    info = find_model(name)
    path = tmp_path / "model.onnx"
    convert(info.litert_path, path)
    task = Task(1, 16, tmp_path / "a.jpg", 16, 16, tmp_path / "b.jpg")
    subject = of_onnx(path, "title", info.channels, (16, 24), task)
    (denoised,) = pickle.loads(pickle.dumps(subject)).tile()()
    noisy = make_noisy(16, 24)[np.newaxis, ..., : info.channels] / np.float32(255)
    np.testing.assert_allclose(denoised, NetworkAlone(info, 1)(noisy), atol=1e-5)


def test_what_cannot_be_converted_is_named(tmp_path: Path):
    source = tmp_path / "broken.tflite"
    source.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"broken\.tflite: .*tf2onnx.* \(.+\)"):
        convert(source, tmp_path / "model.onnx")


def test_the_graph_is_that_of_the_paper(tmp_path: Path):
    network = build_ffdnet()
    assert network.count_params() == 852_108
    assert mac_per_pixel(network, 2) == 212_760
    info = ModelInfo(
        "f", tmp_path, "f", "", channels=3, stride=2, radius=26, takes_noise_level=True
    )
    export_litert(network, info.litert_path)
    noisy = np.random.default_rng(0).random((1, 8, 12, 3), np.float32)
    denoised = NetworkAlone(info, 1)(noisy)
    level = np.full((1, 8, 12, 1), 25 / 255, np.float32)
    np.testing.assert_allclose(denoised, network([noisy, level]), atol=1e-5)
