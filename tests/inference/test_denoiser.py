from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kerasdenoise
from kerasdenoise.errors import InputError, ModelError, UsageError
from kerasdenoise.inference import tiles
from kerasdenoise.inference.denoiser import Denoiser, denoise

pytestmark = pytest.mark.usefixtures("models")

RNG = np.random.default_rng(0)


def noisy_pixels(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height).normal(0.5, 0.3, (height, width, channels)).astype("f4")


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (17, 23), (300, 200)])
@pytest.mark.parametrize("tile", [10, 16, 33, 64, 150])
def test_tiled_equals_whole_exactly(size: tuple[int, int], tile: int):
    pixels = noisy_pixels(*size)
    whole = Denoiser(tile=10_000)
    assert whole.tile_count(*size) == 1
    denoised = Denoiser(tile=tile).denoise_pixels(pixels)
    np.testing.assert_array_equal(denoised, whole.denoise_pixels(pixels))
    assert not np.array_equal(denoised, pixels)


def test_automatic_tiles_equal_whole_exactly(monkeypatch: pytest.MonkeyPatch):
    pixels = noisy_pixels(150, 210)
    whole = Denoiser().denoise_pixels(pixels)
    monkeypatch.setattr(tiles, "AUTO_INTERIOR", 50)
    denoiser = Denoiser()
    assert denoiser.tile_count(150, 210) > 10
    np.testing.assert_array_equal(denoiser.denoise_pixels(pixels), whole)


def test_a_smaller_overlap_than_the_radius_would_show(models: Path, tmp_path: Path):
    # Proof that the tests above can fail: the radius is what makes tiles agree.
    shutil.copytree(models / "tiny", tmp_path / "dishonest")
    metadata = json.loads((tmp_path / "dishonest/metadata.json").read_text())
    (tmp_path / "dishonest/metadata.json").write_text(json.dumps({**metadata, "radius": 2}))
    pixels = noisy_pixels(60, 60)
    tiled = Denoiser(tmp_path / "dishonest", tile=20).denoise_pixels(pixels)
    whole = Denoiser(tmp_path / "dishonest").denoise_pixels(pixels)
    assert np.abs(tiled - whole).max() > 1e-3


def test_a_file_that_takes_something_else_than_its_metadata_say_is_refused(
    models: Path, tmp_path: Path
):
    shutil.copytree(models / "tiny", tmp_path / "told")
    metadata = json.loads((tmp_path / "told/metadata.json").read_text())
    (tmp_path / "told/metadata.json").write_text(json.dumps({**metadata, "noise_level": True}))
    with pytest.raises(ModelError, match=r"takes noisy.*metadata"):
        Denoiser(tmp_path / "told")


def test_on_tile_is_called_once_a_tile():
    denoiser = Denoiser("tiny_gray", tile=20)
    calls: list[None] = []
    denoiser.denoise_pixels(noisy_pixels(60, 40), on_tile=lambda: calls.append(None))
    assert len(calls) == denoiser.tile_count(60, 40) > 1


def test_gray_stays_gray_by_a_color_model():
    gray = noisy_pixels(30, 30, 1)
    denoiser = Denoiser("tiny")
    expected = denoiser.denoise_pixels(np.repeat(gray, 3, axis=2)).mean(axis=2, keepdims=True)
    np.testing.assert_allclose(denoiser.denoise_pixels(gray), expected, atol=1e-6)


def test_color_goes_through_a_gray_model_channel_by_channel():
    color = noisy_pixels(30, 30)
    denoiser = Denoiser("tiny_gray")
    parts = [denoiser.denoise_pixels(color[..., c : c + 1]) for c in range(3)]
    np.testing.assert_array_equal(denoiser.denoise_pixels(color), np.concatenate(parts, axis=2))


def test_strength_zero_returns_the_same_pixels_without_running(monkeypatch: pytest.MonkeyPatch):
    denoiser = Denoiser()
    monkeypatch.setattr(denoiser, "_network", None)
    pixels = noisy_pixels(20, 20)
    denoised = denoiser.denoise_pixels(pixels, 0.0)
    np.testing.assert_array_equal(denoised, pixels)
    assert denoised is not pixels


