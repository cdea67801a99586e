from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from kerasdenoise.errors import ModelError
from kerasdenoise.export.litert import (
    check_parity,
    export_litert,
    measure_footprint,
    write_litert,
    write_runnable,
)
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import Primitives, unet
from kerasdenoise.models._primitives import build_estimator


def _network(seed: int) -> keras.Model:
    noisy = keras.Input((None, None, 3), name="noisy")
    kernel = keras.initializers.RandomNormal(0, 0.1, seed=seed)
    return keras.Model(noisy, layers.Conv2D(3, 3, padding="same", kernel_initializer=kernel)(noisy))


def test_a_file_of_other_weights_is_refused(tmp_path: Path):
    export_litert(_network(1), tmp_path / "model.tflite")
    assert check_parity(_network(1), tmp_path / "model.tflite", 1) < 1e-6
    with pytest.raises(ModelError, match=r"model\.tflite: differs.* \d\.\d+"):
        check_parity(_network(2), tmp_path / "model.tflite", 1)


def test_a_network_that_litert_cannot_run_is_refused_in_one_line(tmp_path: Path):
    noisy = keras.Input((None, None, 3), name="noisy")
    network = keras.Model(noisy, keras.ops.erfinv(noisy), name="exotic")
    with pytest.raises(ModelError, match=r"^exotic: .*LiteRT") as caught:
        export_litert(network, tmp_path / "model.tflite")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_network_that_estimates_the_level_is_three_files(tmp_path: Path):
    config = unet.Config(widths=(4, 8), blocks=(1, 1), estimates_level=True)
    said = write_runnable(unet.build(config), config, tmp_path)
    assert (said["estimates_level"], said["global_context"], said["noise_level"]) == (
        True,
        False,
        False,
    )
    files = {path.stem: LiteRTEngine(path) for path in tmp_path.glob("*.tflite")}
    assert {name: sorted(engine.inputs) for name, engine in files.items()} == {
        "model": ["noisy"],
        "level": ["noisy"],
        "tile": ["noise_level", "noisy"],
    }


def test_a_network_of_too_many_parts_is_refused(tmp_path: Path):
    noisy = keras.Input((None, None, 3), name="noisy")
    mean = keras.ops.mean(noisy, axis=(1, 2), keepdims=True)
    level = build_estimator(3, Primitives())(noisy)
    context = keras.Model(noisy, mean, name="context")(noisy)
    network = keras.Model(noisy, noisy - level * context, name="both")
    with pytest.raises(ModelError, match=r"both: .*whole image.*noise level"):
        write_litert(network, tmp_path, stride=8)
    assert list(tmp_path.iterdir()) == []


def test_a_pixel_takes_what_its_features_take(tmp_path: Path):
    # As many channels in every layer: two such tensors at a time, of four bytes a number.
    taken = {}
    for width in (16, 64):
        noisy = x = keras.Input((None, None, 3), name="noisy")
        for _ in range(4):
            x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        denoised = keras.layers.Conv2D(3, 3, padding="same")(x)
        export_litert(keras.Model(noisy, denoised), tmp_path / f"{width}.tflite")
        taken[width] = measure_footprint(tmp_path / f"{width}.tflite", stride=8)
    assert 2 * 4 * 48 * 0.7 < taken[64] - taken[16] < 2 * 4 * 48 * 2


def test_what_cannot_be_run_is_refused(tmp_path: Path):
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    with pytest.raises(ModelError):
        measure_footprint(tmp_path / "model.tflite", 1)
