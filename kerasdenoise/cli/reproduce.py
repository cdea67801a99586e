"""`kerasdenoise reproduce`: the papers' experiments, done again."""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path
from typing import Any

import click

from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.cli.requirements import needs_training
from kerasdenoise.errors import UsageError

_ENDING = "_paper"


@click.command("reproduce", short_help="Do the experiments of a paper again.")
@click.argument("name", required=False)
@click.option(
    "--quick/--full",
    default=True,
    help="Train for minutes, or as long as the paper did.  [default: quick]",
)
@click.option(
    "--times",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Train N times as long as --quick does.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Stop training within so many minutes; the same command goes on.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="KERASDENOISE_DATA",
    show_envvar=True,
    default=Path("data"),
    show_default=True,
    help="Folder of images. Without CIFAR-10 in it, TensorFlow Datasets has it.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs/reproduce"),
    show_default=True,
    help="Folder of the trainings; those in it go on.",
)
@verbose_option
@needs_training
def command(
    name: str | None, quick: bool, times: int, minutes: float | None, data: Path, runs: Path
) -> None:
    """Do the experiments of a paper again.

    Without NAME, lists the papers. Figures are kept in experiments/results, and shown beside the
    paper's in docs/papers/NAME.md. Whatever ends it, the same command goes on where it stood.
    """
    papers = _find_papers()
    if name is None:
        for each in papers:
            paper = _load(each)
            click.echo(f"{each}: {paper.title}\n  {paper.redoes}\n  {paper.describe_time()}")
        return
    if name not in papers:
        near = difflib.get_close_matches(name, papers, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(papers)}"
        raise UsageError(name, "no such paper", hint)
    if times > 1 and not quick:
        raise UsageError(f"--times {times}", "is for --quick", "leave one of them out")
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
    """Names the papers, and makes their files importable."""
    folder = Path(__file__).parents[2] / "experiments"
    names = sorted(file.stem.removesuffix(_ENDING) for file in folder.glob(f"*{_ENDING}.py"))
    if not names:
        raise UsageError(
            "reproduce",
            "needs the folder experiments/, which an installed package does not have",
            "run `python cli.py reproduce` in a checkout of the repository",
        )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return names


def _load(name: str) -> Any:
    return importlib.import_module(f"{name}{_ENDING}").PAPER
