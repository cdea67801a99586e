"""The example in keras.io's style runs without a network and shows what it says."""

from __future__ import annotations

import runpy
from pathlib import Path
from unittest import mock

import keras
import pytest

ROOT = Path(__file__).parents[1]


def test_the_example_shows_that_a_network_without_biases_is_homogeneous(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("STEPS", "8")
    with mock.patch.object(keras.datasets.cifar10, "load_data", side_effect=OSError):
        names = runpy.run_path(str(ROOT / "examples" / "blind_image_denoising.py"))
    assert list(names["results"]) == [15, 25, 50, 75]
    noisy = [row[0] for row in names["results"].values()]
    assert noisy == sorted(noisy, reverse=True)
    assert names["scaled"]["bias-free"] < 1e-4
    assert names["test_images"].shape == (256, 32, 32, 3)
