from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_architecture
from kerasdenoise.models.hourglass import PRESETS, Config, build


@pytest.mark.parametrize(
    ("preset", "weights"),
    [
        ("paper", 55_395),
        ("smooth", 55_395),
        ("D", 55_395),
        # D, less (25 - 9) * 32 * 32 in each of two kernels.
        ("C", 22_627),
        # C and one block down, one up: 9 * 32 * 32 + 32, 32 * 32 + 32 and 2 * 32 in each.
        ("A", 43_363),
        ("B", 43_363),
        # D and 256 * 32 * 128 weights twice, 128 + 32 biases.
        ("E", 2_152_707),
    ],
)
def test_the_trainable_weights_are_as_many_as_counted(preset: str, weights: int):
    counted = build(PRESETS[preset]).trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in counted) == weights


@pytest.mark.parametrize(
    ("variant", "stride", "radius"),
    [
        # Codes are 2 pixels apart, of 3 + 2 pixels, and become 3 + 2.
        ("C", 2, 4),
        ("D", 2, 6),
        # Codes are 4 pixels apart, of 7 + 2 pixels, and become 7 + 2.
        ("A", 4, 8),
        ("B", 4, 8),
        # Cells are 32 pixels apart, of 32 + 3 + 2 pixels, and become 32 + 3 + 2.
        ("E", 32, 36),
    ],
)
def test_stride_and_radius_by_hand(variant: str, stride: int, radius: int):
    config = Config(variant=variant)  # pyright: ignore[reportArgumentType]
    assert (config.stride, config.radius) == (stride, radius)


def test_the_paper_skip_reaches_every_second_pixel_and_the_smooth_one_all():
    reached = {}
    for skip in ("paper", "smooth"):
        # With few channels, chance may leave a pixel to none.
        keras.utils.set_random_seed(0)
        network = build(Config(channels=1, width=4, skip=skip))
        layer = "decoder_0_skip" if skip == "paper" else "decoder_0_skip_up"
        inside = keras.Model(network.input, network.get_layer(layer).output)
        noisy = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
        first, second = keras.ops.convert_to_numpy(inside(noisy))
        reached[skip] = np.any(first != second, axis=-1)
    assert reached["smooth"].all()
    assert reached["paper"][::2, ::2].all()
    assert reached["paper"].sum() == 16


def test_the_smooth_skip_gives_the_same_to_all_of_a_square():
    network = build(Config(channels=1, width=4, skip="smooth"))
    inside = keras.Model(network.input, network.get_layer("decoder_0_skip_up").output)
    noisy = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
    output = keras.ops.convert_to_numpy(inside(noisy))
    np.testing.assert_array_equal(output, output[:, ::2, ::2].repeat(2, 1).repeat(2, 2))


def test_the_linear_layer_of_variant_e_is_a_matrix_on_each_cell():
    network = build(Config(variant="E", width=2, rank=3))
    cells = network.get_layer("middle_normalization").output
    linear = keras.Model(network.input, [cells, network.get_layer("dense_up").output])
    noisy = np.random.default_rng(0).random((1, 64, 32, 3), np.float32)
    before, after = (keras.ops.convert_to_numpy(part)[0] for part in linear(noisy))
    down, bias_down = (w.numpy() for w in network.get_layer("dense_down").weights)
    up, bias_up = (w.numpy() for w in network.get_layer("dense_up").weights)
    matrix = up.reshape(16 * 16 * 2, 3) @ down.reshape(16 * 16 * 2, 3).T
    offset = up @ bias_down + bias_up
    for top in (0, 16):
        expected = (matrix @ before[top : top + 16].ravel()).reshape(16, 16, 2) + offset
        np.testing.assert_allclose(after[top : top + 16], expected, atol=1e-5)


def test_dropout_acts_in_training_alone():
    network = build(Config(width=4, dropout=0.5))
    noisy = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    trained = [keras.ops.convert_to_numpy(network(noisy, training=True)) for _ in range(2)]
    assert np.any(trained[0] != trained[1])
    used = [keras.ops.convert_to_numpy(network(noisy, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*used)


@pytest.mark.parametrize(
    "values",
    [
        {"variant": "F"},
        {"skip": "none"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"width": 0},
        {"channels": 0},
        {"rank": 0},
    ],
)
def test_an_impossible_shape_is_refused(values: dict):
    with pytest.raises(ModelError):
        get_architecture("hourglass").Config(**values)
