from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.fixed_shape import fix_shape

HEIGHT, WIDTH = 16, 24


@pytest.fixture
def fixed(models_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "fixed.tflite"
    path.write_bytes(fix_shape(models_folder / "tiny" / "model.tflite", HEIGHT, WIDTH))
    return path


def test_a_file_of_one_size_says_so(fixed: Path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(fixed))
    for detail in (*interpreter.get_input_details(), *interpreter.get_output_details()):
        assert detail["shape"].tolist() == [1, HEIGHT, WIDTH, 3]
        assert detail["shape_signature"].tolist() == [1, HEIGHT, WIDTH, 3]


def test_it_computes_the_same_without_a_resize(models_folder: Path, fixed: Path):
    from ai_edge_litert.interpreter import Interpreter

    noisy = np.random.default_rng(0).random((1, HEIGHT, WIDTH, 3), np.float32)
    interpreter = Interpreter(str(fixed))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], noisy)
    interpreter.invoke()
    computed = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    (expected,) = LiteRTEngine(models_folder / "tiny" / "model.tflite")({"noisy": noisy}).values()
    np.testing.assert_array_equal(computed, expected)


def test_the_given_file_stays_as_it_was(models_folder: Path):
    path = models_folder / "tiny" / "model.tflite"
    before = path.read_bytes()
    assert len(fix_shape(path, HEIGHT, WIDTH)) == len(before)
    assert path.read_bytes() == before


def test_a_file_whose_size_is_fixed_already_is_refused(fixed: Path):
    with pytest.raises(ModelError, match="any size"):
        fix_shape(fixed, 32, 32)


HEAD = b"\x20\0\0\0TFL3"


@pytest.mark.parametrize(
    "content",
    [b"", b"text that is not a model", HEAD + bytes(300), HEAD + b"\xff" * 300, HEAD + b"\1" * 9],
)
def test_what_is_not_a_model_is_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="LiteRT"):
        fix_shape(path, HEIGHT, WIDTH)
