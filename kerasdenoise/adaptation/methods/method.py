"""What every way of learning from noisy photos says of itself, and the recipe that it follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import tomli_w

from kerasdenoise.adaptation.crops import Crops
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.errors import ModelError
from kerasdenoise.plain_json import read_object
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.zoo import ModelInfo, find_model

SEED = 20261130


def find_source(base: ModelInfo) -> str:
    """Returns what a recipe calls a saved model: its name, or its folder if no index names it."""
    try:
        is_named = find_model(base.name).folder.resolve() == base.folder.resolve()
    except ModelError:
        is_named = False
    return base.name if is_named else base.folder.resolve().as_posix()


class Method(ABC):
    """A way of learning. Each is a subclass in a file of its own, listed in `METHODS`.

    Attributes:
        name: What the command line calls it.
        objective: The training task.
        steps: Steps in all.
        interval: Steps between checkpoints.
        patch: Side of a patch in pixels, if crops are as large.
        rate: Learning rate.
        momentum: Of the average of weights.
        is_new: Whether the network learns from nothing, and not from the model to start from.
        learns_from_scenes: Whether it needs several photos of each scene.
    """

    name: ClassVar[str]
    objective: ClassVar[str]
    steps: ClassVar[int]
    interval: ClassVar[int] = 50
    patch: ClassVar[int] = 96
    rate: ClassVar[float]
    momentum: ClassVar[float] = 0.99
    is_new: ClassVar[bool] = False
    learns_from_scenes: ClassVar[bool] = False

    @classmethod
    def is_chosen(cls, survey: Survey) -> bool:
        """Whether it is taken for such photos if nobody asks for another."""
        del survey
        return False

    @classmethod
    @abstractmethod
    def warn(cls, survey: Survey) -> str:
        """Says why it will hardly succeed; empty if nothing speaks against it."""

    @classmethod
    @abstractmethod
    def plan_model(cls, base: ModelInfo, survey: Survey, crops: Crops) -> dict[str, Any]:
        """Returns the entries of the recipe's section `[model]`.

        Raises:
            ModelError: The model is no start for this method.
        """

    @classmethod
    def find_multiple(cls, base: ModelInfo, survey: Survey) -> int:
        """Returns what sides of patches must be a multiple of."""
        del survey
        return base.stride

    @classmethod
    def write_recipe(
        cls, name: str, base: ModelInfo, survey: Survey, crops: Crops, root: str
    ) -> Recipe:
        """Writes what the training follows.

        Args:
            name: What the model will be called.
            base: The model to start from.
            survey: What the photos are like.
            crops: What it learns from.
            root: Folder of the archive `crops.npz`.

        Raises:
            ModelError: The model is no start for this method.
        """
        multiple = cls.find_multiple(base, survey)
        crop = crops.learned.shape[1] // multiple * multiple
        start = "a tiny network" if cls.is_new else base.name
        content: dict[str, Any] = {
            "name": name,
            "summary": f"{start}, adapted to the noise of {_describe_origin(survey)}",
            "seed": SEED,
            "model": {
                "license": base.metadata.get("license", "Apache-2.0"),
                **cls.plan_model(base, survey, crops),
            },
            "data": {
                "root": root,
                "train": ["crops.npz:learned"],
                "validation": ["crops.npz:held_out"],
                "license": "your own photos",
                "patch_size": min(-(-cls.patch // multiple) * multiple, crop),
                "margin": 0,
                "batch_size": 4,
                # Turned, columns would be rows.
                "augment": survey.kind != "lines",
            },
            "noise": [{"kind": survey.noise}],
            "optimization": {
                "objective": cls.objective,
                "loss": "l2",
                "steps": cls.steps,
                "learning_rate": cls.rate,
                "warmup_steps": 10,
                "decay_fraction": 0.5,
                "ema_momentum": cls.momentum,
                "global_clipnorm": 0.0,
            },
            "validation": {
                "interval": cls.interval,
                "images": 8,
                "crop_size": min(-(-128 // multiple) * multiple, crop),
                "noises": [survey.noise],
            },
        }
        return parse_recipe(tomli_w.dumps(content), name)


def read_config(base: ModelInfo) -> dict[str, Any]:
    """Reads a saved model's `architecture` and `config`."""
    return read_object(base.folder / "config.json", ModelError)


def _describe_origin(survey: Survey) -> str:
    cameras = ", ".join(sorted(survey.cameras))
    photos = survey.describe_count()
    return f"{photos} of {cameras}" if cameras else photos
