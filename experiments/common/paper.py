"""A paper that is done again: its trials, its studies, and the page that shows them."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.records import ROOT, Record, Results, Watch, describe_records
from common.trials import FULL, QUICK, Context, Trial, measure_step, read_finished, run_trial
from kerasdenoise.evaluation.figures import SEED
from kerasdenoise.evaluation.pages import wrap
from kerasdenoise.runtime import prepare_keras

# Folder of the pages, and that of their pictures beside it.
PAGES = ROOT / "docs" / "papers"
PICTURES = ROOT / "docs" / "images" / "papers"
RESULTS = ROOT / "experiments" / "results"


@dataclass(frozen=True)
class Study:
    """What is measured or drawn without a training of its own.

    Attributes:
        name: Its key in the results.
        title: What it is.
        run: Returns the figures. PNG files that it leaves in the given folder become pictures of
            the page, `<paper>_<file>`.
        needs: Trials whose networks it takes by `Context.load`; it waits until all are trained.
    """

    name: str
    title: str
    run: Callable[[Context, Path], dict[str, Any]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Places:
    """Where results, page and pictures are kept."""

    results: Path = RESULTS
    pages: Path = PAGES
    pictures: Path = PICTURES


@dataclass(frozen=True)
class Paper:
    """A paper and what is done again of it.

    Attributes:
        name: What the command line calls it; its file is `<name>_paper.py`.
        title: Authors and title.
        redoes: Its tables and figures that are done again, in one line.
        trials: Its trainings, those that others take weights from first.
        write_sections: Writes the sections of the Markdown page of the kept records, the first with
            its heading, and draws charts into the folder of the pictures, `<paper>_<what>.png`.
            Empty ones are left out.
        studies: What is measured or drawn besides, after the trainings.
    """

    name: str
    title: str
    redoes: str
    trials: Sequence[Trial]
    write_sections: Callable[[Mapping[str, Record], Path], Sequence[str]]
    studies: Sequence[Study] = ()

    @property
    def command(self) -> str:
        """What makes the page."""
        return f"python cli.py reproduce {self.name}"

    def write_page(self, records: Mapping[str, Record], pictures: Path) -> str:
        """Writes the page: its sections, and how the figures came about."""
        sections = [
            *self.write_sections(records, pictures),
            describe_records(records, self.command),
        ]
        return "\n\n".join(filter(None, sections))

    def results(self, places: Places | None = None) -> Results:
        """Returns the kept results."""
        return Results((places or Places()).results / f"{self.name}_paper.json")

    def describe_time(self, places: Places | None = None) -> str:
        """Says how long `--quick` takes, as it was measured, and how much `--full` is."""
        times = self.results(places).read_times().get(QUICK)
        quick = "not measured yet"
        if times:
            # Processor time beside other work is at least that of an idle machine.
            minutes = times["processor_seconds"] / times["cores"] / 60
            quick = f"about {max(1, round(minutes))} minutes on {times['cores']} idle cores"
        images = sum(trial.full.steps * trial.full.batch for trial in self.trials)
        return (
            f"--quick: {quick}. --full: {len(self.trials)} trainings, {images / 1e6:,.0f} million "
            "images in all; it says how long they take here."
        )


def reproduce(
    paper: Paper,
    *,
    full: bool = False,
    times: int = 1,
    minutes: float | None = None,
    data: Path,
    runs: Path = Path("runs/reproduce"),
    places: Places | None = None,
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
) -> Path:
    """Does what is left to do of a paper, keeps the results and writes its page.

    Args:
        paper: What is done again.
        full: Whether trainings are as long as the paper's, or minutes.
        times: What the steps of the short trainings are multiplied by.
        minutes: Stops the trainings by then, to go on by the same call; what was trained is
            measured and labeled with its steps.
        data: The data folder; where it lacks CIFAR-10, all of it is taken from TensorFlow
            Datasets.
        runs: Folder of all runs.
        places: Where results are kept.
        say: Is told the progress.

    Returns:
        The page.

    Raises:
        KerasDenoiseError: If data are missing, or a run cannot go on.
    """
    watch, started = Watch(), time.monotonic()
    prepare_keras()
    places = places or Places()
    mode = FULL if full else QUICK
    context = Context(paper.name, data, runs, mode, times)
    results = paper.results(places)
    trials = [trial for trial in paper.trials if trial.is_part_of(context)]
    due = [trial for trial in trials if not read_finished(trial, context)]
    if full and due:
        say(_estimate(due, context))
    end = None if minutes is None else started + 60 * minutes
    untouched = len(due) == len(trials) and not context.runs.exists()

    for trial in trials:
        record = read_finished(trial, context)
        if record is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                continue
            record = run_trial(trial, context, left, say)
            say(f"{trial.name}  {_shown(record.figures)}")
        results.keep(record)
    for study in paper.studies:
        finished = {trial.name for trial in trials if read_finished(trial, context)}
        missing = [name for name in study.needs if name not in finished]
        if missing:
            say(f"{study.name}  waits for {', '.join(missing)}")
            continue
        _keep_study(study, paper, context, results, places)
        say(f"{study.name}  done")
    if untouched and end is None:
        results.keep_time(
            context.label,
            {
                "seconds": round(watch.seconds),
                "processor_seconds": round(watch.processor_seconds),
                **watch.describe(),
            },
        )
    places.pictures.mkdir(parents=True, exist_ok=True)
    places.pages.mkdir(parents=True, exist_ok=True)
    page = places.pages / f"{paper.name}.md"
    page.write_text(wrap(paper.write_page(results.read(), places.pictures)), "utf-8")
    return page


def _keep_study(
    study: Study, paper: Paper, context: Context, results: Results, places: Places
) -> None:
    watch = Watch()
    folder = context.runs / study.name
    folder.mkdir(parents=True, exist_ok=True)
    figures = study.run(context, folder)
    record = Record(
        name=study.name,
        title=study.title,
        mode=context.label,
        about={"study": study.name},
        seed=SEED,
        data="",
        figures=figures,
        seconds=round(watch.seconds, 1),
        origin=watch.describe(),
    )
    # Its pictures belong to its figures: both are kept, or neither.
    if results.keep(record):
        places.pictures.mkdir(parents=True, exist_ok=True)
        for picture in folder.glob("*.png"):
            shutil.copyfile(picture, places.pictures / f"{paper.name}_{picture.name}")


def _estimate(due: Sequence[Trial], context: Context) -> str:
    """Measures a step of each kind of training, and says how long all will take."""
    seconds: dict[str, float] = {}
    rows, total = [], 0.0
    for trial in due:
        kind = f"{trial.architecture} {trial.config} {trial.full.batch}"
        if kind not in seconds:
            seconds[kind] = measure_step(trial, context)
        steps, hours = trial.full.steps, trial.full.steps * seconds[kind] / 3600
        total += hours
        rows.append(f"  {trial.name}: {steps:,} steps of {seconds[kind]:.2f} s, {hours:,.1f} hours")
    rows.append(
        f"{len(due)} trainings of full length: at most {total:,.1f} hours, {total / 24:,.1f} days, "
        "by steps measured just now; stop it at any time, and the same command goes on."
    )
    return "\n".join(rows)


def _shown(figures: Mapping[str, Any]) -> str:
    return "  ".join(
        f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, int | float)
    )
