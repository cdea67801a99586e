"""`kerasdenoise train`: a recipe or an architecture in, a trained model out."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kerasdenoise.cli.options import needs_training
from kerasdenoise.cli.report import Report, say, verbose_option
from kerasdenoise.errors import KerasDenoiseError, UsageError

if TYPE_CHECKING:
    from kerasdenoise.training.devices import Devices, Hosts
    from kerasdenoise.training.recipe import Recipe
    from kerasdenoise.training.run import Progress

# Share of dead units, of those that can die, from which on it is reported.
_MANY_DEAD = 0.1


_ADDRESS = re.compile(r".+:\d{1,5}")

# Seconds until the first line on speed, and how much longer each of the next takes to come.
_FIRST_LINE, _LATER = 10, 3


@click.command("train", short_help="Train a model from a recipe, or an architecture.")
@click.argument("recipe", metavar="RECIPE|ARCH")
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Run folder; an existing run resumes.  [default: runs/ + the name]",
)
@click.option(
    "--data",
    metavar="IMAGES",
    help="For a recipe, the parent of its data folders. For an architecture, a folder of images or "
    "of train/ and validation/; FILE.npz:NAME; tfds:NAME.  [default: root in the recipe; CIFAR-10, "
    "photos or the sample, whatever is available]",
)
@click.option(
    "--noise",
    "noises",
    multiple=True,
    metavar="KIND",
    help="For an architecture: noise to remove, such as gaussian:25; may be repeated.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="For an architecture: training steps.  [default: 5000]",
)
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
@click.option(
    "--tensorboard", is_flag=True, help="Also write the figures for TensorBoard, to the run folder."
)
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    metavar="N",
    help="GPUs per host that share each step; needs JAX.  [default: 1]",
)
@click.option(
    "--hosts",
    "address",
    metavar="HOST:PORT",
    help="Train on several hosts: the address of the first.",
)
@click.option(
    "--host-count", "count", type=click.IntRange(min=2), metavar="N", help="Number of hosts."
)
@click.option(
    "--host-index", "index", type=click.IntRange(min=0), metavar="I", help="0 on the first host."
)
@verbose_option
@click.pass_obj
@needs_training
def command(
    report: Report,
    address: str | None,
    count: int | None,
    index: int | None,
    **asked: Any,
) -> None:
    """Train a model from a recipe, or an architecture with default settings.

    \b
        kerasdenoise train recipes/photo_first.toml
        kerasdenoise train dncnn --data photos

    An architecture's settings are written to a recipe beside its run folder, to be edited and
    trained anew. A stopped run resumes from its last checkpoint and ends at the recipe's last
    step. Progress is printed at each checkpoint; curves.png in the run folder plots it.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    place = _parse_hosts(address, count, index)
    if place is None:
        _train(**asked)
        return
    for option, given in (("minutes", "--minutes"), ("noises", "--noise"), ("steps", "--steps")):
        if asked[option]:
            raise UsageError(given, "cannot be used with --hosts", "leave it out; see --stop-at")
    if not _is_recipe(asked["recipe"]):
        raise UsageError(
            asked["recipe"], "has no recipe yet, which all hosts need", "name the file of a recipe"
        )
    _watch_over(place, asked, report)


def _parse_hosts(address: str | None, count: int | None, index: int | None) -> Hosts | None:
    """Returns where this host stands among others, if there are."""
    if (address, count, index) == (None, None, None):
        return None
    if address is None or count is None or index is None:
        raise UsageError(
            "--hosts, --host-count and --host-index",
            "belong together",
            "give all three, or none",
        )
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"--hosts {address}", "is not HOST:PORT", "give an address such as 10.0.0.1:8476"
        )
    if index >= count:
        raise UsageError(
            f"--host-index {index}",
            f"is not below --host-count {count}",
            f"number the hosts from 0 to {count - 1}",
        )
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.training.devices import Hosts

    return Hosts(address, count, index)


def _watch_over(place: Hosts, asked: dict[str, Any], report: Report) -> None:
    """Trains in a child process: JAX ends it without a Python error if the first host is lost."""
    from kerasdenoise.training.devices import lost_host

    child = multiprocessing.get_context("spawn").Process(
        target=_train_as_host, args=(place, asked, report), daemon=True
    )
    child.start()
    child.join()
    code = child.exitcode or 0
    if code < 0:
        cause = f"training ended with {signal.Signals(-code).name}"
        raise lost_host(asked["run"] or Path(asked["recipe"]), cause)
    sys.exit(code)


