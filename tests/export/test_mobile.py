from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasdenoise.errors import ModelError
from kerasdenoise.export.kinds import write_kind
from kerasdenoise.export.mobile import check_operations, make_mobile, replace_operations
from kerasdenoise.export.mobile_layers import decay, softplus
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.models import (
    Primitives,
    find_builder,
    get_architecture,
    list_architectures,
    make_config,
    unet,
)
from kerasdenoise.models._parts import find_layers

# What phones lack of these architectures.
LACKING = {
    "autoencoder": "DEPTH_TO_SPACE, SPACE_TO_DEPTH",
    "ddim": "ATAN2, COS, DEPTH_TO_SPACE, SIN, SPACE_TO_DEPTH, TILE",
    "detail_ddim": "ATAN2, COS, DEPTH_TO_SPACE, FLOOR_MOD, LOG, ROUND, SPACE_TO_DEPTH, TILE",
    "latent_ddim": "ATAN2, COS, DEPTH_TO_SPACE, SIN, SPACE_TO_DEPTH, TILE",
    "stabilized": "DEPTH_TO_SPACE, FLOOR, GATHER, LESS, SELECT, SPACE_TO_DEPTH",
}

# Sizes at which LiteRT's GPU accelerator enlarges rightly.
SIDES = {"poisson_autoencoder": 400}


# Networks of this package's layers, of which phones need another form.
OWN_LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("lambda_net", {"preset": "tiny"}),
    ("lambda_net", {"preset": "tiny", "normalization": "layer"}),
    ("lambda_net", {"preset": "tiny", "window": None, "intra_depth": 1, "noise_level": True}),
    ("perona_malik", {"steps": 2}),
    ("perona_malik", {"steps": 2, "argument": "norm", "scope": "global", "border": True}),
    ("perona_malik", {"steps": 3, "scope": "pixel", "reaction": True, "noise_level": True}),
    ("p1_diffusion", {"preset": "tiny"}),
    ("p1_diffusion", {"steps": 2, "pieces": 3, "stem": 0, "continuous": False}),
    ("p1_diffusion", {"steps": 3, "pieces": 4, "monotone": True, "noise_level": True}),
    ("p1_diffusion", {"steps": 2, "pieces": 3, "values": "pixel", "degree": 3}),
    ("p1_diffusion", {"steps": 2, "pieces": 1, "values": "global", "border": True}),
]


def _two_users(make: Primitives, x: Any) -> Any:
    x = make.gather(x, 2, 8, 3, "down")
    return ops.concatenate([make.spread(x, 2, 3, 1, "one"), make.spread(x, 2, 4, 3, "two")], -1)


GRAPHS: dict[str, Callable[[Primitives, Any], Any]] = {
    "gathered for 3x3": lambda make, x: make.gather(x, 2, 5, 3, "conv"),
    "gathered for 1x1 with ReLU": lambda make, x: make.gather(
        x, 2, 5, 1, "conv", activation="relu"
    ),
    "gathered by 4": lambda make, x: make.gather(x, 4, 5, 3, "conv"),
    "spread from 3x3": lambda make, x: make.spread(x, 2, 4, 3, "conv"),
    "spread from 1x1 with ReLU": lambda make, x: make.spread(x, 2, 4, 1, "conv", activation="relu"),
    "spread by 4": lambda make, x: make.spread(x, 4, 4, 3, "conv"),
    "enlarged by 4": lambda make, x: make.enlarge(x, 4, "large"),
    "enlarged by 6": lambda make, x: make.enlarge(x, 6, "large"),
    "gathered, and spread twice": _two_users,
}


