"""What tasks have in common that learn from noisy images alone."""

from __future__ import annotations

from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.noise import Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.noise_level import Caller
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.task import Example, Split, Task


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
                f"does not seek the mean of noisy targets, which objective {cls.objective!r} has",
                'write loss = "l2"',
            )
        if recipe.model.config.noise_level:
            raise RecipeError(
                f"objective {cls.objective!r}",
                "cannot tell the network the level of the noise, which nobody knows",
                "write noise_level = false",
            )

    def make_caller(self) -> Caller:
        """Has the network given images alone, also where it estimates the noise level."""
        return Caller(self.denoiser, self.seed_generator)

    def draw(self, clean: Tensor) -> Example:
        """Corrupts clean patches, or takes noisy ones as they are, and splits them."""
        noisy, target, _ = self._draw_split(clean)
        return Example(noisy, target, noisy)

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what `Task` does, and as `weight` where it is compared."""
        noisy, target, weight = self._crop(*self._draw_split(clean))
        called = self._call_denoiser(noisy, noisy, training)
        return {"noisy": noisy, "target": target, "weight": weight, **called}

    def _draw_split(self, clean: Tensor) -> Split:
        return self.split(self._noise(clean, self.seed_generator), self.seed_generator)

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Returns the mean squared error where the weight is not 0."""
        weight = seen["weight"]
        compared = keras.ops.where(weight > 0, seen["denoised"], seen["target"])
        error = keras.ops.mean(self._image_loss(seen["target"], compared))
        return error / keras.ops.mean(weight)
