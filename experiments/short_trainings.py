"""Trains every network but one for some minutes on CIFAR-10, and writes docs/short_trainings.md.

    python experiments/short_trainings.py --minutes 5 --jobs 2

Reaction diffusion, which takes longer, is left out. It shows that each of them learns, not how good
it can be: five minutes of one core are little, and the more a network computes for a pixel the
fewer steps it gets. Each training is a process pinned to a core of its own; one whose result is in
`--runs` is not done again. Without CIFAR-10 in the data folder, TensorFlow Datasets has all of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common.data import add_data_option
from common.processes import run_each
from common.records import ROOT, Record
from common.trials import FULL, Context, Length, Trial, measure_step, read_finished, run_trial

from kerasdenoise.evaluation.figures import add_noise, denoise, measure_network
from kerasdenoise.evaluation.pages import table, wrap
from kerasdenoise.files import write_file
from kerasdenoise.runtime import prepare_keras

PAGE = ROOT / "docs" / "short_trainings.md"
NOISE = "gaussian:25"
SEED = 20261124
HEADINGS = ("network", "trained parameters", "minutes", "steps", "batch", "noisy", "denoised")


def measure(network: Any, trial: Trial, context: Context) -> dict[str, Any]:
    """Measures the PSNR of all test images, one noisy version each."""
    return measure_network(network, trial.load_test(context), NOISE)


def measure_borders(network: Any, trial: Trial, context: Context) -> dict[str, Any]:
    """Measures F1 of the borders that are found, and of those of the noisy image by the rule."""
    from kerasdenoise.training.tasks.border import find_borders

    clean = trial.load_test(context)
    noisy = add_noise(clean, NOISE)
    truth, by_rule = (np.asarray(find_borders(images)) for images in (clean, noisy))
    found = denoise(network, noisy, clean)
    return {"f1": _f1(truth, found), "noisy": {"f1": _f1(truth, by_rule)}}


def measure_oracle(network: Any, trial: Trial, context: Context) -> dict[str, Any]:
    """Measures a diffusion, and what it would be with each image's best contrast."""
    from kerasdenoise.training.tasks.contrast_search import try_contrasts

    clean = trial.load_test(context)
    noisy = add_noise(clean, NOISE)
    parts = [slice(start, start + 64) for start in range(0, len(clean), 64)]
    errors = [try_contrasts(network, noisy[part], clean[part]).min(axis=0) for part in parts]
    oracle = float(np.mean(-10 * np.log10(np.concatenate(errors))))
    return {**measure(network, trial, context), "oracle": oracle}


def _f1(truth: np.ndarray, found: np.ndarray) -> float:
    truth, found = truth > 0.5, found > 0.5
    return float(2 * (truth & found).sum() / (truth.sum() + found.sum()))


def _trial(
    name: str,
    title: str,
    architecture: str,
    config: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    *,
    batch: int = 64,
    parts: dict[str, str] | None = None,
    measure: Callable[..., dict[str, Any]] = measure,
) -> Trial:
    """Makes a trial, whose steps are known when one was timed; slow ones have small batches."""
    options = {"ema_momentum": 0.99, "warmup_steps": 100, **(options or {})}
    return Trial(
        name=name,
        title=title,
        architecture=architecture,
        noise=NOISE,
        quick=None,
        full=Length(1, batch, options, checkpoints=4),
        config=config or {},
        parts=parts or {},
        seed=SEED,
        measure=measure,
    )


_N2N = {"objective": "noise2noise"}
_DIFFUSION = {"learning_rate": 1e-2}
_BORDER = {"border": "border_unet"}
_ALL = (
    _trial(
        "border_unet",
        "Border U-Net",
        "border_unet",
        options={"objective": "border", "loss": "balanced_bce"},
        measure=measure_borders,
    ),
    _trial("lambda_net", "LambdaNet, u = 1, m = 23", "lambda_net", {"preset": "paper"}),
    _trial(
        "lambda_net_small_window",
        "LambdaNet, u = 4, m = 7",
        "lambda_net",
        {"preset": "small_window"},
    ),
    _trial("denoising_autoencoder", "Denoising autoencoder", "denoising_autoencoder"),
    _trial("dncnn", "DnCNN", "dncnn", batch=4),
    _trial("dncnn_direct", "DnCNN, direct", "dncnn", {"preset": "direct"}, batch=4),
    _trial(
        "strided_autoencoder",
        "Strided autoencoder, Noise2Noise",
        "strided_autoencoder",
        options=_N2N,
    ),
    _trial("hourglass", "Hourglass D, Noise2Noise", "hourglass", options=_N2N),
    *(
        _trial(
            f"hourglass_{variant}",
            f"Hourglass {variant}, Noise2Noise",
            "hourglass",
            {"preset": variant},
            _N2N,
        )
        for variant in "ABCE"
    ),
    _trial("poisson_autoencoder", "Poisson autoencoder, code 32x32", "poisson_autoencoder"),
    _trial("unet", "U-Net", "unet"),
    _trial("unet_noise_level", "U-Net, told the noise level", "unet", {"noise_level": True}),
    _trial(
        "perona_malik",
        "Perona-Malik, mean-optimal contrast",
        "perona_malik",
        {"preset": "classical"},
        {"objective": "mean_optimal"},
        measure=measure_oracle,
    ),
    _trial(
        "perona_malik_global",
        "Perona-Malik, trained contrast",
        "perona_malik",
        {"preset": "global"},
        _DIFFUSION,
    ),
    _trial(
        "perona_malik_image",
        "Perona-Malik, contrast by image, function 1",
        "perona_malik",
        {"preset": "image"},
    ),
    _trial(
        "perona_malik_image_rational",
        "Perona-Malik, contrast by image, function 2",
        "perona_malik",
        {"preset": "image_rational"},
    ),
    _trial("p1_diffusion", "P1 diffusion", "p1_diffusion", {"preset": "paper"}),
    _trial(
        "perona_malik_border",
        "Perona-Malik, two contrasts by border",
        "perona_malik",
        {"preset": "border"},
        parts=_BORDER,
    ),
    _trial(
        "p1_diffusion_border",
        "P1 diffusion, two functions by border",
        "p1_diffusion",
        {"preset": "border"},
        parts=_BORDER,
    ),
)
TRIALS = {trial.name: trial for trial in _ALL}