@pytest.mark.parametrize("size", [(16, 24), (None, None)], ids=["sized", "of any size"])
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_it_computes_the_same_up_to_the_borders(
    graph: Callable[[Primitives, Any], Any], size: tuple[int | None, int | None]
):
    keras.utils.set_random_seed(0)

    def build(make: Primitives) -> keras.Model:
        noisy = keras.Input((None, None, 3), name="noisy")
        return keras.Model(noisy, graph(make, noisy))

    network = build(Primitives())
    mobile = make_mobile(network, build, *size)
    pixels = np.random.default_rng(0).normal(size=(1, 16, 24, 3)).astype(np.float32)
    expected = ops.convert_to_numpy(network(pixels))
    if size[0]:
        assert mobile.output.shape == expected.shape
    np.testing.assert_allclose(ops.convert_to_numpy(mobile(pixels)), expected, atol=1e-5)
    # All of it is made of layers, of which none rearranges.
    operations = mobile.layers[-1].operations
    assert all(isinstance(each, layers.Layer) for each in operations if "concat" not in each.name)


def test_arithmetic_and_weights_do_not_grow():
    config = unet.Config(widths=(4, 8), blocks=(1, 1), estimates_level=True)
    network = unet.build(config)
    mobile = make_mobile(network, find_builder("unet", config), 32, 32)
    names = [layer.name for layer in find_layers(mobile)]
    assert {"head", "tail", "up_0", "level_conv1"} <= set(names)
    assert mobile.count_params() == network.count_params()


def test_the_network_stays_as_it_was(tmp_path: Path):
    config = unet.Config(widths=(4, 8), blocks=(1, 1))
    network = unet.build(config)
    before = network.to_json(), network.get_weights()
    make_mobile(network, find_builder("unet", config), 32, 32)
    assert network.to_json() == before[0]
    for one, other in zip(network.get_weights(), before[1], strict=True):
        np.testing.assert_array_equal(one, other)
    network.save(tmp_path / "still.keras")


@pytest.mark.parametrize(("architecture", "values"), OWN_LAYERS)
def test_own_layers_compute_the_same(architecture: str, values: dict[str, Any]):
    config = make_config(architecture, values)
    keras.utils.set_random_seed(0)
    network = get_architecture(architecture).build(config)
    rng = np.random.default_rng(2)
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign_add(rng.normal(0, 0.3 * fan_in**-0.5, weight.shape))
    mobile = make_mobile(network, find_builder(architecture, config), 16, 24)
    given = [rng.random((1, 16, 24, channels), np.float32) / 4 for channels in (3, 1)]
    given = given[: len(network.inputs)]
    expected = ops.convert_to_numpy(network(given if len(given) > 1 else given[0]))
    assert np.abs(expected - given[0]).max() > 1e-3  # it does something
    computed = ops.convert_to_numpy(mobile(given if len(given) > 1 else given[0]))
    np.testing.assert_allclose(computed, expected, atol=2e-6)


def test_exponentials_and_logarithms_are_those_of_numpy():
    x = np.concatenate([np.linspace(-30, 30, 601), [-100, 100]]).astype(np.float32)
    exact = np.logaddexp(0, x.astype(np.float64))
    np.testing.assert_allclose(ops.convert_to_numpy(softplus(x)), exact, rtol=3e-7, atol=3e-7)
    x = np.abs(x)
    np.testing.assert_allclose(
        ops.convert_to_numpy(decay(x)), np.exp(-x.astype(np.float64)), rtol=1e-5, atol=1e-30
    )


def test_squares_and_negative_numbers_become_products(tmp_path: Path):
    noisy = keras.Input((8, 8, 3), batch_size=1, name="noisy")
    nothing = layers.Subtract()([noisy, noisy])
    network = keras.Model(
        noisy, nothing + ops.square(noisy) * ops.sigmoid(ops.negative(noisy)), name="products"
    )
    path = tmp_path / "mobile.tflite"
    write_kind(network, path, "float32")
    with pytest.raises(ModelError, match="NEG, SQUARE"):
        check_operations(path, "products")
    replace_operations(path)
    check_operations(path, "products")
    pixels = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    (computed,) = LiteRTEngine(path)({"noisy": pixels}).values()
    np.testing.assert_allclose(computed, pixels**2 / (1 + np.exp(pixels)), atol=1e-6)
    path = tmp_path / "integers.tflite"
    write_kind(network, path, "int8", [pixels])
    (before,) = LiteRTEngine(path)({"noisy": pixels}).values()
    replace_operations(path)
    check_operations(path, "products")
    (after,) = LiteRTEngine(path)({"noisy": pixels}).values()
    np.testing.assert_allclose(after, before, atol=1.1 / 255)


