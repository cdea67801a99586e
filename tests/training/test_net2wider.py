from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.export.model_package import write_saved_model
from kerasdenoise.models._parts import run_parts
from kerasdenoise.models.unet import Config, build
from kerasdenoise.training.build import build_task
from kerasdenoise.training.initial_weights import set_initial_weights
from kerasdenoise.training.net2wider import net2wider
from kerasdenoise.training.recipe import parse_recipe

SMALL = Config(widths=(4, 8), blocks=(2, 1), estimates_level=True)
LARGE = Config(widths=(7, 8), blocks=(2, 1), estimates_level=True)


def _build(config: Config, seed: int) -> keras.Model:
    """A network whose weights are all used, as those of a trained one."""
    keras.utils.set_random_seed(seed)
    network = build(config)
    rng = np.random.default_rng(seed)
    for weight in network.trainable_weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    return network


@pytest.fixture
def small() -> keras.Model:
    return _build(SMALL, 0)


def test_a_grown_network_computes_what_the_smaller_one_does(small: keras.Model):
    large = build(LARGE)
    net2wider(large, small)
    noisy = np.random.default_rng(1).random((2, 40, 24, 3), np.float32)
    before, after = np.array(small(noisy)), np.array(large(noisy))
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert np.abs(after - noisy).max() > 0.01


def test_new_channels_live_and_learn(small: keras.Model):
    large = _build(LARGE, 1)
    net2wider(large, small)
    noisy = np.random.default_rng(1).random((1, 32, 32, 3), np.float32)
    tile, given = run_parts(large, noisy)[-1]
    layer = tile.get_layer("encoder_0_0_conv1")
    answers = np.array(keras.Model(tile.input, layer.output)(given))[..., 4:]
    assert (answers > 0).mean(axis=(0, 1, 2)).min() > 0
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    assert kernel[..., :4, 4:].any()
    assert not kernel[..., 4:, :4].any()
    np.testing.assert_allclose(kernel[..., 4:].mean(axis=(0, 1)), 0, atol=1e-6)


def test_a_network_of_equal_size_gets_all_weights(small: keras.Model):
    same = _build(SMALL, 1)
    net2wider(same, small)
    for weight, old in zip(same.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize(
    "config",
    [
        Config(widths=(3, 8), blocks=(2, 1), estimates_level=True),
        Config(widths=(8, 8), blocks=(1, 1), estimates_level=True),
        Config(widths=(8, 8, 8), blocks=(2, 1, 1), estimates_level=True),
        Config(widths=(8, 8), blocks=(2, 1)),
    ],
)
def test_what_cannot_hold_it_is_refused(small: keras.Model, config: Config):
    with pytest.raises(ModelError, match=r"cannot hold|other layers"):
        net2wider(build(config), small)


def test_channels_that_meet_side_by_side_are_refused():
    def join(width: int) -> keras.Model:
        image = keras.Input((None, None, 3))
        wide = keras.layers.Conv2D(width, 3, padding="same", name="wide")(image)
        joined = keras.layers.Concatenate(name="joined")([wide, image])
        return keras.Model(image, keras.layers.Conv2D(3, 1, name="last")(joined))

    with pytest.raises(ModelError, match="differs"):
        net2wider(join(6), join(4))


def test_a_recipe_grows_a_saved_model(recipe_text: Callable[..., str], tmp_path: Path):
    first = parse_recipe(recipe_text())
    small = build_task(first).denoiser
    for weight in small.trainable_weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.1, weight.shape))
    write_saved_model(small, first, tmp_path / "small")
    start = (
        f"{{ widths = [8, 12], blocks = [1, 1] }}\nnet2wider = true\n"
        f'initial_weights = "{(tmp_path / "small").as_posix()}"'
    )
    recipe = parse_recipe(recipe_text(config=start))
    large = build_task(recipe).denoiser
    set_initial_weights(large, recipe)
    assert large.count_params() > small.count_params()
    noisy = np.random.default_rng(1).random((1, 32, 32, 3), np.float32)
    np.testing.assert_allclose(np.array(large(noisy)), np.array(small(noisy)), atol=1e-5)
