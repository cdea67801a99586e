"""The steps of a denoising diffusion implicit model, and how noisy a picture is at each."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor

# Of a hash: the prime, below 2^12 and not 1 more than a multiple of 3, and two factors below it.
_PRIME = 4091
HIGHEST_SEED = _PRIME - 1
_FACTORS = (1597.0, 2221.0)
# Values of pixels beyond this are taken for it, so that their 255ths fit below the prime.
_FARTHEST = 7.0

# Less noise is none: of it there is no share to take away.
_FAINT = 1e-4


@keras.saving.register_keras_serializable("kerasdenoise")
class AngleLevels(keras.layers.Layer):
    """Divides the way from a level of noise to none into steps of equal angle.

    A picture of standard deviation `spread` and white noise of standard deviation sigma make up a
    right triangle, of which the angle is atan(sigma / spread). It is 0 without noise and 90 degrees
    with nothing else. Equal angles are the cosine schedule of diffusion models (Nichol and
    Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021): the rates of signal
    and noise are cosine and sine. There the way starts at noise alone; here at the picture's own
    noise.

    Args:
        steps: The number of steps.
        spread: What is taken for the standard deviation of pictures, on the [0, 1] scale.

    Call arguments:
        noise_level: sigma, on the same scale, (batch, height, width, 1).

    Returns:
        sigma at the start of each step, and of an end of which nothing is left, float32 (batch,
        height, width, `steps` + 1).

    Raises:
        ModelError: If a setting is not above 0.
    """

    def __init__(self, steps: int, spread: float = 0.25, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if min(steps, spread) <= 0:
            raise ModelError(
                f"sampler of steps={steps}, spread={spread:g}",
                "has a setting that is not above 0",
                "give positive numbers",
            )
        self.steps = steps
        self.spread = spread

    def call(self, noise_level: Tensor) -> Tensor:
        """Returns the levels."""
        ops = keras.ops
        sigma = ops.maximum(noise_level, _FAINT)
        shares = 1 - ops.arange(1, self.steps, dtype=sigma.dtype) / self.steps
        angles = ops.arctan2(sigma, self.spread * ops.ones_like(sigma)) * shares
        between = self.spread * ops.sin(angles) / ops.cos(angles)
        return ops.concatenate([sigma, between, ops.zeros_like(sigma)], axis=-1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the levels."""
        return (*shape[:-1], self.steps + 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "steps": self.steps, "spread": self.spread}


