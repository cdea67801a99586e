"""One diffusion step along trained filters, with a reaction towards the noisy image."""

from __future__ import annotations

from typing import Any, cast

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class ReactionDiffusionStep(keras.layers.Layer):
    """Subtracts a flux of an image's responses to trained filters.

        u - c * sum over i of k_i^T * phi_i((k_i * u) / c) - alpha * (u - noisy)

    with the contrast c, and the flux phi of another layer: trainable nonlinear reaction
    diffusion (Chen and Pock, "Trainable nonlinear reaction diffusion", IEEE TPAMI 2017). With
    the differences to two neighbors as filters, it is a step of Perona and Malik's diffusion.

    Each k_i has zero mean, so that brightness does not count and a flat image stays unchanged.
    k_i^T is its adjoint: the same kernel rotated by 180 degrees. Borders are replicated for the
    responses, and fluxes beyond them are dropped, so that, unlike in `DiffusionStep`, a little
    may flow over a border. The paper mirrors borders, normalizes filters to unit length, and has
    no contrast.

    Filters start as those of the discrete cosine transform, with length 1 and the lowest
    frequencies first, as in the paper; any more filters start at random. The sum is divided by
    size^2 and multiplied by `strength`: with all filters of the transform, phi(s) = s and a
    strength of 1, the step is a moving average.

    Args:
        filters: Number of filters.
        size: Height and width of the filters, odd.
        flux: The layer that maps responses to fluxes, both (batch, height, width, filters).
        strength: The initial share of the flux.
        reaction: The initial value of the trained alpha, or None for no reaction.

    Call arguments:
        u: The image, (batch, height, width, channels).
        contrast: c, above 0, a number, or (batch, height, width, 1) for one at each pixel.
        noisy: The image that the reaction pulls towards, of the shape of `u`.

    Returns:
        The image after the step, of the shape of `u`, float32.

    Raises:
        ModelError: If there is no filter, or `size` is not odd and above 1.
        TypeError: If a call argument is missing.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        flux: keras.layers.Layer,
        strength: float = 0.5,
        reaction: float | None = 0.05,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if filters < 1 or size < 3 or size % 2 == 0:
            raise ModelError(
                f"diffusion along {filters} filters of {size}x{size} pixels",
                "has no filter, or none with a center and a neighbor",
                "give 1 or more filters, and a size of 3, 5, 7 ...",
            )
        self.filters = filters
        self.size = size
        self.flux = flux
        self.strength = strength
        self.reaction = reaction

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the filters, the flux's weights and alpha."""
        self._channels = cast(int, shape[-1])
        start = _start(self.size, self._channels, self.filters)
        self.kernel = self.add_weight(
            start.shape,
            lambda shape, dtype=None: keras.ops.convert_to_tensor(start, dtype),
            name="kernel",
        )
        self.flux.build((*shape[:-1], self.filters))
        if self.reaction is not None:
            self._alpha = self.add_weight(
                (), keras.initializers.Constant(self.reaction), name="alpha"
            )
        self.built = True

    def call(
        self, u: Tensor, contrast: Tensor | float | None = None, noisy: Tensor | None = None
    ) -> Tensor:
        """Takes the step."""
        self._require(contrast, noisy)
        ops = keras.ops
        kernel = self.kernel - ops.mean(self.kernel, axis=(0, 1), keepdims=True)
        # Rotated by 180 degrees, from filters to channels.
        adjoint = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
        adjoint = adjoint * (self.strength / self.size**2)
        wide = _replicate(u, self.size // 2)
        if isinstance(contrast, float):
            # Folded into the kernels, at no cost per pixel.
            fluxes = ops.cast(self.flux(_convolve(wide, kernel / contrast, "valid")), u.dtype)
            adjoint = adjoint * contrast
        else:
            responses = _convolve(wide, kernel, "valid")
            fluxes = ops.cast(self.flux(responses / contrast), u.dtype) * contrast
        u_next = u - _convolve(fluxes, adjoint, "same")
        if self.reaction is not None:
            u_next = u_next - self._alpha * (u - noisy)
        return u_next

    def mac_per_position(self) -> int:
        """Counts the multiplications for each pixel: with the filters, twice, and in the flux."""
        filters = self.size**2 * self._channels * self.filters
        return 2 * filters + self.flux.mac_per_position()

    def compute_output_shape(self, u_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `u`."""
        return u_shape

    def compute_output_spec(
        self, u: Tensor, contrast: Tensor | float | None = None, noisy: Tensor | None = None
    ) -> keras.KerasTensor:
        """Returns the result of `call` as a symbol, with the same checks."""
        self._require(contrast, noisy)
        return keras.KerasTensor(u.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "size": self.size,
            "flux": keras.saving.serialize_keras_object(self.flux),
            "strength": self.strength,
            "reaction": self.reaction,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ReactionDiffusionStep:
        """Creates the layer and its flux."""
        # Not built yet: its weights get their paths from this layer's `build`.
        flux = {key: value for key, value in config["flux"].items() if key != "build_config"}
        return cls(**{**config, "flux": keras.saving.deserialize_keras_object(flux)})

    def _require(self, contrast: Tensor | float | None, noisy: Tensor | None) -> None:
        # With another signature, Keras would replace this error by its own.
        if contrast is None:
            raise TypeError(f"{self.name}: called without contrast; give contrast=...")
        if self.reaction is not None and noisy is None:
            raise TypeError(f"{self.name}: a reaction needs the noisy image; give noisy=...")


def _convolve(image: Tensor, kernel: Tensor, padding: str) -> Tensor:
    return keras.ops.conv(image, kernel, padding=padding, data_format="channels_last")


def _replicate(image: Tensor, margin: int) -> Tensor:
    """Repeats the outermost pixels. Unlike mirror padding, slices work for any size."""
    for axis in (1, 2):
        first, last = (
            (image[:, :1], image[:, -1:]) if axis == 1 else (image[:, :, :1], image[:, :, -1:])
        )
        image = keras.ops.concatenate([*[first] * margin, image, *[last] * margin], axis=axis)
    return image


def _start(size: int, channels: int, filters: int) -> np.ndarray:
    """Returns the initial filters, (size, size, channels, filters)."""
    rows, colors = _cosines(size), _cosines(channels)
    frequencies = sorted(
        (color, row**2 + column**2, row, column)
        for row in range(size)
        for column in range(size)
        for color in range(channels)
        if row or column
    )
    starts = [
        rows[row][:, np.newaxis, np.newaxis] * rows[column][:, np.newaxis] * colors[color]
        for color, _, row, column in frequencies[:filters]
    ]
    rng = np.random.default_rng(0)
    for _ in range(filters - len(starts)):
        random = rng.normal(size=(size, size, channels))
        starts.append(random / np.linalg.norm(random))
    return np.stack(starts, axis=-1)


def _cosines(size: int) -> np.ndarray:
    """The orthonormal cosines of a size, one per row."""
    places = np.arange(size)
    cosines = np.cos(np.pi * (2 * places + 1) * places[:, np.newaxis] / (2 * size))
    return cosines / np.linalg.norm(cosines, axis=1, keepdims=True)
