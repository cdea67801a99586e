from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.export.litert import write_litert
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.models import get_parts
from kerasdenoise.models._parts import run_parts
from kerasdenoise.models.lambda_net import PRESETS, Config, build


def count(config: Config) -> int:
    return sum(int(np.prod(weight.shape)) for weight in build(config).trainable_weights)


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        (PRESETS["paper"], 9_083),
        (PRESETS["small_window"], 3_959),
        # Less the 48 + 3 weights of the shortcut and 6 of its batch normalization.
        (Config(skip="none"), 9_026),
        # 9 + 3 and 6 for the shortcut from the image.
        (Config(skip="image"), 9_044),
        # 8 times 16 * 8 and 8 * 3 more.
        (Config(decoder_kernel=3), 10_299),
        # 16 * 8 + 8 and 16 for a second shortcut.
        (Config(inner_skip=True), 9_235),
        # Where queries are not shared out, 3 * 16 + 32 for them and 3 * 16 + 32 for values.
        (Config(heads=1), 8_903),
    ],
    ids=["paper", "small_window", "no shortcut", "image", "3x3 decoder", "inner", "one head"],
)
def test_the_trainable_weights_are_as_many_as_published_or_counted(config: Config, weights: int):
    assert count(config) == weights


@pytest.mark.parametrize(
    ("out_channels", "weights"),
    [
        (8, 8_933),
        (16, 9_083),
        (32, 9_575),
        (64, 11_327),
        (128, 17_903),
        (256, 43_343),
        (512, 143_375),
    ],
)
def test_the_weights_grow_with_the_square_of_the_channels(out_channels: int, weights: int):
    assert count(Config(out_channels=out_channels)) == weights
    assert weights == 8_847 + 6.75 * out_channels + out_channels**2 / 2


@pytest.mark.parametrize(
    ("config", "radius"),
    [
        (PRESETS["paper"], 11),
        (PRESETS["small_window"], 3),
        (Config(window=None), 0),
        (Config(window=None, decoder_kernel=3), 2),
        (Config(window=7, decoder_kernel=3), 5),
        (Config(window=7, decoder_kernel=5), 7),
    ],
)
def test_the_radius_by_hand(config: Config, radius: int):
    assert (config.stride, config.radius) == (1, radius)


def test_convolutions_and_batch_normalization_start_as_in_pytorch():
    keras.utils.set_random_seed(0)
    network = build(PRESETS["paper"])
    tile = get_parts(network).tile
    for name, inputs in (("decoder_0_conv", 16), ("decoder_1_conv", 8), ("skip_conv", 16)):
        for weight in tile.get_layer(name).get_weights():
            assert 0.5 * inputs**-0.5 < np.abs(weight).max() <= inputs**-0.5
    for name in ("queries/kernel", "values/kernel", "encoder/keys"):
        (weight,) = [weight for weight in network.weights if weight.path.endswith(name)]
        assert 0.5 * 3**-0.5 < np.abs(weight).max() <= 3**-0.5
    for name in ("decoder_0_normalization", "decoder_1_normalization", "skip_normalization"):
        layer = tile.get_layer(name)
        assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)


@pytest.mark.parametrize("preset", ["paper", "small_window"])
def test_an_untrained_network_gives_a_gray_image_not_black_and_white(preset: str):
    keras.utils.set_random_seed(0)
    noisy = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    denoised = np.asarray(build(PRESETS[preset])(noisy, training=True))
    assert denoised.min() >= 0
    assert denoised.max() <= 1
    # Two batch normalizations of variance 1 are added; the sigmoid's slope is a quarter at most.
    assert 0.1 < denoised.std() < 0.36


def test_layer_normalization_has_as_many_weights_and_no_statistics(tmp_path: Path):
    config = Config(window=3, normalization="layer", inner_skip=True)
    network = build(config)
    batched = build(Config(window=3, inner_skip=True))
    assert not network.non_trainable_weights
    counts = [sum(np.prod(w.shape) for w in each.trainable_weights) for each in (network, batched)]
    assert counts[0] == counts[1]
    noisy = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)
    together = np.asarray(network(noisy, training=True))
    np.testing.assert_allclose(together[:1], network(noisy[:1]), atol=1e-5)
    assert write_litert(network, tmp_path, stride=1) < 1e-5