def test_strength_goes_between():
    denoiser, pixels = Denoiser(tile=20), noisy_pixels(40, 40)
    halfway = (pixels + denoiser.denoise_pixels(pixels)) / 2
    np.testing.assert_allclose(denoiser.denoise_pixels(pixels, 0.5), halfway, atol=1e-6)


@pytest.mark.parametrize("strength", [2, 1.5, -1, float("nan")])
def test_a_wrong_strength_is_refused_before_anything_else(strength: float):
    with pytest.raises(UsageError, match="strength"):
        denoise("missing.png", strength=strength)


@pytest.mark.parametrize(
    "shape", [(20, 30), (20, 30, 1), (20, 30, 3), (20, 30, 4)], ids=["HW", "HW1", "HW3", "HW4"]
)
@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "f2", "f4", "f8"])
def test_an_array_keeps_shape_and_type(shape: tuple[int, ...], dtype: str):
    top = np.iinfo(dtype).max if "u" in dtype else 1
    noisy = (RNG.random(shape) * top).astype(dtype)
    before = noisy.copy()
    denoised = denoise(noisy)
    assert denoised.shape == shape
    assert denoised.dtype == noisy.dtype
    np.testing.assert_array_equal(noisy, before)
    assert not np.array_equal(denoised, noisy)
    np.testing.assert_array_equal(denoise(noisy, strength=0), noisy)
    if shape[-1] == 4:
        np.testing.assert_array_equal(denoised[..., 3], noisy[..., 3])


def test_integers_are_scaled_by_their_range_rounded_and_clipped():
    pixels = noisy_pixels(20, 30).clip(0, 1)
    byte = np.rint(pixels * 255).astype("u1")
    expected = np.rint(Denoiser().denoise_pixels(byte.astype("f4") / 255).clip(0, 1) * 255)
    np.testing.assert_array_equal(denoise(byte), expected)
    wide = byte.astype("u2") * 257
    assert np.abs(denoise(wide) / 257 - denoise(byte)).max() <= 0.5


def test_floats_are_clipped_neither_on_the_way_in_nor_out():
    pixels = noisy_pixels(20, 20) * 3 - 1
    np.testing.assert_array_equal(denoise(pixels), Denoiser().denoise_pixels(pixels))
    assert denoise(pixels).max() > 1


@pytest.mark.parametrize(
    "noisy",
    [
        np.zeros((4, 4), "i4"),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 2), "u1"),
        np.zeros((2, 4, 4, 3), "u1"),
        np.zeros((0, 4), "u1"),
        np.zeros(4, "u1"),
        12,
        None,
        Image.new("CMYK", (4, 4)),
        Image.new("P", (4, 4)),
        Image.new("RGBa", (4, 4)),
        Image.new("F", (4, 4)),
    ],
    ids=lambda noisy: getattr(noisy, "mode", str(getattr(noisy, "shape", noisy))),
)
def test_what_is_no_image_is_refused(noisy: Any):
    with pytest.raises(UsageError):
        denoise(noisy)


def test_a_transparent_color_is_refused():
    image = Image.new("RGB", (4, 4))
    image.info["transparency"] = (0, 0, 0)
    with pytest.raises(UsageError, match="RGBA"):
        denoise(image)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_a_pillow_image_keeps_mode_size_and_info(mode: str):
    shape = (20, 30, len(mode)) if mode in ("LA", "RGB", "RGBA") else (20, 30)
    dtype = "u2" if mode == "I;16" else "u1"
    pixels = RNG.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    image = Image.fromarray(pixels)
    assert image.mode == mode
    image.info = {"icc_profile": b"profile", "dpi": (72, 72)}
    denoised = denoise(image)
    assert (denoised.mode, denoised.size) == (mode, image.size)
    assert denoised.info == image.info
    assert denoised.tobytes() != image.tobytes()
    if mode in ("LA", "RGBA"):
        assert denoised.getchannel("A").tobytes() == image.getchannel("A").tobytes()


def test_bytes_come_back_in_the_same_format(write_photo: Callable[..., Path]):
    data = write_photo("photo.webp").read_bytes()
    denoised = denoise(data)
    assert isinstance(denoised, bytes)
    assert Image.open(io.BytesIO(denoised)).format == "WEBP"
    assert denoised != data


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_gives_the_path_of_the_result(kind: type, write_photo: Callable[..., Path]):
    source = write_photo("photo.png")
    target = denoise(kind(source))
    assert target == kind(source.with_name("photo_denoised.png"))
    expected = denoise(np.asarray(Image.open(source)))
    np.testing.assert_array_equal(np.asarray(Image.open(target)), expected)


