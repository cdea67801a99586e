"""Training of what adds detail to the mean of all that a clean picture may be."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.models._parts import find_detail, get_parts
from kerasdenoise.models.ddim import PREDICTOR
from kerasdenoise.models.detail_ddim import FAINT, scale_of
from kerasdenoise.noise import Noise
from kerasdenoise.noise.base import per_image
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.noise_level import Caller
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.exposures import Exposures


class Detail(Exposures):
    """Trains a diffusion model on what clean pictures have beyond a denoiser's result for them.

    Any noise will do: what diffuses is the detail, and its own noise is white. The denoiser, and
    its estimate of the noise, are not trained. As in the training of `photo`, the tone is the
    noisy picture's, so that the detail has none.
    """

    objective = "detail"
    invents_detail = True

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses losses whose optimum is not the mean, of which the steps are made."""
        del noise
        if recipe.optimization.loss != "l2":
            raise RecipeError(
                f"loss {recipe.optimization.loss!r}",
                f"does not learn the mean, which objective {cls.objective!r} needs",
                'write loss = "l2"',
            )

    def make_caller(self) -> Caller:
        """Finds the networks within the denoiser.

        Raises:
            RecipeError: If it adds no detail.
        """
        detail, parts = find_detail(self.denoiser), get_parts(self.denoiser)
        if detail is None or parts.noise_level is None:
            raise RecipeError(
                f"objective {self.objective!r}",
                f"finds no network that adds detail by an estimate in {self.denoiser.name}",
                'write [model] architecture = "detail_ddim" and noise_level = false',
            )
        self._estimator, self._mean = parts.noise_level, parts.tile
        self._predictor = detail.get_layer(PREDICTOR)
        return Caller(self.denoiser, self.seed_generator)

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Mixes detail with noise at angles between none and noise alone.

        Returns:
            What `Task` does; `target` and `denoised` are how the mixture changes with its angle.
        """
        ops = keras.ops
        noisy, target, _ = self._crop(*self.draw(clean))
        level = self._estimator(noisy, training=False)
        mean = self._mean([noisy, level], training=False)
        detail = (target - mean) / scale_of(ops.maximum(level, FAINT))
        angle = per_image(noisy, 0.0, math.pi / 2, self.seed_generator)
        drawn = keras.random.normal(noisy.shape, dtype="float32", seed=self.seed_generator)
        mixed = ops.cos(angle) * detail + ops.sin(angle) * drawn
        velocity = ops.cos(angle) * drawn - ops.sin(angle) * detail
        given = [mixed, noisy, level, mean, angle * ops.ones_like(level)]
        return {
            "inputs": noisy,
            "noisy": noisy,
            "target": velocity,
            "denoised": self._predictor(given, training=training),
        }
