"""What a LiteRT file may be: of floats of two sizes or integers, for processors or phones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import ModelError, RecipeError, UsageError
from kerasdenoise.export.litert import export_litert
from kerasdenoise.layers.diffusion_step import DiffusionStep
from kerasdenoise.layers.lambda_layer import LambdaLayer
from kerasdenoise.layers.reaction_diffusion_step import ReactionDiffusionStep
from kerasdenoise.models import Primitives
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models._primitives import rebuild
from kerasdenoise.training.fake_quantization import Rounded, RoundingPrimitives

if TYPE_CHECKING:
    from kerasdenoise.training.recipe import Recipe

Kind = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Target = Literal["cpu", "mobile", "onnx"]

# Those whose scales are set by what the network sees.
CALIBRATED: tuple[Kind, ...] = ("int8", "int16x8")

_DEFAULT = [tf.lite.Optimize.DEFAULT]
_OPTIONS: dict[Kind, dict[str, Any]] = {
    "float32": {},
    "float16": {
        "optimizations": _DEFAULT,
        "target_spec": {
            "supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS],
            "supported_types": [tf.float16],
        },
    },
    "dynamic": {"optimizations": _DEFAULT},
    "int16x8": {
        "optimizations": _DEFAULT,
        "target_spec": {
            "supported_ops": [
                tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            ]
        },
    },
}

# Batches of patches whose values set the scales of all tensors.
_BATCHES = 8
_BATCH = 16
_PATCH = 128


@dataclass(frozen=True)
class Variant:
    """One file of a network.

    Attributes:
        kind: What it computes with; see `kinds.write_kind`.
        target: `cpu`, the network as it is; `mobile`, what the GPUs and NPUs of phones take
            whole, see `mobile.make_mobile`; or `onnx`, the network as it is for engines that take
            ONNX files.
        size: Height and width of its images, or None for any.
    """

    kind: Kind = "float32"
    target: Target = "cpu"
    size: int | None = None

    @property
    def name(self) -> str:
        """The file's name without its suffix, such as `mobile_256_int8`."""
        parts = ["mobile" if self.target == "mobile" else "model"]
        parts += [str(self.size)] if self.size else []
        parts += [self.kind] if self.kind != "float32" else []
        return "_".join(parts)

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.name}.{'onnx' if self.target == 'onnx' else 'tflite'}"

    @property
    def sidecar(self) -> str:
        """The name of the JSON file that tells how to run it."""
        return f"{self.name}.onnx.json" if self.target == "onnx" else f"{self.name}.json"

    def check(self, stride: int, halo: int = 0) -> None:
        """Refuses a size that a network cannot have, or of which a photo gets nothing.

        Args:
            stride: What height and width are multiples of.
            halo: Pixels at each border of a tile that are cut off; 0 for networks that tiles do
                not suit.

        Raises:
            UsageError: The size is no such multiple, is all halo, or is missing; or ONNX files
                do not have the number type.
        """
        if self.target == "onnx" and self.kind not in ("float32", "float16"):
            raise UsageError(
                f"--{self.kind}",
                "is only for LiteRT files",
                "use --float16, or remove --onnx or --target darktable",
            )
        if self.size is None:
            if self.target == "mobile":
                raise UsageError(
                    "--size dynamic",
                    "is not supported by phone GPUs and NPUs",
                    "give a tile size, such as --size 256",
                )
        elif self.size < 1 or self.size % stride:
            below = max(stride, self.size // stride * stride)
            raise UsageError(
                f"--size {self.size}",
                f"is not a multiple of {stride}, as this model needs",
                f"give {below} or {below + stride}",
            )
        elif self.size <= 2 * halo:
            raise UsageError(
                f"--size {self.size}",
                f"leaves no usable pixels: the halo takes {halo} at each border",
                f"give at least {2 * halo + stride}; {4 * halo} or more wastes less work",
            )


def check_integers(network: keras.Model, variants: Iterable[Variant]) -> None:
    """Refuses files of integers for layers that have none, before anything is converted.

    Args:
        network: The network.
        variants: What is asked for.

    Raises:
        UsageError: A layer divides, which LiteRT does not in 16 bits, or needs more than 8.
    """
    layers = list(find_layers(network))

    def holds(*kinds: type[keras.Layer]) -> str:
        return next((type(each).__name__ for each in layers if isinstance(each, kinds)), "")

    for variant in variants:
        cause, remedy = "", "use --float16"
        if variant.kind == "int16x8":
            if name := holds(LambdaLayer, DiffusionStep, ReactionDiffusionStep):
                cause = f"LiteRT has not all that {name} computes in 16-bit integers"
        elif variant.kind == "int8":
            if name := holds(DiffusionStep):
                cause = f"8 bits are too few for the small changes that {name} adds up"
            elif variant.target == "cpu" and (name := holds(LambdaLayer)):
                cause = f"8 bits are too few for {name} in the form for processors"
                remedy = "use --float16, or --target mobile"
        if cause:
            raise UsageError(f"--{variant.kind}", cause, remedy)


def write_kind(
    network: keras.Model, target: Path, kind: Kind, noisy: Sequence[np.ndarray] = ()
) -> None:
    """Writes a network as a LiteRT file.

    Args:
        network: A functional model of images (batch, height, width, channels).
        target: The file to write; its name ends in `.tflite`.
        kind: `float32`; `float16`, which keeps weights in 16 bits and computes with 32 unless
            the processor does better; `dynamic`, which keeps weights in 8 bits and rounds
            what it computes with to 8 as it comes; `int8`, integers alone, uint8 in and out;
            `int16x8`, integers of 16 bits times weights of 8, float32 in and out, of a network
            without rearranged pixels (see `make_mobile`).
        noisy: Float32 batches in [0, 1] of what it will see, for the kinds in `CALIBRATED`.

    Raises:
        ModelError: If LiteRT has no such form of what the network computes.
    """
    if kind == "int8":
        write_int8(network, target, noisy)
    elif kind == "int16x8":
        _refuse_level(network)
        options = {"representative_dataset": lambda: _one_by_one(noisy), **_OPTIONS[kind]}
        export_litert(network, target, **options)
    else:
        export_litert(network, target, **_OPTIONS[kind])


def draw_noisy_patches(recipe: Recipe, root: Path) -> list[np.ndarray]:
    """Draws what a network is calibrated on: patches with the noise it was trained on.

    Args:
        recipe: How it was trained.
        root: Folder that the recipe's data folders are relative to.

    Returns:
        Float32 batches (16, 128, 128, channels), clipped to [0, 1], as pictures are.

    Raises:
        RecipeError: If the photos are not there.
    """
    sampler = PatchSampler(_load(recipe, recipe.data.train, root), _PATCH, _BATCH, recipe.seed)
    seed = keras.random.SeedGenerator(recipe.seed)
    noisy = (recipe.mixture(sampler.batch_of(step), seed) for step in range(_BATCHES))
    return [np.clip(keras.ops.convert_to_numpy(batch), 0.0, 1.0) for batch in noisy]


def write_int8(denoiser: keras.Model, target: Path, noisy: Sequence[np.ndarray] = ()) -> None:
    """Writes a `.tflite` that computes with 8-bit integers alone.

    Its input and output are uint8 pictures as files have them, 0 to 255. Weights have a scale
    for each channel, activations one for each tensor.

    Args:
        denoiser: A functional model of noisy images (batch, height, width, channels) alone; of
            one that was trained with 8-bit integers, what `fix_scales` made.
        target: The file to write; its name ends in `.tflite`.
        noisy: Float32 batches in [0, 1] of what it will see, which set the scales where no
            training did.

    Raises:
        ModelError: If LiteRT has no integer form of what the network computes.
    """
    if len(denoiser.inputs) > 1:
        raise ModelError(
            denoiser.name,
            "takes more than an image, which 8-bit integer files do not support",
            "export a network that estimates the noise level by itself",
        )
    options: dict[str, Any] = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "inference_input_type": tf.uint8,
        "inference_output_type": tf.uint8,
    }
    if has_fixed_scales(denoiser):
        export_litert(denoiser, target, **options)
        return
    # Clipped, so that the output's scale is 1/255 and its zero 0, too: 255 is white.
    clipped = keras.ops.clip(denoiser.output, 0.0, 1.0)
    export_litert(
        keras.Model(denoiser.input, clipped, name=f"{denoiser.name}_pixels"),
        target,
        representative_dataset=lambda: _calibration(noisy),
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        **options,
    )


