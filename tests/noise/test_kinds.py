"""What holds for every kind of noise that a text can name."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasdenoise.noise import KINDS, Camera, Gaussian, Mixture, parse_noise

TEXTS = [
    "gaussian:25",
    "gaussian:pixel:5-25",
    "gaussian:lines:5-25",
    "poisson",
    "poisson:1-8",
    "poisson:additive",
    "poisson:halved",
    "speckle:0.05-0.2",
    "salt_and_pepper",
    "salt_and_pepper:pixel:0.3",
    "blur",
    "blur:gaussian:1-5",
    "inpainting",
    "pixelate:3",
    "film",
    "film:5-20",
    "own",
]
RANDOM = [text for text in TEXTS if text not in ("blur", "pixelate:3", "own")]
CLEAN = np.random.default_rng(0).random((3, 7, 10, 3), np.float32)


def drawn(text: str, clean: np.ndarray, seed: int = 0) -> np.ndarray:
    generator = keras.random.SeedGenerator(seed)
    return keras.ops.convert_to_numpy(parse_noise(text)(clean, generator))


def test_every_kind_is_here_but_those_that_take_color_alone():
    assert {text.partition(":")[0] for text in TEXTS} | {"camera", "compressed"} == set(KINDS)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 5, 3, 1), (1, 2, 9, 3), (2, 4, 4, 4)])
def test_an_image_of_any_size_keeps_its_shape(text: str, shape: tuple[int, ...]):
    noisy = drawn(text, np.full(shape, 0.5, np.float32))
    assert (noisy.dtype, noisy.shape) == (np.float32, shape)
    assert np.isfinite(noisy).all()


@pytest.mark.parametrize("text", RANDOM)
def test_the_seed_decides_and_no_two_images_are_alike(text: str):
    same = np.repeat(CLEAN[:1], 3, axis=0)
    first, again, other = (drawn(text, same, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.parametrize("text", TEXTS)
def test_a_compiled_step_of_any_batch_and_size_draws_the_same(text: str):
    import tensorflow as tf

    noise, generator = parse_noise(text), keras.random.SeedGenerator(5)
    signature = tf.TensorSpec((None, None, None, 3), tf.float32)  # pyright: ignore
    step = tf.function(lambda clean: noise(clean, generator), input_signature=[signature])
    np.testing.assert_allclose(step(CLEAN).numpy(), drawn(text, CLEAN, 5), atol=1e-6)


_DRAW = """
import sys
import keras, numpy as np
from kerasdenoise.noise import corrupt_arrays, parse_noise

def draw(noise, clean):
    if keras.backend.backend() != "jax":
        return corrupt_arrays(noise, clean, 0)
    import jax
    def step(state):
        with keras.StatelessScope(state_mapping=[(generator.state, state)]):
            return noise(clean, generator)
    generator = keras.random.SeedGenerator(0)
    return np.asarray(jax.jit(step)(generator.state.value))

arrays = np.load(sys.argv[1])
noisy = {text: draw(parse_noise(text), arrays[text]) for text in arrays}
np.savez(sys.argv[2], **noisy)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_draws_the_same_distributions(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:  # not imported here, which takes seconds
        pytest.skip(f"{backend} is not installed")
    smooth = np.linspace(0, 1, 128, dtype=np.float32)
    clean = np.broadcast_to((smooth[:, None] * smooth)[None, ..., None], (8, 128, 128, 1))
    # Inpainting draws too few rectangles to compare averages.
    texts = ["gaussian:25", "poisson", "speckle", "salt_and_pepper", "blur", "pixelate:3", "film"]
    arrays: dict[str, np.ndarray] = dict.fromkeys(texts, clean)
    arrays["camera:reduced"] = np.full((400, 32, 32, 3), 0.5, np.float32)
    given, made = tmp_path / "clean.npz", tmp_path / "noisy.npz"
    np.savez(given, **arrays)  # pyright: ignore
    result = subprocess.run(
        [sys.executable, "-c", _DRAW, str(given), str(made)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    with np.load(made) as file:
        noisy = dict(file)
    # A seed gives other numbers on another backend: averages over many are compared.
    for text, clean in arrays.items():
        here, there = drawn(text, clean), noisy[text]
        assert (there.dtype, there.shape) == (np.float32, clean.shape)
        if text == "camera:reduced":  # whose level is another in each image
            levels = [np.median((each - clean).std(axis=(1, 2, 3))) for each in (here, there)]
            assert levels[0] == pytest.approx(levels[1], rel=0.25)
        else:
            figures = [(each.mean(), each.std(), (each**3).mean()) for each in (here, there)]
            np.testing.assert_allclose(*figures, rtol=1e-2)


@pytest.mark.parametrize("text", [*TEXTS, "camera"])
@pytest.mark.parametrize("value", [0.03, 0.5, 0.97])
def test_zero_mean_is_the_truth(text: str, value: float):
    noise = parse_noise(text)
    assert noise.zero_mean == text.startswith(("gaussian", "own", "poisson")) - (
        text == "poisson:additive"
    )
    if noise.zero_mean:
        clean = np.full((64, 64, 64, 3), value, np.float32)
        added = drawn(text, clean) - clean
        assert abs(added.mean()) <= 5 * added.std() / np.sqrt(added.size)


def test_a_mixture_is_zero_mean_if_all_its_parts_are():
    poisson, speckle = parse_noise("poisson:5.5"), parse_noise("speckle")
    assert Mixture([Gaussian(), poisson], (1, 1)).zero_mean
    assert not Mixture([Gaussian(), speckle], (1, 1)).zero_mean
    assert not Mixture([Gaussian(), Camera()], (1, 1)).zero_mean


@pytest.mark.parametrize("kind", [kind for kind, noise in KINDS.items() if noise.keeps_tone])
def test_noise_that_keeps_the_tone_keeps_the_mean_of_mid_gray(kind: str):
    clean = np.full((16, 64, 64, 3), 0.5, np.float32)
    text = f"{kind}:25" if kind in ("gaussian", "compressed") else kind
    assert abs(drawn(text, clean).mean() - 0.5) < 0.02


def test_noise_that_changes_the_tone_is_known():
    changing = {kind for kind, noise in KINDS.items() if not noise.keeps_tone}
    assert changing == {"salt_and_pepper", "blur", "inpainting", "pixelate"}
