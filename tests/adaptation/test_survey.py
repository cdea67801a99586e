from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from kerasdenoise.adaptation import survey
from kerasdenoise.adaptation.methods import choose_method
from kerasdenoise.adaptation.methods.neighbors import Neighbors
from kerasdenoise.adaptation.methods.quick import Quick
from kerasdenoise.adaptation.survey import survey_photos
from kerasdenoise.errors import UsageError

Shoot = Callable[..., list[Path]]


def test_white_noise_and_its_level(shoot: Shoot):
    found = survey_photos(shoot("white"))
    assert found.kind == "white"
    assert 255 * found.sigma == pytest.approx(25.5, rel=0.15)
    assert found.noise == "own"
    assert choose_method(found).method is Quick
    said = "\n".join(found.describe())
    assert "3 photos, 128 x 96 pixels, PNG, 8 bits" in said
    assert "independent from pixel to pixel" in said


def test_noise_that_neighbors_share_is_refused_unless_asked_for(shoot: Shoot):
    found = survey_photos(shoot("correlated"))
    assert found.kind == "correlated"
    assert found.noise == f"own:{max(found.reach)}"  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"up to . apart.*--method neighbors"):
        choose_method(found)
    assert "cannot remove" in choose_method(found, "quick").warning
    assert "farther apart" in choose_method(found, "neighbors").warning


def test_noise_of_columns_is_learned_from_neighbors_in_a_row(shoot: Shoot):
    found = survey_photos(shoot("lines"))
    assert (found.kind, found.noise, found.reach) == ("lines", "own:columns", (None, 0))
    choice = choose_method(found)
    assert choice.method is Neighbors
    assert not choice.warning
    assert "column" in choice.reason


def test_noise_that_reaches_farther_than_is_measured_is_refused(shoot: Shoot):
    (photo,) = survey_photos(shoot("white", 1)).photos
    found = survey.Survey((replace(photo, correlation=np.ones((2, 8))),))
    with pytest.raises(UsageError, match=r"up to 8 apart and farther.*raw files"):
        choose_method(found, "quick")


def test_photos_of_16_bits_are_measured_on_their_range(shoot: Shoot):
    found = survey_photos(shoot("white", suffix=".tif"))
    assert found.sigma == pytest.approx(0.1 * 4000 / 65535, rel=0.15)
    assert found.photos[0].bit_depth == 16


def test_each_page_of_a_stack_is_a_photo(tmp_path: Path):
    stack = np.random.default_rng(0).normal(0.5, 0.1, (3, 64, 80)).astype(np.float32)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    found = survey_photos([tmp_path / "stack.tif"])
    assert [photo.page for photo in found.photos] == [0, 1, 2]
    assert "3 photos" in found.describe()[0]
    for photo, page in zip(found.photos, stack, strict=True):
        np.testing.assert_array_equal(photo.read()[0][..., 0], page)
    assert found.sigma == pytest.approx(0.1, rel=0.1)


def test_clean_photos_are_refused(shoot: Shoot):
    with pytest.raises(UsageError, match="without noise"):
        survey_photos(shoot("none"))


def test_cameras_are_not_mixed_unless_asked_for(shoot: Shoot):
    files = shoot("white", 2, suffix=".jpg", camera="A1") + shoot(
        "white", suffix=".jpg", camera="B"
    )
    with pytest.raises(UsageError, match=r"2 cameras \(A1, B\).*--camera 'B'"):
        survey_photos(files)
    assert len(survey_photos(files, camera="A1").photos) == 2
    assert len(survey_photos(files, camera="all").photos) == 5
    with pytest.raises(UsageError, match=r"--camera C: .*known: A1, B"):
        survey_photos(files, camera="C")


def test_what_cannot_be_read_does_not_end_it(shoot: Shoot, tmp_path: Path):
    files = shoot("white")
    (tmp_path / "shoot" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    small = shoot("white", 1, size=(40, 80))
    found = survey_photos([*files, tmp_path / "shoot" / "broken.png", *small])
    assert [Path(error.subject).name for error in found.skipped] == ["broken.png", small[0].name]
    assert len(found.photos) == 3
    with pytest.raises(UsageError, match="none of 1 photos can be used"):
        survey_photos(small)


def test_of_a_large_folder_some_photos_are_measured(shoot: Shoot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(survey, "MOST_PHOTOS", 2)
    files = shoot("white", 5, size=(64, 64))
    found = survey_photos(files)
    assert [photo.file for photo in found.photos] == [files[0], files[3]]


def test_clipped_values_are_counted(tmp_path: Path):
    noisy = np.random.default_rng(0).normal(0.5, 0.1, (64, 64, 3))
    noisy[:16] = 1
    Image.fromarray(np.rint(255 * noisy.clip(0, 1)).astype(np.uint8)).save(tmp_path / "a.png")
    (photo,) = survey_photos([tmp_path / "a.png"]).photos
    assert photo.clipped == pytest.approx(0.25, abs=0.01)
