"""Training against a discriminator that learns to tell denoised from clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.layers import EmbeddingDistance
from kerasdenoise.noise import Noise
from kerasdenoise.runtime import keras_defaults
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.calculus import take_differences
from kerasdenoise.training.recipe import DiscriminatorSection, Recipe
from kerasdenoise.training.tasks.supervised import Supervised

# A clean patch shown twice has its contrast changed by up to this share, and may be mirrored.
_EXPOSURE = 0.05

# From this block on ResNet50 learns; what comes before it sees edges and textures already.
_FIRST_TRAINED = "conv5_block1_out"


class Adversarial(Supervised):
    """Adds to the image's loss how far denoised patches are from clean ones for a discriminator.

    The image's loss alone asks for the mean of all clean images that a noisy one may come from,
    which is smoother than each of them. The discriminator learns to see that. What then looks
    sharper is invented, and costs decibels.

    Args:
        *args: What `Task` takes.
        discriminator: Learns together with the denoiser, of which it is no part.
        **kwargs: What `Task` takes.
    """

    objective = "adversarial"
    invents_detail = True
    figures = ("near", "far", "sharpness")
    takes_discriminator = True

    def __init__(self, *args: Any, discriminator: Discriminator, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.discriminator = discriminator

    @classmethod
    def make(cls, recipe: Recipe, noise: Noise, **parts: Any) -> Self:
        """Makes the task, with the discriminator that its recipe describes."""
        return super().make(recipe, noise, discriminator=make_discriminator(recipe), **parts)

    @property
    def networks(self) -> dict[str, keras.Model]:
        """Both networks."""
        return {**super().networks, "discriminator": self.discriminator}

    def call(self, clean: Tensor, training: bool | None = None) -> dict[str, Any]:
        """Returns what `Task` does, and the discriminator's `verdict`."""
        seen = super().call(clean, training)
        again = show_again(seen["target"], self.seed_generator)
        verdict = self.discriminator(seen["target"], again, seen["denoised"], training=training)
        return {**seen, "verdict": verdict}

    def compare(self, seen: dict[str, Any]) -> Tensor:
        """Adds up the image's loss, the denoiser's share of the distance, and the triplet loss."""
        verdict = seen["verdict"]
        added = self.discriminator.weight * verdict.distance + verdict.loss
        return super().compare(seen) + added

    def measure(self, seen: dict[str, Any]) -> dict[str, Tensor]:
        """Returns both distances of the verdict, and how sharp the result is."""
        return {
            "near": seen["verdict"].near,
            "far": seen["verdict"].far,
            "sharpness": measure_sharpness(seen["target"], seen["denoised"]),
        }


class Verdict(NamedTuple):
    """What the discriminator says of a batch; each a number.

    Attributes:
        loss: What it learns by itself: 0 where it tells all denoised patches from clean ones.
        distance: How far the denoised patches are from the clean ones, for the denoiser, which
            cannot change the discriminator by it.
        near: How far clean patches are from themselves, shown in another way.
        far: The same as `distance`.
    """

    loss: Tensor
    distance: Tensor
    near: Tensor
    far: Tensor


class Discriminator(keras.Model):
    """A siamese network: the same encoder for all patches, and a distance between its results.

    It learns by the triplet loss (Schroff et al., "FaceNet", CVPR 2015): a clean patch, mirrored
    and exposed a little differently, is to be nearer to the clean patch than the denoised one, by
    a margin. The denoiser learns to make that distance small. So pixels are compared in pixel
    space, and what looks clean in the space of the embeddings.

    Both learn in the same step, from one loss: in the discriminator's part the denoised patch
    counts as given, and in the denoiser's part the encoder does.

    Args:
        section: The recipe's settings.
        channels: Channels of the patches, 1 or 3.

    Raises:
        RecipeError: If the weights of ResNet50 cannot be used.
    """

    def __init__(self, section: DiscriminatorSection, channels: int) -> None:
        super().__init__(dtype="float32", name="discriminator")
        make = _build_resnet50 if section.resnet50 else _build_encoder
        self.encoder = make(section, channels)
        self._distance = EmbeddingDistance(name="distance")
        self._margin = section.margin
        self._weight = section.weight
        self._warmup = section.warmup_steps
        self._steps = self.add_weight((), "zeros", trainable=False, name="steps")
        self.built = True

    def call(
        self, clean: Tensor, again: Tensor, denoised: Tensor, training: bool | None = None
    ) -> Verdict:
        """Compares.

        Args:
            clean: Patches (batch, height, width, channels).
            again: The same patches, shown in another way; see `show_again`.
            denoised: What the denoiser made of them.
            training: Whether this is a step of training, which is counted.
        """
        if training:
            self._steps.assign(self._steps + 1)
        mean, stop = keras.ops.mean, keras.ops.stop_gradient
        anchor = self.encoder(clean, training=training)
        near = self._distance(anchor, self.encoder(again, training=training))
        given = self.encoder(stop(denoised), training=training)
        far = self._distance(anchor, given)
        seen = self._encode_as_given(denoised, training)
        return Verdict(
            mean(keras.ops.relu(near - far + self._margin)),
            mean(self._distance(stop(anchor), seen)),
            mean(near),
            mean(far),
        )

    @property
    def weight(self) -> Tensor:
        """What the distance counts in the denoiser's loss: it rises for the first steps."""
        return self._weight * keras.ops.minimum((self._steps + 1) / (self._warmup + 1), 1.0)

    def _encode_as_given(self, images: Tensor, training: bool | None) -> Tensor:
        """Encodes images, whose gradient goes through the encoder and does not change it."""
        weights = [keras.ops.stop_gradient(each) for each in self.encoder.trainable_variables]
        others = self.encoder.non_trainable_variables
        return self.encoder.stateless_call(weights, others, images, training=training)[0]


