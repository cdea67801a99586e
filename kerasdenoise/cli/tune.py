"""`kerasdenoise tune`: an architecture in, a recipe with its best settings out."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasdenoise.cli.options import TIME, SectionedCommand, needs_training, section
from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import UsageError

if TYPE_CHECKING:
    from kerasdenoise.tuning.space import Space
    from kerasdenoise.tuning.study import Study

_REPORT = "report"
_TRIALS = 20
_SEED = 20261124
# Seconds that suffice to train the smallest network a little.
_SHORTEST = 60


class _Architectures(click.Group):
    """A group with one and the same command for every architecture."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All architectures, and `report`."""
        from kerasdenoise.models import list_architectures

        return [*list_architectures(), _REPORT]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Any name but `report` is an architecture, or is rejected as one."""
        return report_command if cmd_name == _REPORT else search_command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the architectures apart from the command."""
        *architectures, report = self.list_commands(ctx)
        with formatter.section("Architectures"):
            formatter.write_text(", ".join(architectures))
        with formatter.section("Commands"):
            formatter.write_dl([(report, report_command.get_short_help_str(80))])


@click.command(
    "tune",
    cls=_Architectures,
    short_help="Search for the best settings of an architecture.",
    subcommand_metavar="ARCH [OPTIONS] | report STUDY",
)
def command() -> None:
    """Search for the best settings of an architecture.

    \b
        kerasdenoise tune lambda --budget 2h
        kerasdenoise tune report runs/tune_lambda_net

    `tune ARCH --help` lists the options. ARCH may be shortened: lambda is lambda_net.
    """  # noqa: D301 (\b keeps the lines after it as they are)


_goal, _search, _study = (section(title) for title in ("Goal", "Search", "Study"))


@click.command("ARCH", cls=SectionedCommand)
@_goal(
    "--objective",
    type=click.Choice(["psnr", "ssim", "pareto"]),
    metavar="GOAL",
    help="psnr, ssim, or pareto: best PSNR at each cost.  [default: psnr]",
)
@_goal(
    "--noise",
    "noises",
    multiple=True,
    metavar="KIND",
    help="Noise to remove, such as gaussian:25; may be repeated.  [default: from --space]",
)
@_goal(
    "--data",
    metavar="IMAGES",
    help="Folder of images, or of train/ and validation/; FILE.npz:NAME; tfds:NAME.  "
    "[default: CIFAR-10, photos or the sample, whatever is available]",
)
@_goal(
    "--space",
    "space_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Search space.  [default: the architecture's file in tuning/]",
)
@_search(
    "--tuner",
    type=click.Choice(["random", "hyperband", "bayesian"]),
    metavar="METHOD",
    help="random, hyperband or bayesian.  [default: bayesian]",
)
@_search(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Maximum number of trials.  [default: {_TRIALS}; none with --budget]",
)
@_search(
    "--budget",
    type=TIME,
    metavar="TIME",
    help="Time limit, such as 2h or 90m; no trial starts that would exceed it.",
)
@_search(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Training steps per trial.  [default: from --space]",
)
@_search(
    "--equal",
    type=click.Choice(["steps", "compute"]),
    metavar="KIND",
    help="Give all trials equal steps or equal compute.  [default: steps]",
)
@_search(
    "--seed", type=click.IntRange(min=1), metavar="N", help=f"Random seed.  [default: {_SEED}]"
)
@_search(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Parallel trials, each in its own process.  [default: 1]",
)
@_study(
    "--study",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Study folder.  [default: runs/tune_ARCH]",
)
@_study("--resume", is_flag=True, help="Resume a study that was stopped or killed.")
@click.option("--watched", is_flag=True, hidden=True)
@verbose_option
@click.pass_context
@needs_training
def search_command(
    ctx: click.Context,
    space_file: Path | None,
    trials: int | None,
    budget: float | None,
    workers: int,
    folder: Path | None,
    resume: bool,
    watched: bool,
    **asked: Any,
) -> None:
    """Search for the best settings of an architecture.

    \b
        kerasdenoise tune lambda --noise gaussian:25 --budget 2h
        kerasdenoise tune lambda --resume

    Each trial is a training run. The results are printed and stored in the study folder:
    report.md, figures, and tuned.toml, a recipe for `train`.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise.models import find_architecture
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.tuning.space import find_space, read_space
    from kerasdenoise.tuning.workers import TUNER_ID

    architecture = find_architecture(ctx.info_name or "")
    folder = folder or Path("runs") / f"tune_{architecture}"
    space = read_space(space_file or find_space(architecture), architecture)
    asked["noise"] = asked.pop("noises") or None
    until = float("inf") if budget is None else time.time() + budget
    if budget is not None and budget < _SHORTEST and not watched:
        raise UsageError(
            f"--budget {budget:g}s", "is too short for a trial", f"give {_SHORTEST}s or more"
        )
    if trials is None and budget is None:
        trials = _TRIALS
    if TUNER_ID in os.environ:
        _take_part(folder, architecture, space, asked, trials, until, workers, resume, watched)
        return
    study, is_new = _prepare(folder, architecture, space, asked, resume)
    _watch_over(study, is_new, trials, until, workers)
    _report(study)


@click.command(_REPORT, short_help="Rewrite a study's report.")
@click.argument("study", type=click.Path(path_type=Path))
@verbose_option
@needs_training
def report_command(study: Path) -> None:
    """Rewrite a study's report.

    \b
        kerasdenoise tune report runs/tune_lambda_net

    The search may still be running.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.tuning.study import open_study

    _report(open_study(study))


