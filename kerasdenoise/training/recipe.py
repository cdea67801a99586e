"""Training recipes: TOML files that say all of a run."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasdenoise.errors import RecipeError
from kerasdenoise.foreign import fault_of_name
from kerasdenoise.training.ranges import check_ranges

# By how an entry is annotated: what TOML may give for it, and how that is called.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "str": ((str,), "a text"),
    "tuple": ((list, tuple), "a list"),
    "dict": ((dict,), "a table"),
}


@dataclass(frozen=True)
class ModelSection:
    """What is trained.

    Attributes:
        architecture: Its name.
        config: The fields of its `Config`.
        dtype: Keras' dtype policy.
        initial_weights: What has the weights that this network starts with: the folder of a
            training run, relative to the working folder, or a saved model; none if empty.
        part_weights: The same for networks within this one, by their names.
        quantization_aware: Whether it computes as a file of 8-bit integers does; see
            `round_network`.
        net2wider: Whether that has fewer channels than this network; see `net2wider`.
        reinitialize_dead_units: Whether silent channels of what it starts with are drawn anew; see
            `revive`.
        teacher: The run or saved model of a better network, whose results it learns from.
        license: Of the weights; they may be used for no more than the photos they learned from.
    """

    architecture: str
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    dtype: str = "float32"
    initial_weights: str = ""
    part_weights: dict[str, str] = dataclasses.field(default_factory=dict)
    quantization_aware: bool = False
    net2wider: bool = False
    reinitialize_dead_units: bool = False
    teacher: str = ""
    license: str = "Apache-2.0"


@dataclass(frozen=True)
class DataSection:
    """What it is trained on.

    Attributes:
        root: Folder that the others are relative to; itself relative to the working folder.
        train: Clean images: folders (`train/cid22`), arrays (`cifar10/images.npz:x_train`) or
            TensorFlow data sets (`tfds:cifar10:test`); see `load_images`.
        validation: The same, of images that training never sees.
        license: What the photos' licenses permit; copied to the model's card.
        scales: Sizes at which each photo is used.
        exclude: File names that are left out of both, such as pictures shown in the
            documentation.
        patch_size: Side in pixels of what the network is given.
        margin: Extra pixels that are drawn with each patch and cut off at random after the
            noise is added, so that the grids of sensor and JPEG lie anywhere.
        batch_size: Patches per step.
        augment: Whether patches are flipped and turned at random.
    """

    root: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    license: str
    scales: tuple[float, ...] = (1.0,)
    exclude: tuple[str, ...] = ()
    patch_size: int = 64
    margin: int = 16
    batch_size: int = 16
    augment: bool = True


@dataclass(frozen=True)
class NoiseSection:
    """One corruption, as `kind:argument`, and its share of each batch."""

    kind: str
    share: float = 1.0


@dataclass(frozen=True)
class OptimizationSection:
    """How it is trained.

    Attributes:
        steps: Length of the run.
        learning_rate: Highest learning rate.
        schedule: How the rate goes: `warmup_stable_decay`, or `exponential`.
        warmup_steps: Steps of linear rise to the peak.
        decay_fraction: Share of the steps, at the end, over which the rate falls to zero.
        decay_steps: For `exponential`: steps after which the rate is lowered; 0 for a fiftieth of
            all.
        decay_rate: For `exponential`: what it is then multiplied by.
        optimizer: `adam`, `adamax`, `muon` or `sgd`.
        beta_2: Second-moment decay of Adam and Adamax, and of Muon for what is no matrix.
        momentum: Momentum of SGD.
        weight_decay: Factor of the weights in their gradients, as in PyTorch's optimizers; the
            reported loss includes the penalty.
        ema_momentum: Decay of the moving average of the weights, which is what is kept; 0 for none.
        loss: Name of the loss.
        objective: Name of the training mode.
        global_clipnorm: Global gradient norm above which gradients are scaled down; 0 for none.
    """

    steps: int
    learning_rate: float = 1e-3
    schedule: str = "warmup_stable_decay"
    warmup_steps: int = 500
    decay_fraction: float = 0.3
    decay_steps: int = 0
    decay_rate: float = 0.99
    optimizer: str = "adam"
    beta_2: float = 0.99
    momentum: float = 0.0
    weight_decay: float = 0.0
    ema_momentum: float = 0.999
    loss: str = "l1"
    objective: str = "supervised"
    global_clipnorm: float = 1.0


@dataclass(frozen=True)
class ValidationSection:
    """When progress is measured and kept.

    Attributes:
        interval: Steps between checkpoints.
        images: Validation images, center-cropped, that are denoised at each checkpoint.
        crop_size: Side of those crops.
        noises: The corruptions they get, each with a fixed seed.
    """

    interval: int = 1000
    images: int = 16
    crop_size: int = 192
    noises: tuple[str, ...] = ("gaussian:25",)


@dataclass(frozen=True)
class BenchmarkSection:
    """A test set that the finished model is measured on, and nothing else.

    Attributes:
        name: What tables call it.
        folder: Where it is, relative to the data root.
        noises: The corruptions to remove; none if the folder holds noisy and clean pairs.
    """

    name: str
    folder: str
    noises: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Attributes:
        name: What the model is called.
        summary: One line: what it is for.
        seed: Seed of patches, noise and first weights.
        model: What is trained.
        data: What it is trained on.
        noise: What is removed.
        optimization: How it is trained.
        validation: When progress is measured.
        benchmark: What the result is measured on.
        source: The text that this was read from.
    """

    name: str
    summary: str
    seed: int
    model: ModelSection
    data: DataSection
    noise: tuple[NoiseSection, ...]
    optimization: OptimizationSection
    validation: ValidationSection
    benchmark: tuple[BenchmarkSection, ...] = ()
    source: str = ""

    def identity(self) -> dict[str, Any]:
        """What must not change between the parts of a run; its end and place may."""
        content = dataclasses.asdict(self)
        for part in ("steps", "decay_fraction"):
            del content["optimization"][part]
        del content["data"]["root"]
        for part in ("validation", "summary", "benchmark", "source"):
            del content[part]
        return content


