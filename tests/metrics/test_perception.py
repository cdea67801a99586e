from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from scipy.signal import convolve2d

from kerasdenoise.errors import UsageError
from kerasdenoise.metrics.perception import flip, get_metrics, gmsd, kernel_distance

RNG = np.random.default_rng(0)


def _pair(sigma: float, shape: tuple[int, ...] = (40, 33, 3)) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices(shape[:2]) / 9
    clean = 0.5 + 0.3 * np.sin(rows) * np.cos(columns)
    clean = np.broadcast_to(clean[..., None], shape) if len(shape) == 3 else clean
    noisy = clean + sigma * RNG.normal(size=shape)
    return clean.astype(np.float32), np.clip(noisy, 0, 1).astype(np.float32)


def test_gmsd_is_that_of_its_formula():
    clean, noisy = _pair(0.1)
    prewitt = np.array([[1, 0, -1]] * 3) / 3
    magnitudes = []
    for image in (clean, noisy):
        luma = 255 * image.astype(np.float64) @ [0.299, 0.587, 0.114]
        half = convolve2d(luma, np.full((2, 2), 0.25), mode="valid")[::2, ::2]
        pair = [convolve2d(half, each, mode="valid") for each in (prewitt, prewitt.T)]
        magnitudes.append(np.sqrt(np.square(pair).sum(axis=0)))
    one, two = magnitudes
    similarity = (2 * one * two + 170) / (one**2 + two**2 + 170)
    assert gmsd(clean, noisy) == pytest.approx(similarity.std(), rel=1e-9)


def test_gmsd_rises_with_the_noise_and_is_0_for_equal_images():
    values = [gmsd(*_pair(sigma)) for sigma in (0.0, 0.02, 0.1)]
    assert values[0] == 0
    assert values == sorted(values)
    clean, noisy = _pair(0.1, (30, 31))
    assert gmsd(clean, noisy) == gmsd(clean[..., None], noisy[..., None])


def test_images_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        gmsd(np.zeros((8, 8)), np.zeros((8, 9)))
    with pytest.raises(ValueError, match="at least 6"):
        gmsd(np.zeros((5, 8)), np.zeros((5, 8)))
    with pytest.raises(ValueError, match="differ in shape"):
        flip(np.zeros((8, 8)), np.zeros((8, 9)))


def test_flip_rises_with_the_noise():
    pytest.importorskip("flip_evaluator")
    values = [flip(*_pair(sigma)) for sigma in (0.0, 0.05, 0.2)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert 0 < values[1] < values[2] < 1
    clean, noisy = _pair(0.1, (30, 31))
    assert flip(clean, noisy) == flip(clean[..., None], noisy[..., None])


def test_what_is_unknown_or_missing_is_refused_by_name(monkeypatch: pytest.MonkeyPatch):
    assert get_metrics(["gmsd", "gmsd"]) == {"gmsd": gmsd}
    with pytest.raises(UsageError, match=r"metric 'lpips'.*gmsd, flip"):
        get_metrics(["gmsd", "lpips"])
    monkeypatch.setitem(sys.modules, "flip_evaluator", None)
    with pytest.raises(UsageError, match=r"metric 'flip'.*kerasdenoise\[metrics\]"):
        get_metrics(["flip"])


def test_the_kernel_distance_is_that_of_a_case_by_hand():
    first, second = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 1.0], [3.0, -1.0]])
    # Kernels: (0/2+1)^3 = 1 within the first; (2/2+1)^3 = 8 within the second; across
    # (1/2+1)^3, (3/2+1)^3, (2/2+1)^3, (-2/2+1)^3 = 3.375, 15.625, 8, 0, of mean 6.75.
    assert kernel_distance(first, second) == pytest.approx(1 + 8 - 2 * 6.75)


def test_the_kernel_distance_has_no_bias_and_tells_others_apart():
    values = [
        kernel_distance(*np.random.default_rng(seed).normal(size=(2, 8, 3))) for seed in range(2000)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    one, same = RNG.normal(size=(2, 200, 3))
    apart = [kernel_distance(one, same + shift) for shift in (0.0, 0.5, 1.0)]
    assert all(low < high for low, high in itertools.pairwise(apart))


@pytest.mark.parametrize("shapes", [((1, 3), (5, 3)), ((5, 3), (5, 4))])
def test_too_few_samples_or_other_features_are_refused(shapes: tuple):
    with pytest.raises(ValueError, match="cannot be compared"):
        kernel_distance(*(np.zeros(shape) for shape in shapes))
