from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.evaluation.subjects import (
    FixedDenoiser,
    NetworkAlone,
    build_ffdnet,
    find_model_files,
    has_interior,
)
from kerasdenoise.export.litert import export_litert
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.fixed_shape import fix_shape
from kerasdenoise.models import mac_per_pixel
from kerasdenoise.zoo import ModelInfo, find_model

pytestmark = pytest.mark.usefixtures("run_here")


@pytest.fixture
def info(models: Path, tmp_path: Path) -> ModelInfo:
    """The tiny model with more files: of one size, without an end, and a part of a network."""
    folder = tmp_path / "tiny"
    shutil.copytree(models / "tiny", folder)
    whole = folder / "model.tflite"
    shutil.copy(whole, folder / "model_other.tflite")
    (folder / "mobile").mkdir()
    (folder / "mobile" / "tiny_16.tflite").write_bytes(fix_shape(whole, 16, 24))
    (folder / "broken.tflite").write_bytes(whole.read_bytes()[:100])
    # From another number of channels: what estimates a level, for one.
    shutil.copy(models / "tiny_gray" / "model.tflite", folder / "level.tflite")
    return find_model(folder)


def test_files_that_denoise_by_themselves_are_found(info: ModelInfo, tmp_path: Path):
    (tmp_path / "kinds").mkdir()
    kinds, broken = find_model_files(info, tmp_path / "kinds")
    first, mobile, other = kinds
    assert first.title == "model.tflite"
    assert first.info == info
    assert (mobile.title, mobile.shape) == ("mobile/tiny_16.tflite", (16, 24))
    assert (other.title, other.shape) == ("model_other.tflite", None)
    assert all(kind.in_tiles for kind in kinds)
    assert other.size == first.size == (info.folder / "model.tflite").stat().st_size
    (error,) = broken
    assert "broken.tflite" in str(error)


def test_a_file_becomes_a_model_that_denoises(info: ModelInfo, tmp_path: Path):
    (tmp_path / "kinds").mkdir()
    *_, other = find_model_files(info, tmp_path / "kinds")[0]
    noisy = np.random.default_rng(0).random((31, 45, 3), np.float32)
    expected = Denoiser(info.folder).denoise_pixels(noisy)
    np.testing.assert_array_equal(Denoiser(other.info).denoise_pixels(noisy), expected)


def test_statistics_of_a_whole_image_are_no_matter_of_tiles(info: ModelInfo, tmp_path: Path):
    for name in ("context", "tile"):
        shutil.copy(info.folder / "model.tflite", info.folder / f"{name}.tflite")
    (tmp_path / "kinds").mkdir()
    kinds, _ = find_model_files(dataclasses.replace(info, has_context=True), tmp_path / "kinds")
    assert kinds[0].title == "tile.tflite + context.tflite"
    assert kinds[0].in_tiles
    assert [kind.in_tiles for kind in kinds[1:]] == [False] * 3


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
    assert has_interior(fixed, (16, 24))
    assert not has_interior(dataclasses.replace(fixed, radius=8), (16, 24))


def test_the_graph_is_that_of_the_paper(tmp_path: Path):
    network = build_ffdnet()
    assert network.count_params() == 852_108
    assert mac_per_pixel(network, 2) == 212_760
    info = ModelInfo(
        "f", tmp_path, "f", "", channels=3, stride=2, radius=26, takes_noise_level=True
    )
    export_litert(network, info.litert_path)
    noisy = np.random.default_rng(0).random((1, 8, 12, 3), np.float32)
    denoised = NetworkAlone(info, 1)(noisy)
    level = np.full((1, 8, 12, 1), 25 / 255, np.float32)
    np.testing.assert_allclose(denoised, network([noisy, level]), atol=1e-5)
