from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import stats

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import Gaussian, Noise, Poisson, SaltAndPepper, Speckle, parse_noise
from kerasdenoise.noise.pixelwise import draw_counts

DRAWS = 400_000
RATES = [0.1, 1.0, 5.0, 7.99, 8.0, 30.0, 255.0]


def drawn(noise: Noise, clean: np.ndarray, seed: int = 0) -> np.ndarray:
    noisy = keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(seed)))
    assert noisy.dtype == np.float32
    assert noisy.shape == clean.shape
    return noisy


@pytest.mark.parametrize("channels", [1, 3])
def test_one_level_is_that_level_for_every_image_of_gaussian(channels: int):
    clean = np.full((8, 128, 128, channels), 0.5, np.float32)
    added = drawn(parse_noise("gaussian:25"), clean) - clean
    deviations = added.std(axis=(1, 2, 3)) * 255
    # The standard deviation of a sample's standard deviation is sigma / sqrt(2 n).
    np.testing.assert_allclose(deviations, 25, atol=5 * 25 / np.sqrt(2 * 128 * 128 * channels))
    assert abs(added.mean()) < 5 * 25 / 255 / np.sqrt(added.size)


def test_levels_are_uniform_in_their_range_of_gaussian():
    clean = np.zeros((400, 32, 32, 1), np.float32)
    low, high = 0.1, 0.3
    deviations = np.sort(drawn(Gaussian(low, high), clean).std(axis=(1, 2, 3)))
    assert deviations[0] > 0.95 * low
    assert deviations[-1] < 1.05 * high
    expected = low + (high - low) * (np.arange(400) + 0.5) / 400
    # Kolmogorov and Smirnov's distance of 400 draws is above 0.1 once in a thousand times.
    assert np.abs(deviations - expected).max() < 0.1 * (high - low)


def test_gaussian_is_normal_and_white():
    added = drawn(Gaussian(0.2, 0.2), np.zeros((1, 256, 256, 3), np.float32))[0] / 0.2
    assert (added**4).mean() == pytest.approx(3.0, abs=0.1)
    for shifted in (added[1:] * added[:-1], added[:, 1:] * added[:, :-1], added * added[..., ::-1]):
        flat = shifted[..., 0]
        assert abs(flat.mean()) < 5 / np.sqrt(flat.size)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_is_clipped_of_gaussian(value: float):
    clean = np.full((1, 128, 128, 3), value, np.float32)
    added = drawn(Gaussian(0.1, 0.1), clean) - clean
    assert added.min() < -0.3
    assert added.max() > 0.3
    assert abs(added.mean()) < 0.003


def test_no_noise_changes_nothing_of_gaussian():
    clean = np.random.default_rng(0).random((2, 5, 7, 3), np.float32)
    np.testing.assert_array_equal(drawn(Gaussian(0.0, 0.0), clean), clean)


