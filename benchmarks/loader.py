"""Whether training waits for its batches: `python benchmarks/loader.py`.

Times the loader alone, training steps on a batch at hand, and both together as in a training
run, on photos and on a stack of small pictures, both made up. Exits 1 if a batch takes more
than a fifth of a step, or if training waits for it instead of working meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kerasdenoise.data.patches import PatchSampler
from kerasdenoise.runtime import prepare_keras

LARGEST_SHARE = 0.2
# Of the time that a batch takes; 1 is a loader that works only while training waits.
LARGEST_WAIT = 0.5

RECIPE = """
name = "loader"
summary = "Measures the loader"
seed = 0
[model]
architecture = "{architecture}"
config = {{ preset = "{preset}" }}
[data]
root = "."
train = []
validation = []
license = "Made up"
patch_size = {patch}
margin = {margin}
batch_size = {batch}
[[noise]]
kind = "gaussian:0-55"
[optimization]
steps = 1000
"""

# What is trained on: how many pictures of which height and width, patch, margin, batch.
CASES = {
    "photos": (60, (512, 640), 64, 16, 32),
    "small pictures": (8000, (32, 32), 32, 0, 256),
}


def make_pictures(number: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Makes pictures of noise, as what is in them costs nothing."""
    return list(np.random.default_rng(0).integers(0, 256, (number, *size, 3), np.uint8))


def time_each(work: Callable[[int], object], times: int) -> float:
    """Returns the median seconds of calls with 0, 1, 2 and so on."""
    seconds = []
    for number in range(times):
        start = time.perf_counter()
        work(number)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def measure(pictures: Sequence[np.ndarray], text: str, steps: int) -> tuple[float, float, float]:
    """Returns the seconds of a batch, of a step, and of the wait for a batch in training."""
    from kerasdenoise.training.recipe import parse_recipe
    from kerasdenoise.training.tasks import build_task

    recipe = parse_recipe(text)
    data = recipe.data
    sampler = PatchSampler(pictures, data.patch_size + data.margin, data.batch_size, recipe.seed)
    task = build_task(recipe)
    for step in range(3):  # The first ones compile.
        task.train_on_batch(sampler.batch_of(step))
    batch = time_each(sampler.batch_of, steps)
    ready = sampler.batch_of(0)
    step = time_each(lambda _: float(task.train_on_batch(ready)), steps)
    return batch, step, float(np.median(list(waits(sampler, task.train_on_batch, steps))))


def waits(sampler: PatchSampler, train: Callable[[np.ndarray], Any], steps: int) -> Iterator[float]:
    """Trains, and yields the seconds that each step waited for its batch."""
    batches = sampler.batches(0)
    next(batches)
    for _ in range(steps):
        start = time.perf_counter()
        batch = next(batches)
        yield time.perf_counter() - start
        float(train(batch))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--architecture", default="unet")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    prepare_keras()
    print("| images | batch | batches/s | steps/s | batch : step | wait : batch |")
    print("|---|---|---|---|---|---|")
    failed = False
    for name, (number, size, patch, margin, batch) in CASES.items():
        text = RECIPE.format(
            architecture=arguments.architecture,
            preset=arguments.preset,
            patch=patch,
            margin=margin,
            batch=batch,
        )
        made, step, waited = measure(make_pictures(number, size), text, arguments.steps)
        side = patch + margin
        print(
            f"| {name} of {size[1]} x {size[0]} | {batch} of {side} x {side} "
            f"| {1 / made:.0f} | {1 / step:.1f} | {made / step:.3f} | {waited / made:.3f} |",
            flush=True,
        )
        failed |= made / step > LARGEST_SHARE or waited / made > LARGEST_WAIT
    sys.exit(failed)


if __name__ == "__main__":
    main()
