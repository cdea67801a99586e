"""Training of a network by what a better one makes of the same noisy picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import l2
from kerasdenoise.models import get_parts
from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.initial_weights import load_source, read_source
from kerasdenoise.training.network import build_network
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.supervised import Supervised

_EPSILON = 1e-6


class Teacher:
    """A network whose results another one learns from.

    What no network can know of the clean picture is most of a denoiser's error, and differs from
    patch to patch: it makes the gradient unsteady, and teaches nothing. The teacher's result lacks
    it. As far as the teacher gives the clean picture's mean, given the noisy one, both have the
    same least squared error in the mean (Hinton et al., "Distilling the knowledge in a neural
    network", 2015, has the idea for classes).

    It sees each batch flipped and turned in one of eight ways, at random. So what is learned is
    the mean of its results for all eight, which is better than any of them: a network may even
    learn from itself (Timofte et al., "Seven ways to improve example-based single image super
    resolution", CVPR 2016, take that mean when the network is used).

    It is no Keras layer, and so no part of what is trained and kept.

    Args:
        network: Takes what the learning network takes.
    """

    def __init__(self, network: keras.Model) -> None:
        self._network = network

    def __call__(
        self, inputs: Tensor | Sequence[Tensor], seed: keras.random.SeedGenerator
    ) -> Tensor:
        """Returns the result, clipped, of which there is no gradient.

        Args:
            inputs: Square noisy patches (batch, side, side, channels), and what else the
                network takes.
            seed: Draws the turn.
        """
        where, swapaxes, flip = keras.ops.where, keras.ops.swapaxes, keras.ops.flip
        swap, rows, columns = keras.ops.unstack(
            keras.random.randint((3,), 0, 2, dtype="int32", seed=seed) > 0
        )

        def turn(values: Tensor) -> Tensor:
            values = where(swap, swapaxes(values, 1, 2), values)
            values = where(rows, flip(values, 1), values)
            return where(columns, flip(values, 2), values)

        def turn_back(values: Tensor) -> Tensor:
            values = where(columns, flip(values, 2), values)
            values = where(rows, flip(values, 1), values)
            return where(swap, swapaxes(values, 1, 2), values)

        denoised = self._network(keras.tree.map_structure(turn, inputs), training=False)
        return keras.ops.stop_gradient(keras.ops.clip(turn_back(denoised), 0, 1))


class Distillation(Supervised):
    """Trains a network for the clean picture, by way of a teacher's results.

    A recipe asks for it by naming a `teacher`.

    Args:
        *args: What `Task` takes.
        teacher: Takes noisy images alone; or, where the network estimates the noise level, what
            its denoising half is told.
        **kwargs: What `Task` takes.
    """

    def __init__(self, *args: Any, teacher: Teacher, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._teacher = teacher

    @classmethod
    def is_meant_by(cls, recipe: Recipe) -> bool:
        """Whether a recipe names a teacher."""
        return bool(recipe.model.teacher)

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses what a teacher's results cannot be learned from."""
        plan = recipe.optimization
        does_not_fit = (
            (plan.objective != cls.objective, f"has the objective {plan.objective!r}"),
            (plan.loss != "psnr", f"has the loss {plan.loss!r}, where a teacher's is 'psnr'"),
        )
        for is_so, why in does_not_fit:
            if is_so:
                raise RecipeError(
                    f"teacher {recipe.model.teacher!r}",
                    f"cannot teach a network that {why}",
                    "change one of them",
                )

    @classmethod
    def make(cls, recipe: Recipe, noise: Noise, **parts: Any) -> Self:
        """Makes the task, with the teacher that its recipe names."""
        return super().make(recipe, noise, teacher=load_teacher(recipe), **parts)

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what `Task` does, and as `taught` what the teacher makes of it."""
        seen = super().call(clean, training)
        given = seen.get("told", seen["noisy"])
        return {**seen, "taught": self._teacher(given, self.seed_generator)}

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Compares with the teacher; there is no other target."""
        return compare_with_teacher(seen)


def load_teacher(recipe: Recipe) -> Teacher:
    """Loads what a recipe's network learns from, to compute in the same precision.

    Raises:
        RecipeError: If it is a run that cannot be read, of integers, or takes other inputs.
        ModelError: If it is neither run nor model, or one that is damaged.
    """
    source = recipe.model.teacher
    given = load_source(source)
    config = recipe.model.config
    if len(given.inputs) > 1 or given.input.shape[-1] != config.channels:
        raise RecipeError(
            f"teacher {source!r}",
            "does not take a noisy image alone, of as many channels as this network",
            "name a network that does",
        )
    taught_by = read_source(source).model
    if taught_by.quantization_aware:
        raise RecipeError(
            f"teacher {source!r}",
            "was trained with 8-bit integers",
            "name the one that it imitates",
        )
    network = build_network(taught_by, recipe.model.dtype)
    network.set_weights(given.get_weights())
    if getattr(config, "estimates_level", False):
        noise_level, _, tile = get_parts(network)
        if noise_level is None:
            raise RecipeError(
                f"teacher {source!r}",
                "does not go by a level of the noise, as this network does",
                "name one that estimates it too, or write estimates_level = false",
            )
        network = tile
    return Teacher(network)


def compare_with_teacher(seen: dict[str, Tensor]) -> Tensor:
    """Returns the mean over patches of the squared difference from what a teacher gives.

    Each counts by the inverse of its squared error against the clean picture, which makes the
    gradient that of decibels: the same as of the loss `psnr`, less what the teacher cannot know.

    Args:
        seen: `target`, the clean picture; `taught`, the teacher's result; and `denoised`.
    """
    own = keras.ops.stop_gradient(l2(seen["target"], seen["denoised"]))
    return keras.ops.mean(l2(seen["taught"], seen["denoised"]) / (own + _EPSILON))
