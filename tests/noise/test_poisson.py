from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import stats

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Poisson, parse_noise
from kerasdenoise.noise.poisson import draw_counts

DRAWS = 400_000
RATES = [0.1, 1.0, 5.0, 7.99, 8.0, 30.0, 255.0]


def counts(rate: float) -> np.ndarray:
    generator = keras.random.SeedGenerator(0)
    drawn = draw_counts(np.full(DRAWS, rate, np.float32), generator)
    return keras.ops.convert_to_numpy(drawn)


def noisy(noise: Poisson, value: float, shape: tuple[int, ...] = (4, 128, 128, 3)) -> np.ndarray:
    clean = np.full(shape, value, np.float32)
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("rate", RATES)
def test_counts_have_the_moments_of_numpys(rate: float):
    ours = counts(rate)
    numpys = np.random.default_rng(0).poisson(rate, DRAWS).astype(np.float64)
    for moment in (
        lambda x: x,
        lambda x: (x - rate) ** 2,
        lambda x: (x - rate) ** 3,
        lambda x: x == 0,
    ):
        mine, theirs = moment(ours.astype(np.float64)), moment(numpys)
        error = np.sqrt((mine.var() + theirs.var()) / DRAWS)
        assert abs(mine.mean() - theirs.mean()) < 5 * error + 1e-4


@pytest.mark.parametrize("rate", RATES)
def test_counts_have_the_probabilities_of_the_formula(rate: float):
    drawn = counts(rate)
    np.testing.assert_array_equal(drawn, np.round(drawn))
    assert drawn.min() >= 0
    number = np.arange(int(rate + 12 * np.sqrt(rate) + 12))
    share = np.bincount(drawn.astype(int), minlength=len(number)) / DRAWS
    expected = stats.poisson.pmf(number, rate)
    assert len(share) == len(number)
    assert (np.abs(share - expected) < 5 * np.sqrt(expected / DRAWS) + 2e-4).all()


@pytest.mark.parametrize("rate", [0.0, -0.5])
def test_no_light_is_no_count(rate: float):
    assert (counts(rate) == 0).all()


@pytest.mark.parametrize("gain", [0.5, 5.5, 60.0])
@pytest.mark.parametrize("value", [0.1, 0.9])
def test_a_gain_keeps_the_mean_and_sets_the_variance(gain: float, value: float):
    drawn = noisy(Poisson(gain, gain), value)
    variance = gain * value / 255
    assert drawn.mean() == pytest.approx(value, abs=5 * np.sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.05)
    photons = drawn * 255 / gain
    np.testing.assert_allclose(photons, np.round(photons), atol=1e-3)


def test_a_peak_is_the_mean_count_of_white():
    drawn = noisy(Poisson(255 / 30, 255 / 30), 1.0) * 30
    np.testing.assert_allclose(drawn, np.round(drawn), atol=1e-4)
    assert drawn.mean() == pytest.approx(30, abs=0.1)
    assert drawn.var() == pytest.approx(30, rel=0.03)
    assert drawn.max() > 45  # not clipped at white


@pytest.mark.parametrize(("form", "scale"), [("additive", 1.0), ("halved", 0.5)])
def test_the_literal_formula_doubles_the_mean(form: str, scale: float):
    value = 0.4
    drawn = noisy(parse_noise(f"poisson:{form}"), value)  # pyright: ignore
    assert drawn.mean() == pytest.approx(2 * scale * value, abs=1e-3)
    assert drawn.var() == pytest.approx(scale**2 * value / 255, rel=0.03)


def test_halved_has_the_noise_that_was_measured_on_photos():
    """32.68 dB at the mean intensity of 0.55 that the photos had."""
    drawn = noisy(Poisson(1.0, 1.0, "halved"), 0.55)
    assert -10 * np.log10(((drawn - 0.55) ** 2).mean()) == pytest.approx(32.68, abs=0.05)


def test_each_image_draws_its_gain():
    variances = noisy(Poisson(0.0, 50.0), 0.5, (200, 32, 32, 1)).var(axis=(1, 2, 3))
    gains = np.sort(variances * 255 / 0.5)
    np.testing.assert_allclose(gains, np.linspace(0, 50, 200), atol=6)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_no_gain_is_no_noise(value: float):
    np.testing.assert_allclose(noisy(Poisson(0.0, 0.0), value), value, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("poisson", Poisson(5.5, 5.5)),
        ("poisson:8", Poisson(8.0, 8.0)),
        ("poisson:1-8", Poisson(1.0, 8.0)),
        ("poisson:shot:30", Poisson(8.5, 8.5)),
        ("poisson:shot:10-51", Poisson(5.0, 25.5)),
        ("poisson:additive", Poisson(1.0, 1.0, "additive")),
        ("poisson:halved", Poisson(1.0, 1.0, "halved")),
    ],
)
def test_a_text_names_it(text: str, noise: Poisson):
    assert parse_noise(text) == noise


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("256", "number.* range .*0-255"),
        ("half", "number.* range .*0-255"),
        ("shot:0", "peak above 0"),
        ("shot:", "poisson:shot:: .*number.* range .*0-10000"),
        ("peak:30", "'peak'"),
    ],
)
def test_what_names_none_is_refused(argument: str, message: str):
    with pytest.raises(UsageError, match=message):
        parse_noise(f"poisson:{argument}")