def _prepare(
    folder: Path, architecture: str, space: Space, asked: dict[str, Any], resume: bool
) -> tuple[Study, bool]:
    """Opens the study to resume, or creates a new one."""
    from kerasdenoise.tuning.data import choose_data
    from kerasdenoise.tuning.study import Settings, check_free, check_same, create_study, open_study

    data = asked.pop("data")
    if resume:
        study = open_study(folder)
        check_same(study, {"architecture": architecture, **asked}, space)
        say(f"{folder}: resuming on {study.settings.data.description}")
        return study, False
    check_free(folder)
    settings = Settings(
        architecture=architecture,
        tuner=asked["tuner"] or "bayesian",
        objective=asked["objective"] or "psnr",
        equal=asked["equal"] or "steps",
        steps=asked["steps"] or space.base.steps,
        noise=asked["noise"] or (),
        seed=asked["seed"] or _SEED,
        data=choose_data(data, folder),
    )
    study = create_study(folder, settings, space)
    noise = ", ".join(settings.noise or (each.text for each in space.base.noise))
    say(f"{folder}: {architecture} on {settings.data.description}; noise {noise}")
    return study, True


def _watch_over(study: Study, is_new: bool, trials: int | None, until: float, workers: int) -> None:
    """Searches in child processes."""
    from kerasdenoise.tuning.workers import command_line, watch_over

    def make_command() -> list[str]:
        options = ["--study", str(study.folder), "--space", str(study.space_file), "--resume"]
        options += ["--watched", "--workers", str(workers)]
        options += ["--trials", str(trials)] if trials else []
        if until < float("inf"):
            options += ["--budget", f"{max(1.0, until - time.time()):.0f}s"]
        return command_line("tune", study.settings.architecture, *options)

    code = 1
    try:
        code = watch_over(study, make_command, workers)
    except KeyboardInterrupt:
        say(f"{study.folder}: stopped; run the same command with --resume to resume")
        raise
    finally:
        if is_new and code:
            study.remove_if_untried()
    if code:
        # The failed process has already reported the error.
        sys.exit(code)


def _take_part(
    folder: Path,
    architecture: str,
    space: Space,
    asked: dict[str, Any],
    trials: int | None,
    until: float,
    workers: int,
    resume: bool,
    watched: bool,
) -> None:
    """Searches in this process, in the role that its environment sets."""
    import grpc

    from kerasdenoise.runtime import quiet_stderr
    from kerasdenoise.tuning.study import locked, open_study
    from kerasdenoise.tuning.workers import (
        CHIEF,
        LOST_CHIEF,
        ORACLE_IP,
        TUNER_ID,
        end_with_parent,
        worker_names,
    )

    if watched:
        end_with_parent()
    with quiet_stderr():
        from kerasdenoise.tuning.oracle import Limits
        from kerasdenoise.tuning.search import search
    role = os.environ[TUNER_ID]
    leads = ORACLE_IP not in os.environ or CHIEF in role
    if watched or not leads:
        study = open_study(folder)
    else:
        study, _ = _prepare(folder, architecture, space, asked, resume)
    known = worker_names(workers) if watched else [role]
    # In a search started by hand, the participants are known only when they appear.
    limits = Limits(trials, until, known if watched or ORACLE_IP not in os.environ else None)
    with locked(folder) if leads else contextlib.nullcontext():
        try:
            search(study, limits, say, workers=workers)
        except grpc.RpcError:
            sys.exit(LOST_CHIEF)
    if leads and not watched:
        _report(study)


def _report(study: Study) -> None:
    """Writes the report, and prints its summary."""
    from kerasdenoise.tuning.report import write_report

    for line in write_report(study):
        say(line)
