"""Training tasks, one a file: docs/adding-a-training-task.md says how to add one."""

from __future__ import annotations

from kerasdenoise.errors import RecipeError
from kerasdenoise.training.recipe import Recipe
from kerasdenoise.training.tasks.border import Border
from kerasdenoise.training.tasks.contrast_search import ContrastSearch
from kerasdenoise.training.tasks.distillation import Distillation
from kerasdenoise.training.tasks.exposures import Exposures
from kerasdenoise.training.tasks.noise2noise import Noise2Noise
from kerasdenoise.training.tasks.quantization_aware import QuantizationAware
from kerasdenoise.training.tasks.supervised import Supervised
from kerasdenoise.training.tasks.task import Task

# The first that a recipe means is its task: those that it asks for by other entries than
# `objective` come first.
TASKS: tuple[type[Task], ...] = (
    QuantizationAware,
    Distillation,
    Supervised,
    Exposures,
    Noise2Noise,
    Border,
    ContrastSearch,
)


def find_task(recipe: Recipe) -> type[Task]:
    """Finds the task that a recipe asks for.

    Raises:
        RecipeError: If there is none.
    """
    for task in TASKS:
        if task.is_meant_by(recipe):
            return task
    known = dict.fromkeys(task.objective for task in TASKS)
    raise RecipeError(
        f"objective {recipe.optimization.objective!r}", "is unknown", f"known: {', '.join(known)}"
    )