class FixedScale(keras.layers.Layer):
    """Tells LiteRT's converter the values that a tensor of 8 bits holds.

    Args:
        low: The smallest one.
        high: The largest one.

    Call arguments:
        values: A float32 tensor of any shape.

    Returns:
        The values, rounded to 256 from `low` to `high`.
    """

    def __init__(self, low: float, high: float, **options: Any) -> None:
        super().__init__(**options)
        self.low = low
        self.high = high

    def call(self, values: Any) -> Any:
        """Returns the rounded values."""
        return tf.quantization.fake_quant_with_min_max_args(values, self.low, self.high)


class FixedScalePrimitives(RoundingPrimitives):
    """Makes a network trained with 8-bit integers in a form that LiteRT's converter understands.

    Weights stay as they are: the converter rounds them as the training did.

    Args:
        rounded: The network as it was trained.
        base: What computes with the rounded values.
    """

    def __init__(self, rounded: keras.Model, base: Primitives) -> None:
        super().__init__(base)
        self._trained = {
            layer.name: layer for layer in find_layers(rounded) if isinstance(layer, Rounded)
        }

    def _make_rounder(self, name: str, *, signed: bool, picture: bool) -> FixedScale:
        layer = self._trained[name]
        return FixedScale(layer.scale * layer.low, layer.scale * layer.high, name=name)


