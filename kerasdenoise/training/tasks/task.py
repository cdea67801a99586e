"""What all training tasks have in common: one step corrupts, denoises and compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import keras

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import Loss, get_loss
from kerasdenoise.noise import Noise
from kerasdenoise.noise.own import Reach
from kerasdenoise.tensors import Tensor
from kerasdenoise.training.dead_units import revive
from kerasdenoise.training.initial_weights import set_initial_weights
from kerasdenoise.training.network import build_network
from kerasdenoise.training.noise_level import Caller, make_caller
from kerasdenoise.training.recipe import Recipe

# Batches by which it is judged which units are dead.
_JUDGED = 8


class Example(NamedTuple):
    """Images to learn from, each (batch, height, width, channels).

    Attributes:
        noisy: What the network is given.
        target: What it is compared with.
        mean: What `noisy` would be without its noise, from which the noise is measured.
    """

    noisy: Tensor
    target: Tensor
    mean: Tensor


class Split(NamedTuple):
    """What is made of noisy images alone, each (batch, height, width, channels).

    Attributes:
        noisy: What the network is given.
        target: What it is compared with, whose noise is independent of the other's.
        weight: Where they are compared: 1 or 0.
    """

    noisy: Tensor
    target: Tensor
    weight: Tensor


class Task(keras.Model):
    """A denoiser together with the noise it learns to remove.

    Each kind of training is a subclass in a file of its own, which overrides what is different:
    what it needs (`check`), how it starts (`start`), what input and target are (`draw`), and how
    they are compared (`compute_loss`), or all of a step (`call`, or Keras' `train_step`).

    The noise is drawn inside the step, on the device that trains, from a generator whose state is
    one of the model's variables. A step takes clean patches alone.

    Args:
        denoiser: The network that is trained; see `make_denoiser`.
        noise: The corruption.
        loss: Compares target and denoised image.
        patch_size: Side of the patch, of the larger one that is corrupted, that the network sees.
        seed: Seed of the noise.
        weight_decay: Factor of the weights in their gradients.

    Raises:
        RecipeError: If the network learns to estimate the noise level, and has no target for that.

    Attributes:
        objective: What recipes call the task.
        finds_images: Whether the network is to find the clean image itself.
        has_clean_target: Whether `draw` gives a target without noise, from which a network can
            learn to estimate the noise level as well.
        needs_clean: Whether it learns nothing from photos that are noisy already.
        uses_gradients: Whether Keras' `train_step` makes a step; otherwise `train_on_batch` does.
        invents_detail: Whether the network learns more than the mean of what a clean image may be,
            which its saved model then says first.
        figures: Names of what `measure` returns.
        takes_discriminator: Whether a recipe may have a table `[discriminator]`.
        versions: How many images of a scene stand in the channels of a patch, one behind another.
    """

    objective: ClassVar[str]
    finds_images: ClassVar[bool] = True
    has_clean_target: ClassVar[bool] = True
    needs_clean: ClassVar[bool] = True
    uses_gradients: ClassVar[bool] = True
    invents_detail: ClassVar[bool] = False
    figures: ClassVar[tuple[str, ...]] = ()
    takes_discriminator: ClassVar[bool] = False
    versions: ClassVar[int] = 1

    def __init__(
        self,
        denoiser: keras.Model,
        noise: Noise,
        loss: Loss,
        patch_size: int,
        seed: int,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(dtype="float32", name="task")
        self.denoiser = denoiser
        self.seed_generator = keras.random.SeedGenerator(seed, name="noise")
        self._call_denoiser = self.make_caller()
        if self._call_denoiser.needs_clean_target and not self.has_clean_target:
            raise RecipeError(
                f"objective {self.objective!r}",
                "has no clean target, from which the network learns to estimate the noise level",
                'write objective = "supervised", or estimates_level = false',
            )
        self._noise = noise
        self._image_loss = loss
        self._patch_size = patch_size
        self._weight_decay = weight_decay
        self._means = [keras.metrics.Mean(name=name) for name in self.figures]

    @classmethod
    def is_meant_by(cls, recipe: Recipe) -> bool:
        """Whether a recipe asks for this task."""
        return recipe.optimization.objective == cls.objective

    @classmethod
    def check(cls, recipe: Recipe, noise: Noise) -> None:
        """Refuses recipes with which this task could not teach what it is to.

        Args:
            recipe: A recipe that means this task.
            noise: Its corruptions.

        Raises:
            RecipeError: It is such a recipe.
        """

    @classmethod
    def find_highest_level(cls, noise: Noise) -> float | None:
        """Finds the largest noise level that a network can follow after this task.

        Args:
            noise: The recipe's corruptions.

        Returns:
            The level on the [0, 1] scale; None if there is no such limit.
        """
        del noise
        return None

    @classmethod
    def make_denoiser(cls, recipe: Recipe, dtype: str | None = None) -> keras.Model:
        """Builds the network that is trained, its weights new.

        Args:
            recipe: Says which.
            dtype: The precision it computes in, if not the recipe's.

        Raises:
            RecipeError: If it cannot be built in this way.
            ModelError: If there is no such network.
        """
        return build_network(recipe.model, dtype)

    @classmethod
    def make(cls, recipe: Recipe, noise: Noise, **parts: Any) -> Self:
        """Makes the task of a recipe; `parts` are further arguments of a subclass."""
        plan = recipe.optimization
        return cls(
            cls.make_denoiser(recipe),
            noise,
            get_loss(plan.loss),
            recipe.data.patch_size,
            recipe.seed,
            plan.weight_decay,
            **parts,
        )

    def make_caller(self) -> Caller:
        """Makes what calls the denoiser in a step."""
        return make_caller(self.denoiser, self.seed_generator)

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks whose variables a checkpoint holds, by names of their own."""
        return {"denoiser": self.denoiser}

    def start(self, recipe: Recipe, sampler: PatchSampler) -> None:
        """Gives the networks their first weights, before the first step of a run.

        Args:
            recipe: Says what they start from.
            sampler: Has the patches of the first steps.

        Raises:
            RecipeError: If the weights are of another network.
            ModelError: If they cannot be read.
        """
        set_initial_weights(self.denoiser, recipe)
        if recipe.model.reinitialize_dead_units:
            revive(self.denoiser, [self(sampler.batch_of(i))["inputs"] for i in range(_JUDGED)])

    def draw(self, clean: Tensor) -> Example:
        """Corrupts clean patches.

        Args:
            clean: Float32 images (batch, height, width, channels) in [0, 1].

        Returns:
            Noisy images, their target and the mean of the noisy ones, each shaped as `clean`.

        Raises:
            NotImplementedError: Each task has its own.
        """
        raise NotImplementedError

    @staticmethod
    def split(noisy: Tensor, seed: keras.random.SeedGenerator, reach: Reach = (0, 0)) -> Split:
        """Makes input and target of noisy images alone.

        Args:
            noisy: Float32 images (batch, height, width, channels).
            seed: Where random numbers come from.
            reach: Over how many pixels their noise is shared.

        Raises:
            NotImplementedError: The task needs clean images.
        """
        raise NotImplementedError

    @staticmethod
    def find_truth(mean: Tensor) -> Tensor:
        """Returns what a perfect network gives for noisy images of this mean."""
        return mean

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what was compared, all a patch wide.

        That is `inputs`, all that the network was given; `noisy`, the images of it; `target`; and
        `denoised`. Networks that estimate the noise level add theirs: see `EstimatingCaller`.
        """
        noisy, target, mean = self._crop(*self.draw(clean))
        return {"noisy": noisy, "target": target, **self._call_denoiser(noisy, mean, training)}

    def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
        """Adds up what `call` returned; there is no other target.

        These are the loss of the images, the error of an estimated noise level, what layers ask
        for, and the decay of the weights.
        """
        loss = self.compare(y_pred) + y_pred.get("level_error", 0.0)
        for penalty in self.losses:
            loss = loss + penalty
        if self._weight_decay:
            squares = [keras.ops.sum(keras.ops.square(w)) for w in self.trainable_variables]
            loss = loss + self._weight_decay / 2 * sum(squares)
        return loss

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Returns the loss of the images that `call` returned, a number."""
        return keras.ops.mean(self._image_loss(seen["target"], seen["denoised"]))

    def measure(self, seen: dict[str, Any]) -> dict[str, Tensor]:
        """Returns a number for each name in `figures`, to be logged beside the loss.

        Args:
            seen: What `call` returned.
        """
        del seen
        return {}

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Has Keras average what `measure` returns."""
        measured = self.measure(y_pred)
        for mean in self._means:
            mean.update_state(measured[mean.name])
        return self.get_metrics_result()

    def _crop(self, *images: Tensor) -> Sequence[Tensor]:
        """Cuts the same patch at a random place out of all."""
        ops = keras.ops
        batch, height, width, channels = images[0].shape
        if (height, width) == (self._patch_size, self._patch_size):
            return images
        room = min(height, width) - self._patch_size + 1
        corner = keras.random.randint((2,), 0, room, dtype="int32", seed=self.seed_generator)
        start = ops.concatenate([ops.zeros((1,), "int32"), corner, ops.zeros((1,), "int32")])
        shape = (batch, self._patch_size, self._patch_size, channels)
        return [ops.slice(each, start, shape) for each in images]
