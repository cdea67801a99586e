"""Training on noisy images alone, by comparing each pixel with one beside it."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.models._parts import NOISE_LEVEL, find_layers
from kerasdenoise.noise import Noise
from kerasdenoise.noise.own import Reach
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.self_supervised import SelfSupervised, find_reach
from kerasdenoise.training.tasks.task import Split

# Weight of the term that asks for the same difference between neighbors as in the whole image.
_GAMMA = 2.0

# Two pixels of a cell of 2x2, which are numbered row by row: beside each other, and above.
_BESIDE = ((0, 1), (1, 0), (2, 3), (3, 2))
_ABOVE = ((0, 2), (2, 0), (1, 3), (3, 1))


class Neighbor2Neighbor(SelfSupervised):
    """Makes two images of half the size of one, of neighboring pixels, and compares them.

    Their noise is independent and the scene nearly the same. What differs of it, the network would
    average; so the difference of its results must be that which it finds in the whole image
    (Huang et al., "Neighbor2Neighbor: self-supervised denoising from single noisy images", CVPR
    2021).

    Where pixels share their noise, the two are of pixels so far apart that they do not: of every
    third pixel for `own:2`. Of `own:columns`, the two are neighbors in a row, and the same for all
    cells of an image, so that columns stay columns. A part that estimates the noise level stays as
    it is: nobody knows that level.
    """

    objective = "neighbor2neighbor"

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses sides that are not whole after subsampling."""
        super().check(recipe, noise)
        multiple = 2 * max(find_steps(find_reach(noise))) * recipe.model.config.stride
        data, crop = recipe.data, recipe.validation.crop_size
        for name, side in (("patch_size", data.patch_size), ("crop_size", crop)):
            if side % multiple:
                raise RecipeError(
                    f"{name} {side}",
                    f"is no multiple of {multiple}, which objective {cls.objective!r} needs",
                    f"write {side + -side % multiple}",
                )

    @classmethod
    def make_denoiser(cls, recipe: Recipe, dtype: str | None = None) -> keras.Model:
        """Builds the network, of which an estimator of the noise level is not trained."""
        network = super().make_denoiser(recipe, dtype)
        for layer in find_layers(network):
            if layer.name == NOISE_LEVEL and isinstance(layer, keras.Model):
                layer.trainable = False
        return network

    @staticmethod
    def split(noisy: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)) -> Split:
        """Picks neighbors; see `pick_neighbors`."""
        first, second = pick_neighbors(noisy, seed, reach)
        return Split(first, second, keras.ops.ones_like(first))

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what `Task` does, and as `gap` the difference in the denoised whole image."""
        ops = keras.ops
        (noisy,) = self._crop(self._noise(clean, self.seed_generator))
        whole = self._call_denoiser(noisy, noisy, False)["denoised"]
        both = ops.concatenate([noisy, ops.stop_gradient(whole)], axis=-1)
        picked = pick_neighbors(both, self.seed_generator, find_reach(self._noise))
        (given, first), (target, second) = (ops.split(each, 2, axis=-1) for each in picked)
        called = self._call_denoiser(given, given, training)
        return {"noisy": given, "target": target, "gap": first - second, **called}

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Returns the squared difference, and how far it is from that in the whole image."""
        ops = keras.ops
        error = ops.mean(self._image_loss(seen["target"], seen["denoised"]))
        difference = seen["denoised"] - seen["target"]
        return error + _GAMMA * ops.mean(ops.square(difference - seen["gap"]))


def find_steps(reach: Reach) -> tuple[int, int]:
    """Returns how far apart two pixels lie down and across whose noise is independent.

    1 along lines that share their noise: no distance is enough.
    """
    down, across = (1 if each is None else each + 1 for each in reach)
    return down, across


def pick_neighbors(
    images: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)
) -> tuple[Tensor, Tensor]:
    """Picks two pixels with independent noise of each cell.

    Args:
        images: (batch, height, width, channels), sides multiples of twice what `find_steps` says.
        seed: Where random numbers come from.
        reach: Over how many pixels noise is shared.

    Returns:
        Two images of the same number of pixels.
    """
    ops, random = keras.ops, keras.random
    batch, height, width, channels = images.shape
    down, across = find_steps(reach)
    rows, columns = height // (2 * down), width // (2 * across)
    cells = ops.reshape(images, (batch, rows, 2, down, columns, 2, across, channels))
    # Every so manieth pixel, from any one.
    cells = ops.take(cells, random.randint((), 0, across, dtype="int32", seed=seed), axis=6)
    cells = ops.take(cells, random.randint((), 0, down, dtype="int32", seed=seed), axis=3)
    cells = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
    cells = ops.reshape(cells, (batch, rows, columns, 4, channels))
    pairs = (*_BESIDE, *_ABOVE)
    shape = (batch, rows, columns)
    if None in reach:
        pairs = _BESIDE if reach[0] is None else _ABOVE
        shape = (batch, 1, 1)
    chosen = random.randint(shape, 0, len(pairs), dtype="int32", seed=seed)
    weights = ops.one_hot(ops.take(ops.convert_to_tensor(pairs, "int32"), chosen, axis=0), 4)
    # (batch, rows, columns, two, four), times the four pixels of each cell.
    picked = ops.sum(weights[..., None] * cells[:, :, :, None], axis=4)
    return picked[:, :, :, 0], picked[:, :, :, 1]
