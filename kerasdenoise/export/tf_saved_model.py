"""The SavedModel of a network, for servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

# A tensor of TensorFlow, of which there are no types.
Tensor = Any


def write_tf_saved_model(denoiser: keras.Model, folder: Path, stride: int, halo: int) -> None:
    """Writes a SavedModel with two signatures.

    `serving_default` takes float32 images as the network does, nominally in [0, 1], sides
    multiples of the stride, and gives them as they come, not clipped.

    `image_bytes` takes pictures of any size as files have them: a vector `image_bytes` of the
    content of JPEG, PNG, BMP or GIF files. It gives a vector `denoised_bytes` of PNG files of
    8 bits; TensorFlow Serving carries both as base64 because of their names. Turns that a file
    asks for, its color profile and its transparency are left out. A network that is told the
    level of the noise takes `sigma` as well, one number on the [0, 1] scale for each picture. A
    network of gray images is applied to each of red, green and blue.

    Args:
        denoiser: A functional model of images (batch, height, width, channels).
        folder: The SavedModel's folder.
        stride: What height and width are multiples of.
        halo: How many pixels of reflection a picture is continued by on each side, a multiple of
            the stride, so that its borders are denoised as well as the rest.
    """
    several = isinstance(denoiser.input, list)

    def denoise_images(*images: Tensor) -> Tensor:
        return denoiser(list(images) if several else images[0], training=False)

    def denoise_files(contents: Tensor, *sigma: Tensor) -> dict[str, Tensor]:
        return _denoise_files(denoiser, (stride, halo), contents, *sigma)

    images = [
        tf.TensorSpec((None, *tensor.shape[1:]), tf.float32, tensor.name)
        for tensor in denoiser.inputs
    ]
    told = [tf.TensorSpec(None, tf.float32, "sigma")] if len(denoiser.inputs) > 1 else []
    files = [tf.TensorSpec(None, tf.string, "image_bytes"), *told]
    # Not by `keras.export.ExportArchive`, which writes all weights twice.
    module = tf.Module()
    module.weights = [variable.value for variable in denoiser.variables]
    signatures = {
        "serving_default": tf.function(denoise_images, images, autograph=False),
        "image_bytes": tf.function(denoise_files, files, autograph=False),
    }
    tf.saved_model.save(module, folder, signatures)


def _denoise_files(
    denoiser: keras.Model,
    margin: tuple[int, int],
    contents: Tensor,
    sigma: Tensor | None = None,
) -> dict[str, Tensor]:
    # One after the other: they may differ in size.
    shape = tf.shape(contents)
    sigmas = tf.broadcast_to(0.0 if sigma is None else sigma, shape)
    denoised = tf.map_fn(
        lambda each: _denoise_file(denoiser, *margin, *each),
        (tf.reshape(contents, (-1,)), tf.reshape(sigmas, (-1,))),
        fn_output_signature=tf.string,
        parallel_iterations=1,
    )
    return {"denoised_bytes": tf.reshape(denoised, shape)}


def _denoise_file(
    denoiser: keras.Model, stride: int, halo: int, content: Tensor, sigma: Tensor
) -> Tensor:
    pixels = tf.io.decode_image(content, 3, expand_animations=False)
    pixels.set_shape((None, None, 3))
    height, width = tf.unstack(tf.shape(pixels)[:2])
    for axis in (0, 1):
        pixels = _continue(pixels, axis, stride, halo)
    noisy = tf.cast(pixels, tf.float32)[tf.newaxis] / 255
    gray = denoiser.inputs[0].shape[-1] == 1
    if gray:
        noisy = tf.transpose(noisy, (3, 1, 2, 0))
    given = noisy
    if len(denoiser.inputs) > 1:
        given = [noisy, tf.fill(tf.shape(noisy[..., :1]), sigma)]
    denoised = denoiser(given, training=False)
    if gray:
        denoised = tf.transpose(denoised, (3, 1, 2, 0))
    inner = denoised[0, halo : halo + height, halo : halo + width]
    values = tf.round(255 * tf.clip_by_value(inner, 0, 1))
    return tf.io.encode_png(tf.cast(values, tf.uint8))


def _continue(pixels: Tensor, axis: int, stride: int, halo: int) -> Tensor:
    """Continues an image by its reflection, as `inference.tiles.reflect` does."""
    size = tf.shape(pixels)[axis]
    period = tf.maximum(2 * (size - 1), 1)
    folded = tf.range(-halo, -(-size // stride) * stride + halo) % period
    index = tf.minimum(tf.minimum(folded, period - folded), size - 1)
    return tf.gather(pixels, index, axis=axis)