def test_the_embedding_may_start_as_in_the_paper():
    deviations = []
    for start in ("unit", "paper"):
        keras.utils.set_random_seed(0)
        network = build(Config(window=7, embedding_initializer=start))
        (embedding,) = [w for w in network.weights if w.path.endswith("embedding")]
        deviations.append(float(np.std(np.asarray(embedding))))
    assert deviations == pytest.approx([1 / 28, 1], rel=0.1)


@pytest.mark.parametrize("skip", ["lambda", "image", "none"])
def test_the_shortcut_starts_where_it_says(skip: Any):
    tile = get_parts(build(Config(window=3, skip=skip))).tile
    names = [layer.name for layer in tile.layers]
    assert ("skip_conv" in names) == (skip != "none")
    if skip == "none":
        return
    source = tile.get_layer("skip_conv").input
    expected = tile.inputs[0] if skip == "image" else tile.get_layer("decoder_0_conv").input
    assert source is expected


def test_an_output_that_is_not_squeezed_and_another_activation():
    noisy = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    config = Config(window=3, output="linear", activation="elu")
    network = build(config)
    squeezed = build(Config(window=3, activation="elu"))
    squeezed.set_weights(network.get_weights())
    linear = np.asarray(network(noisy))
    np.testing.assert_allclose(squeezed(noisy), 1 / (1 + np.exp(-linear)), atol=1e-6)
    tile, given = run_parts(network, noisy)[-1]
    inside = keras.Model(tile.input, tile.get_layer("decoder_0_activation").output)
    assert np.asarray(inside(given)).min() < 0


def test_litert_computes_the_same_without_intra_depth(tmp_path: Path):
    # With it, as in the other presets, `test_contract.py` compares `tiny`.
    assert write_litert(build(PRESETS["paper"]), tmp_path, stride=1) < 1e-5


def test_lower_precision_ends_in_float32():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build(PRESETS["tiny"])
    finally:
        keras.config.set_dtype_policy(policy)
    network.compile("adam", "mse", run_eagerly=True)
    noisy = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    assert np.isfinite(network.train_on_batch(noisy, noisy))
    assert network(noisy).dtype == "float32"
    assert get_parts(network).tile.get_layer("decoder_0_conv").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    "values",
    [
        {"window": 6},
        {"window": 0},
        {"out_channels": 18},
        {"out_channels": 1, "heads": 1},
        {"heads": 0},
        {"channels": 0},
        {"skip": "noisy"},
        {"decoder_kernel": 2},
        {"decoder_kernel": 0},
        {"activation": "relo"},
        {"output": "relo"},
    ],
)
def test_an_impossible_shape_is_refused(values: dict):
    with pytest.raises(ModelError):
        Config(**values)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photo_of_many_parts_has_the_content_lambda_of_the_whole(channels: int, tmp_path: Path):
    config = Config(channels, 8, 4, 2, intra_depth=2, window=5, output="linear")
    network = build(config)
    rng = np.random.default_rng(0)
    for weight in network.trainable_variables:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    write_litert(network, tmp_path, stride=1)
    (tmp_path / "config.json").write_text("{}", "utf-8")
    noisy = rng.random((37, 50, channels), np.float32)
    results = []
    for part in (1024, 16):
        metadata = {
            "name": "lambda", "architecture": "lambda_net", "summary": "Random weights",
            "channels": channels, "stride": 1, "radius": config.radius, "global_context": True,
            "part": part,
        }  # fmt: skip
        (tmp_path / "metadata.json").write_text(json.dumps(metadata), "utf-8")
        results.append(Denoiser(tmp_path).denoise_pixels(noisy))
    assert results[0].std() > 1e-2
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)
