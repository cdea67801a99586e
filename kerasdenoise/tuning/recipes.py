"""The recipes of trials, and of architectures whose settings are their search space's base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from kerasdenoise.data.sources import load_images
from kerasdenoise.errors import UsageError
from kerasdenoise.models import get_architecture, mac_per_pixel
from kerasdenoise.noise import Noise
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.tuning.data import Data
from kerasdenoise.tuning.space import CONFIG, find_space, read_space
from kerasdenoise.tuning.study import Settings, Study

# Checkpoints of a trial; the most of a whole training, and the least steps between them.
_CHECKPOINTS, _MORE_CHECKPOINTS, _INTERVAL = 4, 20, 50
# The share of steps in which the rate rises.
_WARMUP = 0.1
# Images from this side on are photos, of which patches are cut.
_PHOTO = 64
_CROP = 192
_IMAGES = {"photos": 16, "small": 64}

Values = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Frame:
    """What all trials of a study share that is known only once it runs.

    Attributes:
        patch: Side of patches.
        crop: Side of the pictures that are measured.
        images: How many of those there are.
        compute: Multiply-accumulates of a trial with the base's settings.
    """

    patch: int
    crop: int
    images: int
    compute: float


def find_frame(study: Study) -> Frame:
    """Looks at a study's images and at the network of its base settings.

    Raises:
        RecipeError: If the images cannot be read.
        UsageError: If they are too small.
    """
    settings, base, config = study.settings, study.space.base, study.space.config
    images = load_images(
        settings.data.validation, Path(), channels=config.channels, exclude=settings.data.exclude
    )
    side = min((min(image.shape[:2]) for image in images), default=0)
    photos = side >= _PHOTO
    patch = _fit(_PHOTO if photos else min(side, 32), config.stride)
    # 16 is what the grids of sensor and JPEG need, in noise that has them.
    crop = _fit(min(side, _CROP), math.lcm(16, config.stride)) or _fit(side, config.stride)
    if not patch or not crop:
        raise UsageError(
            settings.data.description,
            f"has images of {side} pixels, too few for {settings.architecture}",
            f"give images of at least {max(config.stride, 16)}",
        )
    network = get_architecture(settings.architecture).build(config)
    pixels = patch**2 * max(1, base.pixels // patch**2)
    compute = float(settings.steps * pixels * mac_per_pixel(network, config.stride))
    return Frame(patch, crop, _IMAGES["photos" if photos else "small"], compute)


def make_default_recipe(
    architecture: str,
    data: Data,
    *,
    noise: Sequence[str] = (),
    steps: int | None = None,
    seed: int = 1,
) -> str:
    """Writes the recipe of an architecture with the settings that a search starts from.

    Args:
        architecture: Its name.
        data: What it is trained on.
        noise: What is removed; by default what its search space says.
        steps: Steps of the training; by default what its search space says.
        seed: Of everything that is random.

    Raises:
        RecipeError: If the images cannot be read.
        UsageError: If they are too small, or a noise is unknown.
    """
    space = read_space(find_space(architecture), architecture)
    settings = Settings(
        architecture=architecture,
        tuner="random",
        objective="psnr",
        equal="steps",
        steps=steps or space.base.training_steps,
        noise=tuple(noise),
        seed=seed,
        data=data,
    )
    study = Study(Path(), settings, space)
    kinds = ", ".join(settings.noise or _texts(space.base.noise))
    title = (architecture, f"{architecture} for {kinds}")
    # Measuring takes as long as some steps.
    checkpoints = min(_MORE_CHECKPOINTS, -(-settings.steps // _INTERVAL))
    return make_recipe(study, find_frame(study), {}, title, checkpoints)


def make_recipe(
    study: Study,
    frame: Frame,
    values: Values,
    title: tuple[str, str] | None = None,
    checkpoints: int = _CHECKPOINTS,
) -> str:
    """Writes the recipe of a trial.

    Args:
        study: The study.
        frame: What its trials share.
        values: What this one has of its own, by section and name.
        title: Its name and summary; by default those of settings that were searched for.
        checkpoints: How many it has.

    Raises:
        RecipeError: If they describe no network.
    """
    settings, base = study.settings, study.space.base
    data = {
        "root": ".",
        "train": settings.data.train,
        "validation": settings.data.validation,
        "license": settings.data.license,
        "exclude": settings.data.exclude,
        "patch_size": frame.patch,
        "margin": 0,
        **values.get("data", {}),
    }
    data.setdefault("batch_size", max(1, base.pixels // data["patch_size"] ** 2))
    noise = settings.noise or _texts(base.noise)
    name, summary = title or (
        f"{settings.architecture}_tuned",
        f"{settings.architecture} with settings that were searched for",
    )
    content: dict[str, Any] = {
        "name": name,
        "summary": summary,
        "seed": settings.seed,
        "model": {
            "architecture": settings.architecture,
            "config": {**base.config, **values.get(CONFIG, {})},
            "dtype": base.dtype,
        },
        "data": data,
        "noise": [{"kind": kind} for kind in noise],
        "optimization": {
            "steps": settings.steps,
            **base.optimization,
            **values.get("optimization", {}),
        },
        "validation": {
            "interval": 1,
            "images": frame.images,
            "crop_size": frame.crop,
            "noises": (() if settings.noise else _texts(base.measured)) or noise,
        },
    }
    plan = content["optimization"]
    if settings.equal == "compute":
        plan["steps"] = _count_steps(frame, parse_recipe(tomli_w.dumps(content)))
    if plan.get("schedule", "warmup_stable_decay") == "warmup_stable_decay":
        plan.setdefault("warmup_steps", max(1, round(_WARMUP * plan["steps"])))
    content["validation"]["interval"] = -(-plan["steps"] // checkpoints)
    return tomli_w.dumps(content)


def _texts(noises: Sequence[Noise]) -> tuple[str, ...]:
    return tuple(noise.text for noise in noises)


def _count_steps(frame: Frame, recipe: Recipe) -> int:
    """How many steps of a recipe compute as much as those of a trial with the base's settings."""
    model, data = recipe.model, recipe.data
    network = get_architecture(model.architecture).build(model.config)
    pixels = data.batch_size * data.patch_size**2
    return max(1, round(frame.compute / (mac_per_pixel(network, model.config.stride) * pixels)))


def _fit(side: int, multiple: int) -> int:
    return side - side % multiple


def values_of(values: Values) -> dict[str, Any]:
    """Returns what a trial has of its own by name alone, as no two entries share one."""
    return {name: value for section in values.values() for name, value in section.items()}