def test_the_seed_decides_the_noise_of_gaussian():
    clean = np.zeros((2, 9, 11, 3), np.float32)
    first, again, other = (drawn(Gaussian(0.1, 0.2), clean, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).min() > 0
    assert np.abs(first[0] - first[1]).min() > 0


def test_a_generator_never_repeats_itself_of_gaussian():
    clean = np.zeros((1, 9, 11, 3), np.float32)
    generator = keras.random.SeedGenerator(0)
    first, second = (keras.ops.convert_to_numpy(Gaussian()(clean, generator)) for _ in range(2))
    assert np.abs(first - second).min() > 0


def test_noise_of_pixels_is_the_same_in_all_channels_of_gaussian():
    clean = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    added = drawn(parse_noise("gaussian:pixel:25"), clean) - clean
    np.testing.assert_allclose(added[..., 0], added[..., 2], atol=1e-6)
    assert added[..., 0].std() == pytest.approx(25 / 255, rel=0.1)


def test_noise_in_lines_is_the_same_along_rows_or_along_columns_of_gaussian():
    clean = np.random.default_rng(0).random((40, 24, 32, 3), np.float32)
    added = drawn(parse_noise("gaussian:lines:25"), clean) - clean
    in_rows, in_columns = (np.ptp(added, axis=axis).max(axis=(1, 2)) < 1e-6 for axis in (2, 1))
    np.testing.assert_array_equal(in_rows, ~in_columns)
    assert 8 < in_rows.sum() < 32
    assert added.std() == pytest.approx(25 / 255, rel=0.1)
    red, blue = added[in_rows][:, :, 0, 0], added[in_rows][:, :, 0, 2]
    assert abs(np.corrcoef(red.ravel(), blue.ravel())[0, 1]) < 0.2


def counts(rate: float) -> np.ndarray:
    generator = keras.random.SeedGenerator(0)
    drawn = draw_counts(np.full(DRAWS, rate, np.float32), generator)
    return keras.ops.convert_to_numpy(drawn)


def noisy(noise: Poisson, value: float, shape: tuple[int, ...] = (4, 128, 128, 3)) -> np.ndarray:
    clean = np.full(shape, value, np.float32)
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("rate", RATES)
def test_counts_have_the_moments_of_numpys_of_poisson(rate: float):
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
def test_counts_have_the_probabilities_of_the_formula_of_poisson(rate: float):
    drawn = counts(rate)
    np.testing.assert_array_equal(drawn, np.round(drawn))
    assert drawn.min() >= 0
    number = np.arange(int(rate + 12 * np.sqrt(rate) + 12))
    share = np.bincount(drawn.astype(int), minlength=len(number)) / DRAWS
    expected = stats.poisson.pmf(number, rate)
    assert len(share) == len(number)
    assert (np.abs(share - expected) < 5 * np.sqrt(expected / DRAWS) + 2e-4).all()


@pytest.mark.parametrize("rate", [0.0, -0.5])
def test_no_light_is_no_count_of_poisson(rate: float):
    assert (counts(rate) == 0).all()


@pytest.mark.parametrize("gain", [0.5, 5.5, 60.0])
@pytest.mark.parametrize("value", [0.1, 0.9])
def test_a_gain_keeps_the_mean_and_sets_the_variance_of_poisson(gain: float, value: float):
    drawn = noisy(Poisson(gain, gain), value)
    variance = gain * value / 255
    assert drawn.mean() == pytest.approx(value, abs=5 * np.sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.05)
    photons = drawn * 255 / gain
    np.testing.assert_allclose(photons, np.round(photons), atol=1e-3)


def test_a_peak_is_the_mean_count_of_white_of_poisson():
    drawn = noisy(Poisson(255 / 30, 255 / 30), 1.0) * 30
    np.testing.assert_allclose(drawn, np.round(drawn), atol=1e-4)
    assert drawn.mean() == pytest.approx(30, abs=0.1)
    assert drawn.var() == pytest.approx(30, rel=0.03)
    assert drawn.max() > 45  # not clipped at white


@pytest.mark.parametrize(("form", "scale"), [("additive", 1.0), ("halved", 0.5)])
def test_the_literal_formula_doubles_the_mean_of_poisson(form: str, scale: float):
    value = 0.4
    drawn = noisy(parse_noise(f"poisson:{form}"), value)  # pyright: ignore
    assert drawn.mean() == pytest.approx(2 * scale * value, abs=1e-3)
    assert drawn.var() == pytest.approx(scale**2 * value / 255, rel=0.03)


def test_halved_has_the_noise_that_was_measured_on_photos_of_poisson():
    """32.68 dB at the mean intensity of 0.55 that the photos had."""
    drawn = noisy(Poisson(1.0, 1.0, "halved"), 0.55)
    assert -10 * np.log10(((drawn - 0.55) ** 2).mean()) == pytest.approx(32.68, abs=0.05)


def test_each_image_draws_its_gain_of_poisson():
    variances = noisy(Poisson(0.0, 50.0), 0.5, (200, 32, 32, 1)).var(axis=(1, 2, 3))
    gains = np.sort(variances * 255 / 0.5)
    np.testing.assert_allclose(gains, np.linspace(0, 50, 200), atol=6)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_no_gain_is_no_noise_of_poisson(value: float):
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
def test_a_text_names_poisson(text: str, noise: Poisson):
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
def test_what_names_no_poisson_is_refused(argument: str, message: str):
    with pytest.raises(UsageError, match=message):
        parse_noise(f"poisson:{argument}")


def noisy_of_speckle(
    noise: Speckle, value: float, shape: tuple[int, ...] = (4, 128, 128, 3)
) -> np.ndarray:
    clean = np.full(shape, value, np.float32)
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("variance", [0.01, 0.04])
@pytest.mark.parametrize("value", [0.1, 0.4])
def test_speckle_grows_with_the_pixel(variance: float, value: float):
    drawn = noisy_of_speckle(Speckle(variance, variance), value)
    assert drawn.mean() == pytest.approx(value, rel=0.005)
    assert drawn.std() == pytest.approx(value * np.sqrt(variance), rel=0.02)


def test_speckle_is_clipped():
    drawn = noisy_of_speckle(Speckle(), 0.9)
    assert drawn.max() == 1.0
    # Values above 1 / 0.9 - 1 = 0.111 are lost: 36 % of N(0, 0.1).
    assert (drawn == 1.0).mean() == pytest.approx(0.363, abs=0.01)
    assert drawn.mean() < 0.9
    assert noisy_of_speckle(Speckle(1.0, 1.0), 0.5).min() == 0.0
    assert np.median(drawn) == pytest.approx(0.9, abs=0.005)


def test_black_has_no_noise_of_speckle():
    assert (noisy_of_speckle(Speckle(), 0.0) == 0).all()


def test_each_image_draws_its_variance_of_speckle():
    drawn = noisy_of_speckle(Speckle(0.0, 0.1), 0.2, (200, 32, 32, 1))
    variances = np.sort((drawn / 0.2).var(axis=(1, 2, 3)))
    np.testing.assert_allclose(variances, np.linspace(0, 0.1, 200), atol=0.012)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("speckle", Speckle(0.1, 0.1)),
        ("speckle:0.05", Speckle(0.05, 0.05)),
        ("speckle:0.05-0.2", Speckle(0.05, 0.2)),
    ],
)
def test_a_text_names_speckle(text: str, noise: Speckle):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["-1", "1.5", "x", "0.2-0.1"])
def test_what_names_no_speckle_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-1"):
        parse_noise(f"speckle:{argument}")


