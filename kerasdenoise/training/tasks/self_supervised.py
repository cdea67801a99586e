"""What tasks have in common that learn from noisy images alone."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.noise import Mixture, Noise, Own
from kerasdenoise.noise.own import Reach
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.noise_level import Caller
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.task import Example, Split, Task

# Of each cell of so many pixels a side, the network does not see one; of noise that pixels share,
# all in these units.
CELL = 4


class SelfSupervised(Task):
    """Makes input and target of the same noisy image, by `split`.

    The noise of the two must be independent, and its mean zero. Then the squared error from the
    noisy target is that from the clean one plus the noise's variance, which no network changes
    (Batson and Royer, "Noise2Self: blind denoising by self-supervision", ICML 2019).

    Photos that are noisy already have the noise `own`; another kind of noise is added to clean ones
    first, which shows what a task could learn.
    """

    has_clean_target = False
    needs_clean = False

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses losses of which the noise in the target moves the optimum."""
        del noise
        loss = recipe.optimization.loss
        if loss != "l2":
            raise RecipeError(
                f"loss {loss!r}",
                f"does not learn the mean of noisy targets, which objective {cls.objective!r} has",
                'write loss = "l2"',
            )
        if recipe.model.config.noise_level:
            raise RecipeError(
                f"objective {cls.objective!r}",
                "cannot tell the network the level of the noise, which nobody knows",
                "write noise_level = false",
            )

    @staticmethod
    def split(noisy: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)) -> Split:
        """Hides pixels, and compares there; see `hide_pixels`."""
        return hide_pixels(noisy, seed, reach)

    def make_caller(self) -> Caller:
        """Has the network given images alone, also where it estimates the noise level."""
        return Caller(self.denoiser, self.seed_generator)

    def draw(self, clean: Tensor) -> Example:
        """Corrupts clean patches, or takes noisy ones as they are, and splits them."""
        noisy, target, _ = self._split(self._noise(clean, self.seed_generator))
        return Example(noisy, target, noisy)

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what `Task` does, and as `weight` where it is compared."""
        (noisy,) = self._crop(self._noise(clean, self.seed_generator))
        noisy, target, weight = self._split(noisy)
        called = self._call_denoiser(noisy, noisy, training)
        return {"noisy": noisy, "target": target, "weight": weight, **called}

    def _split(self, noisy: Tensor) -> Split:
        return self.split(noisy, self.seed_generator, find_reach(self._noise))

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Returns the mean squared error where the weight is not 0."""
        weight = seen["weight"]
        compared = keras.ops.where(weight > 0, seen["denoised"], seen["target"])
        error = keras.ops.mean(self._image_loss(seen["target"], compared))
        return error / keras.ops.mean(weight)


def find_reach(noise: Noise) -> Reach:
    """Returns over how many pixels a recipe says that noise is shared."""
    parts = noise.noises if isinstance(noise, Mixture) else (noise,)
    return next((part.reach for part in parts if isinstance(part, Own)), (0, 0))


def hide_pixels(noisy: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)) -> Split:
    """Hides one pixel of each cell of 4x4, at a place drawn for the batch, and compares there.

    What shares its noise with a pixel is hidden as well, and cells are larger by as much: Broaddus
    et al., "Removing structured noise with self-supervised blind-spot networks", ISBI 2020. Hidden
    pixels become a mean of the nearest that are seen.

    Args:
        noisy: Float32 images (batch, height, width, channels).
        seed: Where random numbers come from.
        reach: Over how many pixels noise is shared.
    """
    ops = keras.ops
    lengths = noisy.shape[1:3]
    axes = [_hide(length, each, seed) for length, each in zip(lengths, reach, strict=True)]
    hidden, compared = (
        ops.logical_and(ops.reshape(down, (1, -1, 1, 1)), ops.reshape(across, (1, 1, -1, 1)))
        for down, across in zip(*axes, strict=True)
    )
    is_seen = ops.cast(ops.logical_not(hidden), noisy.dtype) * ops.ones_like(noisy[..., :1])
    total, share = noisy * is_seen, is_seen
    for axis, each in enumerate(reach, 1):
        total, share = (_sum_near(images, axis, each or 0) for images in (total, share))
    seen = ops.where(hidden, total / ops.maximum(share, 1e-6), noisy)
    return Split(seen, noisy, ops.cast(compared, noisy.dtype) * ops.ones_like(noisy))


def _hide(
    length: int, reach: int | None, seed: keras.random.SeedGenerator
) -> tuple[Tensor, Tensor]:
    """Says of each place along an axis whether it is hidden, and whether it is compared."""
    ops = keras.ops
    if reach is None:
        return ops.ones((length,), "bool"), ops.ones((length,), "bool")
    cell = CELL * (reach + 1)
    place = keras.random.randint((), 0, cell, dtype="int32", seed=seed)
    behind = (ops.arange(length, dtype="int32") - place) % cell
    return ops.minimum(behind, cell - behind) <= reach, ops.equal(behind, 0)


def _sum_near(images: Tensor, axis: int, reach: int) -> Tensor:
    """Sums along an axis what lies near, the nearer the more: by weights 1, 2, 1 for reach 0."""
    ops = keras.ops
    far = reach + 1
    padding = [[0, 0] for _ in images.shape]
    padding[axis] = [far, far]
    padded, length = ops.pad(images, padding), images.shape[axis]
    return sum(
        (far + 1 - abs(i - far)) * padded[(*[slice(None)] * axis, slice(i, i + length))]
        for i in range(2 * far + 1)
    )
