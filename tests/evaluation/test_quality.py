from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from kerasdenoise.errors import InputError, ModelError
from kerasdenoise.evaluation.noisy_sets import Sample
from kerasdenoise.evaluation.peers import Peer, ToldDenoiser
from kerasdenoise.evaluation.quality import (
    Failure,
    Figures,
    PhotoFigures,
    Result,
    mean_psnr,
    measure,
    print_table,
    to_json,
)
from kerasdenoise.inference.denoiser import Denoiser

RESULTS = [
    Result(
        "gaussian:25",
        (
            Figures("a.png", 100, 100, 20.0, 30.0, 0.9, 0.01),
            Figures("b.png", 100, 100, 20.2, 32.0, 0.8, 0.02),
        ),
    ),
    Result("pairs [x]", (Figures("c.png", 10, 10, math.inf, 30.126, 0.91236, 0.1),)),
    Result("camera", (), (Failure("d.png", "d.png: is gray"),)),
]


@dataclass
class Arrays:
    """Samples that are there already."""

    samples: Sequence[Sample | Exception]
    label: str = "arrays"

    @property
    def names(self) -> list[str]:
        return [f"{index}.png" for index in range(len(self.samples))]

    def load(self, index: int) -> Sample:
        sample = self.samples[index]
        if isinstance(sample, Exception):
            raise sample
        return sample


def sample(size: tuple[int, int], sigma: float = 0.2) -> Sample:
    rng = np.random.default_rng(size)
    clean = rng.random((*size, 3)).astype(np.float32)
    return Sample(clean + rng.normal(0, sigma, clean.shape).astype(np.float32), clean)


def figures(**values: float) -> Figures:
    return Figures(
        **{
            "name": "a.png",
            "height": 10,
            "width": 10,
            "noisy_psnr": 20.0,
            "psnr": 30.0,
            "ssim": 0.9,
            "seconds": 1.0,
            **values,
        }  # type: ignore[arg-type]
    )


def test_the_noisy_image_is_measured_as_it_is_and_the_denoised_one_clipped(models: Path):
    denoiser = Denoiser("tiny")
    each = sample((30, 41))
    result = measure(denoiser, Arrays([each]))
    (image,) = result.images
    assert result.noise == "arrays"
    assert (image.name, image.height, image.width) == ("0.png", 30, 41)
    expected = peak_signal_noise_ratio(each.clean, each.noisy, data_range=1)
    assert image.noisy_psnr == pytest.approx(expected, abs=1e-4)
    denoised = denoiser.denoise_pixels(each.noisy)
    assert denoised.max() > 1, "there is nothing to clip"
    expected = peak_signal_noise_ratio(each.clean, denoised.clip(0, 1), data_range=1)
    assert image.psnr == pytest.approx(expected, abs=1e-4)
    assert 0 < image.ssim < 1
    assert image.seconds > 0


def test_a_set_of_photos_has_tone_and_level(models: Path):
    class Tinting(ToldDenoiser):
        """Adds 3/255, and takes the noise to be half as strong as it is."""

        def denoise_pixels(self, pixels: np.ndarray, *, name: object = "image") -> np.ndarray:
            return clean + np.float32(3 / 255)

        def estimate_noise(self, pixels: np.ndarray) -> np.ndarray:
            return np.asarray(0.1)

    clean = np.full((64, 64, 3), 0.5, np.float32)
    noise = np.random.default_rng(0).normal(0, 0.2, clean.shape).astype(np.float32)
    photos = Arrays([Sample(clean + noise, clean)])
    peer = Peer("peer", "numpy", lambda noisy, sigma, factor: noisy)
    (photo,) = measure(Tinting(peer, 1.0, None), photos, photos=True).images
    assert isinstance(photo, PhotoFigures)
    assert photo.low_frequency_error == pytest.approx(3, rel=1e-3)
    assert 0 < photo.noisy_low_frequency_error < 3
    assert photo.level_ratio == pytest.approx(0.5, rel=0.02)
    # The tiny model estimates no level by itself.
    (photo,) = measure(Denoiser("tiny"), photos, photos=True).images
    assert isinstance(photo, PhotoFigures)
    assert photo.level_ratio is None


