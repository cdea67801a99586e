"""A trial: one training by a recipe, and what its network is worth on test images."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from common.data import Data, find_cifar10
from common.records import DIVERGED, Record, Watch
from kerasdenoise.errors import RecipeError
from kerasdenoise.evaluation.figures import measure_network
from kerasdenoise.files import write_file

SEED = 20261124
QUICK, FULL = "quick", "full"
_RECORD = "record.json"


@dataclass(frozen=True)
class Length:
    """How long a trial is trained, and how.

    Attributes:
        steps: Steps.
        batch: Images in a step.
        options: Other lines of the recipe's section `optimization`.
        checkpoints: How often progress is measured and kept.
    """

    steps: int
    batch: int
    options: dict[str, Any] = field(default_factory=dict)
    checkpoints: int = 5


@dataclass(frozen=True)
class Context:
    """Where a paper's experiments find and leave things.

    Attributes:
        paper: The paper's name.
        root: The data folder.
        folder: Folder of all runs.
        mode: `quick` or `full`.
        times: What the steps of `quick` are multiplied by.
    """

    paper: str
    root: Path
    folder: Path
    mode: str = QUICK
    times: int = 1

    @property
    def label(self) -> str:
        """The mode, and by how much it is longer."""
        return self.mode if self.times == 1 else f"{self.mode}_{self.times}"

    @property
    def runs(self) -> Path:
        """Folder of the runs of this paper in this mode."""
        return self.folder / self.paper / self.label

    @property
    def is_full(self) -> bool:
        """Whether trainings are as long as the paper's."""
        return self.mode == FULL

    def load(self, trial: str) -> Any:
        """Loads the network of a trial that was trained in this mode."""
        from kerasdenoise.training.network import load_run

        return load_run(self.runs / trial)[1]


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        name: Its folder and its key in the results.
        title: What tables call it.
        architecture: What is trained.
        noise: The corruption it learns to remove, and is measured on.
        quick: How it is trained in minutes; None if it takes longer.
        full: How the paper trained it.
        config: Fields of the network's `Config`.
        parts: Networks within this one, and the trials, listed before, that their weights are of.
        initial: The trial, listed before, whose weights training starts from; empty for new ones.
        percent: Share of the training images that are used.
        turns: Whether images are flipped and turned at random.
        images: Test images that are measured by `quick`; `full` measures all.
        seed: Of weights, batches and noise.
        data: Finds the images below the data folder.
        measure: What is measured: of a network, by this trial, in a context.
    """

    name: str
    title: str
    architecture: str
    noise: str
    quick: Length | None
    full: Length
    config: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    initial: str = ""
    percent: int = 100
    turns: bool = True
    images: int = 256
    seed: int = SEED
    data: Callable[[Path], Data] = find_cifar10
    measure: Callable[[Any, Trial, Context], dict[str, Any]] = lambda denoiser, trial, context: (
        measure_network(denoiser, trial.load_test(context), trial.noise)
    )

    def is_part_of(self, context: Context) -> bool:
        """Whether it is trained at all."""
        return context.is_full or self.quick is not None

    def length(self, context: Context) -> Length:
        """How long it is trained in a context."""
        if context.is_full or self.quick is None:
            return self.full
        quick = self.quick
        return Length(quick.steps * context.times, quick.batch, quick.options, quick.checkpoints)

    def load_test(self, context: Context) -> Any:
        """Loads the test images that are measured in a context."""
        return self.data(context.root).load_test(None if context.is_full else self.images)

    @property
    def about(self) -> dict[str, Any]:
        """What makes it another trial, however long it is trained."""
        about = {"architecture": self.architecture, "config": self.config, "noise": self.noise}
        # As it is when it was read from JSON.
        return json.loads(json.dumps(about))


def write_recipe(trial: Trial, context: Context) -> str:
    """Writes a trial's recipe: the loss is L2, and every other setting what `Length` says."""
    length, data = trial.length(context), trial.data(context.root)
    parts = {part: (context.runs / source).as_posix() for part, source in trial.parts.items()}
    start = {"initial_weights": (context.runs / trial.initial).as_posix()} if trial.initial else {}
    return tomli_w.dumps(
        {
            "name": trial.name,
            "summary": trial.title,
            "seed": trial.seed,
            "model": {
                "architecture": trial.architecture,
                "config": trial.config,
                "part_weights": parts,
                **start,
            },
            "data": {
                "root": data.root.as_posix(),
                "train": [data.part(trial.percent)],
                "validation": [data.validation],
                "license": data.note,
                "patch_size": data.patch,
                "margin": data.margin,
                "batch_size": length.batch,
                "augment": trial.turns,
            },
            "noise": [{"kind": trial.noise}],
            "optimization": {"steps": length.steps, "loss": "l2", **length.options},
            "validation": {
                "interval": -(-length.steps // length.checkpoints),
                "images": 64,
                "crop_size": data.crop,
                "noises": [trial.noise],
            },
        }
    )


def read_finished(trial: Trial, context: Context) -> Record | None:
    """Returns the record of a trial that needs no more steps; None if it does."""
    file = context.runs / trial.name / _RECORD
    if not file.exists():
        return None
    record = Record(**json.loads(file.read_text("utf-8")))
    is_whole = record.steps == trial.length(context).steps or record.has_diverged
    return record if is_whole and record.recipe == write_recipe(trial, context) else None


def read_log(run: Path) -> list[dict[str, Any]]:
    """Reads what a training noted at each checkpoint; nothing before the first."""
    file = run / "log.jsonl"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def run_trial(
    trial: Trial, context: Context, seconds: float | None, say: Callable[[str], None]
) -> Record:
    """Trains from the last checkpoint on, measures, and leaves the record in the run's folder.

    That a training diverges is a result as well.

    Args:
        trial: What to do.
        context: Where.
        seconds: How long the training may take; what is left of it is done by the next call.
        say: Is told the progress.

    Raises:
        RecipeError: If the run's folder holds another training.
    """
    import numpy as np

    from kerasdenoise.training.network import load_run
    from kerasdenoise.training.recipe import parse_recipe
    from kerasdenoise.training.run import train

    watch, run, text = Watch(), context.runs / trial.name, write_recipe(trial, context)
    recipe, diverged = parse_recipe(text, str(run)), ""
    try:
        train(
            recipe,
            run,
            Path(recipe.data.root),
            seconds=seconds,
            report=lambda progress: say(
                f"{trial.name}  step {progress.step}/{progress.steps}  "
                f"{next(iter(progress.psnr.values())):.2f} dB  "
                f"{1000 * progress.seconds_per_step:.0f} ms/step"
            ),
        )
    except RecipeError as error:
        if "different recipe" in error.cause:
            raise RecipeError(
                run, "holds a training that was defined otherwise", "delete that folder"
            ) from error
        if "no finite loss" not in error.cause:
            raise
        diverged = error.cause
    log = read_log(run)
    denoiser = None if diverged else load_run(run)[1]
    record = Record(
        name=trial.name,
        title=trial.title,
        mode=context.label,
        about=trial.about,
        seed=trial.seed,
        data=trial.data(context.root).note,
        figures=trial.measure(denoiser, trial, context) if denoiser else {DIVERGED: diverged},
        seconds=round(sum(entry["seconds"] for entry in log), 1),
        recipe=text,
        parameters=sum(
            int(np.prod(each.shape)) for each in (denoiser.trainable_variables if denoiser else ())
        ),
        steps=log[-1]["step"] if log else 0,
        batch=recipe.data.batch_size,
        full_steps=trial.full.steps,
        full_batch=trial.full.batch,
        curve=[[entry["step"], next(iter(entry["psnr"].values()))] for entry in log],
        origin=watch.describe(),
    )
    write_file(run / _RECORD, json.dumps(record.__dict__, indent=1))
    return record


def measure_step(trial: Trial, context: Context) -> float:
    """Measures the seconds that a step takes, on a network that is thrown away."""
    import numpy as np

    from kerasdenoise.training.recipe import parse_recipe
    from kerasdenoise.training.tasks import build_task

    recipe = parse_recipe(write_recipe(trial, context))
    task = build_task(recipe)
    side = recipe.data.patch_size + recipe.data.margin
    channels = trial.data(context.root).channels
    clean = np.random.default_rng(0).random(
        (recipe.data.batch_size, side, side, channels), np.float32
    )
    task.train_on_batch(clean)
    started, steps = time.monotonic(), 0
    while time.monotonic() - started < 2:
        task.train_on_batch(clean)
        steps += 1
    return (time.monotonic() - started) / steps
