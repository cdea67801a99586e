"""Trains every network but one for some minutes on CIFAR-10, and writes docs/short_trainings.md.

    python experiments/short_trainings.py --minutes 5 --jobs 2

Reaction diffusion, which takes longer, is left out. It shows that each of them learns, not how good
it can be: five minutes of one core are little, and the more a network computes for a pixel the
fewer steps it gets. Each training is a process pinned to a core of its own; one whose result is in
`--runs` is not done again. Without the data folder of this project, `--train tfds:cifar10 --test
tfds:cifar10:test` gets all of CIFAR-10.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from common.data import add_data_option
from common.processes import run_processes, write_whole

from kerasdenoise.metrics import psnr
from kerasdenoise.runtime import prepare_keras

PAGE = Path(__file__).parents[1] / "docs" / "short_trainings.md"
TRAIN = "cifar10/cifar10_lossless_subset.npz:x_train"
TEST = "cifar10/cifar10_lossless_subset.npz:x_test"
NOISE = "gaussian:25"
SEED = 20261124


@dataclass(frozen=True)
class Trial:
    """One row of the table.

    Attributes:
        title: What the row is called.
        architecture: What is trained.
        config: Fields of its `Config` that differ from their defaults.
        options: Lines of the recipe's section `optimization`.
        batch: Images in a step; fewer for networks that are slow, so that they get some steps.
        parts: Networks within this one, and the trials that their weights come from.
    """

    title: str
    architecture: str
    config: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    batch: int = 64
    parts: dict[str, str] = field(default_factory=dict)


_N2N = {"objective": "noise2noise"}
_DIFFUSION = {"learning_rate": 1e-2}
_BORDER = {"border": "border_unet"}
TRIALS = {
    "border_unet": Trial(
        "Border U-Net", "border_unet", options={"objective": "border", "loss": "balanced_bce"}
    ),
    "lambda_net": Trial("LambdaNet, u = 1, m = 23", "lambda_net", {"preset": "paper"}),
    "lambda_net_small_window": Trial(
        "LambdaNet, u = 4, m = 7", "lambda_net", {"preset": "small_window"}
    ),
    "denoising_autoencoder": Trial("Denoising autoencoder", "denoising_autoencoder"),
    "dncnn": Trial("DnCNN", "dncnn", batch=4),
    "dncnn_direct": Trial("DnCNN, direct", "dncnn", {"preset": "direct"}, batch=4),
    "strided_autoencoder": Trial(
        "Strided autoencoder, Noise2Noise", "strided_autoencoder", options=_N2N
    ),
    "hourglass": Trial("Hourglass D, Noise2Noise", "hourglass", options=_N2N),
    **{
        f"hourglass_{variant}": Trial(
            f"Hourglass {variant}, Noise2Noise", "hourglass", {"preset": variant}, _N2N
        )
        for variant in "ABCE"
    },
    "poisson_autoencoder": Trial("Poisson autoencoder, code 32x32", "poisson_autoencoder"),
    "unet": Trial("U-Net", "unet"),
    "unet_noise_level": Trial("U-Net, told the noise level", "unet", {"noise_level": True}),
    "perona_malik": Trial(
        "Perona-Malik, mean-optimal contrast",
        "perona_malik",
        {"preset": "classical"},
        {"objective": "mean_optimal"},
    ),
    "perona_malik_global": Trial(
        "Perona-Malik, trained contrast", "perona_malik", {"preset": "global"}, _DIFFUSION
    ),
    "perona_malik_image": Trial(
        "Perona-Malik, contrast by image, function 1", "perona_malik", {"preset": "image"}
    ),
    "perona_malik_image_rational": Trial(
        "Perona-Malik, contrast by image, function 2",
        "perona_malik",
        {"preset": "image_rational"},
    ),
    "p1_diffusion": Trial("P1 diffusion", "p1_diffusion", {"preset": "paper"}),
    "perona_malik_border": Trial(
        "Perona-Malik, two contrasts by border", "perona_malik", {"preset": "border"}, parts=_BORDER
    ),
    "p1_diffusion_border": Trial(
        "P1 diffusion, two functions by border", "p1_diffusion", {"preset": "border"}, parts=_BORDER
    ),
}
# What is measured on the way, beside the trial of that name.
ORACLE = "perona_malik"


def write_recipe(name: str, arguments: argparse.Namespace, steps: int) -> str:
    """Writes the recipe of a trial."""
    trial, runs = TRIALS[name], arguments.runs
    parts = {part: (runs / source).as_posix() for part, source in trial.parts.items()}
    options = {"loss": "l2", "ema_momentum": 0.99, "warmup_steps": 100, **trial.options}
    return "\n".join(
        [
            f'name = "{name}"',
            f'summary = "{trial.title}, trained for minutes on CIFAR-10"',
            f"seed = {SEED}",
            "[model]",
            f'architecture = "{trial.architecture}"',
            f"config = {_inline(trial.config)}",
            f"part_weights = {_inline(parts)}",
            "[data]",
            f'root = "{arguments.data.as_posix()}"',
            f'train = ["{arguments.train}"]',
            f'validation = ["{arguments.test}"]',
            'license = "CIFAR-10; none stated"',
            "patch_size = 32",
            "margin = 0",
            f"batch_size = {trial.batch}",
            "[[noise]]",
            f'kind = "{NOISE}"',
            "[optimization]",
            f"steps = {steps}",
            *(f"{key} = {json.dumps(value)}" for key, value in options.items()),
            "[validation]",
            f"interval = {max(1, -(-steps // 4))}",
            "images = 64",
            "crop_size = 32",
            f'noises = ["{NOISE}"]',
        ]
    )


def _inline(table: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


def run_trial(name: str, arguments: argparse.Namespace) -> None:
    """Trains and measures one network, and writes its result."""
    prepare_keras()
    from kerasdenoise.training.build import load_run
    from kerasdenoise.training.recipe import parse_recipe
    from kerasdenoise.training.run import train

    run = arguments.runs / name
    run.mkdir(parents=True, exist_ok=True)
    recipe_file = run / "recipe.toml"
    if not recipe_file.exists():
        steps = _count_steps(parse_recipe(write_recipe(name, arguments, 1)), arguments)
        write_whole(recipe_file, write_recipe(name, arguments, steps))
    recipe = parse_recipe(recipe_file.read_text("utf-8"), str(recipe_file))
    train(recipe, run, arguments.data, report=lambda progress: print(name, progress, flush=True))
    log = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    _, denoiser = load_run(run)
    result = {
        "trial": dataclasses.asdict(TRIALS[name]),
        "parameters": denoiser.count_params(),
        "trainable": sum(int(np.prod(w.shape)) for w in denoiser.trainable_variables),
        "steps": recipe.optimization.steps,
        "minutes": sum(entry["seconds"] for entry in log) / 60,
        **_measure(name, denoiser, arguments),
    }
    write_whole(run / "result.json", json.dumps(result, indent=2))


def _count_steps(recipe: Any, arguments: argparse.Namespace) -> int:
    """Measures how many steps fit, on a network that is thrown away."""
    from kerasdenoise.data.sources import load_images
    from kerasdenoise.training.build import build_task

    task = build_task(recipe)
    images = load_images([arguments.train], arguments.data)
    clean = np.stack(images[: recipe.data.batch_size])
    clean = clean.astype(np.float32) / 255
    task.train_on_batch(clean)
    started, steps = time.monotonic(), 0
    while time.monotonic() - started < 10:
        task.train_on_batch(clean)
        steps += 1
    return max(1, round(60 * arguments.minutes * steps / (time.monotonic() - started)))


def _measure(name: str, denoiser: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Denoises all test images, one noisy version each."""
    from kerasdenoise.data.sources import load_images
    from kerasdenoise.noise import corrupt_arrays, parse_noise
    from kerasdenoise.training.contrast_search import try_contrasts
    from kerasdenoise.training.objectives import find_borders
    from kerasdenoise.training.task import measure_noise
    from kerasdenoise.training.validation import array_inputs

    clean = np.stack(load_images([arguments.test], arguments.data)).astype(np.float32) / 255
    noisy = corrupt_arrays(parse_noise(NOISE), clean, 0)
    inputs = array_inputs(denoiser, noisy, measure_noise(noisy, clean))
    denoised = np.clip(denoiser.predict(inputs, batch_size=32, verbose=0), 0, 1)
    if TRIALS[name].options.get("objective") == "border":
        truth, found = (np.asarray(find_borders(images)) for images in (clean, noisy))
        return {"figure": "F1", "noisy": _f1(truth, found), "denoised": _f1(truth, denoised)}
    result = {
        "figure": "dB",
        "noisy": _mean_psnr(clean, noisy),
        "denoised": _mean_psnr(clean, denoised),
    }
    if name == ORACLE:
        parts = [slice(start, start + 64) for start in range(0, len(clean), 64)]
        errors = [try_contrasts(denoiser, noisy[part], clean[part]).min(axis=0) for part in parts]
        result["oracle"] = float(np.mean(-10 * np.log10(np.concatenate(errors))))
    return result


