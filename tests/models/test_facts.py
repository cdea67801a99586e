from __future__ import annotations

import keras
import pytest
from keras import layers

from kerasdenoise.errors import ModelError
from kerasdenoise.models import (
    _facts,
    describe_architectures,
    get_architecture,
    list_architectures,
    mac_per_pixel,
    unet,
)
from kerasdenoise.models._parts import Inputs


def test_each_preset_is_described_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_facts, "list_architectures", lambda: ["hourglass", "unet"])
    facts = list(describe_architectures())
    presets = [(each.architecture, each.preset) for each in facts]
    assert presets == [
        (name, preset)
        for name in ("hourglass", "unet")
        for preset in get_architecture(name).PRESETS
    ]


def test_all_architectures_can_be_counted(monkeypatch: pytest.MonkeyPatch):
    """By their smallest preset: no layer hides what it multiplies by."""
    for name in list_architectures():
        module = get_architecture(name)
        first = dict(list(module.PRESETS.items())[:1])
        monkeypatch.setattr(module, "PRESETS", first)
    facts = list(describe_architectures())
    assert [each.architecture for each in facts] == list_architectures()
    for each in facts:
        assert 0 < each.trainable <= each.parameters, each
        assert each.mac_per_pixel > 0, each
        assert each.stride >= 1, each


def images(channels: int = 3) -> keras.KerasTensor:
    return keras.Input((None, None, channels))


def cost(layer: layers.Layer) -> int:
    noisy = images()
    return mac_per_pixel(keras.Model(noisy, layer(noisy)), stride=2)


class Block(layers.Layer):
    """Two convolutions in a layer, the second of which is called twice."""

    def __init__(self):
        super().__init__()
        self.convs = [layers.Conv2D(4, 3, padding="same"), layers.Conv2D(4, 1)]

    def build(self, shape):
        self.convs[0].build(shape)
        self.convs[1].build((*shape[:-1], 4))

    def call(self, inputs):
        x = self.convs[0](inputs)
        return self.convs[1](self.convs[1](inputs=x))


class Stated(Block):
    """Says itself what it costs: not what its convolutions do."""

    def mac_per_position(self) -> float:
        return 12.6


class Contextual(layers.Layer):
    """A layer for `pass_context`, which calls it twice."""

    def mac_per_position(self) -> int:
        return 7

    def call(self, inputs, summarize=False, context=None):
        mean = keras.ops.mean(inputs, axis=(1, 2))
        return (mean, mean) if summarize else inputs - context[:, None, None]


class Mixer(layers.Layer):
    """Multiplies by a matrix and does not say so."""

    def build(self, shape):
        self.mix = self.add_weight((shape[-1], shape[-1]), name="mix")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.mix)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(8, 3, padding="same"), 3 * 3 * 3 * 8),
        (layers.Conv2D(8, 3, padding="same", use_bias=False), 3 * 3 * 3 * 8),
        (layers.Conv2D(8, 3, padding="same", dilation_rate=2), 3 * 3 * 3 * 8),
        (layers.Conv2D(6, 3, padding="same", groups=3), 3 * 3 * 6),
        (layers.Conv2D(8, 2, strides=2), 2 * 2 * 3 * 8 / 4),
        (layers.Conv2DTranspose(8, 2, strides=2), 2 * 2 * 3 * 8),
        (layers.DepthwiseConv2D(3, padding="same"), 3 * 3 * 3),
        (layers.DepthwiseConv2D(4, 2, depth_multiplier=2, padding="same"), 4 * 4 * 3 * 2 / 4),
        (layers.SeparableConv2D(8, 3, padding="same"), 3 * 3 * 3 + 3 * 8),
        (layers.SeparableConv2D(8, 4, 2, padding="same"), (4 * 4 * 3 + 3 * 8) / 4),
        (layers.Dense(8), 3 * 8),
        (layers.ReLU(), 0),
        (layers.PReLU(shared_axes=(1, 2)), 0),
        (layers.BatchNormalization(), 0),
        (Block(), 3 * 3 * 3 * 4 + 2 * 4 * 4),
        (Stated(), 13),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_layer_by_hand(layer: layers.Layer, expected: int):
    assert cost(layer) == expected


def test_a_network_by_hand():
    noisy = images()
    x = layers.Conv2D(8, 3, padding="same")(noisy)  # 216
    x = layers.Conv2D(16, 2, strides=2)(x)  # 512 at a quarter of the places: 128
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)  # 2304 at a quarter: 576
    x = layers.Conv2DTranspose(3, 2, strides=2)(x)  # 192 at a quarter: 48
    assert mac_per_pixel(keras.Model(noisy, x), stride=2) == 216 + 128 + 576 + 48


@pytest.mark.parametrize("stride", [1, 4, 12, 40])
def test_the_stride_changes_nothing(stride: int):
    noisy = images()
    x = layers.Conv2D(5, 3, padding="same")(noisy)
    assert mac_per_pixel(keras.Model(noisy, x), stride) == 3 * 3 * 3 * 5


def test_a_shared_layer_counts_each_time():
    noisy = images()
    conv = layers.Conv2D(3, 3, padding="same")
    assert mac_per_pixel(keras.Model(noisy, conv(conv(conv(noisy)))), 1) == 3 * 81


@pytest.mark.parametrize("trainable", [True, False])
def test_a_model_inside_counts(trainable: bool):
    """At half the size, so that it counts by the places it is really applied to."""
    inner_input = images(4)
    inner = keras.Model(inner_input, layers.Conv2D(4, 3, padding="same")(inner_input))
    inner.trainable = trainable
    stack = keras.Sequential([inner, layers.Conv2D(6, 1)])
    noisy = images()
    x = stack(layers.Conv2D(4, 2, strides=2)(noisy))
    assert mac_per_pixel(keras.Model(noisy, x), 2) == (4 * 12 + 144 + 24) / 4


def test_two_inputs():
    noisy = keras.Input((None, None, 3), name="noisy")
    noise_level = keras.Input((None, None, 1), name="noise_level")
    seen = layers.Concatenate()([noisy, noise_level])
    x = layers.Conv2D(8, 3, padding="same")(seen)
    assert mac_per_pixel(keras.Model([noisy, noise_level], x), 1) == 3 * 3 * 4 * 8


def test_what_is_done_once_for_an_image_does_not_count():
    noisy = images()
    x = layers.Conv2D(8, 3, padding="same")(noisy)
    for keepdims, wide in ((False, layers.Dense(999)), (True, layers.Conv2D(999, 1))):
        statistic = wide(layers.GlobalAveragePooling2D(keepdims=keepdims)(x))
        assert mac_per_pixel(keras.Model(noisy, [x, statistic]), 1) == 216


def test_both_calls_for_a_context_count_as_one():
    inputs = Inputs(unet.Config())
    denoised = inputs.pass_context(Contextual(), inputs.noisy)
    assert mac_per_pixel(inputs.make_network(denoised, "unet"), 1) == 7


def test_a_matrix_that_would_be_overlooked_is_refused():
    with pytest.raises(ModelError, match=r"mixer.*'mix'.*mac_per_position"):
        cost(Mixer())


def test_counting_leaves_no_trace():
    block = Block()
    noisy = images()
    network = keras.Model(noisy, block(noisy))
    before = network(keras.ops.ones((1, 8, 8, 3)))
    first = mac_per_pixel(network, 1)
    assert mac_per_pixel(network, 1) == first
    assert not any("call" in vars(each) for each in (network, block, *block.convs))
    assert keras.ops.all(network(keras.ops.ones((1, 8, 8, 3))) == before)