def find_steps(name: str, context: Context) -> Trial:
    """Gives a trial the steps that were found to fit in its time; a single one before that."""
    trial, file = TRIALS[name], _steps_file(name, context)
    steps = int(file.read_text("utf-8")) if file.exists() else 1
    return replace(trial, full=replace(trial.full, steps=steps))


def _steps_file(name: str, context: Context) -> Path:
    return context.runs / f"{name}_steps.txt"


def read_record(name: str, context: Context) -> Record | None:
    """Returns the record of a training that is done."""
    if not _steps_file(name, context).exists():
        return None
    return read_finished(find_steps(name, context), context)


def run(name: str, context: Context, minutes: float) -> None:
    """Trains and measures one network; what was begun has the same number of steps again."""
    prepare_keras()
    file = _steps_file(name, context)
    if not file.exists():
        seconds = measure_step(TRIALS[name], context)
        write_file(file, str(max(1, round(60 * minutes / seconds))))
    run_trial(find_steps(name, context), context, None, lambda text: print(text, flush=True))


def write_page(records: dict[str, Record], minutes: float, jobs: int, page: Path) -> None:
    """Writes the table of all results."""
    rows = []
    for record in records.values():
        noisy, denoised = _figures(record)
        rows.append(
            (
                record.title,
                f"{record.parameters:,}",
                f"{record.seconds / 60:.1f}",
                f"{record.steps:,}",
                record.batch,
                noisy,
                denoised,
            )
        )
        if "oracle" in record.figures:
            title = "Perona-Malik, each image's best contrast, chosen with the clean image"
            best = f"{record.figures['oracle']:.2f} dB"
            rows.append((title, 0, "-", "-", "-", noisy, best))
    data = next(iter(records.values())).data
    command = f"experiments/short_trainings.py --minutes {minutes:g} --jobs {jobs}"
    text = f"""# {minutes:g} minutes of training each

All networks except reaction diffusion were trained on CIFAR-10 images with Gaussian noise of sigma
25 of 255, and measured on other images. The table shows the mean PSNR of the noisy images, not
clipped, and of the denoised ones, clipped. The border U-Net finds borders, so it is measured by F1.
Its "noisy" column is for borders found in the noisy image by the rule that defines them in the
clean one.

The images are {data}.

The table shows that each network learns, not which is best: {minutes:g} minutes are short on a
small machine that ran {jobs} trainings at a time, and networks with more arithmetic per pixel get
fewer steps. The images are only a part of CIFAR-10, so the figures are not exactly comparable with
papers that used all of it.

{table(HEADINGS, rows)}

This page is written by `python {command}`, which contains all settings: L2 loss, Adam, and a moving
average of the weights.
"""
    page.write_text(wrap(text), "utf-8")


def _figures(record: Record) -> tuple[str, str]:
    """The figure before and after, which says what it is."""
    name, unit = ("f1", "F1") if "f1" in record.figures else ("psnr", "dB")
    values = (record.figures["noisy"][name], record.figures[name])
    noisy, denoised = (f"{value:.2f} {unit}" for value in values)
    return noisy, denoised


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs")
    add_data_option(parser)
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--one", choices=TRIALS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    context = Context("short_trainings", arguments.data, arguments.runs, FULL)
    context.runs.mkdir(parents=True, exist_ok=True)
    if arguments.one:
        run(arguments.one, context, arguments.minutes)
        return
    due = [name for name in arguments.only if read_record(name, context) is None]
    # What starts from another trial's weights comes after it.
    for part in (False, True):
        names = {name: [name] for name in due if bool(TRIALS[name].parts) is part}
        run_each(__file__, names, arguments, ("runs", "data", "minutes"), context.runs)
    records = {name: read_record(name, context) for name in TRIALS}
    missing = [name for name, record in records.items() if record is None]
    if missing:
        sys.exit(f"no page written: {', '.join(missing)} lack a result; see {context.runs}")
    done = {name: record for name, record in records.items() if record is not None}
    write_page(done, arguments.minutes, arguments.jobs, PAGE)


if __name__ == "__main__":
    main()
