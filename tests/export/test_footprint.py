from __future__ import annotations

from pathlib import Path

import keras
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.export.litert import export_litert
from kerasdenoise.export.runnable import measure_footprint


def test_a_pixel_takes_what_its_features_take(tmp_path: Path):
    # As many channels in every layer: two such tensors at a time, of four bytes a number.
    taken = {}
    for width in (32, 128):
        noisy = x = keras.Input((None, None, 3), name="noisy")
        for _ in range(4):
            x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        denoised = keras.layers.Conv2D(3, 3, padding="same")(x)
        export_litert(keras.Model(noisy, denoised), tmp_path / f"{width}.tflite")
        taken[width] = measure_footprint(tmp_path / f"{width}.tflite", stride=8)
    assert 2 * 4 * 96 * 0.7 < taken[128] - taken[32] < 2 * 4 * 96 * 2


def test_what_cannot_be_run_is_refused(tmp_path: Path):
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    with pytest.raises(ModelError):
        measure_footprint(tmp_path / "model.tflite", 1)
