from __future__ import annotations

from pathlib import Path

import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.settings import DenoiseSettings
from kerasdenoise.zoo import ModelInfo


def _info(**level: bool) -> ModelInfo:
    return ModelInfo("any", Path("any"), "unet", "Nothing", 3, 8, 30, **level)


@pytest.mark.parametrize("strength", [2.01, -0.01, float("nan"), float("inf")])
def test_a_strength_outside_the_range_is_refused(strength: float):
    with pytest.raises(UsageError, match=r"strength .*not between 0 and 2"):
        DenoiseSettings(strength)


@pytest.mark.parametrize("level", ["takes_noise_level", "estimates_level"])
def test_more_than_all_is_for_models_that_go_by_a_noise_level(level: str):
    info = _info(**{level: True})
    assert DenoiseSettings(2).fit(info) == info
    assert DenoiseSettings(1).fit(_info()) == _info()
    with pytest.raises(UsageError, match=r"strength 1\.1: the model any cannot be told that there"):
        DenoiseSettings(1.1).fit(_info())
