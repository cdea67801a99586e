"""Several photos of a scene: whether they are, and what is learned from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from kerasdenoise.adaptation.crops import cut_crops
from kerasdenoise.adaptation.exposures import find_bursts, pair_up
from kerasdenoise.adaptation.survey import Survey, measure_photo
from kerasdenoise.errors import UsageError

SIDE = 128
SIGMA = 0.02
Expose = Callable[..., Path]
Scene = Callable[..., np.ndarray]


def survey(*files: Path) -> Survey:
    return Survey(tuple(measure_photo(file, None) for file in files))


def test_bursts_are_found_by_what_they_show_and_are_aligned(expose: Expose, show: Scene):
    places = [(20, 20), (23, 18), (20, 24)]
    files = [expose(at=at) for at in places] + [expose(1) for _ in range(2)]
    bursts, notes = find_bursts(survey(*files))
    assert [[photo.file for photo in burst.photos] for burst in bursts] == [files[:3], files[3:]]
    assert any("another scene" in note for note in notes)
    assert bursts[0].shape == (SIDE - 3, SIDE - 6, 1)
    clean = show(0, (23, 24))[: SIDE - 3, : SIDE - 6]
    arrays = bursts[0].read()
    assert len(arrays) == 4
    for array in arrays:
        noises = array - clean
        np.testing.assert_allclose(noises.std(axis=(0, 1)), SIGMA, rtol=0.05)
        # The noise of target and input is independent.
        assert abs(np.corrcoef(noises[..., 0].ravel(), noises[..., 1].ravel())[0, 1]) < 0.05


def test_the_robust_mean_is_a_truth_to_judge_by(expose: Expose, show: Scene):
    burst = find_bursts(survey(*(expose() for _ in range(6))))[0][0]
    clean = show()[..., 0]
    judged = burst.read(judged=True)
    assert len(judged) == 6
    assert all((each[..., 1] - clean).std() < 0.6 * SIGMA for each in judged)
    crops = cut_crops([burst, burst], 1, 0)
    assert crops.learned.shape[1:] == crops.held_out.shape[1:]
    assert crops.learned.shape[3] == 2


def test_noise_that_all_exposures_have_alike_is_told(expose: Expose, tmp_path: Path):
    file = expose()
    pixels = tifffile.imread(file)
    other = tmp_path / "other.tif"
    faint = np.random.default_rng(9).normal(0, 0.005, pixels.shape)
    tifffile.imwrite(other, (pixels + faint).astype(np.float32))
    _, notes = find_bursts(survey(file, other))
    assert any("cannot be learned" in note for note in notes)
    _, notes = find_bursts(survey(expose(1), expose(1)))
    assert not notes


def test_photos_without_another_of_their_scene_are_refused(expose: Expose):
    with pytest.raises(UsageError, match=r"no two photos of one scene.*--method burst"):
        find_bursts(survey(expose(), expose(1)))


@pytest.mark.parametrize("is_clean", [True, False])
def test_pairs_of_clean_and_of_noisy_photos(expose: Expose, is_clean: bool):
    noisy = survey(expose())
    target = expose(sigma=0.001 if is_clean else SIGMA)
    (pair,), left_out = pair_up(noisy, {noisy.photos[0].file: target})
    assert not left_out
    # Of two noisy ones, each is the other's target.
    assert len(pair.read()) == (1 if is_clean else 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"scene": 1}, "another scene"), ({"gain": 1.2}, r"1\.(19|20|21) times as bright")],
)
def test_what_does_not_fit_together_is_refused(expose: Expose, change: dict[str, float], said: str):
    noisy = survey(expose())
    target = expose(**change)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=rf"--pairs.*{said}"):
        pair_up(noisy, {noisy.photos[0].file: target})


def test_a_shift_by_half_a_pixel_is_refused(expose: Expose, show: Scene, tmp_path: Path):
    noisy = survey(expose(sigma=0.02))
    between = (show() + show(0, (20, 21))) / 2
    file = tmp_path / "between.tif"
    tifffile.imwrite(file, between.astype(np.float32))
    with pytest.raises(UsageError, match="fraction of a pixel"):
        pair_up(noisy, {noisy.photos[0].file: file})
