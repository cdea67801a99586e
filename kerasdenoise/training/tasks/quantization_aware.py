"""Training of a network in 8-bit integers to give what the same network gives in floats."""

from __future__ import annotations

from typing import Any, Self

import keras

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.errors import RecipeError
from kerasdenoise.models._parts import copy_weights, use_precision
from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.fake_quantization import build_rounded, set_scales
from kerasdenoise.training.initial_weights import set_initial_weights
from kerasdenoise.training.network import build_network
from kerasdenoise.training.noise_level import Caller
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.distillation import compare_with_teacher
from kerasdenoise.training.tasks.supervised import Supervised

# Batches that the first scales are set by.
_BATCHES = 8


class QuantizationAware(Supervised):
    """Trains a rounded network to imitate the one it was made of.

    What integers lose is small beside what any network leaves of the noise. Compared with the
    clean image it would be lost in that; compared with what floats make of the same picture,
    it is all that is seen. That also keeps the network's other properties, such as its tone.

    A recipe asks for it by `quantization_aware = true`.

    Args:
        *args: What `Task` takes; `denoiser` is the rounded network.
        imitated: The network in floats, which is not trained.
        **kwargs: What `Task` takes.
    """

    def __init__(self, *args: Any, imitated: keras.Model, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.imitated = imitated
        self.imitated.trainable = False

    @classmethod
    def is_meant_by(cls, recipe: Recipe) -> bool:
        """Whether a recipe says `quantization_aware = true`."""
        return recipe.model.quantization_aware

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses what has nothing to imitate in integers, or could not hold them."""
        plan = recipe.optimization
        if recipe.model.teacher:
            raise RecipeError(
                f"teacher {recipe.model.teacher!r}",
                "cannot teach a network that imitates what it starts from",
                "change one of them",
            )
        if not recipe.model.initial_weights:
            raise RecipeError(
                "quantization_aware = true",
                "has no float network to imitate",
                'write [model] initial_weights = "RUN", with the run that trained it',
            )
        if recipe.model.dtype != "float32":
            raise RecipeError(
                f"dtype {recipe.model.dtype!r}",
                "rounds by itself, where integers have their own rounding",
                'write dtype = "float32", or quantization_aware = false',
            )
        if plan.objective != cls.objective:
            raise RecipeError(
                f"objective {plan.objective!r}",
                "has a target of its own, but an integer network imitates the float network",
                f'write objective = "{cls.objective}"',
            )
        if plan.loss != "psnr":
            raise RecipeError(
                f"loss {plan.loss!r}",
                "cannot compare an integer network with its float network",
                'write loss = "psnr"',
            )

    @classmethod
    def make_denoiser(cls, recipe: Recipe, dtype: str | None = None) -> keras.Model:
        """Builds the rounded network."""
        with use_precision(dtype or recipe.model.dtype):
            return build_rounded(recipe.model.architecture, recipe.model.config)

    @classmethod
    def make(cls, recipe: Recipe, noise: Noise, **parts: Any) -> Self:
        """Makes the task, with the network in floats."""
        return super().make(recipe, noise, imitated=build_network(recipe.model), **parts)

    def make_caller(self) -> Caller:
        """Has the rounded network given pictures alone, also where it estimates the noise level."""
        return Caller(self.denoiser, self.seed_generator)

    @property
    def networks(self) -> dict[str, keras.Model]:
        """Both networks, of which one is not trained, but may not be there any more later on."""
        return {**super().networks, "imitated": self.imitated}

    def start(self, recipe: Recipe, sampler: PatchSampler) -> None:
        """Gives both networks the weights that the recipe names, and scales that fit them."""
        set_initial_weights(self.imitated, recipe)
        copy_weights(self.imitated, self.denoiser)
        noisy = [self(sampler.batch_of(step))["inputs"] for step in range(_BATCHES)]
        set_scales(self.denoiser, noisy)

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what `Task` does, and as `taught` what the floats make of it."""
        noisy, target, _ = self._crop(*self.draw(clean))
        # As pictures have it: integers hold nothing else.
        noisy = keras.ops.round(255 * keras.ops.clip(noisy, 0, 1)) / 255
        return {
            "inputs": noisy,
            "target": target,
            "denoised": self.denoiser(noisy, training=training),
            "taught": keras.ops.clip(self.imitated(noisy, training=False), 0, 1),
        }

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Compares with the floats; there is no other target."""
        return compare_with_teacher(seen)
