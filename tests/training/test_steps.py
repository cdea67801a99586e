"""Several steps together, under JAX in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import make_steps
from kerasdenoise.training.tasks import build_task

_RNG = np.random.default_rng(0)
BATCHES = [_RNG.random((4, 48, 48, 3), np.float32) for _ in range(7)]


def _weights(task: keras.Model, optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(v) for v in (*task.variables, *optimizer.variables)]


def check_steps_together_equal_steps_alone(text: str) -> None:
    recipe = parse_recipe(text)
    tasks = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        tasks.append(build_task(recipe))
    together, alone = tasks
    train = make_steps(together)
    first, _ = train(iter(BATCHES[:2]))
    done, means = train(iter(BATCHES[2:]))
    logs: list[Any] = [alone.train_on_batch(batch, return_dict=True) for batch in BATCHES]
    assert (first, done) == (2, 5)
    assert set(means) == {"loss", *alone.figures}
    for name, mean in means.items():
        np.testing.assert_allclose(mean, np.mean([log[name] for log in logs[2:]]), rtol=1e-4)
    for ours, theirs in zip(
        _weights(together, together.optimizer), _weights(alone, alone.optimizer), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.fixture
def text(recipe_text: Callable[..., str]) -> str:
    # The task that has most in a step: two networks, a count, and figures.
    return recipe_text(steps='6\noptimizer = "muon"\nobjective = "adversarial"')


def test_steps_together_equal_steps_alone(text: str):
    check_steps_together_equal_steps_alone(text)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_steps_together_equal_steps_alone_under_jax(text: str, tmp_path: Path):
    (tmp_path / "quick.toml").write_text(text, "utf-8")
    code = (
        "import sys; from pathlib import Path; from test_steps import *; "
        "assert keras.backend.backend() == 'jax'; "
        "check_steps_together_equal_steps_alone(Path(sys.argv[1]).read_text('utf-8'))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "quick.toml")],
        cwd=Path(__file__).parent,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_no_batch_is_taken_that_is_not_trained_on(text: str):
    taken = []

    def batches() -> Iterator[np.ndarray]:
        for batch in BATCHES[:3]:
            taken.append(len(taken))
            yield batch

    source = batches()
    done, _ = make_steps(build_task(parse_recipe(text)))(next(source) for _ in range(2))
    assert done == 2
    assert taken == [0, 1]
