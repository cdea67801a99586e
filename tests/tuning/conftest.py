"""A study that takes no time: its trials train nothing."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

from kerasdenoise.files import write_file  # noqa: E402
from kerasdenoise.plain_json import read_json, write_json  # noqa: E402
from kerasdenoise.tuning import search as search_module  # noqa: E402
from kerasdenoise.tuning.data import Data  # noqa: E402
from kerasdenoise.tuning.oracle import Limits  # noqa: E402
from kerasdenoise.tuning.recipes import Frame  # noqa: E402
from kerasdenoise.tuning.space import parse_space  # noqa: E402
from kerasdenoise.tuning.study import Settings, Study, create_study  # noqa: E402

SPACE = """
architectures = ["dncnn"]
[base]
steps = 8
pixels = 2048
[base.config]
preset = "tiny"
[space.optimization]
optimizer = ["adam", "sgd"]
learning_rate = [
    { when = { optimizer = ["adam"] }, low = 1e-4, high = 1e-2, log = true },
    { when = { optimizer = ["sgd"] }, low = 1e-2, high = 1.0, log = true },
]
weight_decay = [0.0, 1e-5]
[space.config]
width = [4, 6, 8]
"""

FRAME = Frame(patch=32, crop=32, images=4, compute=1e6)


@pytest.fixture(autouse=True)
def _no_curves(no_curves: None) -> None:
    """Runs of tests are tiny."""


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study of tiny networks: `make_study("name", tuner="hyperband")`."""

    def make(name: str = "study", space: str = SPACE, **changes: Any) -> Study:
        settings = {
            "architecture": "dncnn",
            "tuner": "random",
            "objective": "psnr",
            "equal": "steps",
            "steps": 8,
            "noise": (),
            "seed": 3,
            "data": Data(("train",), ("validation",), (), "made up", "nothing"),
            **changes,
        }
        architecture = settings["architecture"]
        return create_study(tmp_path / name, Settings(**settings), parse_space(space, architecture))

    return make


class Pretender:
    """Does trials as `run_trial` does, but for the training.

    Attributes:
        done: The names of the folders of all trials that were done, in their order.
    """

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(
        self, folder: Path, recipe: str, share: float, earlier: Path | None, report: Any
    ) -> dict[str, Any]:
        """Returns figures that depend on the recipe and its share alone."""
        if (folder / "result.json").is_file():
            return read_json(folder / "result.json")
        assert earlier is None or (earlier / "result.json").is_file()
        write_file(folder / "recipe.toml", recipe)
        chance = int(hashlib.sha256(recipe.encode()).hexdigest()[:8], 16) / 2**32
        figures = {
            "psnr": 20 + 5 * chance + share,
            "ssim": chance,
            "noises": {"gaussian:25": 20 + 5 * chance + share},
            "parameters": 1000,
            "mac_per_pixel": round(1000 * (1 + chance)),
            "latency": None,
            "steps": round(8 * share),
            "seconds": 1.0,
        }
        write_json(folder / "result.json", figures)
        self.done.append(folder.name)
        return figures


@pytest.fixture
def pretender() -> Pretender:
    return Pretender()


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Searches without training, and returns what was said."""
    monkeypatch.setattr(search_module, "_PAUSE", 0)
    # The disk's own caches are not what is tested.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)

    def search(
        study: Study, run: Any, trials: int | None = 4, until: float = math.inf
    ) -> list[str]:
        said: list[str] = []
        limits = Limits(trials, until, {"tuner0"})
        search_module.search(study, limits, said.append, run, FRAME)
        return said

    return search
