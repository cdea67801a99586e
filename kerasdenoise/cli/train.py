"""`kerasdenoise train`: a recipe in, a trained model out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasdenoise.cli.options import data_option
from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.cli.requirements import needs_training

if TYPE_CHECKING:
    from kerasdenoise.training.run import Progress

# Share of dead units, of those that can die, from which on it is reported.
_MANY_DEAD = 0.1


@click.command("train", short_help="Train a model from a recipe.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Run folder; an existing run resumes.  [default: runs/ + the recipe's name]",
)
@data_option
@click.option(
    "--stop-at",
    type=click.IntRange(min=1),
    metavar="STEP",
    help="Stop at this step, to resume later.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Stop within N minutes, with a checkpoint, to resume later.",
)
@verbose_option
@needs_training
def command(
    recipe: Path, run: Path | None, data: Path | None, stop_at: int | None, minutes: float | None
) -> None:
    """Train a model from a recipe.

    \b
        kerasdenoise train recipes/photo_first.toml

    A stopped run resumes from its last checkpoint and ends at the recipe's last step. Progress
    is printed at each checkpoint; curves.png in the run folder plots it.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    started = time.monotonic()
    from kerasdenoise.metrics import warn_if_worse
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.training.recipe import read_recipe
    from kerasdenoise.training.run import train

    plan = read_recipe(recipe)
    folder = run or Path("runs") / plan.name
    last = train(
        plan,
        folder,
        data or Path(plan.data.root),
        stop_at=stop_at,
        # Imports take time too.
        seconds=None if minutes is None else 60 * minutes - (time.monotonic() - started),
        report=_print_progress,
    )
    if last is None:
        say(f"{folder}: nothing left to do")
        return
    for kind, noisy in last.noisy.items():
        for line in warn_if_worse(kind, noisy, last.psnr[kind]):
            say(line)
    following = f"export {folder}"
    if last.step < last.steps:
        options = [f" {name} {path}" for name, path in (("--run", run), ("--data", data)) if path]
        following = f"train {recipe}{''.join(options)}"
    say(f"{folder}: step {last.step} of {last.steps}; next: kerasdenoise {following}")


def _print_progress(progress: Progress) -> None:
    given = {kind: f" (noisy {psnr:.2f})" for kind, psnr in progress.noisy.items()}
    figures = "  ".join(
        f"{kind} {psnr:.2f} dB{given.get(kind, '')}" for kind, psnr in progress.psnr.items()
    )
    figures += "".join(f"  {name} {value:.3g}" for name, value in progress.figures.items())
    if progress.dead_units >= _MANY_DEAD:
        figures += f"  {progress.dead_units:.0%} of the units dead: try a lower learning_rate"
    say(
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.5f}  {figures}  "
        f"{1000 * progress.seconds_per_step:.0f} ms/step  {_duration(progress.seconds_left)} left"
    )


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
