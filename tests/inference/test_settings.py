from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.settings import DenoiseSettings
from kerasdenoise.zoo import ModelInfo


def _info(**level: Any) -> ModelInfo:
    return ModelInfo("any", Path("any"), "unet", "Nothing", 3, 8, 30, **level)


@pytest.mark.parametrize("strength", [2.01, -0.01, float("nan"), float("inf")])
def test_a_strength_outside_the_range_is_refused(strength: float):
    with pytest.raises(UsageError, match=r"strength .*0 and 2"):
        DenoiseSettings(strength)


@pytest.mark.parametrize("level", ["takes_noise_level", "estimates_level"])
def test_more_than_all_is_for_models_that_go_by_a_noise_level(level: str):
    info = _info(**{level: True})
    assert DenoiseSettings(2).fit(info) == info
    assert DenoiseSettings(1).fit(_info()) == _info()
    with pytest.raises(UsageError, match=r"strength 1\.1: .*model any"):
        DenoiseSettings(1.1).fit(_info())


@pytest.mark.parametrize("name", ["luma", "chroma"])
def test_luma_and_chroma_are_refused_in_their_own_words(name: str):
    def settings(value: float, **others: Any) -> DenoiseSettings:
        return DenoiseSettings(**{name: value, **others})

    for value in (2.01, -0.01, float("nan")):
        with pytest.raises(UsageError, match=rf"{name} .*not between 0 and 2"):
            settings(value)
    with pytest.raises(UsageError, match=rf"{name} 1\.5: times strength 1\.5 is 2\.25"):
        settings(1.5, strength=1.5)
    with pytest.raises(
        UsageError,
        match=rf"{name} 1\.5: times strength 1 is above 1, but the model any takes no noise level",
    ):
        settings(1.5).fit(_info())
    settings(2.0, strength=0.5).fit(_info())
    settings(1.5).fit(_info(estimates_level=True))


@pytest.mark.parametrize("detail", [-0.1, 1.1, float("nan")])
def test_detail_outside_the_range_is_refused(detail: float):
    with pytest.raises(UsageError, match=r"detail .*0 and 1"):
        DenoiseSettings(detail=detail)


@pytest.mark.parametrize(
    ("strength", "luma", "chroma", "color", "gray"),
    [
        (1, 1, 1, (1,), (1,)),
        (0.5, 1, 1, (1,), (1,)),
        (2, 1, 1, (2,), (2,)),
        (1, 0.3, 0.8, (1,), (1,)),
        (1, 1.5, 0.8, (1.5, 1), (1.5,)),
        (1, 0.8, 1.5, (1, 1.5), (1,)),
        (2, 0.6, 0.8, (1.2, 1.6), (1.2,)),
        (1, 1.5, 0, (1.5,), (1.5,)),
        (1, 0, 1.5, (1.5,), ()),
        (0, 1, 1, (), ()),
        (1, 0, 0, (), ()),
    ],
)
def test_a_model_runs_twice_only_where_it_must(
    strength: float, luma: float, chroma: float, color: tuple, gray: tuple
):
    settings = DenoiseSettings(strength, luma, chroma)
    assert settings.factors(3) == pytest.approx(color)
    assert settings.factors(1) == pytest.approx(gray)