def test_a_result_that_is_there_is_kept_unless_told_otherwise(write_photo: Callable[..., Path]):
    source = write_photo("photo.png")
    target = source.with_name("photo_denoised.png")
    target.write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"photo_denoised\.png"):
        denoise(source)
    assert target.read_bytes() == b"precious"
    assert denoise(source, overwrite=True) == target
    assert Image.open(target).size == Image.open(source).size


def test_output_is_for_paths_only(write_photo: Callable[..., Path], tmp_path: Path):
    assert denoise(write_photo("a.png"), output=tmp_path / "b.png") == tmp_path / "b.png"
    with pytest.raises(UsageError, match=r"output .*path"):
        denoise(noisy_pixels(4, 4), output=tmp_path / "c.png")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float):
    pixels = noisy_pixels(40, 40)
    pixels[5, 5, 1] = value
    with pytest.raises(InputError, match=r"photo\.tif: .*finite"):
        Denoiser(tile=20).denoise_pixels(pixels, name="photo.tif")


@pytest.mark.parametrize("size", [(3, 5), (64, 80)])
def test_where_a_model_estimates_no_level_that_of_the_image_is_everywhere(size: tuple[int, int]):
    noise = np.random.default_rng(0).normal(0, 0.05, (*size, 3))
    level = Denoiser(tile=20).estimate_noise((0.5 + noise).astype("f4"))
    assert (level.shape, level.dtype) == (size, np.float32)
    assert len(np.unique(level)) == 1
    if min(size) > 16:
        assert level[0, 0] == pytest.approx(0.05, rel=0.05)


def test_the_level_of_values_that_are_not_finite_is_refused():
    with pytest.raises(InputError, match="not finite"):
        Denoiser().estimate_noise(np.full((20, 20, 3), np.nan, np.float32))


def test_a_model_that_gives_nonsense_is_an_error_and_not_a_black_image(
    monkeypatch: pytest.MonkeyPatch,
):
    denoiser = Denoiser()
    monkeypatch.setattr(denoiser._network, "denoise", lambda noisy, *_: noisy * np.float32("nan"))
    with pytest.raises(InputError, match=r"result .*not finite"):
        denoiser.denoise_pixels(noisy_pixels(8, 8))


def test_a_tile_that_is_too_small_is_refused_before_the_model_is_loaded(models: Path):
    with pytest.raises(UsageError, match="; use 10"):
        Denoiser(tile=9)


def test_a_model_that_was_tampered_with_is_not_run(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(models, tmp_path / "models")
    with (tmp_path / "models/tiny/model.tflite").open("ab") as file:
        file.write(b"!")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(tmp_path / "models"))
    with pytest.raises(ModelError, match=r"model\.tflite: .*the file .*recorded"):
        Denoiser("tiny")


def test_the_public_names_are_these():
    assert kerasdenoise.denoise is denoise
    assert kerasdenoise.Denoiser is Denoiser
    assert {info.name for info in kerasdenoise.list_models()} >= {"tiny", "tiny_gray"}
    assert dir(kerasdenoise) == sorted(kerasdenoise.__all__)
    assert all(getattr(kerasdenoise, name) for name in kerasdenoise.__all__)
    with pytest.raises(AttributeError, match="no attribute 'undenoise'"):
        kerasdenoise.undenoise  # noqa: B018


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((20, 20), np.float32),
        np.zeros((20, 20, 4), np.float32),
        np.zeros((0, 20, 3), np.float32),
        np.zeros((20, 20, 3), np.int32),
    ],
)
def test_what_are_no_pixels_is_refused(pixels: np.ndarray):
    denoiser = Denoiser()
    for work in (denoiser.denoise_pixels, denoiser.estimate_noise):
        with pytest.raises(UsageError, match="array of"):
            work(pixels)


def test_no_threads_at_all_are_refused():
    with pytest.raises(UsageError, match=r"threads -1: .*1"):
        Denoiser(threads=-1)


def test_a_name_that_is_given_as_a_path_is_explained():
    with pytest.raises(ModelError, match=r"Path.*folder; .*str"):
        Denoiser(Path("tiny"))