def test_the_psnr_of_a_set_is_that_of_its_images_before_and_after():
    given = [sample((20, 20), sigma) for sigma in (0.1, 0.2)]
    samples = Arrays(given)
    both = [peak_signal_noise_ratio(s.clean, s.noisy, data_range=1) for s in given]
    assert mean_psnr(samples) == pytest.approx(np.mean(both), abs=1e-4)
    halved = [
        peak_signal_noise_ratio(s.clean, np.clip(s.noisy / 2, 0, 1), data_range=1) for s in given
    ]
    assert mean_psnr(samples, lambda noisy: noisy / 2) == pytest.approx(np.mean(halved), abs=1e-4)


def test_what_fails_is_recorded_and_told_in_order(models: Path):
    samples = Arrays([sample((20, 20)), InputError("1.png", "is bad"), sample((8, 20))])
    started: list[str] = []
    ended: list[Figures | Failure] = []
    result = measure(Denoiser("tiny"), samples, on_start=started.append, on_end=ended.append)
    assert [image.name for image in result.images] == ["0.png"]
    assert [failure.name for failure in result.failures] == ["1.png", "2.png"]
    assert result.failures[0].error == "1.png: is bad"
    assert re.search(r"2\.png: SSIM.* 11", result.failures[1].error)
    assert started == ["0.png", "1.png", "2.png"]
    assert ended == [*result.images, *result.failures]


def test_what_fails_for_every_image_is_no_failure_of_one(models: Path):
    with pytest.raises(ModelError):
        measure(Denoiser("tiny"), Arrays([ModelError("model", "broken")]))


def test_mean_and_standard_error():
    result = Result("x", tuple(figures(psnr=value) for value in (30.0, 31.0, 35.0)))
    assert result.mean("psnr") == pytest.approx(32)
    assert result.standard_error("psnr") == pytest.approx(math.sqrt(7) / math.sqrt(3))


@pytest.mark.parametrize(
    ("values", "mean"), [([], math.nan), ([30.0], 30.0), ([30.0, math.inf], math.inf)]
)
def test_without_enough_figures_there_is_no_standard_error(values: list[float], mean: float):
    result = Result("x", tuple(figures(psnr=value) for value in values))
    assert result.mean("psnr") == pytest.approx(mean, nan_ok=True)
    assert math.isnan(result.standard_error("psnr"))


def test_time_is_by_area():
    images = figures(height=1000, width=500, seconds=1.0), figures(height=500, width=200, seconds=2)
    assert Result("x", images).seconds_per_megapixel == pytest.approx(5.0)
    assert math.isnan(Result("x", ()).seconds_per_megapixel)


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "±"), ("ascii", "+/-")])
def test_the_table_holds_means_and_errors_in_any_encoding(encoding: str, sign: str):
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding)
    print_table(RESULTS, "tiny on set", stream)
    stream.flush()
    lines = content.getvalue().decode(encoding).splitlines()
    assert lines[0].strip() == "tiny on set"
    cells = [
        [cell.strip() for cell in line.replace("│", "|").split("|")[1:-1]]
        for line in lines
        if any(result.noise in line for result in RESULTS)
    ]
    assert cells == [
        ["gaussian:25", "2", "20.10", f"31.00 {sign} 1.00", f"0.8500 {sign} 0.0500", "1.50"],
        ["pairs [x]", "1", "inf", "30.13", "0.9124", "1000.00"],
        ["camera", "0", "-", "-", "-", "-"],
    ]


def test_json_is_strict_and_whole():
    def refuse(constant: str):
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(to_json(RESULTS, seed=3, note=None), parse_constant=refuse)
    assert (content["seed"], content["note"]) == (3, None)
    first, second, third = content["results"]
    assert first["mean"] == pytest.approx({"noisy_psnr": 20.1, "psnr": 31.0, "ssim": 0.85})
    assert first["standard_error"]["psnr"] == pytest.approx(1.0)
    assert first["images"][1] == {
        "name": "b.png",
        "height": 100,
        "width": 100,
        "noisy_psnr": 20.2,
        "psnr": 32.0,
        "ssim": 0.8,
        "seconds": 0.02,
    }
    assert second["images"][0]["noisy_psnr"] is None
    assert second["standard_error"] == {"noisy_psnr": None, "psnr": None, "ssim": None}
    assert third["failed"] == [{"name": "d.png", "error": "d.png: is gray"}]
    assert third["mean"]["psnr"] is None
