from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.lambda_layer import LambdaLayer

RNG = np.random.default_rng(0)
# Queries of a few channels are multiplied into the embedding, others are not; kernels of few
# input channels are applied in two steps.
SHAPES = {
    "folded, in two steps": {"key_depth": 16, "heads": 4, "intra_depth": 1, "window": 3},
    "folded": {"key_depth": 16, "heads": 4, "intra_depth": 4, "window": 3},
    "plain, in two steps": {"key_depth": 3, "heads": 2, "intra_depth": 2, "window": 5},
    "plain": {"key_depth": 3, "heads": 2, "intra_depth": 4, "window": 5},
    "one head": {"key_depth": 4, "heads": 1, "intra_depth": 2, "window": 3},
    "a head a channel": {"key_depth": 2, "heads": 8, "intra_depth": 1, "window": 3},
    "a window over everything": {"key_depth": 16, "heads": 4, "intra_depth": 1, "window": 23},
    "no window": {"key_depth": 16, "heads": 4, "intra_depth": 2, "window": None},
}
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
both_ways = pytest.mark.parametrize(
    "shape", [SHAPES["folded"], SHAPES["plain, in two steps"]], ids=["folded", "plain"]
)


def make(shape: dict[str, Any], channels: int = 3, **options: Any) -> LambdaLayer:
    """A layer whose weights are all random, batch normalization's too."""
    layer = LambdaLayer(8, **shape, **options)
    layer.build((None, None, None, channels))
    for weight in layer.weights:
        low, high = (0.5, 2.0) if weight.name in ("gamma", "moving_variance") else (-1.0, 1.0)
        weight.assign(RNG.uniform(low, high, weight.shape))
    return layer


def read(layer: LambdaLayer) -> dict[str, np.ndarray]:
    """The weights by their names within the layer."""
    return {
        weight.path.split("/", 1)[1]: keras.ops.convert_to_numpy(weight).astype(np.float64)
        for weight in layer.weights
    }


