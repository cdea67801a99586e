"""Integer LiteRT files, for phones and small processors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.export.fixed_scales import has_fixed_scales
from kerasdenoise.export.litert import export_litert

if TYPE_CHECKING:
    from kerasdenoise.training.recipe import Recipe

# Batches of patches whose values set the scales of all tensors.
_BATCHES = 8
_BATCH = 16
_PATCH = 128


def draw_noisy_patches(recipe: Recipe, root: Path) -> list[np.ndarray]:
    """Draws what a network is calibrated on: patches with the noise it was trained on.

    Args:
        recipe: How it was trained.
        root: Folder that the recipe's data folders are relative to.

    Returns:
        Float32 batches (16, 128, 128, channels), clipped to [0, 1], as pictures are.

    Raises:
        RecipeError: If the photos are not there.
    """
    sampler = PatchSampler(_load(recipe, recipe.data.train, root), _PATCH, _BATCH, recipe.seed)
    seed = keras.random.SeedGenerator(recipe.seed)
    noisy = (recipe.mixture(sampler.batch_of(step), seed) for step in range(_BATCHES))
    return [np.clip(keras.ops.convert_to_numpy(batch), 0.0, 1.0) for batch in noisy]


def write_int8(denoiser: keras.Model, target: Path, noisy: Sequence[np.ndarray] = ()) -> None:
    """Writes a `.tflite` that computes with 8-bit integers alone.

    Its input and output are uint8 pictures as files have them, 0 to 255. Weights have a scale
    for each channel, activations one for each tensor.

    Args:
        denoiser: A functional model of noisy images (batch, height, width, channels) alone; of
            one that was trained in integers, what `fix_scales` made.
        target: The file to write; its name ends in `.tflite`.
        noisy: Float32 batches in [0, 1] of what it will see, which set the scales where no
            training did.

    Raises:
        ModelError: If LiteRT has no integer form of what the network computes.
    """
    if len(denoiser.inputs) > 1:
        raise ModelError(
            denoiser.name,
            "takes more than an image, which an integer file does not",
            "export a network that estimates the noise level by itself",
        )
    options: dict[str, Any] = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "inference_input_type": tf.uint8,
        "inference_output_type": tf.uint8,
    }
    if has_fixed_scales(denoiser):
        export_litert(denoiser, target, **options)
        return
    # Clipped, so that the output's scale is 1/255 and its zero 0, too: 255 is white.
    clipped = keras.ops.clip(denoiser.output, 0.0, 1.0)
    export_litert(
        keras.Model(denoiser.input, clipped, name=f"{denoiser.name}_pixels"),
        target,
        representative_dataset=lambda: _calibration(noisy),
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        **options,
    )


def _calibration(noisy: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    # Black and white first, so that the input's scale is 1/255 and its zero 0.
    for patch in (np.zeros_like(noisy[0][:1]), np.ones_like(noisy[0][:1])):
        yield [patch]
    for batch in noisy:
        for patch in batch:
            yield [patch[np.newaxis]]


def _load(recipe: Recipe, sources: Sequence[str], root: Path) -> list[np.ndarray]:
    channels = recipe.model.config.channels
    photos = load_images(
        sources, root, channels=channels, smallest=_PATCH, exclude=recipe.data.exclude
    )
    if not photos:
        raise RecipeError(root, f"has no photo of {_PATCH} pixels", "give larger ones")
    return photos
