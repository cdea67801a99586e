"""Models that add detail to the mean: from least error to most natural."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.settings import DenoiseSettings
from kerasdenoise.zoo import find_model
from tests.inference.conftest import write_random

NOISY = np.random.default_rng(3).random((70, 61, 3), np.float32)


@pytest.fixture(scope="module")
def natural(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random("detail_ddim", tmp_path_factory.mktemp("natural"))


@pytest.fixture(scope="module")
def mean(natural: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What gives the mean, as a model of its own."""
    folder = tmp_path_factory.mktemp("mean")
    for name in ("tile.tflite", "level.tflite", "config.json"):
        shutil.copy(natural / name, folder)
    metadata = json.loads((natural / "metadata.json").read_text("utf-8"))
    metadata["radius"] = metadata.pop("mean_radius")
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    return folder


def test_at_0_it_is_the_mean_bit_for_bit(natural: Path, mean: Path):
    least = Denoiser(natural, naturalness=0)
    assert least.info.run_paths == [natural / "tile.tflite", natural / "level.tflite"]
    expected = Denoiser(mean).denoise_pixels(NOISY)
    np.testing.assert_array_equal(least.denoise_pixels(NOISY), expected)
    quiet = Denoiser(mean, sigma=0.1).denoise_pixels(NOISY, 1.3)
    told = Denoiser(natural, naturalness=0, sigma=0.1).denoise_pixels(NOISY, 1.3)
    np.testing.assert_array_equal(told, quiet)


def test_between_it_adds_a_share_and_by_default_all(natural: Path, mean: Path):
    smooth = Denoiser(mean).denoise_pixels(NOISY)
    whole = Denoiser(natural).denoise_pixels(NOISY)
    assert np.abs(whole - smooth).std() > 1e-3
    np.testing.assert_array_equal(Denoiser(natural, naturalness=1).denoise_pixels(NOISY), whole)
    half = Denoiser(natural, naturalness=0.5).denoise_pixels(NOISY)
    np.testing.assert_allclose(half, (smooth + whole) / 2, atol=1e-5)


def test_each_seed_invents_something_else_in_the_same_way_in_tiles(natural: Path):
    first, other = (Denoiser(natural, seed=seed).denoise_pixels(NOISY) for seed in (0, 4090))
    np.testing.assert_array_equal(Denoiser(natural).denoise_pixels(NOISY), first)
    assert np.abs(first - other).std() > 1e-3
    tiled = Denoiser(natural, seed=4090, tile=176)
    assert tiled.tile_count(*NOISY.shape[:2]) > 1
    np.testing.assert_allclose(tiled.denoise_pixels(NOISY), other, atol=1e-5)


@pytest.mark.parametrize(("name", "value"), [("naturalness", 0), ("naturalness", 1), ("seed", 3)])
def test_models_without_detail_refuse_its_settings(mean: Path, name: str, value: Any):
    with pytest.raises(UsageError, match=rf"{name} {value}.*adds no detail.*photo_natural"):
        Denoiser(mean, **{name: value})


def test_the_mean_of_many_details_is_no_detail(natural: Path):
    with pytest.raises(UsageError, match=r"quality 'best'.*naturalness 0"):
        Denoiser(natural, quality="best")
    Denoiser(natural, quality="best", naturalness=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"naturalness": 1.1}, "naturalness 1.1.*between 0 and 1"),
        ({"naturalness": float("nan")}, "naturalness nan"),
        ({"seed": -1}, "seed -1.*0 and 4090"),
        ({"seed": 4091}, "seed 4091"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        DenoiseSettings(**settings)


def test_settings_fit_twice(natural: Path):
    settings = DenoiseSettings(naturalness=0)
    once = settings.fit(find_model(natural))
    assert settings.fit(once) == once
