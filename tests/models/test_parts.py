from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.network import merge_context
from kerasdenoise.models import get_architecture, get_parts, unet
from kerasdenoise.models._parts import Inputs, copy_weights, find_layers, read_graph, run_parts

RNG = np.random.default_rng(0)


class SubtractMean(keras.layers.Layer):
    """Subtracts the mean over all pixels of the image."""

    def call(self, inputs: Any, context: Any = None, summarize: bool = False) -> Any:
        ops = keras.ops
        if context is None:
            context = ops.mean(inputs, axis=(1, 2), keepdims=True)
        if summarize:
            return context, ops.log(ops.sum(ops.ones_like(inputs), axis=(1, 2), keepdims=True))
        return inputs - context


def build(layers: int = 1) -> keras.Model:
    inputs = Inputs(unet.Config())
    x = inputs.noisy
    for number in range(layers):
        x = inputs.pass_context(SubtractMean(name=f"mean_{number}"), x)
    return inputs.make_network(keras.ops.square(x), "centered")


def test_the_whole_network_is_as_if_it_had_no_parts():
    noisy = RNG.random((2, 5, 7, 3), np.float32)
    expected = np.square(noisy - noisy.mean(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(build()(noisy), expected, atol=1e-6)


def test_the_parts_together_are_the_network():
    network = build()
    _, context, tile = get_parts(network)
    assert context is not None
    assert [given.name for given in tile.inputs] == ["noisy", "mean_0_context"]
    noisy = RNG.random((1, 6, 10, 3), np.float32)
    summaries = [
        {name: np.asarray(value) for name, value in context(part).items()}
        for part in (noisy[:, :, :3], noisy[:, :, 3:])
    ]
    merged = merge_context(tuple(summaries))
    tiles = [tile([part, merged["mean_0_context"]]) for part in (noisy[:, :4], noisy[:, 4:])]
    np.testing.assert_allclose(np.concatenate(tiles, axis=1), network(noisy), atol=1e-6)


def test_the_largest_weight_wins_and_none_overflows():
    parts = tuple(
        {name: np.full((1, 1), number, np.float32) for name, number in named.items()}
        for named in ({"top": v, "top_log_weight": 1000 * v} for v in (3.0, 90.0, 89.0))
    )
    assert merge_context(parts)["top"] == pytest.approx(90.0)


def test_a_context_of_a_context_is_refused():
    with pytest.raises(ModelError, match="global context from another"):
        build(layers=2)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_saved_network_shares_its_layers(precision: str, tmp_path: Path):
    module = get_architecture("lambda_net")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        network = module.build(module.PRESETS["tiny"])
    finally:
        keras.config.set_dtype_policy(before)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    noisy = RNG.random((1, 6, 10, 3), np.float32)
    np.testing.assert_array_equal(loaded(noisy), np.asarray(network(noisy)))
    _, context, tile = get_parts(loaded)
    assert context is not None
    assert context.get_layer("encoder") is tile.get_layer("encoder")
    assert tile.get_layer("decoder_0_conv").dtype_policy.name == precision
    assert loaded.count_params() == network.count_params()


def test_a_network_without_parts_is_its_own_tile():
    noisy = keras.Input((None, None, 3), name="noisy")
    network = keras.Model(noisy, keras.layers.ReLU()(noisy))
    assert get_parts(network) == (None, None, network)
    assert run_parts(network, 7) == [(network, 7)]


@pytest.mark.parametrize(("architecture", "settings"), [
    ("lambda_net", {}), ("unet", {"estimates_level": True}), ("unet", {"noise_level": True}),
])  # fmt: skip
def test_parts_are_given_what_the_network_gives_them(architecture: str, settings: dict[str, bool]):
    module = get_architecture(architecture)
    config = module.Config(**{**vars(module.PRESETS["tiny"]), **settings})
    network = module.build(config)
    given = [RNG.random((1, 16, 24, each.shape[-1]), np.float32) for each in network.inputs]
    inputs = given if len(given) > 1 else given[0]
    tile, told = run_parts(network, inputs)[-1]
    np.testing.assert_array_equal(
        tile(told, training=False), np.asarray(network(inputs, training=False))
    )


def test_layers_are_found_at_any_depth():
    @keras.saving.register_keras_serializable("kerasdenoise_tests")
    class Pair(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="pair")
            self.both = [keras.layers.ReLU(name="first"), keras.layers.ReLU(name="second")]

        def call(self, x: Any) -> Any:
            return self.both[1](self.both[0](x))

    inner = keras.Input((4,), name="inner")
    part = keras.Model(inner, Pair()(inner), name="part")
    outer = keras.Input((4,), name="given")
    network = keras.Model(outer, part(part(outer)))
    names = [layer.name for layer in find_layers(network)]
    assert sorted(names) == sorted(["given", "part", "inner", "pair", "first", "second"])


def test_weights_are_copied_by_name_and_changed_on_the_way():
    def chain(*names: str) -> keras.Model:
        x = noisy = keras.Input((3,))
        for name in names:
            x = keras.layers.Dense(3, use_bias=False, name=name)(x)
        return keras.Model(noisy, x)

    source, target = chain("one", "two"), chain("two", "three", "one")
    kept = target.get_layer("three").get_weights()[0]
    copy_weights(source, target, {"two": np.negative})
    weights = {layer.name: layer.get_weights()[0] for layer in target.layers if layer.weights}
    one, two = (layer.get_weights()[0] for layer in source.layers if layer.weights)
    np.testing.assert_array_equal(weights["one"], one)
    np.testing.assert_array_equal(weights["two"], -two)
    np.testing.assert_array_equal(weights["three"], kept)


def test_a_graph_is_read():
    noisy = keras.Input((None, None, 3), name="noisy")
    conv = keras.layers.Conv2D(3, 1, name="conv")
    x = conv(conv(noisy))
    network = keras.Model(noisy, keras.layers.Add(name="sum")([x, keras.ops.abs(noisy)]))
    calls, consumers = read_graph(network)
    assert calls["conv"] == 2
    assert [each.name for each in consumers["conv"]] == ["conv", "sum"]
    assert len(consumers["noisy"]) == 2