def noisy_of_salt_and_pepper(
    noise: SaltAndPepper, shape: tuple[int, ...] = (4, 128, 128, 3)
) -> np.ndarray:
    clean = np.full(shape, 0.5, np.float32)
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("salt", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("amount", [0.05, 0.35, 1.0])
def test_the_shares_are_those_that_were_asked_for_of_salt_and_pepper(
    amount: float, salt: float, per_channel: bool
):
    drawn = noisy_of_salt_and_pepper(SaltAndPepper(amount, amount, salt, per_channel))
    assert set(np.unique(drawn)) <= {np.float32(0.0), np.float32(0.5), np.float32(1.0)}
    assert (drawn == 1).mean() == pytest.approx(amount * salt, abs=0.006)
    assert (drawn == 0).mean() == pytest.approx(amount * (1 - salt), abs=0.006)


@pytest.mark.parametrize(("per_channel", "together"), [(True, 0.04), (False, 0.2)])
def test_channels_are_lost_alone_or_together_of_salt_and_pepper(per_channel: bool, together: float):
    lost = noisy_of_salt_and_pepper(SaltAndPepper(0.2, 0.2, per_channel=per_channel)) != 0.5
    assert (lost[..., 0] & lost[..., 1]).mean() == pytest.approx(together, abs=0.008)


def test_each_image_draws_its_share_of_salt_and_pepper():
    lost = noisy_of_salt_and_pepper(SaltAndPepper(0.0, 0.4), (200, 32, 32, 1)) != 0.5
    shares = np.sort(lost.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(shares, np.linspace(0, 0.4, 200), atol=0.05)


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("salt_and_pepper", SaltAndPepper(0.05, 0.05, 0.5, True)),
        ("salt_and_pepper:0.35", SaltAndPepper(0.35, 0.35)),
        ("salt_and_pepper:0-0.35", SaltAndPepper(0.0, 0.35)),
        ("salt_and_pepper:pixel:0.1", SaltAndPepper(0.1, 0.1, per_channel=False)),
    ],
)
def test_a_text_names_salt_and_pepper(text: str, noise: SaltAndPepper):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["5", "pixel:", "pixel", "channel:0.1"])
def test_what_names_no_salt_and_pepper_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-1"):
        parse_noise(f"salt_and_pepper:{argument}")