def _mean_psnr(clean: np.ndarray, images: np.ndarray) -> float:
    return float(np.mean([psnr(*pair) for pair in zip(clean, images, strict=True)]))


def _f1(truth: np.ndarray, found: np.ndarray) -> float:
    truth, found = truth > 0.5, found > 0.5
    return float(2 * (truth & found).sum() / (truth.sum() + found.sum()))


def run_all(names: Iterable[str], arguments: argparse.Namespace) -> None:
    """Runs trials in processes of their own."""
    commands = {}
    for name in names:
        commands[name] = [sys.executable, __file__, "--one", name]
        for option in ("runs", "data", "train", "test", "minutes"):
            commands[name] += [f"--{option}", str(getattr(arguments, option))]
    run_processes(commands, arguments.jobs, arguments.runs)


def write_page(arguments: argparse.Namespace) -> None:
    """Writes the table of all results."""
    minutes, rows = arguments.minutes, []
    for name in TRIALS:
        result = json.loads((arguments.runs / name / "result.json").read_text("utf-8"))
        rows.append(
            f"| {result['trial']['title']} | {result['trainable']:,} | {result['minutes']:.1f} "
            f"| {result['steps']:,} | {result['trial']['batch']} | {_figure(result, 'noisy')} "
            f"| {_figure(result, 'denoised')} |"
        )
        if "oracle" in result:
            rows.append(
                "| Perona-Malik, each image's best contrast, knowing it clean | 0 | - | - | - "
                f"| {_figure(result, 'noisy')} | {_figure(result, 'oracle')} |"
            )
    command = f"experiments/short_trainings.py --minutes {minutes:g} --jobs {arguments.jobs}"
    text = f"""# {minutes:g} minutes of training each

Every network but reaction diffusion, trained on images of CIFAR-10 with Gaussian noise of sigma
25 of 255, and measured on others: the mean PSNR of the noisy images, not clipped, and of the
denoised ones, clipped. The
border U-Net finds borders, so that its figure is F1, and beside it that of borders found in the
noisy image by the rule that defines them in the clean one.

- Trained on `{arguments.train}`
- Measured on `{arguments.test}`

The table shows that each learns, not which is best: {minutes:g} minutes on a small machine that
did {arguments.jobs} trainings at a time are little, and what computes more for a pixel gets fewer
steps. A part of CIFAR-10 gives figures that cannot be compared to the digit with papers that used
all of it.

| network | trained parameters | minutes | steps | batch | noisy | denoised |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}

This page is written by `python {command}`, where all
settings are: L2 loss, Adam, the moving average of the weights.
"""
    PAGE.write_text(text, "utf-8")


def _figure(result: dict[str, Any], key: str) -> str:
    return f"{result[key]:.2f}" + (" dB" if result["figure"] == "dB" else " F1")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/short_trainings"))
    add_data_option(parser)
    parser.add_argument("--train", default=TRAIN, help="source of images, as tfds:cifar10")
    parser.add_argument("--test", default=TEST, help="source of others, as tfds:cifar10:test")
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--one", choices=TRIALS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_trial(arguments.one, arguments)
        return
    arguments.runs.mkdir(parents=True, exist_ok=True)
    due = [n for n in arguments.only if not (arguments.runs / n / "result.json").exists()]
    # What starts from another trial's weights comes after it.
    run_all([name for name in due if not TRIALS[name].parts], arguments)
    run_all([name for name in due if TRIALS[name].parts], arguments)
    missing = [n for n in TRIALS if not (arguments.runs / n / "result.json").exists()]
    if missing:
        sys.exit(f"no page written: {', '.join(missing)} lack a result; see {arguments.runs}")
    write_page(arguments)


if __name__ == "__main__":
    main()
