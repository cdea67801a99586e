"""What a diffusion does where: its contrasts, its coefficient and its borders as maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common.records import ROOT

from kerasdenoise.evaluation.figures import add_noise, denoise

if TYPE_CHECKING:
    from common.trials import Context

# A photo that is free of rights (CC0) and that nothing here is trained on, and one always there.
PHOTOS = ("train/gb82/house-lossless.webp", ROOT / "docs" / "images" / "sample_clean.png")
SIDE = 192


def load_photo(root: Path) -> np.ndarray:
    """Loads the photo that maps are shown of: float32 (1, side, side, 1) in [0, 1]."""
    from kerasdenoise.data.sources import decode_image

    file = next(path for path in (root / each for each in PHOTOS) if path.exists())
    pixels = decode_image(file, 1)
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[np.newaxis, top : top + SIDE, left : left + SIDE] / np.float32(255)


def read_contrasts(network: Any, noisy: np.ndarray) -> np.ndarray | None:
    """Gives the contrasts of each image, (images or 1, 1, 1, 1 or 2); None if it has no such.

    Of two the smaller, that of borders, is the first.
    """
    import keras

    if not _has(network, "contrast"):
        return None
    values = keras.ops.convert_to_numpy(_find(network, "contrast")(noisy))
    return np.sort(values, axis=-1)


def mean_contrasts(network: Any, noisy: np.ndarray) -> list[float] | None:
    """Gives the mean contrasts over images, 0 to 255."""
    contrasts = read_contrasts(network, noisy)
    return None if contrasts is None else (255 * contrasts.mean(axis=(0, 1, 2))).tolist()


def describe_contrast(contrast: float) -> str:
    """Writes a contrast, 0 to 255; above that all are the same, as no difference is larger."""
    return f"{contrast:.1f}" if contrast <= 255 else "above 255"


def mean_function(network: Any, noisy: np.ndarray) -> list[float] | None:
    """Gives the values of the P1 function at its knots, the mean over images.

    Returns:
        One value for each knot from 0 to the largest edge of an image; None if there is no such
        function, or there are two.
    """
    import keras

    if not _has(network, "coefficient") or _has(network, "border"):
        return None
    thetas = _find(network, "thetas")(noisy)
    values = _find(network, "coefficient").values(thetas)
    return keras.ops.convert_to_numpy(values).mean(axis=(0, 1, 2)).tolist()


def read_borders(network: Any, noisy: np.ndarray) -> np.ndarray | None:
    """Gives the probability of a border at each pixel; None if nothing looks for borders."""
    import keras

    if not _has(network, "border"):
        return None
    return keras.ops.convert_to_numpy(_find(network, "border")(noisy, training=False)[..., :1])


def read_coefficient(network: Any, noisy: np.ndarray) -> np.ndarray:
    """Gives the coefficient of the first step, (images, height, width, 1): large where it diffuses.

    Where it is one for each direction, the mean of both.
    """
    import keras

    border = read_borders(network, noisy)
    if _has(network, "coefficient"):
        return _read_p1(network, noisy, border)
    contrasts = read_contrasts(network, noisy)
    assert contrasts is not None, "a diffusion has contrasts or a P1 function"
    contrast = contrasts if border is None else spread_contrasts(contrasts, border)
    squares = [
        np.square(np.diff(noisy, axis=axis, append=noisy.take([-1], axis=axis))) for axis in (1, 2)
    ]
    shares = [square / np.square(contrast) for square in squares]
    is_exponential = _find(network, "step").function == "exponential"
    values = [np.exp(-share) if is_exponential else 1 / (1 + share) for share in shares]
    return np.mean(keras.ops.convert_to_numpy(values), axis=0)


def spread_contrasts(contrasts: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Gives each pixel the smaller contrast at borders, the larger elsewhere."""
    return np.where(border > 0.5, contrasts[..., :1], contrasts[..., 1:])


def save_maps(network: Any, noise: str, context: Context, file: Path) -> None:
    """Keeps what a network makes of the photo, to draw it later without the network."""
    clean = load_photo(context.root)
    noisy = add_noise(clean, noise)
    maps: dict[str, Any] = {
        "clean": clean,
        "noisy": noisy,
        "denoised": denoise(network, noisy, clean),
        "coefficient": read_coefficient(network, noisy),
    }
    border, contrasts = read_borders(network, noisy), read_contrasts(network, noisy)
    if border is not None:
        maps["border"] = border
    if contrasts is not None:
        maps["contrasts"] = contrasts
    np.savez_compressed(file, **maps)


def _read_p1(network: Any, noisy: np.ndarray, border: np.ndarray | None) -> np.ndarray:
    import keras

    indicator = _find(network, "indicator")(noisy)
    top = _find(network, "top")(indicator)
    evaluate, thetas = _find(network, "coefficient"), _find(network, "thetas")(noisy)
    size = evaluate.count
    functions = [thetas[..., start : start + size] for start in range(0, thetas.shape[-1], size)]
    maps = [keras.ops.convert_to_numpy(evaluate(indicator, each, top)) for each in functions]
    return maps[0] if border is None else np.where(border > 0.5, maps[0], maps[1])


def _has(network: Any, layer: str) -> bool:
    return layer in _list_layers(network)


def _find(network: Any, layer: str) -> Any:
    return _list_layers(network)[layer]


def _list_layers(network: Any) -> dict[str, Any]:
    """The layers of a network and of its parts, by their names."""
    from kerasdenoise.models import get_parts

    return {layer.name: layer for layer in get_parts(network).tile.layers}