def fix_scales(
    rounded: keras.Model, build: Callable[[Primitives], keras.Model], base: Primitives | None = None
) -> keras.Model:
    """Turns what `build_rounded` made into a network with its scales for LiteRT's converter.

    Args:
        rounded: A network trained in integers.
        build: What builds it; see `models.find_builder`.
        base: What it is made of besides, if it is for phones.

    Returns:
        The same network of plain convolutions, with a `FixedScale` for each tensor.
    """
    return rebuild(rounded, build, FixedScalePrimitives(rounded, base or Primitives()))


def has_fixed_scales(network: keras.Model) -> bool:
    """Whether `fix_scales` made a network, or a part of it."""
    return any(isinstance(layer, FixedScale) for layer in find_layers(network))


def _refuse_level(network: keras.Model) -> None:
    if len(network.inputs) > 1:
        raise ModelError(
            network.name,
            "takes more than an image, which 8-bit integer files do not support",
            "use --float16",
        )


def _one_by_one(noisy: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    for batch in noisy:
        for image in batch:
            yield [image[np.newaxis]]


def _calibration(noisy: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    # Black and white first, so that the input's scale is 1/255 and its zero 0.
    yield from _one_by_one([np.zeros_like(noisy[0][:1]), np.ones_like(noisy[0][:1]), *noisy])


def _load(recipe: Recipe, sources: Sequence[str], root: Path) -> list[np.ndarray]:
    channels = recipe.model.config.channels
    photos = load_images(
        sources, root, channels=channels, smallest=_PATCH, exclude=recipe.data.exclude
    )
    if not photos:
        raise RecipeError(root, f"has no photo of {_PATCH} pixels", "give larger ones")
    return photos
