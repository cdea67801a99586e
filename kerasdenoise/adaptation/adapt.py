"""From a user's noisy photos to a model of their own, if that is better than what there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasdenoise.adaptation.crops import Crops, Scene, cut_crops, read_crops, write_crops
from kerasdenoise.adaptation.exposures import find_bursts, pair_up
from kerasdenoise.adaptation.gain import Gain, denoise_crops, measure_gain
from kerasdenoise.adaptation.methods import Choice, choose_method
from kerasdenoise.adaptation.methods.method import SEED
from kerasdenoise.adaptation.survey import Survey, survey_photos
from kerasdenoise.export.model_package import check_free, load_model, write_saved_model
from kerasdenoise.images.image import Image
from kerasdenoise.images.write import write_image
from kerasdenoise.pixels import to_pixels
from kerasdenoise.training.network import is_run, load_run
from kerasdenoise.training.run import Progress, train
from kerasdenoise.training.tasks.pairs import Pairs
from kerasdenoise.training.tasks.self_supervised import hide_pixels
from kerasdenoise.zoo import find_model

CROPS = "crops.npz"
PICTURE = "before_after.png"

# Held-out crops that the picture shows.
_SHOWN = 3


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        survey: What the photos are like.
        choice: How it was learned.
        gain: What it gained on photos that were held out.
        picture: Crops of those: noisy, denoised before, and denoised after.
        model: The folder of the saved model; None if it is not better.
    """

    survey: Survey
    choice: Choice
    gain: Gain
    picture: Path
    model: Path | None


def adapt(
    photos: Sequence[Path],
    target: Path,
    run: Path,
    *,
    base: str = "photo",
    method: str | None = None,
    targets: Sequence[Path] = (),
    camera: str | None = None,
    seconds: float | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Learns from noisy photos, and saves a model if it is better than the one before.

    The photos are read and never changed. An interrupted call resumes from its last checkpoint.
    `KeyboardInterrupt` ends the training, and what was learned until then is judged and saved.

    Args:
        photos: Noisy photos of one camera.
        target: Folder of the saved model, whose name is the model's.
        run: Folder of the training run, of the crops that it learns from, and of the picture.
        base: Name or folder of the saved model to start from.
        method: Name of the way to learn, see `METHODS`; None to choose by the noise.
        targets: Photos of the same scenes as `photos`, in the same order, clean or with other
            noise, for the method `pairs`, which is then chosen.
        camera: Which photos to take of several cameras; see `survey_photos`.
        seconds: How long the training may take; it may also end before.
        overwrite: Whether an existing saved model is replaced.
        say: Is told what was found and what is done, in lines of text.
        report: Is told of the training's progress.

    Returns:
        What came of it.

    Raises:
        UsageError: The photos are of no use, the model exists, or the run is of other photos.
        ModelError: The model to start from is unknown, or cannot be adapted.
        OutputError: A file cannot be written.
    """
    check_free(target, overwrite=overwrite)
    info = find_model(base)
    method = "pairs" if targets else method
    survey = survey_photos(photos, camera=camera, follow_on=method == "burst")
    for error in survey.skipped:
        say(f"skipped {error}")
    for line in survey.describe():
        say(line)
    choice = choose_method(survey, method)
    if choice.method.learns_from_scenes:
        known = dict(zip(photos, targets, strict=bool(targets)))
        scenes, notes = pair_up(survey, known) if known else find_bursts(survey)
        for note in notes:
            say(note)
        say(f"scenes: {len(scenes)}, of {sum(len(scene.photos) for scene in scenes)} photos")
    else:
        scenes = survey.photos
    say(f"method: {choice.method.name} ({choice.reason})")
    if choice.warning:
        say(f"warning: {choice.warning}")
    crops = _find_crops(run, scenes, info.channels)
    recipe = choice.method.write_recipe(target.name, info, survey, crops, run.as_posix())
    try:
        train(recipe, run, run, seconds=seconds, report=report)
    except KeyboardInterrupt:
        if not is_run(run):
            raise
        say("interrupted: what was learned until the last checkpoint is judged")
    started = time.monotonic()
    recipe, network = load_run(run)
    before = load_model(base)
    is_paired = choice.method.learns_from_scenes
    splitter = Pairs.split if is_paired else hide_pixels
    gain = measure_gain(
        splitter,
        before,
        network,
        crops.held_out,
        survey.sigma,
        survey.reach,
        is_drawn=not is_paired,
    )
    say(gain.describe())
    picture = run / PICTURE
    _draw(picture, crops.held_out[..., : info.channels], before, network)
    say(f"{picture}: noisy, {info.name}, {target.name} ({time.monotonic() - started:.0f} s)")
    if not gain.is_better:
        return Outcome(survey, choice, gain, picture, None)
    facts = {
        "Compared with" if choice.method.is_new else "Adapted from": f"`{info.name}`",
        "Method": f"`{choice.method.name}`",
        "To": "; ".join(survey.describe()),
        "Gain": gain.describe(),
        **({"Warning": choice.warning} if choice.warning else {}),
    }
    write_saved_model(network, recipe, target, overwrite=overwrite, facts=facts)
    return Outcome(survey, choice, gain, picture, target)


def _find_crops(run: Path, scenes: Sequence[Scene], channels: int) -> Crops:
    """Returns the crops of a run that is resumed, or cuts and keeps those of a new one."""
    path = run / CROPS
    if path.exists():
        return read_crops(path)
    crops = cut_crops(scenes, channels, SEED)
    write_crops(path, crops)
    return crops


def _draw(path: Path, held_out: np.ndarray, before: object, after: object) -> None:
    """Draws the crops on which both models differ most: a row each."""
    results = [denoise_crops(network, held_out) for network in (before, after)]  # pyright: ignore[reportArgumentType]
    differences = np.square(results[0] - results[1]).mean(axis=(1, 2, 3))
    rows = [
        np.concatenate([to_pixels(held_out[i]), results[0][i], results[1][i]], axis=1)
        for i in np.argsort(-differences)[:_SHOWN]
    ]
    pixels = np.concatenate(rows)
    # Of a microscope's photos that use little of their range, something is to be seen too.
    bright = max(float(np.quantile(pixels, 0.999)), 1e-6)
    shown = pixels if bright > 0.5 else pixels / bright
    write_image(Image(np.ascontiguousarray(shown.clip(0, 1), np.float32)), path, overwrite=True)
