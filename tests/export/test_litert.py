from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from kerasdenoise.errors import ModelError
from kerasdenoise.export.litert import check_parity, export_litert


def _network(seed: int) -> keras.Model:
    noisy = keras.Input((None, None, 3), name="noisy")
    kernel = keras.initializers.RandomNormal(0, 0.1, seed=seed)
    return keras.Model(noisy, layers.Conv2D(3, 3, padding="same", kernel_initializer=kernel)(noisy))


def test_a_file_of_other_weights_is_refused(tmp_path: Path):
    export_litert(_network(1), tmp_path / "model.tflite")
    assert check_parity(_network(1), tmp_path / "model.tflite", 1) < 1e-6
    with pytest.raises(ModelError, match=r"model\.tflite: differs from the network by \d\.\d+"):
        check_parity(_network(2), tmp_path / "model.tflite", 1)


def test_a_network_that_litert_cannot_run_is_refused_in_one_line(tmp_path: Path):
    noisy = keras.Input((None, None, 3), name="noisy")
    network = keras.Model(noisy, keras.ops.erfinv(noisy), name="exotic")
    with pytest.raises(ModelError, match=r"^exotic: cannot be converted to LiteRT") as caught:
        export_litert(network, tmp_path / "model.tflite")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
