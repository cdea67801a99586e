"""Memory that is bounded, and memory that fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import InputError, ModelError, UsageError
from kerasdenoise.inference import tiles
from kerasdenoise.inference.denoiser import Denoiser, denoise
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.processes import TileError
from kerasdenoise.inference.tiles import AUTO_BYTES, Tiling
from kerasdenoise.runtime import memory_text
from kerasdenoise.zoo import find_model

pytestmark = pytest.mark.usefixtures("models")

SMALLEST = 10  # edge of the smallest tile of the model `tiny`
Run = Callable[[LiteRTEngine, dict[str, np.ndarray]], dict[str, np.ndarray]]


def _noisy(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).random((height, width, 3), np.float32)


@pytest.fixture
def fail_above(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Makes LiteRT fail on tiles of more than an area; returns the areas that are tried."""
    run: Run = LiteRTEngine.__call__

    def inject(largest: int, error: type[Exception]) -> list[int]:
        tried = []

        def fail(engine: LiteRTEngine, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            area = inputs["noisy"].shape[1] * inputs["noisy"].shape[2]
            tried.append(area)
            if area > largest:
                raise error("no memory") if error is MemoryError else error("a tile", "fails", "")
            return run(engine, inputs)

        monkeypatch.setattr(LiteRTEngine, "__call__", fail)
        return tried

    return inject


@pytest.mark.parametrize("error", [MemoryError, TileError])
@pytest.mark.parametrize("size", [(60, 90), (1, 300), (300, 1), (5, 3)])
def test_where_memory_fails_tiles_are_halved_and_the_result_is_the_same(
    size: tuple[int, int], error: type[Exception], fail_above: Callable[..., list[int]]
):
    pixels = _noisy(*size)
    expected = Denoiser(tile=10_000).denoise_pixels(pixels)
    denoiser, calls = Denoiser(), []
    tried = fail_above(200, error)
    denoised = denoiser.denoise_pixels(pixels, on_tile=lambda: calls.append(None))
    np.testing.assert_array_equal(denoised, expected)
    assert max(tried) > 200 or size == (5, 3)
    assert len(calls) == denoiser.tile_count(*size)

    tried.clear()  # and it is remembered
    np.testing.assert_array_equal(denoiser.denoise_pixels(pixels), expected)
    assert max(tried) <= 200


def test_the_level_is_estimated_where_memory_fails(
    guided_folder: Path, fail_above: Callable[..., list[int]]
):
    pixels = _noisy(64, 90)
    expected = Denoiser(guided_folder).estimate_noise(pixels)
    denoiser = Denoiser(guided_folder)
    halo = -(-denoiser.info.radius // denoiser.info.stride) * denoiser.info.stride
    tried = fail_above((2 * halo + 32) ** 2, MemoryError)
    np.testing.assert_allclose(denoiser.estimate_noise(pixels), expected, atol=1e-6)
    assert len(tried) > 4


def test_what_fails_on_the_smallest_tile_is_the_images_error(
    fail_above: Callable[..., list[int]],
):
    tried = fail_above(0, MemoryError)
    with pytest.raises(InputError, match=r"photo\.png: .*memory"):
        Denoiser().denoise_pixels(_noisy(60, 90), name="photo.png")
    assert min(tried) == SMALLEST**2


def test_a_model_that_runs_on_no_tile_is_the_models_error(fail_above: Callable[..., list[int]]):
    tried = fail_above(0, TileError)
    with pytest.raises(ModelError, match="a tile: fails"):
        Denoiser().denoise_pixels(_noisy(60, 90))
    assert min(tried) == SMALLEST**2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold this limit")
def test_memory_that_really_fails(tmp_path: Path):
    program = """
import resource, sys
import numpy as np
from kerasdenoise.inference.denoiser import Denoiser

pixels = np.random.default_rng(0).random((1000, 1000, 3), np.float32)
denoiser = Denoiser("photo_tiny", threads=1, tile=2000)
expected = denoiser.denoise_pixels(pixels)
denoiser = Denoiser("photo_tiny", threads=1, tile=2000)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = held + pixels.nbytes + 40_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
denoised = denoiser.denoise_pixels(pixels)
assert denoiser._tiling._too_large <= 1008**2, "memory did not fail"
assert np.array_equal(denoised, expected)
print("done")
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "done\n", result.stderr


@pytest.mark.parametrize("tile", ["auto", 200])
def test_a_tile_takes_no_more_memory_than_allowed(
    tile: int | str, guided_folder: Path, fail_above: Callable[..., list[int]]
):
    pixels = _noisy(150, 130)
    expected = Denoiser(guided_folder).denoise_pixels(pixels)
    heavy = Denoiser(guided_folder).info.bytes_per_pixel
    denoiser = Denoiser(guided_folder, tile=tile, max_memory=20_000 * heavy)  # pyright: ignore
    tried = fail_above(10**9, MemoryError)
    np.testing.assert_allclose(denoiser.denoise_pixels(pixels), expected, atol=1e-5)
    assert 10_000 < max(tried) <= 20_000


def test_less_memory_than_the_smallest_tile_takes_is_refused_and_the_least_is_named(
    guided_folder: Path,
):
    info = Denoiser(guided_folder).info
    halo = -(-info.radius // info.stride) * info.stride
    least = info.bytes_per_pixel * (2 * halo + info.stride) ** 2
    with pytest.raises(
        UsageError, match=rf"max_memory \S+: .*too little .* give {memory_text(least)} "
    ):
        Denoiser(guided_folder, max_memory=least - 1)
    denoiser = Denoiser(guided_folder, max_memory=least)
    assert denoiser.tile_count(3 * info.stride, info.stride) == 3
    with pytest.raises(UsageError, match="max_memory 5:"):
        denoise(_noisy(4, 4), model=guided_folder, max_memory=5)


def test_integers_are_floats_for_one_tile_at_a_time(monkeypatch: pytest.MonkeyPatch):
    # Copies of 16 MP that are float32 would take 192 MB each.
    import tracemalloc

    noisy = np.zeros((4000, 4000, 3), np.uint8)
    denoiser = Denoiser(tile=1024)
    monkeypatch.setattr(denoiser._network, "denoise", lambda noisy, *_: noisy)
    tracemalloc.start()
    denoiser(noisy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < noisy.nbytes + 90_000_000


@pytest.mark.parametrize(("free", "larger"), [(None, False), (2 * 10**9, False), (10**11, True)])
def test_tiles_are_larger_where_memory_is_free(
    free: int | None, larger: bool, monkeypatch: pytest.MonkeyPatch
):
    def areas(height: int, width: int) -> int:
        grid = Tiling(info, "auto", None).grid(height, width)
        return grid.tile_size[0] * grid.tile_size[1] * info.bytes_per_pixel

    info = replace(find_model("tiny"), bytes_per_pixel=400)
    monkeypatch.setattr(tiles, "free_memory", lambda: free)
    assert (areas(3000, 4000) > AUTO_BYTES) is larger
    # Of a panorama, the picture itself takes what tiles of smaller ones may.
    assert areas(20_000, 10_000) <= AUTO_BYTES


def test_a_grid_does_not_change_with_what_others_take(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tiles, "free_memory", lambda: 10**11)
    info = replace(find_model("tiny"), bytes_per_pixel=400)
    cut = Tiling(info, "auto", None)
    before = cut.grid(3000, 4000)
    monkeypatch.setattr(tiles, "free_memory", lambda: 10**9)
    assert cut.grid(3000, 4000) == before