@pytest.mark.parametrize("architecture", list_architectures())
def test_each_architecture_is_taken_or_refused_in_one_line(architecture: str, tmp_path: Path):
    module = get_architecture(architecture)
    config = module.PRESETS.get("tiny", next(iter(module.PRESETS.values())))
    network = module.build(config)
    rng = np.random.default_rng(2)
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(rng.normal(0, fan_in**-0.5, weight.shape))
    side = SIDES.get(architecture, 48)
    path = tmp_path / "mobile.tflite"
    build = find_builder(architecture, config)
    write_kind(make_mobile(network, build, side, side), path, "float32")
    replace_operations(path)
    if architecture in LACKING:
        with pytest.raises(
            ModelError, match=f"needs {LACKING[architecture]}, which not all phone GPUs"
        ):
            check_operations(path, architecture)
        return
    check_operations(path, architecture)
    noisy = rng.random((1, side, side, config.channels), np.float32)
    (computed,) = LiteRTEngine(path)({"noisy": noisy}).values()
    np.testing.assert_allclose(computed, network(noisy), atol=1e-5)


def test_a_transposed_convolution_is_of_the_version_that_gpus_know(tmp_path: Path):
    from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT

    noisy = keras.Input((8, 8, 3), batch_size=1, name="noisy")
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(noisy)
    x = layers.Conv2DTranspose(3, 3, padding="same", activation="relu", bias_initializer="normal")(
        x
    )
    network = keras.Model(noisy, x)
    path = tmp_path / "mobile.tflite"
    write_kind(network, path, "float32")

    def versions() -> dict[int, int]:
        codes = ModelT.InitFromPackedBuf(path.read_bytes()).operatorCodes
        return {code.builtinCode: code.version for code in codes}

    assert versions()[BuiltinOperator.TRANSPOSE_CONV] > 3
    replace_operations(path)
    assert versions() == {BuiltinOperator.TRANSPOSE_CONV: 3, BuiltinOperator.RELU: 1}
    pixels = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    (computed,) = LiteRTEngine(path)({"noisy": pixels}).values()
    assert (computed == 0).any()
    np.testing.assert_allclose(computed, network(pixels), atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "stride", "side", "right"),
    [(2, 2, 5, True), (6, 2, 5, True), (5, 2, 6, True), (5, 2, 5, False), (8, 8, 12, False)],
)
def test_what_gpus_enlarge_wrongly_is_refused(
    kernel: int, stride: int, side: int, right: bool, tmp_path: Path
):
    noisy = keras.Input((side, side, 4), batch_size=1, name="noisy")
    layer = layers.Conv2DTranspose(4, kernel, strides=stride, padding="same", use_bias=False)
    write_kind(keras.Model(noisy, layer(noisy)), tmp_path / "large.tflite", "float32")
    if right:
        check_operations(tmp_path / "large.tflite", "large")
        return
    with pytest.raises(ModelError, match=f"large: enlarges {side} values by {stride}, which"):
        check_operations(tmp_path / "large.tflite", "large")


def test_more_than_four_dimensions_are_refused(tmp_path: Path):
    noisy = keras.Input((8, 8, 4), batch_size=1, name="noisy")
    x = ops.transpose(ops.reshape(noisy, (1, 4, 2, 8, 4)), (0, 2, 1, 3, 4))
    network = keras.Model(noisy, ops.reshape(x, (1, 8, 8, 4)), name="deep")
    write_kind(network, tmp_path / "deep.tflite", "float32")
    with pytest.raises(ModelError, match=r"deep: .*5 dimensions"):
        check_operations(tmp_path / "deep.tflite", "deep")
