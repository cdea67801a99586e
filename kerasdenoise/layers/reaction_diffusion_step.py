"""A step of trained reaction diffusion, and the fluxes that it may have."""

from __future__ import annotations

from typing import Any, cast

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor

# Initial coupling: this share of a filter's measure is the mean over all filters.
_SHARED = 0.3


@keras.saving.register_keras_serializable("kerasdenoise")
class P1Flux(keras.layers.Layer):
    """Returns a flux phi(s) for each filter's response s: an odd P1 function per filter.

    The knots are at 0 and at t_j = j * reach / pieces, j = 1 ... pieces, on either side. The
    function is 0 at 0 and has the trained values v_j at t_j and -v_j at -t_j; it is linear
    between and constant beyond. It is evaluated as a sum of clipped identities,

        phi(s) = sum over j of (m_j - m_(j+1)) * min(max(s, -t_j), t_j),

    with the slopes m_j of the pieces and m_(pieces+1) = 0: a few simple operations for each knot,
    where looking up a piece would need a gather. Trainable nonlinear reaction diffusion (Chen
    and Pock, IEEE TPAMI 2017) uses sums of 63 Gaussian bells instead.

    Training starts from Perona and Malik's s / (1 + s^2) at the knots.

    Args:
        pieces: Number of pieces on each side of 0.
        reach: The last knot, above 0.

    Call arguments:
        responses: s, in units of the contrast, (batch, height, width, filters).

    Returns:
        phi(s), of the shape of `responses`.

    Raises:
        ModelError: If there is no piece or `reach` is not above 0.
    """

    def __init__(self, pieces: int = 6, reach: float = 4.5, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if pieces < 1 or not reach > 0:
            raise ModelError(
                f"P1 flux of {pieces} pieces up to {reach:g}",
                "has no piece",
                "give 1 or more, and a reach above 0",
            )
        self.pieces = pieces
        self.reach = reach

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the values at the knots."""
        knots = self._knots()
        start = np.tile((knots / (1 + knots**2))[:, np.newaxis], cast(int, shape[-1]))
        self.values = self.add_weight(
            start.shape,
            lambda shape, dtype=None: keras.ops.convert_to_tensor(start, dtype),
            name="values",
        )

    def call(self, responses: Tensor) -> Tensor:
        """Returns the fluxes."""
        ops = keras.ops
        ends = ops.concatenate([0 * self.values[:1], self.values], axis=0)
        slopes = (ends[1:] - ends[:-1]) * (self.pieces / self.reach)
        bends = slopes - ops.concatenate([slopes[1:], 0 * slopes[:1]], axis=0)
        flux = 0.0
        for number, knot in enumerate(self._knots().tolist()):
            # Not by clip: under PyTorch it rounds its limits to the floatx of keras.json.
            flux = flux + bends[number] * ops.minimum(ops.maximum(responses, -knot), knot)
        return flux

    def mac_per_position(self) -> int:
        """Counts the multiplications for each pixel: one for each knot and filter."""
        return int(np.prod(self.values.shape))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `responses`."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "pieces": self.pieces, "reach": self.reach}

    def _knots(self) -> np.ndarray:
        return np.arange(1, self.pieces + 1) * (self.reach / self.pieces)


@keras.saving.register_keras_serializable("kerasdenoise")
class PeronaMalikFlux(keras.layers.Layer):
    """Returns a flux phi(s) for each filter's response s: large for noise, not for structure.

    It is a sum of Perona and Malik's second function ("Scale-space and edge detection using
    anisotropic diffusion", IEEE TPAMI 1990), with trained contrasts:

        phi_i(s) = s_i * sum over terms m of b_mi / (1 + e_mi),
        e_mi = w_mi^2 * s_i^2, or, if coupled, sum over filters j of w_mij^2 * s_j^2,

    so 1/w is the contrast. For one filter and one term this is their function itself. A coupled
    flux stops where any of its filters sees structure, just as their coefficient of the
    gradient's norm depends on both directions. In trainable nonlinear reaction diffusion (Chen
    and Pock, IEEE TPAMI 2017), each filter stops separately. Weights b below zero sharpen.

    The first term starts at b = 1 with contrasts of about 1, each further one at b = 0 with a
    contrast twice as large.

    Args:
        terms: Number of functions in the sum.
        coupled: Whether filters depend on each other.

    Call arguments:
        responses: s, in units of the contrast, (batch, height, width, filters).

    Returns:
        phi(s), of the shape of `responses`; its size is at most
        sum over m of abs(b_mi) / (2 * w_mii).

    Raises:
        ModelError: If there is no term.
    """

    def __init__(self, terms: int = 1, coupled: bool = True, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if terms < 1:
            raise ModelError(f"flux of {terms} terms", "has none", "give 1 or more")
        self.terms = terms
        self.coupled = coupled

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the trained numbers."""
        filters = cast(int, shape[-1])
        shares = 4.0 ** -np.repeat(np.arange(self.terms), filters)
        if self.coupled:
            single = (1 - _SHARED) * np.eye(filters) + _SHARED / filters
            shares = shares * np.tile(single, self.terms)
        self._roots = self._add("roots", np.sqrt(shares).reshape(1, 1, -1, len(shares.T)))
        self._weights = self._add("weights", np.repeat(np.arange(self.terms) == 0, filters))
        self._size = filters
        self.built = True

    def call(self, responses: Tensor) -> Tensor:
        """Returns the fluxes."""
        squares, shares, size = (
            keras.ops.square(responses),
            keras.ops.square(self._roots),
            self._size,
        )
        coefficient = 0.0
        # Term by term, because splitting the result of all terms takes longer than computing it.
        for start in range(0, size * self.terms, size):
            term = slice(start, start + size)
            measure = self._measure(squares, shares[..., term])
            coefficient = coefficient + self._weights[term] / (1 + measure)
        return coefficient * responses

    def mac_per_position(self) -> int:
        """Counts the multiplications for each pixel, divisions not."""
        measures = self._size * (self._size if self.coupled else 1) * self.terms
        return 2 * self._size + measures

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `responses`."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "terms": self.terms, "coupled": self.coupled}

    def _measure(self, squares: Tensor, shares: Tensor) -> Tensor:
        if self.coupled:
            return keras.ops.conv(squares, shares, padding="same", data_format="channels_last")
        return squares * shares

    def _add(self, name: str, start: np.ndarray) -> Any:
        return self.add_weight(
            start.shape,
            lambda shape, dtype=None: keras.ops.convert_to_tensor(start, dtype),
            name=name,
        )


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
