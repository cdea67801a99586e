"""Training recipes: TOML files that say all of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pydantic
from pydantic_core import PydanticKnownError

from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.foreign import fault_of_name
from kerasdenoise.models import Config, find_architecture, make_config
from kerasdenoise.noise import Mixture, Noise, parse_noise
from kerasdenoise.parsing import (
    BelowOne,
    Count,
    CountOrZero,
    Positive,
    PositiveOrZero,
    Some,
    make,
    parse_toml,
    read_text,
)
from kerasdenoise.training.optimization import OptimizationSection, make_optimization


def _parse_noise(text: object) -> Noise:
    if not isinstance(text, str):
        raise PydanticKnownError("string_type")
    return parse_noise(text)


def _parse_config(values: object, info: pydantic.ValidationInfo) -> Config | None:
    if not isinstance(values, dict):
        raise PydanticKnownError("dict_type")
    # Without an architecture, that is what is refused.
    return make_config(info.data["architecture"], values) if info.data else None


def _check_name(name: str) -> str:
    if fault := fault_of_name(name):
        raise UsageError(f"name = {name!r}", fault, "give a plain name")
    return name


T = TypeVar("T")
Dtype = Literal["float32", "mixed_bfloat16", "mixed_float16"]
"""Keras' policies of which the weights are float32."""
Initializer = Literal[
    "default",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
]
"""The architecture's own, or one of Keras' that take a kernel's shape into account."""
NoiseText = Annotated[Noise, pydantic.PlainValidator(_parse_noise)]
"""A corruption, which a recipe calls by `kind` or `kind:argument`; see `parse_noise`."""


@dataclass(frozen=True)
class ModelSection:
    """What is trained.

    Attributes:
        architecture: The network's architecture.
        config: A table with the architecture's settings: `preset`, single fields, or both.
        dtype: Keras' dtype policy: `float32`, `mixed_bfloat16` or `mixed_float16`. Weights are
            float32 in each.
        kernel_initializer: Keras' initializer of the kernels of convolutions and dense layers, or
            `default` for the architecture's own. Kernels that start at zero or at given values
            do so with each.
        initial_weights: A run folder, relative to the working folder, or a saved model, whose
            weights this network starts with.
        initial_share: Share of the initial weights in the finished network, from 0 to below 1. A
            network that is fine-tuned for one kind of noise then forgets less of the others
            (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, who give the
            share of the learned weights).
        part_weights: A table of names of parts, such as `noise_level`, and of the run folders or
            saved models that these start with.
        quantization_aware: Whether to train with values rounded as in files of 8-bit integers.
        net2wider: Whether the initial weights are of a network with fewer channels, which are then
            widened.
        reinitialize_dead_units: Whether to give new weights to units of the initial network that
            respond to nothing.
        teacher: A run folder or saved model of a better network, to learn from its results.
        license: License of the weights. The licenses of the photos must permit it.
    """

    architecture: Annotated[str, pydantic.AfterValidator(find_architecture)]
    config: Annotated[Config, pydantic.PlainValidator(_parse_config)]
    dtype: Dtype = "float32"
    kernel_initializer: Initializer = "default"
    initial_weights: str = ""
    initial_share: BelowOne = 0.0
    part_weights: dict[str, str] = dataclasses.field(default_factory=dict)
    quantization_aware: bool = False
    net2wider: bool = False
    reinitialize_dead_units: bool = False
    teacher: str = ""
    license: str = "Apache-2.0"

    def __post_init__(self) -> None:
        if self.initial_weights and self.kernel_initializer != "default":
            raise UsageError(
                f"kernel_initializer = {self.kernel_initializer!r}",
                "has no effect on a network that starts with initial_weights",
                "leave out one of the two",
            )
        for option in ("initial_share", "net2wider", "reinitialize_dead_units"):
            if getattr(self, option) and not self.initial_weights:
                raise UsageError(
                    option,
                    "needs a trained network to begin with",
                    'name its run or saved model: initial_weights = "runs/NAME"',
                )


@dataclass(frozen=True)
class DataSection:
    """What it is trained on.

    Attributes:
        root: Parent of the other folders, relative to the working folder.
        train: List of sources of clean images to train on: folders (`train/cid22`), arrays
            (`cifar10/images.npz:x_train`) or TensorFlow data sets (`tfds:cifar10:test`).
        validation: List of sources of other images, to measure progress on.
        license: License of the photos, which is copied to the model's card.
        scales: List of scales at which each photo is used.
        exclude: List of file names to leave out of `train` and `validation`.
        patch_size: Height and width of a patch, in pixels.
        margin: Extra pixels of a patch that are cut off at random after the noise is added, so
            that the grids of sensors and of JPEG start at any pixel.
        batch_size: Patches per step.
        augment: Whether to flip and turn patches at random.
    """

    root: str
    train: Some[str]
    validation: Some[str]
    license: str
    scales: Some[Positive] = (1.0,)
    exclude: tuple[str, ...] = ()
    patch_size: Count = 64
    margin: CountOrZero = 16
    batch_size: Count = 16
    augment: bool = True


@dataclass(frozen=True)
class NoiseSection:
    """One kind of noise in each batch.

    Attributes:
        kind: The noise, such as `gaussian:0-55`.
        share: Its share of each batch, relative to the others.
    """

    kind: NoiseText
    share: Positive = 1.0


