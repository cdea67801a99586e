from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.export.context import split_context
from kerasdenoise.inference.network import merge_context
from kerasdenoise.layers import GlobalContext, pass_context

RNG = np.random.default_rng(0)


@keras.saving.register_keras_serializable("kerasdenoise_tests")
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
    noisy = x = keras.Input((None, None, 3), name="noisy")
    for number in range(layers):
        x = pass_context(SubtractMean(name=f"mean_{number}"), x)
    return keras.Model(noisy, keras.ops.square(x), name="centered")


def test_the_whole_network_is_as_if_nothing_was_marked():
    noisy = RNG.random((2, 5, 7, 3), np.float32)
    expected = np.square(noisy - noisy.mean(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(build()(noisy), expected, atol=1e-6)


def test_the_halves_together_are_the_network(tmp_path: Path):
    build().save(tmp_path / "model.keras")
    network = keras.models.load_model(tmp_path / "model.keras")
    parts = split_context(network)
    assert parts is not None
    assert parts.names == ["noisy", "mean_0_context"]
    noisy = RNG.random((1, 6, 10, 3), np.float32)
    summaries = [
        {name: np.asarray(value) for name, value in parts.context(part).items()}
        for part in (noisy[:, :, :3], noisy[:, :, 3:])
    ]
    context = merge_context(tuple(summaries))
    tiles = [parts.tile([part, context["mean_0_context"]]) for part in (noisy[:, :4], noisy[:, 4:])]
    np.testing.assert_allclose(np.concatenate(tiles, axis=1), network(noisy), atol=1e-6)


def test_a_network_without_context_is_not_split():
    noisy = keras.Input((None, None, 3), name="noisy")
    assert split_context(keras.Model(noisy, keras.layers.ReLU()(noisy))) is None


def test_a_context_of_a_context_is_refused():
    with pytest.raises(ModelError, match="global context from another"):
        split_context(build(layers=2))


def test_the_largest_weight_wins_and_none_overflows():
    parts = tuple(
        {"top": np.float32([[value]]), "top_log_weight": np.float32([[1000 * value]])}
        for value in (3.0, 90.0, 89.0)
    )
    assert merge_context(parts)["top"] == pytest.approx(90.0)


def test_gradients_pass_to_the_value_alone():
    import tensorflow as tf

    value, weight = tf.Variable([2.0]), tf.Variable([5.0])
    with tf.GradientTape() as tape:
        result = GlobalContext()(value, weight)
    assert tape.gradient(result, [value, weight])[0].numpy() == 1


def test_a_context_inside_of_another_network_is_refused():
    noisy = keras.Input((None, None, 3), name="noisy")
    outer = keras.Model(noisy, build()(noisy), name="outer")
    with pytest.raises(ModelError, match=r"outer: .*global context.*another layer"):
        split_context(outer)
