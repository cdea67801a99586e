from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.evaluation.comparison.alone import NetworkAlone
from kerasdenoise.evaluation.comparison.onnx import OnnxFile, convert, has_onnxruntime
from kerasdenoise.evaluation.comparison.pictures import make_noisy
from kerasdenoise.evaluation.comparison.subjects import Task
from kerasdenoise.zoo import find_model


@pytest.mark.slow
@pytest.mark.skipif(not has_onnxruntime(), reason="needs onnxruntime and tf2onnx")
@pytest.mark.parametrize("name", ["tiny", "tiny_gray"])
def test_it_is_the_same_network(models: Path, tmp_path: Path, name: str):
    info = find_model(name)
    path = tmp_path / "model.onnx"
    convert(info.litert_path, path)
    task = Task(1, 16, tmp_path / "a.jpg", 16, 16, tmp_path / "b.jpg")
    subject = OnnxFile(path, "title", info.channels, (16, 24), task)
    (denoised,) = pickle.loads(pickle.dumps(subject)).tile()()
    noisy = make_noisy(16, 24)[np.newaxis, ..., : info.channels] / np.float32(255)
    np.testing.assert_allclose(denoised, NetworkAlone(info, 1)(noisy), atol=1e-5)


def test_what_cannot_be_converted_is_named(tmp_path: Path):
    source = tmp_path / "broken.tflite"
    source.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"broken\.tflite: .*tf2onnx.* \(.+\)"):
        convert(source, tmp_path / "model.onnx")
