"""Training of the network of a diffusion model: one step from any level of noise."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import get_parts
from kerasdenoise.models._parts import ENCODER, find_layers
from kerasdenoise.models.ddim import PREDICTOR, SPREAD, make_inputs
from kerasdenoise.noise import Gaussian, Mixture, Noise
from kerasdenoise.noise.base import per_image
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.noise_level import Caller, EstimatingCaller, measure_noise
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.adversarial import Adversarial
from kerasdenoise.training.tasks.supervised import Supervised
from kerasdenoise.training.tasks.task import Example

# Less noise than this is not enlarged further, where noise is compared.
_FAINT = 1 / 255

# Of which the code's side says by how much it is smaller: a multiple of all strides.
_SIDE = 960


class Diffusion(Supervised):
    """Trains what takes a noisy picture and its level to the clean one, and not the chain of steps.

    Levels are drawn so that their angles are uniform, between those of the recipe's noise. Compared
    is the noise itself, scaled to unit variance, as in the example on keras.io: otherwise only
    the highest levels would count. Where the network works on the codes of an autoencoder, which is
    not trained, codes are compared.
    """

    objective = "diffusion"
    invents_detail = True

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses noise that the steps in between do not have."""
        noises = noise.noises if isinstance(noise, Mixture) else (noise,)
        white = [
            each
            for each in noises
            if isinstance(each, Gaussian) and not each.per_pixel and not each.in_lines
        ]
        if len(white) != 1 or len(noises) != 1 or not white[0].high > 0:
            raise RecipeError(
                f"objective {cls.objective!r}",
                "needs white Gaussian noise of one range of levels, and no other noise",
                'write one [[noise]] with kind = "gaussian:0-100"',
            )

    @classmethod
    def find_highest_level(cls, noise: Noise) -> float | None:
        """Finds the level of the noise at which the chain of steps may start."""
        return _find_white(noise).high

    def make_caller(self) -> Caller:
        """Makes what calls the network within the denoiser, and its estimate of the level.

        Raises:
            RecipeError: If there is no such network.
        """
        inside = {
            layer.name: layer
            for layer in find_layers(self.denoiser)
            if isinstance(layer, keras.Model)
        }
        predictor, self._encoder = inside.get(PREDICTOR), inside.get(ENCODER)
        if predictor is None:
            raise RecipeError(
                f"objective {self.objective!r}",
                f"finds no step to train in {self.denoiser.name}, which is no diffusion model",
                'write [model] architecture = "ddim", or objective = "supervised"',
            )
        if self._encoder is not None:
            predictor = _put_before(self._encoder, predictor)
        estimator = get_parts(self.denoiser).noise_level
        if estimator is None:
            return Caller(predictor, self.seed_generator)
        # In the chain, all levels but the first are known. Told an estimate, the network would be
        # held to account for how wrong that is, above all where there is hardly any noise.
        return EstimatingCaller(estimator, predictor, self.seed_generator, share=1.0)

    def draw(self, clean: Tensor) -> Example:
        """Draws angles, and noise of their levels."""
        noise = _find_white(self._noise)
        low, high = (math.atan(each / SPREAD) for each in (noise.low, noise.high))
        level = SPREAD * keras.ops.tan(per_image(clean, low, high, self.seed_generator))
        drawn = keras.random.normal(clean.shape, dtype="float32", seed=self.seed_generator)
        return Example(clean + level * drawn, clean, clean)

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Compares the noise with what the network takes for it."""
        noisy, target = seen["noisy"], seen["target"]
        if self._encoder is not None:
            noisy, target = (self._encoder(each, training=False) for each in (noisy, target))
        level = keras.ops.maximum(measure_noise(noisy, target), _FAINT)
        noise = ((noisy - clean) / level for clean in (target, seen["denoised"]))
        return keras.ops.mean(self._image_loss(*noise))


class AdversarialDiffusion(Adversarial, Diffusion):
    """The same against a discriminator, which sees what the network takes for the clean picture.

    A recipe asks for it by a table `[discriminator]`.
    """

    objective = "diffusion"

    @classmethod
    def is_meant_by(cls, recipe: Recipe) -> bool:
        """Whether a recipe of a diffusion model has a discriminator."""
        return super().is_meant_by(recipe) and recipe.discriminator is not None

    def make_caller(self) -> Caller:
        """Makes what `Diffusion` does.

        Raises:
            RecipeError: The network has codes in place of pictures.
        """
        caller = super().make_caller()
        if self._encoder is not None:
            raise RecipeError(
                "[discriminator]",
                f"compares pictures, and {self.denoiser.name} is trained on codes",
                "leave it out",
            )
        return caller


def _find_white(noise: Noise) -> Gaussian:
    """Finds the only noise of a recipe that `Diffusion.check` takes."""
    noises = noise.noises if isinstance(noise, Mixture) else (noise,)
    (white,) = (each for each in noises if isinstance(each, Gaussian))
    return white


def _put_before(encoder: keras.Model, predictor: keras.Model) -> keras.Model:
    """Makes one network, from a noisy picture and its level to the clean code, of two."""
    noisy, level = make_inputs(encoder.input.shape[-1])
    code = encoder(noisy, training=False)
    cell = _SIDE // encoder.compute_output_shape((1, _SIDE, _SIDE, noisy.shape[-1]))[1]
    return keras.Model([noisy, level], predictor([code, keras.ops.average_pool(level, cell, cell)]))