@keras.saving.register_keras_serializable("kerasdenoise")
class AngleEmbedding(keras.layers.Layer):
    """Writes the angle between picture and noise as sines and cosines of its multiples.

    A convolution tells levels apart by them that are close to each other (Vaswani et al.,
    "Attention is all you need", NeurIPS 2017, for positions).

    Args:
        size: How many numbers, even: half of them sines, half cosines.
        fastest: The largest multiple; the smallest is 1, and those between are spread evenly by
            their logarithms.

    Call arguments:
        angle: In radians, from 0 for no noise to pi/2 for noise alone, (batch, height, width, 1).

    Returns:
        The numbers, in [-1, 1], float32 (batch, height, width, `size`).

    Raises:
        ModelError: If a setting is out of range.
    """

    def __init__(self, size: int = 16, fastest: float = 64.0, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if size < 2 or size % 2 or not fastest >= 1:
            raise ModelError(
                f"embedding of size={size}, fastest={fastest:g}",
                "is not of an even size of 2 or more, and multiples of 1 or more",
                "give for example 16 and 64",
            )
        self.size = size
        self.fastest = fastest

    def call(self, angle: Tensor) -> Tensor:
        """Returns the numbers."""
        multiples = np.geomspace(1.0, self.fastest, self.size // 2)
        turns = angle * keras.ops.convert_to_tensor(multiples, angle.dtype)
        return keras.ops.concatenate([keras.ops.sin(turns), keras.ops.cos(turns)], axis=-1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the numbers."""
        return (*shape[:-1], self.size)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "size": self.size, "fastest": self.fastest}


@keras.saving.register_keras_serializable("kerasdenoise")
class DdimStep(keras.layers.Layer):
    """Replaces a part of a picture's noise by what a network takes for the clean picture.

    `clean + (next / level) * (u - clean)`: what the network takes for noise is scaled to the next
    level (Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, eq. 12, with the
    picture itself scaled to its signal's rate; here it never is). The result lies between `u` and
    `clean`, so that no step is too long.

    With `eta`, a share of the noise is drawn anew in place of scaled: `eta * next *
    sqrt(1 - next^2 / level^2)` in standard deviation, and the rest so that both together are as
    strong as `next`. At 1 that is the ancestral sampling of Ho et al., "Denoising diffusion
    probabilistic models", NeurIPS 2020.

    Args:
        eta: Share of the noise that is drawn anew, 0 to 1.

    Call arguments:
        u: The picture with noise, (batch, height, width, channels).
        clean: What a network takes for the picture without, of the same shape.
        levels: The standard deviation of the noise now and after the step, above 0 and no
            larger, (batch, height, width, 2).
        sample: Independent numbers of mean 0 and variance 1, of the shape of `u`; only with `eta`.

    Returns:
        The picture with less noise, float32 of the shape of `u`.

    Raises:
        ModelError: If `eta` is out of range.
        TypeError: If `sample` is missing.
    """

    def __init__(self, eta: float = 0.0, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if not 0 <= eta <= 1:
            raise ModelError(f"eta {eta:g}", "is not 0 to 1", "give 0 to draw no new noise")
        self.eta = eta

    def call(
        self, u: Tensor, clean: Tensor, levels: Tensor, sample: Tensor | None = None
    ) -> Tensor:
        """Takes the step."""
        self._require(sample)
        level, later = levels[..., :1], levels[..., 1:]
        share = later / level
        if not self.eta:
            return clean + share * (u - clean)
        drawn = self.eta * later * keras.ops.sqrt(keras.ops.maximum(1 - share * share, 0.0))
        kept = keras.ops.sqrt(keras.ops.maximum(keras.ops.square(later) - drawn * drawn, 0.0))
        return clean + kept / level * (u - clean) + drawn * sample

    def compute_output_shape(self, u_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `u`."""
        return u_shape

    def compute_output_spec(
        self, u: Tensor, clean: Tensor, levels: Tensor, sample: Tensor | None = None
    ) -> keras.KerasTensor:
        """Returns the result of `call` as a symbol."""
        del clean, levels
        self._require(sample)
        return keras.KerasTensor(u.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "eta": self.eta}

    def _require(self, sample: Tensor | None) -> None:
        if self.eta and sample is None:
            raise TypeError(f"{self.name}: draws new noise; give sample=...")


@keras.saving.register_keras_serializable("kerasdenoise")
class ContentNoise(keras.layers.Layer):
    """Makes noise that looks random, and is the same wherever the same pixels are.

    A sampler needs new noise in each step. Drawn for a tile, it would be other noise in another
    tile, and show seams. So the noise is computed from the pixels: the last bits of a noisy
    picture are random already, and a hash of the pixel and its four neighbors spreads them. The
    same picture has the same noise, in whatever tiles and on whatever device.

    The hash takes whole numbers one after the other, `h <- (h * factor + number)^3 mod 4091`: both
    steps only change the order of 0 to 4090, and all products are below 2^24, so that float32 holds
    them exactly. Two such hashes make a normal number (Box and Muller, "A note on the generation of
    random normal deviates", 1958), of at most 4.2 in size. Where all pixels are equal, so is the
    noise; but there a picture has no noise to be replaced.

    Args:
        maps: Independent maps of noise.
        seed: 0 to 4090; another one gives other noise.

    Call arguments:
        image: (batch, height, width, channels), nominally in [0, 1], rounded to 255ths.
        seed: A seed to use instead of the layer's own, rounded to a whole number,
            (batch or 1, 1, 1, 1).

    Returns:
        Numbers of mean 0 and variance 1, float32 (batch, height, width, `maps`), without a
        gradient.

    Raises:
        ModelError: If a setting is out of range.
    """

    def __init__(self, maps: int, seed: int = 0, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if maps < 1 or not 0 <= seed <= HIGHEST_SEED:
            raise ModelError(
                f"noise of {maps} maps and seed {seed}",
                "is out of range",
                f"give one map or more, and a seed of 0 to {HIGHEST_SEED}",
            )
        self.maps = maps
        self.seed = seed

    def call(self, image: Tensor, seed: Tensor | None = None) -> Tensor:
        """Returns the noise."""
        ops = keras.ops
        image = ops.cast(ops.stop_gradient(image), "float32")
        image = ops.clip(image, -_FARTHEST, _FARTHEST)
        here = ops.round(image * 255.0) + 2000.0  # above 0
        wide = ops.pad(here, ((0, 0), (1, 1), (1, 1), (0, 0)))
        neighbors = (wide[:, :-2, 1:-1], wide[:, 2:, 1:-1], wide[:, 1:-1, :-2], wide[:, 1:-1, 2:])
        start = ops.full_like(here[..., :1], float(self.seed))
        if seed is not None:
            given = ops.clip(ops.round(ops.cast(seed, "float32")), 0.0, float(HIGHEST_SEED))
            start = ops.zeros_like(start) + given
        uniform = []
        for factor in _FACTORS:
            hashed = start
            for pixels in (here, *neighbors):
                for channel in range(image.shape[-1]):
                    hashed = _take_in(pixels[..., channel : channel + 1], hashed, factor)
            found = []
            for number in range(self.maps):
                hashed = _take_in(number + 1.0, hashed, factor)
                found.append(hashed)
            uniform.append((ops.concatenate(found, axis=-1) + 0.5) / float(_PRIME))
        return ops.sqrt(-2.0 * ops.log(uniform[0])) * ops.cos(2 * math.pi * uniform[1])

    def compute_output_shape(self, image_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the noise."""
        return (*image_shape[:-1], self.maps)

    def compute_output_spec(self, image: Tensor, seed: Tensor | None = None) -> keras.KerasTensor:
        """Returns the result of `call` as a symbol."""
        del seed
        return keras.KerasTensor(self.compute_output_shape(image.shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "maps": self.maps, "seed": self.seed}


def _take_in(number: Tensor | float, hashed: Tensor, factor: float) -> Tensor:
    """Mixes a whole number below the prime into a hash."""
    # As a tensor: a plain number would be rounded to `floatx` on PyTorch.
    prime = keras.ops.convert_to_tensor(_PRIME, "float32")
    mixed = keras.ops.mod(hashed * factor + number, prime)
    return keras.ops.mod(mixed * keras.ops.mod(mixed * mixed, prime), prime)