def normalize(projected: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    mean, variance = weights[f"{name}/moving_mean"], weights[f"{name}/moving_variance"]
    scaled = (projected - mean) / np.sqrt(variance + 1e-5)
    return scaled * weights[f"{name}/gamma"] + weights[f"{name}/beta"]


def compute(layer: LambdaLayer, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The result and the content lambda as the layer's formulas have them, pixel by pixel."""
    weights = read(layer)
    k, h, u = layer.key_depth, layer.heads, layer.intra_depth
    v, m = layer.out_channels // h, layer.window or 1
    count, height, width, _ = images.shape
    queries = normalize(images @ weights["queries/kernel"], weights, "queries")
    queries = queries.reshape(count, height, width, h, k)
    keys = np.exp(images @ weights["keys"]).reshape(count, height, width, u, k)
    values = normalize(images @ weights["values/kernel"], weights, "values")
    values = values.reshape(count, height, width, v, u)
    result = np.zeros((count, height, width, h, v))
    content = np.zeros((count, u, k, v))
    for b in range(count):
        for i in range(u):
            share = keys[b, :, :, i] / keys[b, :, :, i].sum(axis=(0, 1))
            for row, column in np.ndindex(height, width):
                content[b, i] += np.outer(share[row, column], values[b, row, column, :, i])
        for row, column in np.ndindex(height, width):
            matrix = content[b].sum(axis=0)
            for down, right in np.ndindex(m, m):
                r, c = row + down - m // 2, column + right - m // 2
                if 0 <= r < height and 0 <= c < width:
                    for i in range(u):
                        embedding = weights["embedding"][down, right, i]
                        matrix = matrix + np.outer(embedding, values[b, r, c, :, i])
            result[b, row, column] = queries[b, row, column] @ matrix
    return result.reshape(count, height, width, h * v), content


def relative(actual: Any, expected: np.ndarray) -> float:
    return float(np.abs(actual - expected).max() / max(1.0, np.abs(expected).max()))


def _call_twice(layer: LambdaLayer, x: Any) -> Any:
    """Computes the content lambda and uses it, as networks do whose tiles share it."""
    return layer(x, context=layer(x, summarize=True)[0])


@shapes
@pytest.mark.parametrize("size", [(5, 5), (1, 1), (3, 7)])
def test_the_result_is_that_of_the_formulas(shape: dict, size: tuple[int, int]):
    layer = make(shape)
    images = RNG.random((2, *size, 3))
    expected, content = compute(layer, images)
    images = images.astype(np.float32)
    assert relative(layer(images), expected) < 1e-5
    value, _ = layer(images, summarize=True)
    assert relative(value, content) < 1e-5
    assert relative(layer(images, context=value), expected) < 1e-5


@shapes
def test_layer_normalization_is_over_the_channels_of_each_pixel(shape: dict):
    layer = make(shape, normalization="layer")
    images = RNG.random((2, 4, 5, 3))
    weights = read(layer)

    def project(name: str) -> np.ndarray:
        x = images @ weights[f"{name}/kernel"]
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * weights[f"{name}/gamma"] + weights[f"{name}/beta"]

    depth, intra, heads = layer.key_depth, layer.intra_depth, layer.heads
    keys = np.exp(images @ weights["keys"]).reshape(2, 20, intra, depth)
    keys /= keys.sum(axis=1, keepdims=True)
    values = project("values").reshape(2, 4, 5, -1, intra)
    content = np.einsum("bnud,bnvu->bdv", keys, values.reshape(2, 20, -1, intra))
    reach = (layer.window or 1) // 2
    wide = np.pad(values, ((0, 0), (reach, reach), (reach, reach), (0, 0), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (2 * reach + 1,) * 2, (1, 2))
    positional = np.einsum("yxud,bijvuyx->bijdv", weights["embedding"], windows)
    queries = project("queries").reshape(2, 4, 5, heads, depth)
    expected = np.einsum("bijhd,bijdv->bijhv", queries, content[:, None, None] + positional)
    result = layer(images.astype(np.float32))
    assert relative(result, expected.reshape(2, 4, 5, -1)) < 1e-4
    assert not layer.non_trainable_weights


@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels_will_do(channels: int):
    layer = make(SHAPES["folded"], channels)
    images = RNG.random((1, 4, 5, channels))
    assert relative(layer(images.astype(np.float32)), compute(layer, images)[0]) < 1e-5


@pytest.mark.parametrize(
    ("out_channels", "intra_depth", "window", "expected"),
    [
        # 3 * 64 + 2 * 64, 3 * 16, 3 * 4 + 2 * 4, 16 * 23 * 23.
        (16, 1, 23, 8_852),
        # The same with 3 * 64, 3 * 16 + 2 * 16, 4 * 16 * 7 * 7.
        (16, 4, 7, 3_728),
        # 3 * 32 + 2 * 32 values.
        (128, 1, 23, 8_992),
        # An embedding of 16.
        (16, 1, None, 404),
    ],
)
def test_the_trainable_weights_are_as_many_as_the_formula_says(
    out_channels: int, intra_depth: int, window: int | None, expected: int
):
    layer = LambdaLayer(out_channels, intra_depth=intra_depth, window=window)
    layer.build((None, None, None, 3))
    k, h, u, v, m = 16, 4, intra_depth, out_channels // 4, window or 1
    formula = 3 * k * h + 2 * k * h + 3 * k * u + 3 * v * u + 2 * v * u + k * u * m**2
    counted = sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)
    assert counted == formula == expected


@pytest.mark.parametrize(("intra_depth", "window"), [(1, 23), (4, 7)])
@pytest.mark.parametrize(("initializer", "deviation"), [("unit", 1.0), ("paper", 92.0)])
def test_the_result_starts_at_unit_variance_or_as_in_the_paper(
    intra_depth: int, window: int, initializer: Any, deviation: float
):
    keras.utils.set_random_seed(3)
    layer = LambdaLayer(
        16, intra_depth=intra_depth, window=window, embedding_initializer=initializer
    )
    if initializer == "paper":
        deviation = np.sqrt(16 * intra_depth) * window  # 92 and 56
    result = np.asarray(layer(RNG.random((2, 80, 80, 3), np.float32), training=True))
    inside = result[:, 12:-12, 12:-12]
    # The embedding is a sample too, of 16 kernels.
    assert inside.std() == pytest.approx(deviation, rel=0.25)


@both_ways
def test_the_positional_part_moves_with_the_image(shape: dict):
    layer = make(shape)
    image = RNG.random((1, 16, 16, 3), np.float32)
    context, _ = layer(image, summarize=True)
    before = np.asarray(layer(image, context=context))
    after = np.asarray(layer(np.roll(image, (2, 3), (1, 2)), context=context))
    np.testing.assert_allclose(after[:, 5:14, 6:14], before[:, 3:12, 3:11], atol=1e-4)


@shapes
def test_the_lambda_of_a_whole_is_that_of_its_parts(shape: dict):
    layer = make(shape)
    whole = RNG.random((2, 6, 10, 3), np.float32)
    # Parts of unequal size and brightness, so that they count for unequal amounts.
    whole[:, :, 7:] *= 3
    expected, log_weight = (np.asarray(part) for part in layer(whole, summarize=True))
    summaries = [layer(part, summarize=True) for part in (whole[:, :, :7], whole[:, :, 7:])]
    values, weights = (np.stack(column) for column in zip(*summaries, strict=True))
    shares = np.exp(weights) / np.exp(weights).sum(axis=0)
    assert relative((shares * values).sum(axis=0), expected) < 1e-5
    np.testing.assert_allclose(np.log(np.exp(weights).sum(axis=0)), log_weight, atol=1e-5)


def test_large_keys_do_not_overflow():
    layer = make(SHAPES["folded"])
    next(weight for weight in layer.weights if weight.name == "keys").assign(np.full((3, 64), 1e4))
    image = RNG.random((1, 4, 4, 3), np.float32)
    value, log_weight = layer(image, summarize=True)
    # The brightest pixel is all that counts.
    weights, brightest = read(layer), image.reshape(-1, 3)[image.sum(axis=-1).argmax()]
    expected = normalize(brightest @ weights["values/kernel"], weights, "values").reshape(2, 4)
    np.testing.assert_allclose(np.asarray(value)[0, :, 0], expected.T, rtol=1e-4)
    np.testing.assert_allclose(np.asarray(log_weight), 1e4 * brightest.sum(), rtol=1e-5)


@both_ways
def test_training_normalizes_by_the_batch_and_learns_its_statistics_once(shape: dict):
    layer = make(shape)
    images = RNG.random((3, 6, 5, 3))
    before = read(layer)
    noisy = keras.Input((None, None, 3))
    network = keras.Model(noisy, _call_twice(layer, noisy))
    result = network(images.astype(np.float32), training=True)
    after = read(layer)
    for name in ("queries", "values"):
        projected = images @ before[f"{name}/kernel"]
        for kind, new in (
            ("moving_mean", projected.mean(axis=(0, 1, 2))),
            ("moving_variance", projected.var(axis=(0, 1, 2))),
        ):
            key = f"{name}/{kind}"
            np.testing.assert_allclose(after[key], 0.9 * before[key] + 0.1 * new, atol=1e-6)
            weight = next(w for w in layer.weights if w.path.endswith(key))
            weight.assign(new)
    assert relative(result, compute(layer, images)[0]) < 1e-4


def test_a_frozen_layer_learns_nothing():
    layer = make(SHAPES["folded"])
    layer.trainable = False
    before = read(layer)
    images = RNG.random((1, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(layer(images, training=True), layer(images))
    after = read(layer)
    assert all(np.array_equal(after[name], before[name]) for name in before)


@shapes
def test_every_weight_gets_a_gradient(shape: dict):
    layer = make(shape)
    noisy = keras.Input((None, None, 3))
    network = keras.Model(noisy, _call_twice(layer, noisy))
    with tf.GradientTape() as tape:
        result = network(RNG.random((2, 6, 6, 3), np.float32), training=True)
        loss = keras.ops.sum(keras.ops.square(result))
    weights = network.trainable_variables
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    assert all(np.isfinite(gradient).all() and np.any(gradient) for gradient in gradients)
    assert len(weights) == 8


@both_ways
def test_half_the_precision_gives_nearly_the_same(shape: dict):
    layer = make(shape)
    half = LambdaLayer.from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})
    half.build((None, None, None, 3))
    half.set_weights(layer.get_weights())
    images = RNG.random((2, 9, 9, 3), np.float32)
    expected = np.asarray(layer(images))
    result = half(images)
    assert result.dtype == "bfloat16"
    assert relative(keras.ops.cast(result, "float32"), expected) < 0.03
    value, log_weight = half(images, summarize=True)
    assert value.dtype == log_weight.dtype == "float32"
    assert relative(value, np.asarray(layer(images, summarize=True)[0])) < 0.03


@both_ways
def test_a_saved_layer_loads_equal(shape: dict, tmp_path: Path):
    noisy = keras.Input((None, None, 3))
    layer = make(shape, embedding_initializer="paper")
    network = keras.Model(noisy, _call_twice(layer, noisy))
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = RNG.random((1, 6, 7, 3), np.float32)
    np.testing.assert_array_equal(loaded(images), network(images))
    again = LambdaLayer.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.get_config()["embedding_initializer"] == "paper"


@both_ways
def test_litert_computes_the_same_with_four_dimensions(shape: dict, tmp_path: Path):
    layer, path = make(shape), tmp_path / "layer.tflite"
    noisy = keras.Input((None, None, 3))
    network = keras.Model(noisy, layer(noisy))
    network.export(
        path,
        format="litert",
        input_signature=[keras.InputSpec("float32", (1, None, None, 3))],
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
        verbose=False,
    )
    interpreter = Interpreter(model_path=str(path))
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    for size in ((1, 1), (3, 7), (32, 20)):
        images = RNG.random((1, *size, 3), np.float32)
        interpreter.resize_tensor_input(given["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        assert relative(interpreter.get_tensor(result["index"]), np.asarray(layer(images))) < 1e-5
    ranks = {len(tensor["shape"]) for tensor in interpreter.get_tensor_details()}
    assert max(ranks) == 4


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_trains_the_same(backend: str, tmp_path: Path):
    if importlib.util.find_spec(backend) is None:  # not imported here, which takes seconds
        pytest.skip(f"{backend} is not installed")
    noisy = keras.Input((None, None, 3))
    x = _call_twice(make(SHAPES["folded"], name="folded"), noisy)
    network = keras.Model(noisy, _call_twice(make(SHAPES["plain"], 8, name="plain"), x))
    network.save(tmp_path / "model.keras")
    images = RNG.random((2, 6, 7, 3), np.float32)
    np.save(tmp_path / "images.npy", images)
    result = subprocess.run(
        [sys.executable, "-c", _TRAIN, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    before = network.get_weights()
    network.compile(keras.optimizers.SGD(1e-4), "mse")
    loss = network.train_on_batch(images, np.zeros((2, 6, 7, 8), np.float32))
    trained = np.load(tmp_path / "trained.npz")
    assert float(trained["loss"]) == pytest.approx(float(loss), rel=1e-5)
    for number, (old, new) in enumerate(zip(before, network.get_weights(), strict=True)):
        # A step of SGD is a small part of a weight, and its rounding a part of that.
        step = np.abs(new - old).max()
        assert step > 0
        assert np.abs(trained[f"arr_{number}"] - new).max() < 0.01 * step + 1e-6


_TRAIN = """
import sys
from pathlib import Path
import numpy as np
import keras
import kerasdenoise.layers.lambda_layer
folder = Path(sys.argv[1])
network = keras.models.load_model(folder / "model.keras")
images = np.load(folder / "images.npy")
network.compile(keras.optimizers.SGD(1e-4), "mse")
loss = network.train_on_batch(images, np.zeros((2, 6, 7, 8), np.float32))
np.savez(folder / "trained.npz", *network.get_weights(), loss=loss)
"""


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # 3 * (64 + 16 + 4), 16 * 4 * (1 + 529), 16 * 4 * 4.
        (lambda: LambdaLayer(16), 34_428),
        # 3 * (64 + 64 + 16), 16 * 4 * 4 * (1 + 49), 16 * 4 * 4.
        (lambda: LambdaLayer(16, intra_depth=4, window=7), 13_488),
    ],
)
def test_the_multiply_accumulates_by_hand(layer: Callable[[], LambdaLayer], expected: int):
    built = layer()
    with pytest.raises(ModelError, match="not built"):
        built.mac_per_position()
    built.build((None, None, None, 3))
    assert built.mac_per_position() == expected


@pytest.mark.parametrize(
    "values",
    [
        {"window": 22},
        {"window": 0},
        {"window": -3},
        {"out_channels": 18},
        {"out_channels": 0},
        {"heads": 0},
        {"key_depth": 0},
        {"intra_depth": 0},
        {"embedding_initializer": "zeros"},
        {"normalization": "group"},
    ],
)
def test_an_impossible_layer_is_refused(values: dict):
    with pytest.raises(ModelError):
        LambdaLayer(**{"out_channels": 16, **values})
