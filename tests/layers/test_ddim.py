"""The layers of diffusion models: levels, steps, cosine transform and heat."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import fft

from kerasdenoise.errors import ModelError
from kerasdenoise.layers import (
    AngleEmbedding,
    AngleLevels,
    BlockDct,
    ContentNoise,
    DdimStep,
    DiffusionStep,
    HeatDecay,
)

RNG = np.random.default_rng(0)


def _numpy(tensor: object) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_levels_fall_by_equal_angles_from_the_given_one_to_none(steps: int):
    given = RNG.uniform(0.01, 0.8, (2, 3, 4, 1)).astype(np.float32)
    levels = _numpy(AngleLevels(steps, 0.3)(given))
    np.testing.assert_allclose(levels[..., :1], given, rtol=1e-6)
    assert not levels[..., -1].any()
    angles = np.arctan(levels / 0.3)
    falls = -np.diff(angles, axis=-1)
    np.testing.assert_allclose(falls, angles[..., :1] / steps * np.ones(steps), rtol=1e-3)


def test_no_noise_divides_by_nothing():
    levels = _numpy(AngleLevels(3)(np.zeros((1, 2, 2, 1), np.float32)))
    assert levels[..., :-1].min() > 0
    assert levels.max() < 1e-3


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_leaves_noise_of_the_next_level(eta: float):
    clean = np.full((1, 128, 128, 3), 0.4, np.float32)
    noise, sample = (RNG.normal(size=clean.shape).astype(np.float32) for _ in range(2))
    levels = np.full((1, 128, 128, 2), (0.2, 0.05), np.float32)
    more = {"sample": sample} if eta else {}
    left = _numpy(DdimStep(eta)(clean + 0.2 * noise, clean, levels, **more)) - clean
    assert left.std() == pytest.approx(0.05, rel=0.02)
    drawn = np.mean(left * sample)
    assert drawn == pytest.approx(eta * 0.05 * np.sqrt(1 - 1 / 16), abs=1e-3)


def test_a_step_without_eta_lies_between_what_it_is_given():
    u, clean = (RNG.random((2, 5, 6, 3), np.float32) for _ in range(2))
    levels = np.sort(RNG.uniform(0.01, 1, (2, 5, 6, 2)))[..., ::-1].astype(np.float32)
    stepped = _numpy(DdimStep()(u, clean, levels))
    assert (stepped >= np.minimum(u, clean) - 1e-6).all()
    assert (stepped <= np.maximum(u, clean) + 1e-6).all()
    np.testing.assert_allclose(_numpy(DdimStep()(u, clean, levels * (1, 0))), clean, atol=1e-6)


@pytest.mark.parametrize("block", [2, 3, 8])
def test_the_transform_is_the_orthonormal_cosine_transform_of_each_block(block: int):
    image = RNG.normal(size=(2, 2 * block, 3 * block, 3)).astype(np.float32)
    blocks = keras.ops.space_to_depth(image, block)
    waves = _numpy(BlockDct(block)(blocks))
    one = image[1, block:, block : 2 * block]
    expected = np.asarray(fft.dctn(one, axes=(0, 1), norm="ortho"))
    np.testing.assert_allclose(waves[1, 1, 1].reshape(block, block, 3), expected, atol=1e-5)
    assert np.square(waves).sum() == pytest.approx(np.square(image).sum(), rel=1e-5)
    back = keras.ops.depth_to_space(BlockDct(block, inverse=True)(waves), block)
    np.testing.assert_allclose(_numpy(back), image, atol=1e-5)


def test_with_one_rate_it_is_diffusion_on_a_block():
    """Many small explicit steps of the heat equation give the same."""
    block, time, steps = 4, 0.8, 200
    image = RNG.random((1, block, block, 2), np.float32)
    waves = BlockDct(block)(keras.ops.space_to_depth(image, block))
    conductivity = 0.7
    rate = np.full(waves.shape, np.log(np.expm1(conductivity)), np.float32)
    waves = HeatDecay(block, time)(waves, rate)
    result = keras.ops.depth_to_space(BlockDct(block, inverse=True)(waves), block)
    step = DiffusionStep(None, conductivity * time / steps)
    u = keras.ops.convert_to_tensor(image)
    for _ in range(steps):
        u = step(u, coefficient=np.ones((1, block, block, 1), np.float32))
    np.testing.assert_allclose(_numpy(result), _numpy(u), atol=2e-3)


@pytest.mark.parametrize("size", [0.01, 1.0, 1e4])
def test_no_rate_makes_a_wave_grow(size: float):
    waves = RNG.normal(size=(2, 3, 3, 4 * 4 * 3)).astype(np.float32)
    rate = size * RNG.normal(size=waves.shape).astype(np.float32)
    decayed = _numpy(HeatDecay(4, 5.0)(waves, rate))
    assert (np.abs(decayed) <= np.abs(waves)).all()
    assert (decayed * waves >= 0).all()
    np.testing.assert_array_equal(decayed[..., :3], waves[..., :3])  # the means


def test_angles_that_differ_are_told_apart():
    angles = np.linspace(0, np.pi / 2, 200, dtype=np.float32).reshape(1, 10, 20, 1)
    embedded = _numpy(AngleEmbedding(8, 32.0)(angles)).reshape(200, 8)
    np.testing.assert_allclose(embedded[:, 0], np.sin(angles.ravel()), atol=1e-6)
    np.testing.assert_allclose(embedded[:, -1], np.cos(32 * angles.ravel()), atol=1e-4)
    apart = np.linalg.norm(embedded[:, np.newaxis] - embedded, axis=-1)
    assert apart[~np.eye(200, dtype=bool)].min() > 0.05


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_of_a_picture_is_normal_and_independent(channels: int):
    image = (0.5 + 4 / 255 * RNG.normal(size=(1, 128, 160, channels))).astype(np.float32)
    noise = _numpy(ContentNoise(4)(image))
    assert noise.shape == (1, 128, 160, 4)
    np.testing.assert_allclose(noise.mean((0, 1, 2)), 0, atol=0.03)
    np.testing.assert_allclose(noise.std((0, 1, 2)), 1, atol=0.03)
    assert (noise**4).mean() == pytest.approx(3, abs=0.2)
    assert np.abs(noise).max() < 4.3
    maps = noise.reshape(-1, 4).T
    assert np.abs(np.corrcoef(maps) - np.eye(4)).max() < 0.05
    for shift in ((0, 1), (1, 0), (1, 1), (2, 0)):
        moved = np.roll(noise, shift, axis=(1, 2)).reshape(-1, 4).T
        assert np.abs(np.corrcoef(maps, moved)[:4, 4:]).max() < 0.05
    assert abs(np.corrcoef(maps[0], image[..., 0].ravel())[0, 1]) < 0.05
    other = _numpy(ContentNoise(4, seed=1)(image)).reshape(-1, 4).T
    assert np.abs(np.corrcoef(maps, other)[:4, 4:]).max() < 0.05


def test_a_given_seed_replaces_the_own():
    image = RNG.random((1, 9, 8, 3), np.float32)
    given = _numpy(ContentNoise(2, seed=3)(image, np.full((1, 1, 1, 1), 7.0, np.float32)))
    np.testing.assert_array_equal(given, _numpy(ContentNoise(2, seed=7)(image)))
    assert np.abs(given - _numpy(ContentNoise(2, seed=3)(image))).std() > 0.5


def test_noise_is_that_of_the_place_and_picture():
    image = RNG.random((1, 20, 24, 3), np.float32)
    noise = _numpy(ContentNoise(2)(image))
    np.testing.assert_array_equal(_numpy(ContentNoise(2)(image)), noise)
    part = _numpy(ContentNoise(2)(image[:, 3:13, 5:20]))
    np.testing.assert_array_equal(part[:, 1:-1, 1:-1], noise[:, 4:12, 6:19])
    far = image.copy()
    far[0, 10, 10] = (900.0, -900.0, 0.5)  # no number is too large
    assert np.isfinite(_numpy(ContentNoise(2)(far))).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AngleLevels(0), "steps=0"),
        (lambda: AngleLevels(2, 0.0), "spread=0"),
        (lambda: DdimStep(1.5), "eta 1.5.*0 to 1"),
        (lambda: DdimStep(float("nan")), "eta nan"),
        (lambda: BlockDct(0), "block 0"),
        (lambda: BlockDct(3)(np.zeros((1, 1, 1, 10), np.float32)), "blocks of 3"),
        (lambda: HeatDecay(4, 0.0), "tau=0"),
        (lambda: AngleEmbedding(3), "size=3.*even"),
        (lambda: ContentNoise(0), "0 maps"),
        (lambda: ContentNoise(1, 4091), "seed 4091.*0 to 4090"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: object, message: str):
    with pytest.raises(ModelError, match=message):
        make()  # pyright: ignore[reportCallIssue]


def test_new_noise_has_to_be_given():
    u = np.zeros((1, 2, 2, 3), np.float32)
    with pytest.raises(TypeError, match="sample"):
        DdimStep(0.5)(u, u, np.ones((1, 2, 2, 2), np.float32))
