from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.noise import SaltAndPepper, parse_noise


def noisy(noise: SaltAndPepper, shape: tuple[int, ...] = (4, 128, 128, 3)) -> np.ndarray:
    clean = np.full(shape, 0.5, np.float32)
    return keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(0)))


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("salt", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("amount", [0.05, 0.35, 1.0])
def test_the_shares_are_those_that_were_asked_for(amount: float, salt: float, per_channel: bool):
    drawn = noisy(SaltAndPepper(amount, amount, salt, per_channel))
    assert set(np.unique(drawn)) <= {np.float32(0.0), np.float32(0.5), np.float32(1.0)}
    assert (drawn == 1).mean() == pytest.approx(amount * salt, abs=0.006)
    assert (drawn == 0).mean() == pytest.approx(amount * (1 - salt), abs=0.006)


@pytest.mark.parametrize(("per_channel", "together"), [(True, 0.04), (False, 0.2)])
def test_channels_are_lost_alone_or_together(per_channel: bool, together: float):
    lost = noisy(SaltAndPepper(0.2, 0.2, per_channel=per_channel)) != 0.5
    assert (lost[..., 0] & lost[..., 1]).mean() == pytest.approx(together, abs=0.008)


def test_each_image_draws_its_share():
    lost = noisy(SaltAndPepper(0.0, 0.4), (200, 32, 32, 1)) != 0.5
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
def test_a_text_names_it(text: str, noise: SaltAndPepper):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("argument", ["5", "pixel:", "pixel", "channel:0.1"])
def test_what_names_none_is_refused(argument: str):
    with pytest.raises(UsageError, match=r"number.* range .*0-1"):
        parse_noise(f"salt_and_pepper:{argument}")