@dataclass(frozen=True)
class ValidationSection:
    """When progress is measured and kept.

    Attributes:
        interval: Steps between checkpoints.
        images: Number of validation images that are denoised at each checkpoint.
        crop_size: Height and width of their middle, which is used, in pixels.
        noises: List of the kinds of noise to measure with, each with a fixed seed.
    """

    interval: Count = 1000
    images: Count = 16
    crop_size: Count = 192
    noises: Some[NoiseText] = (parse_noise("gaussian:25"),)


@dataclass(frozen=True)
class BenchmarkSection:
    """A test set that the finished model is measured on, and nothing else.

    Attributes:
        name: Its name in tables.
        folder: Its folder, relative to `root`.
        noises: List of the kinds of noise to add; empty for a folder of noisy and clean pairs.
    """

    name: str
    folder: str
    noises: tuple[NoiseText, ...] = ()


@dataclass(frozen=True)
class DiscriminatorSection:
    """A network that learns to tell denoised patches from clean ones, for tasks that have one.

    Attributes:
        weight: Weight of its distance between denoised and clean patches, which is 0 to 4, beside
            the image's loss.
        warmup_steps: Steps in which that weight rises from zero.
        margin: By how much more a denoised patch should differ from its clean patch than a
            mirrored clean patch does. The discriminator's loss is zero from there on.
        widths: List of the channels of its convolutions, each of which halves height and width.
        embedding: Length of the vector that it computes from a patch.
        resnet50: Weights file of a pretrained ResNet50, to use instead of those convolutions.
    """

    weight: PositiveOrZero = 0.003
    warmup_steps: CountOrZero = 1000
    margin: Annotated[float, pydantic.Field(gt=0, lt=4)] = 0.5
    widths: Some[Count] = (32, 64, 128)
    embedding: Count = 64
    resnet50: str = ""


def _by(make_section: Callable[[object, str], Any], title: str) -> pydantic.PlainValidator:
    """Has a section made by a function of what TOML says and of what errors call it."""

    def validate(values: object, info: pydantic.ValidationInfo) -> Any:
        return make_section(values, f"{info.context} {title}")

    return pydantic.PlainValidator(validate)


def _make_model(values: object, where: str) -> ModelSection:
    return make(
        ModelSection, {"config": {}} | values if isinstance(values, dict) else values, where
    )


def _make_noise(rows: object, where: str) -> tuple[NoiseSection, ...]:
    if rows == []:
        raise RecipeError(where, "is missing", "give at least one kind of noise")
    return _make_rows(NoiseSection, rows, where)


def _make_rows(kind: type[T], rows: object, where: str) -> tuple[T, ...]:
    if not isinstance(rows, list):
        raise RecipeError(where, "is not a table", "see recipes/photo.toml")
    return tuple(make(kind, row, where) for row in rows)


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Attributes:
        name: Name of the model.
        summary: Its purpose, in one line.
        seed: Random seed of patches, noise and first weights.
        model: What is trained.
        data: What it is trained on.
        noise: What is removed.
        optimization: How it is trained.
        validation: When progress is measured.
        benchmark: What the result is measured on.
        discriminator: What else is trained; None for the usual one, where the task has one.
        source: The text that this was read from.
    """

    name: Annotated[str, pydantic.AfterValidator(_check_name)]
    summary: str
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**32)]
    model: Annotated[ModelSection, _by(_make_model, "[model]")]
    data: Annotated[DataSection, _by(partial(make, DataSection), "[data]")]
    noise: Annotated[tuple[NoiseSection, ...], _by(_make_noise, "[[noise]]")]
    optimization: Annotated[OptimizationSection, _by(make_optimization, "[optimization]")]
    validation: Annotated[ValidationSection, _by(partial(make, ValidationSection), "[validation]")]
    benchmark: Annotated[
        tuple[BenchmarkSection, ...], _by(partial(_make_rows, BenchmarkSection), "[[benchmark]]")
    ]
    discriminator: Annotated[
        DiscriminatorSection | None, _by(partial(make, DiscriminatorSection), "[discriminator]")
    ] = None
    source: str = ""

    @property
    def mixture(self) -> Mixture:
        """What is removed, as one corruption of a batch."""
        return Mixture(
            tuple(each.kind for each in self.noise), tuple(each.share for each in self.noise)
        )

    def identity(self) -> tuple[object, ...]:
        """What must not change between the parts of a run, to be compared.

        It is what the recipe means: a default that is written out changes nothing. Names, licenses,
        the place of the data, how often progress is measured, and the end of the run may change.
        """
        return (
            self.seed,
            dataclasses.replace(self.model, license=""),
            dataclasses.replace(self.data, root="", license=""),
            self.noise,
            self.optimization.beginning(),
            self.discriminator,
        )


def read_recipe(path: Path) -> Recipe:
    """Reads and checks a recipe.

    Raises:
        RecipeError: If the file cannot be read, is not TOML, or has a missing, unknown or
            unusable entry.
    """
    return parse_recipe(read_text(path, "recipes/photo.toml"), str(path))


def parse_recipe(text: str, name: str = "recipe") -> Recipe:
    """Reads a recipe from TOML text; see `read_recipe`."""
    sections: dict[str, Any] = {"model": {}, "data": {}, "optimization": {}, "validation": {}}
    tables: dict[str, Any] = {"noise": [], "benchmark": []}
    content = sections | tables | parse_toml(text, name)
    return dataclasses.replace(make(Recipe, content, name), source=text)
