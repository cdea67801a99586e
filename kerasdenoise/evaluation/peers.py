"""Other denoisers that can be installed: CBM3D, OpenCV, scikit-image (`pip install .[peers]`)."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasdenoise.pixels import to_samples

# What estimates the level of the noise that peers are told on real photos.
_FOR_ESTIMATES = ("scikit-image", "PyWavelets")

Denoise = Callable[[np.ndarray, float, float], np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A classical denoiser, which has to be told the level of the noise.

    Attributes:
        title: What tables call it.
        package: What has to be installed.
        denoise: From noisy pixels (H, W, 3), sigma on the [0, 1] scale, and a factor, to
            denoised pixels.
        factors: What its setting may be, in units of sigma; `make quality` takes the best on
            validation images. Only one if it has no such setting.
        factor: The one that it took.
        slow: Whether it takes so long that only a few images are measured.
    """

    title: str
    package: str
    denoise: Denoise
    factors: tuple[float, ...] = (1.0,)
    factor: float = 1.0
    slow: bool = False

    @property
    def version(self) -> str | None:
        """The version that is installed, if any, with what tells it the level of real noise."""
        try:
            for needed in _FOR_ESTIMATES:
                importlib.metadata.version(needed)
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None


@dataclass(frozen=True)
class ToldDenoiser:
    """A peer in the place of a `Denoiser`.

    Attributes:
        peer: The peer.
        factor: Its setting.
        sigma: The level of the noise on the [0, 1] scale; estimated from each image if None.
    """

    peer: Peer
    factor: float
    sigma: float | None

    def denoise_pixels(self, pixels: np.ndarray, *, name: object = "image") -> np.ndarray:
        """Denoises RGB pixels; see `Denoiser.denoise_pixels`."""
        sigma = float(self.estimate_noise(pixels)) if self.sigma is None else self.sigma
        return np.asarray(self.peer.denoise(pixels, sigma, self.factor), np.float32)

    def estimate_noise(self, pixels: np.ndarray) -> np.ndarray:
        """Estimates the level that peers are told on real photos, one for all pixels."""
        estimate_sigma = _module("skimage.restoration").estimate_sigma
        return np.asarray(estimate_sigma(pixels, average_sigmas=True, channel_axis=-1))


def _module(name: str) -> Any:
    """Imports what may not be installed, so that no checker knows its types."""
    return importlib.import_module(name)


def _bm3d(noisy: np.ndarray, sigma: float, factor: float) -> np.ndarray:
    return _module("bm3d").bm3d_rgb(noisy, factor * sigma)


def _opencv(noisy: np.ndarray, sigma: float, factor: float) -> np.ndarray:
    strength = 255 * factor * sigma
    pixels = to_samples(noisy, np.uint8)[..., ::-1]
    denoised = _module("cv2").fastNlMeansDenoisingColored(pixels, None, strength, strength)
    return denoised[..., ::-1] / np.float32(255)


def _non_local_means(noisy: np.ndarray, sigma: float, factor: float) -> np.ndarray:
    return _module("skimage.restoration").denoise_nl_means(
        noisy, patch_size=5, patch_distance=6, h=factor * sigma, sigma=sigma, channel_axis=-1
    )


def _total_variation(noisy: np.ndarray, sigma: float, factor: float) -> np.ndarray:
    return _module("skimage.restoration").denoise_tv_chambolle(
        noisy, weight=factor * sigma, channel_axis=-1
    )


def _wavelet(noisy: np.ndarray, sigma: float, factor: float) -> np.ndarray:
    return _module("skimage.restoration").denoise_wavelet(
        noisy,
        sigma=factor * sigma,
        method="BayesShrink",
        convert2ycbcr=True,
        rescale_sigma=True,
        channel_axis=-1,
    )


PEERS = (
    Peer("CBM3D", "bm3d", _bm3d, slow=True),
    Peer(
        "OpenCV non-local means",
        "opencv-python-headless",
        _opencv,
        (0.4, 0.6, 0.8, 1.0, 1.2),
        0.6,
    ),
    Peer(
        "scikit-image non-local means",
        "scikit-image",
        _non_local_means,
        (0.4, 0.6, 0.8, 1.0),
        0.6,
    ),
    Peer(
        "scikit-image total variation",
        "scikit-image",
        _total_variation,
        (0.6, 0.9, 1.2, 1.5),
        0.9,
    ),
    Peer("scikit-image wavelets", "scikit-image", _wavelet),
)
