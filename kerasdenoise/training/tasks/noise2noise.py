"""Training without clean images, on two noisy ones."""

from __future__ import annotations

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import MEAN_SEEKING
from kerasdenoise.noise import Mixture, Noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.task import Example, Task


class Noise2Noise(Task):
    """Gives the network a noisy image and compares with another noisy version of it.

    The network cannot know the target's noise, so under a loss that seeks the mean it learns
    the mean of all versions (Lehtinen et al., "Noise2Noise: learning image restoration without
    clean data", ICML 2018). That is the clean image if the noise is `zero_mean`.
    """

    objective = "noise2noise"
    has_clean_target = False

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses losses that seek the mean of noise whose mean is not the clean image."""
        loss = recipe.optimization.loss
        if loss not in MEAN_SEEKING or noise.zero_mean:
            return
        parts = noise.noises if isinstance(noise, Mixture) else (noise,)
        kinds = ", ".join(dict.fromkeys(part.kind for part in parts if not part.zero_mean))
        raise RecipeError(
            f"objective {cls.objective!r}",
            f"under loss {loss!r} learns the mean of the noisy images, and with {kinds} noise that "
            "is not the clean image",
            'write loss = "l1", which learns the median, if that is; if not, '
            'objective = "supervised"',
        )

    def draw(self, clean: Tensor) -> Example:
        """Draws noise twice; its parameters too are drawn anew for the target."""
        noisy, target = (self._noise(clean, self.seed_generator) for _ in range(2))
        return Example(noisy, target, clean)