def make_discriminator(recipe: Recipe) -> Discriminator:
    """Makes the discriminator of a recipe, or the usual one if it says nothing of it.

    Raises:
        RecipeError: If it cannot be made.
    """
    section = recipe.discriminator or DiscriminatorSection()
    return Discriminator(section, recipe.model.config.channels)


def show_again(clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
    """Mirrors patches, and changes their contrast by up to a twentieth, each at random.

    Args:
        clean: Patches (batch, height, width, channels).
        seed: Where random numbers come from.
    """
    ops = keras.ops
    shape = (clean.shape[0], 1, 1, 1)
    is_mirrored = keras.random.uniform(shape, seed=seed) < 0.5
    gain = keras.random.uniform(shape, 1 - _EXPOSURE, 1 + _EXPOSURE, seed=seed)
    return gain * ops.where(is_mirrored, ops.flip(clean, 2), clean)


def measure_sharpness(target: Tensor, denoised: Tensor) -> Tensor:
    """Returns the mean absolute difference of neighbors, as a share of the target's.

    Below 1 something is smoothed away, above 1 something is invented.

    Args:
        target: Images (batch, height, width, channels).
        denoised: Images of the same shape.
    """
    edges = []
    for images in (denoised, target):
        right, below = take_differences(images)
        edges.append(keras.ops.mean(keras.ops.abs(right) + keras.ops.abs(below)))
    return edges[0] / (edges[1] + keras.config.epsilon())


@keras_defaults()
def _build_encoder(section: DiscriminatorSection, channels: int) -> keras.Model:
    images = keras.Input((None, None, channels), name="images")
    x = images
    for level, width in enumerate(section.widths):
        x = keras.layers.Conv2D(
            width,
            3,
            strides=2,
            padding="same",
            kernel_initializer="he_normal",
            dtype="float32",
            name=f"conv_{level}",
        )(x)
        x = keras.layers.LeakyReLU(0.2, dtype="float32", name=f"relu_{level}")(x)
    return _read(images, x, section)


@keras_defaults()
def _build_resnet50(section: DiscriminatorSection, channels: int) -> keras.Model:
    path = Path(section.resnet50)
    if channels != 3:
        raise RecipeError(
            f"[discriminator] resnet50 = {section.resnet50!r}",
            f"sees colors, of which a network of {channels} channel has none",
            "leave it out, or train a network of 3 channels",
        )
    try:
        if not path.is_file():
            raise FileNotFoundError("there is no such file")
        trunk = keras.applications.ResNet50(include_top=False, weights=str(path))
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"[discriminator] resnet50 = {section.resnet50!r}",
            f"cannot be read ({error})",
            "name a file of weights that keras.applications.ResNet50(include_top=False) saved",
        ) from error
    learns = False
    for layer in trunk.layers:
        learns = learns or layer.name == _FIRST_TRAINED
        layer.trainable = learns
    images = keras.Input((None, None, 3), name="images")
    # Statistics stay those that it was trained with.
    x = trunk(keras.applications.resnet.preprocess_input(255.0 * images), training=False)
    return _read(images, x, section)


def _read(images: Any, features: Any, section: DiscriminatorSection) -> keras.Model:
    """Reads an embedding off the mean of features over all places."""
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="mean")(features)
    x = keras.layers.Dense(section.embedding, dtype="float32", name="embedding")(x)
    return keras.Model(images, x, name="encoder")
