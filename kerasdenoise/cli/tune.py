"""`kerasdenoise tune`: an architecture in, the recipe of its best settings out."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasdenoise.cli.option_sections import SectionedCommand, section
from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.cli.requirements import needs_training
from kerasdenoise.errors import UsageError

if TYPE_CHECKING:
    from kerasdenoise.tuning.space import Space
    from kerasdenoise.tuning.study import Study

_REPORT = "report"
_TRIALS = 20
_SEED = 20261124
# Seconds in which the smallest network may have been trained a little.
_SHORTEST = 60

# Times as people write them.
_UNITS = {"h": 3600, "m": 60, "s": 1}
_TEXT = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


class DurationType(click.ParamType):
    """A time, such as `2h`, `90m` or `1h30m`, in seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads the option's text."""
        if isinstance(value, float):
            return value
        found = _TEXT.fullmatch(str(value).strip().lower())
        parts = found.groups() if found else ()
        seconds = sum(
            float(part) * unit for part, unit in zip(parts, _UNITS.values(), strict=False) if part
        )
        if seconds <= 0:
            self.fail(f"{value!r} is no time, such as 2h, 90m or 1h30m", param, ctx)
        return seconds


class _Architectures(click.Group):
    """A group in which each architecture is a command: the same one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All architectures, and the report."""
        from kerasdenoise.models import list_architectures

        return [*list_architectures(), _REPORT]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Whatever is not the report is an architecture's name, or refused as one."""
        return report_command if cmd_name == _REPORT else search_command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists architectures as what they are."""
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

    `tune ARCH --help` lists the options. ARCH may be shortened: lambda is lambda_net.
    """


_what, _how, _where = (section(title) for title in ("What is sought", "How", "Where"))


@click.command("ARCH", cls=SectionedCommand)
@_what(
    "--objective",
    type=click.Choice(["psnr", "ssim", "pareto"]),
    help="The best by PSNR or SSIM, or the best for each cost: pareto.  [default: psnr]",
)
@_what(
    "--noise",
    "noises",
    multiple=True,
    metavar="KIND",
    help="Noise to remove, as gaussian:25; may be repeated.  [default: the space's]",
)
@_what(
    "--data",
    metavar="IMAGES",
    help="A folder of images, or with train and validation in it; FILE.npz:NAME; tfds:NAME.  "
    "[default: CIFAR-10, photos or a sample, whatever is there]",
)
@_what(
    "--space",
    "space_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What is tuned.  [default: the one in tuning/ for the architecture]",
)
@_how(
    "--tuner",
    type=click.Choice(["random", "hyperband", "bayesian"]),
    help="How settings are chosen.  [default: bayesian]",
)
@_how(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"End after so many.  [default: {_TRIALS}, or none with --budget]",
)
@_how(
    "--budget",
    type=DurationType(),
    metavar="TIME",
    help="Begin no trial that would not end within this time from now, as 2h or 90m.",
)
@_how(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Steps of a trial.  [default: the space's]",
)
@_how(
    "--equal",
    type=click.Choice(["steps", "compute"]),
    help="What all trials get the same of: steps, or multiply-accumulates.  [default: steps]",
)
@_how("--seed", type=click.IntRange(min=1), metavar="N", help=f"[default: {_SEED}]")
@_how(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Trials at the same time, each in a process.  [default: 1]",
)
@_where(
    "--study",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder of the study.  [default: runs/tune_ARCH]",
)
@_where("--resume", is_flag=True, help="Go on with a study that was stopped or killed.")
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

    Each trial is a training run. What is found is printed, and kept in the study's folder:
    report.md, pictures, and tuned.toml, which `train` takes.
    """
    from kerasdenoise.models import find_architecture
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


@click.command(_REPORT, short_help="Write a study's report anew: table, importance, pictures.")
@click.argument("study", type=click.Path(path_type=Path))
@verbose_option
@needs_training
def report_command(study: Path) -> None:
    """Write a study's report anew: table, importance, pictures.

    It may be one that is still being searched.
    """
    from kerasdenoise.tuning.study import open_study

    _report(open_study(study))


def _prepare(
    folder: Path, architecture: str, space: Space, asked: dict[str, Any], resume: bool
) -> tuple[Study, bool]:
    """Opens the study that is asked for, or writes down a new one."""
    from kerasdenoise.tuning.data import choose_data
    from kerasdenoise.tuning.study import Settings, check_free, check_same, create_study, open_study

    data = asked.pop("data")
    if resume:
        study = open_study(folder)
        check_same(study, {"architecture": architecture, **asked}, space)
        say(f"{folder}: goes on, on {study.settings.data.description}")
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
    noise = ", ".join(settings.noise or space.base.noise)
    say(f"{folder}: {architecture} on {settings.data.description}; noise {noise}")
    return study, True


def _watch_over(study: Study, is_new: bool, trials: int | None, until: float, workers: int) -> None:
    """Searches in processes of its own."""
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
        say(f"{study.folder}: stopped; the same command with --resume goes on")
        raise
    finally:
        if is_new and code:
            study.remove_if_untried()
    if code:
        # What went wrong was said by the process that it went wrong in.
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
    """Searches in this process, in the role that its environment says."""
    import grpc

    from kerasdenoise.runtime import prepare_keras, quiet_stderr
    from kerasdenoise.tuning.lock import locked
    from kerasdenoise.tuning.study import open_study
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
    prepare_keras()
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
    # Who takes part in a search that was started by hand shows when they come.
    limits = Limits(trials, until, known if watched or ORACLE_IP not in os.environ else None)
    with locked(folder) if leads else contextlib.nullcontext():
        try:
            search(study, limits, say, workers=workers)
        except grpc.RpcError:
            sys.exit(LOST_CHIEF)
    if leads and not watched:
        _report(study)


def _report(study: Study) -> None:
    """Writes the report, and says the main thing."""
    from kerasdenoise.tuning.report import write_report

    for line in write_report(study):
        say(line)
