"""A strip of the pictures that a diffusion model passes through, from noisy to denoised.

    python experiments/chain_strip.py runs/ddim photo.png --noise gaussian:50 -o strip.png

The model is the folder of a run, the name or folder of a saved model, or a `.keras` file, of the
architecture `ddim` or `latent_ddim`. Codes between the steps of `latent_ddim` are decoded.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise.errors import InputError, ModelError
from kerasdenoise.evaluation.figures import add_noise
from kerasdenoise.evaluation.pages import draw_images
from kerasdenoise.metrics import psnr
from kerasdenoise.runtime import prepare_keras


def load(source: str) -> Any:
    """Loads a network.

    Args:
        source: The folder of a run, the name or folder of a saved model, or a `.keras` file.
    """
    from kerasdenoise.training.initial_weights import load_source
    from kerasdenoise.training.network import load_network

    return load_network(Path(source)) if source.endswith(".keras") else load_source(source)


def find_chain(network: Any, noisy: np.ndarray, level: float | None = None) -> list[np.ndarray]:
    """Runs a diffusion model, and keeps the picture after each step.

    Args:
        network: Of the architecture `ddim` or `latent_ddim`.
        noisy: Float32 (height, width, channels), sides multiples of the network's stride.
        level: Standard deviation of the noise; None for the network's estimate.

    Returns:
        A picture for each step, of the same shape; the last is the result.

    Raises:
        ModelError: If the network has no such steps, or estimates no level and is told none.
    """
    import keras

    from kerasdenoise.layers.ddim_step import DdimStep
    from kerasdenoise.models import get_parts
    from kerasdenoise.models._parts import DECODER

    estimator, _, tile = get_parts(network)
    steps = {layer.name: layer for layer in tile.layers if isinstance(layer, DdimStep)}
    if not steps:
        raise ModelError(
            network.name, "makes no chain of pictures", "give a model of ddim or latent_ddim"
        )
    given = keras.ops.convert_to_tensor(noisy[np.newaxis])
    if level is not None:
        told = level * keras.ops.ones_like(given[..., :1])
    elif estimator is not None:
        told = estimator(given, training=False)
    else:
        raise ModelError(network.name, "estimates no noise level", "give one by --sigma")
    outputs = [steps[f"step_{number}"].output for number in range(len(steps))]
    states = keras.tree.flatten(keras.Model(tile.inputs, outputs)([given, told], training=False))
    decoders = [layer for layer in tile.layers if layer.name == DECODER]
    for decoder in decoders:
        states = [decoder(state, training=False) for state in states]
    return [keras.ops.convert_to_numpy(state)[0] for state in states]


def read_middle(path: Path, side: int, channels: int, stride: int) -> np.ndarray:
    """Reads the middle of a photo.

    Args:
        path: The photo.
        side: Height and width, at most; made a multiple of `stride`.
        channels: 1 or 3.
        stride: See `side`.

    Returns:
        Float32 (height, width, channels).

    Raises:
        InputError: If the photo is too small.
    """
    from kerasdenoise.images.read import read_image

    photo = read_image(path).pixels
    if photo.shape[2] != channels:
        photo = np.repeat(photo.mean(axis=2, keepdims=True), channels, axis=2)
    height, width = (min(side, each) // stride * stride for each in photo.shape[:2])
    if min(height, width) == 0:
        raise InputError(path, f"has a side below {stride} pixels", "give a larger photo")
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return photo[top : top + height, left : left + width]


def draw_strip(
    network: Any, clean: np.ndarray, noise: str | None, level: float | None, target: Path
) -> None:
    """Draws the strip.

    Args:
        network: The diffusion model.
        clean: Float32 (height, width, channels); the noisy picture itself if `noise` is None.
        noise: What is added to it, such as `gaussian:50`.
        level: See `find_chain`.
        target: The PNG file to write.
    """
    noisy = add_noise(clean[np.newaxis], noise)[0] if noise else clean
    pictures = [noisy, *find_chain(network, noisy, level)]
    titles = ["noisy", *(f"step {number}" for number in range(1, len(pictures)))]
    if noise:
        titles = [
            f"{title}, {psnr(clean, np.clip(picture, 0, 1)):.1f} dB"
            for title, picture in zip(titles, pictures, strict=True)
        ]
        pictures, titles = [*pictures, clean], [*titles, "clean"]
    draw_images([pictures], [titles], target)


def main() -> None:
    """Reads the command line, and draws."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="run, saved model or .keras file")
    parser.add_argument("photo", type=Path, help="a photo, noisy unless --noise is given")
    parser.add_argument("--noise", help="noise to add, such as gaussian:50")
    parser.add_argument("--sigma", type=float, help="its level, 0 to 255; by default estimated")
    parser.add_argument("--side", type=int, default=256, help="pixels of its middle that are used")
    parser.add_argument("-o", "--output", type=Path, default=Path("strip.png"))
    arguments = parser.parse_args()
    prepare_keras()
    network = load(arguments.model)
    # A multiple of all strides of the recipes' networks.
    clean = read_middle(arguments.photo, arguments.side, network.inputs[0].shape[-1], 32)
    level = None if arguments.sigma is None else arguments.sigma / 255
    draw_strip(network, clean, arguments.noise, level, arguments.output)


if __name__ == "__main__":
    main()
