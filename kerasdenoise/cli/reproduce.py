"""`kerasdenoise reproduce`: repeats the experiments of the papers."""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path
from typing import Any

import click

from kerasdenoise.cli.options import check_training
from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import UsageError

_ENDING = "_paper"


@click.command("reproduce", short_help="Repeat the experiments of a paper.")
@click.argument("name", required=False)
@click.option(
    "--quick/--full",
    default=True,
    help="Train for minutes, or as long as the paper.  [default: quick]",
)
@click.option(
    "--times",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Train N times as long as --quick.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Stop within N minutes; the same command resumes.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="KERASDENOISE_DATA",
    show_envvar=True,
    default=Path("data"),
    show_default=True,
    help="Folder of images. CIFAR-10 comes from here or from TensorFlow Datasets.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs/reproduce"),
    show_default=True,
    help="Folder of training runs; existing runs resume.",
)
@verbose_option
def command(
    name: str | None, quick: bool, times: int, minutes: float | None, data: Path, runs: Path
) -> None:
    """Repeat the experiments of a paper.

    \b
        kerasdenoise reproduce               lists the papers
        kerasdenoise reproduce lambda_net    trains for minutes

    Results are stored in experiments/results and shown beside the paper's in
    docs/papers/NAME.md. After any interruption, the same command resumes.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    papers = _find_papers()
    check_training()
    if name is None:
        for each in papers:
            paper = _load(each)
            click.echo(f"{each}: {paper.title}\n  {paper.redoes}\n  {paper.describe_time()}")
        return
    if name not in papers:
        near = difflib.get_close_matches(name, papers, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(papers)}"
        raise UsageError(name, "unknown paper", hint)
    if times > 1 and not quick:
        raise UsageError(f"--times {times}", "cannot be combined with --full", "remove one of them")
    reproduce = importlib.import_module("common.paper").reproduce
    page = reproduce(
        _load(name),
        full=not quick,
        times=times,
        minutes=minutes,
        data=data,
        runs=runs,
        say=say,
    )
    say(f"{name}: see {page}")


def _find_papers() -> list[str]:
    """Lists the papers, and makes their files importable."""
    folder = Path(__file__).parents[2] / "experiments"
    names = sorted(file.stem.removesuffix(_ENDING) for file in folder.glob(f"*{_ENDING}.py"))
    if not names:
        raise UsageError(
            "reproduce",
            "needs the folder experiments/, which the installed package lacks",
            "run `python cli.py reproduce` in a checkout of the repository",
        )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return names


def _load(name: str) -> Any:
    return importlib.import_module(f"{name}{_ENDING}").PAPER