def _train_as_host(place: Hosts, asked: dict[str, Any], report: Report) -> NoReturn:
    """Trains with other hosts, and ends this process without waiting for one that is lost."""
    from kerasdenoise.cli import explain
    from kerasdenoise.training.devices import blame_lost_host, join_hosts, leave_hosts

    # Interrupted is the parent alone, and this process ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if report.verbosity < 2:
        _silence_native_code()
    code = 0
    try:
        with blame_lost_host(asked["run"] or Path(asked["recipe"])):
            join_hosts(place)
            _train(**asked)
            leave_hosts()
    except Exception as error:
        code = explain(error, report)
    os._exit(code)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _silence_native_code() -> None:
    """Leaves standard error to Python: what ends a process in C++ fills a screen."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as null:  # noqa: PTH123
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    sys.stderr = os.fdopen(kept, "w", encoding="utf-8", errors="backslashreplace")


def _train(
    recipe: str,
    run: Path | None,
    data: str | None,
    noises: tuple[str, ...],
    steps: int | None,
    stop_at: int | None,
    minutes: float | None,
    tensorboard: bool,
    devices: int | None,
) -> None:
    started = time.monotonic()
    from kerasdenoise.metrics import warn_if_worse
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.training.recipe import read_recipe
    from kerasdenoise.training.run import train

    if is_recipe := _is_recipe(recipe):
        for option, given in (("--noise", noises), ("--steps", steps)):
            if given:
                raise UsageError(option, "is only for an architecture", f"edit {recipe} instead")
        file = Path(recipe)
    else:
        file, run = _write_recipe(recipe, run, data, noises, steps)
    plan = read_recipe(file)
    folder = run or Path("runs") / plan.name
    shared = _share(plan, devices)
    last = train(
        plan,
        folder,
        Path(data) if data and is_recipe else Path(plan.data.root),
        stop_at=stop_at,
        # Imports take time too.
        seconds=None if minutes is None else 60 * minutes - (time.monotonic() - started),
        report=_make_report(folder / "tensorboard" if tensorboard else None),
        callbacks=_tell_speed(plan),
        devices=shared,
    )
    if last is None:
        say(f"{folder}: nothing left to do")
        return
    for kind, noisy in last.noisy.items():
        for line in warn_if_worse(kind, noisy, last.psnr[kind]):
            say(line)
    following = f"export {folder}"
    if last.step < last.steps:
        given = {"--run": run, "--data": data if is_recipe else None, "--devices": devices}
        options = [f" {name} {value}" for name, value in given.items() if value]
        following = f"train {file}{''.join(options)}"
    say(f"{folder}: step {last.step} of {last.steps}; next: kerasdenoise {following}")


def _share(plan: Recipe, devices: int | None) -> Devices | None:
    """Returns the devices that share each step, and says what a step is; None for a single one."""
    from kerasdenoise.training.devices import Devices, count_hosts

    if (devices or 1) == count_hosts() == 1:
        return None
    shared = Devices(plan, devices or 1)
    say(shared.describe(plan))
    return shared


def _is_recipe(text: str) -> bool:
    return text.endswith(".toml") or Path(text).is_file()


def _write_recipe(
    name: str, run: Path | None, data: str | None, noises: tuple[str, ...], steps: int | None
) -> tuple[Path, Path]:
    """Writes an architecture's recipe beside its run, or returns the existing one."""
    from kerasdenoise.files import write_file
    from kerasdenoise.models import find_architecture
    from kerasdenoise.tuning.data import choose_data
    from kerasdenoise.tuning.recipes import make_default_recipe

    architecture = find_architecture(name)
    folder = run or Path("runs") / architecture
    file = folder.with_name(f"{folder.name}.toml")
    if file.exists():
        for option, given in (("--data", data), ("--noise", noises), ("--steps", steps)):
            if given:
                raise UsageError(
                    option,
                    f"would change {file}, which this run follows",
                    "edit that file, or give another --run",
                )
        say(f"{file}: resuming with this recipe")
        return file, folder
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(folder, f"exists without {file.name}", "give another --run") from error
    except OSError as error:
        cause = f"cannot be created ({error.strerror})"
        raise UsageError(folder, cause, "give another --run") from error
    try:
        chosen = choose_data(data, folder)
        text = make_default_recipe(architecture, chosen, noise=noises, steps=steps)
        write_file(file, text, replaces=None, option="--run")
    except KerasDenoiseError:  # the folder is of this call
        shutil.rmtree(folder, ignore_errors=True)
        raise
    say(f"{file}: written; {architecture} on {chosen.description}")
    return file, folder


def _tell_speed(recipe: Recipe) -> list[Any]:
    """Prints the speed between checkpoints, which may be minutes apart."""
    import keras

    # Under JAX a look at each step would make all of them slower.
    if keras.backend.backend() == "jax":
        return []
    interval, steps = recipe.validation.interval, recipe.optimization.steps
    first = started = time.monotonic()
    due = _FIRST_LINE

    def begin(batch: int, logs: Any = None) -> None:
        nonlocal started
        # The first step compiles.
        if batch == 1:
            started = time.monotonic()

    def end(batch: int, logs: dict[str, float]) -> None:
        nonlocal due
        now = time.monotonic()
        if now < first + due or not 1 <= batch < interval - 1:
            return
        due *= _LATER
        pace = (now - started) / batch
        say(
            f"{batch + 1} of {interval} steps to the next checkpoint  loss {logs['loss']:.5f}  "
            f"{1000 * pace:.0f} ms/step  {_duration(pace * steps)} for all {steps} steps"
        )

    return [keras.callbacks.LambdaCallback(on_train_batch_begin=begin, on_train_batch_end=end)]


def _make_report(folder: Path | None) -> Callable[[Progress], None]:
    """Prints progress, and writes it for TensorBoard if a folder is given."""
    if folder is None:
        return _print_progress
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))

    def report(progress: Progress) -> None:
        _print_progress(progress)
        with writer.as_default(step=progress.step):
            for name, value in progress.to_logs().items():
                tf.summary.scalar(name, value)
        writer.flush()

    return report


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
