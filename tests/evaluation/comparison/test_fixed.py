from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.evaluation.comparison.fixed import FixedDenoiser
from kerasdenoise.export.fixed_shape import fix_shape
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.zoo import ModelInfo, find_model


@pytest.fixture
def fixed(models: Path, tmp_path: Path) -> ModelInfo:
    folder = tmp_path / "fixed"
    shutil.copytree(models / "tiny", folder)
    (folder / "model.tflite").write_bytes(fix_shape(models / "tiny" / "model.tflite", 16, 24))
    return find_model(folder)


@pytest.mark.parametrize("size", [(1, 1), (8, 16), (9, 50), (41, 17)])
def test_tiles_of_one_size_give_what_denoise_gives(
    fixed: ModelInfo, models: Path, size: tuple[int, int]
):
    noisy = np.random.default_rng(0).random((*size, 3), np.float32)
    expected = Denoiser("tiny").denoise_pixels(noisy)
    denoised = FixedDenoiser(fixed, (16, 24)).denoise_pixels(noisy)
    np.testing.assert_allclose(denoised, expected, atol=1e-6)


def test_a_tile_may_see_its_edges_everywhere(fixed: ModelInfo):
    assert FixedDenoiser(fixed, (16, 24)).has_interior
    assert not FixedDenoiser(dataclasses.replace(fixed, radius=8), (16, 24)).has_interior
