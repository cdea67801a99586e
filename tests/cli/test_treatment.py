from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.cli import batch
from kerasdenoise.cli.report import Report
from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.images.image import Image
from kerasdenoise.images.read import read_image
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.paths.plan import Job

Write = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("models")


def test_pixels_stay_integers_where_as_many_bits_are_written(write_photo: Write):
    source, denoiser = write_photo("a.png"), Denoiser()
    assert Treatment(denoiser, denoiser.prepare()).read(source).pixels.dtype == np.float32
    assert (
        Treatment(denoiser, denoiser.prepare()).read(source, to_write=True).pixels.dtype == np.uint8
    )
    deeper = Treatment(denoiser, denoiser.prepare(), bit_depth=16)
    assert deeper.read(source, to_write=True).pixels.dtype == np.float32


def test_more_bits_are_not_those_of_rounded_results(write_photo: Write, tmp_path: Path):
    denoiser = Denoiser()
    treatment = Treatment(denoiser, denoiser.prepare(), bit_depth=16)
    denoised = treatment.denoise(treatment.read(write_photo("a.png"), to_write=True))
    treatment.write(denoised, tmp_path / "b.png", None)
    samples = read_image(tmp_path / "b.png", exact=True).pixels
    assert samples.dtype == np.uint16
    assert (samples % 257 != 0).any()


@pytest.mark.parametrize(
    ("dtype", "bit_depth", "fits"), [("u1", 8, True), ("u2", 16, False), ("f4", 8, False)]
)
def test_of_8_bits_twice_as_large_photos_are_read_ahead(
    write_photo: Write, monkeypatch: pytest.MonkeyPatch, dtype: str, bit_depth: int, fits: bool
):
    following = Job(write_photo("a.png", (40, 50)), Path("b.png"))
    monkeypatch.setattr(batch, "AHEAD_PIXELS", 40 * 50)
    denoiser = Denoiser()
    treatment = Treatment(denoiser, denoiser.prepare())
    run = batch.Batch(treatment, skip_existing=False, as_json=False, quiet=True, report=Report())
    photo = run._steps.read(following)
    photo.image = Image(np.zeros((40, 50, 3), dtype), bit_depth=bit_depth)
    assert run._fits(photo, following) == fits
    photo.image = Image(np.zeros((41, 50, 3), dtype), bit_depth=bit_depth)
    assert not run._fits(photo, following)