def read_recipe(path: Path) -> Recipe:
    """Reads and checks a recipe.

    Raises:
        RecipeError: If the file cannot be read, is not TOML, or has a missing, unknown or
            unusable entry.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RecipeError(path, f"cannot be read ({cause})", "name a recipe file") from error
    return parse_recipe(text, str(path))


def parse_recipe(text: str, name: str = "recipe") -> Recipe:
    """Reads a recipe from TOML text; see `read_recipe`."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(name, f"is not TOML ({error})", "mend that line") from error
    sections: dict[str, Any] = {
        "model": ModelSection,
        "data": DataSection,
        "optimization": OptimizationSection,
        "validation": ValidationSection,
    }
    values = dict(content)
    for section, kind in sections.items():
        values[section] = _make(kind, values.get(section, {}), f"{name} [{section}]")
    for table, kind in (("noise", NoiseSection), ("benchmark", BenchmarkSection)):
        rows = values.get(table, [])
        if not isinstance(rows, list):
            raise RecipeError(f"{name} [[{table}]]", "is not a table", "see recipes/photo.toml")
        values[table] = tuple(_make(kind, row, f"{name} [[{table}]]") for row in rows)
    recipe: Recipe = _make(Recipe, values | {"source": text}, name)
    if fault := fault_of_name(recipe.name):
        raise RecipeError(f"{name} name = {recipe.name!r}", fault, "give a plain name")
    if not recipe.noise:
        raise RecipeError(f"{name} [[noise]]", "is missing", "give at least one kind of noise")
    for option in ("net2wider", "reinitialize_dead_units"):
        if getattr(recipe.model, option) and not recipe.model.initial_weights:
            raise RecipeError(
                f"{name} [model] {option}",
                "needs a trained network to begin with",
                'name its run or saved model: initial_weights = "runs/NAME"',
            )
    check_ranges(recipe, name)
    return recipe


def _make(kind: Any, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise RecipeError(where, "is not a table", "see recipes/photo.toml")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise RecipeError(f"{where} {unknown[0]}", "is unknown", f"known: {', '.join(fields)}")
    missing = [
        name
        for name, field in fields.items()
        if name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise RecipeError(f"{where} {missing[0]}", "is missing", "see recipes/photo.toml")
    for name, value in values.items():
        kind_of, _, inner = str(fields[name].type).partition("[")
        _check_kind(f"{where} {name} = {value!r}", kind_of, value)
        # Of `tuple[str, ...]` all entries are texts, of `dict[str, str]` all values.
        if kind_of == "tuple":
            for each in value:
                _check_kind(f"{where} {name}: {each!r}", inner.partition(",")[0], each)
        elif kind_of == "dict":
            for key, each in value.items():
                _check_kind(f"{where} {name}.{key} = {each!r}", inner.split(", ")[1][:-1], each)
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _check_kind(subject: str, annotated: str, value: Any) -> None:
    known, called = _KINDS.get(annotated, ((object,), ""))
    # In Python true and false are numbers as well.
    if not isinstance(value, known) or (isinstance(value, bool) and int in known):
        raise RecipeError(subject, f"is not {called}", "give one")
