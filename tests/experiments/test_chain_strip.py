"""The strip of a chain of denoised pictures, by tiny networks of random weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import chain_strip  # noqa: E402

from kerasdenoise.errors import ModelError  # noqa: E402
from kerasdenoise.models import build, get_parts  # noqa: E402

RNG = np.random.default_rng(0)


def _build(architecture: str, **settings: Any) -> Any:
    network = build(architecture, preset="tiny", steps=3, **settings)
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(RNG.normal(0, fan_in**-0.5, weight.shape))
    return network


@pytest.mark.parametrize("architecture", ["ddim", "latent_ddim"])
def test_the_chain_ends_at_the_result(architecture: str):
    network = _build(architecture)
    noisy = RNG.random((32, 64, 3), np.float32)
    chain = chain_strip.find_chain(network, noisy)
    assert [each.shape for each in chain] == [noisy.shape] * 3
    np.testing.assert_allclose(chain[-1], network(noisy[np.newaxis])[0], atol=1e-5)
    told = chain_strip.find_chain(network, noisy, 0.3)
    given = [noisy[np.newaxis], np.full((1, 32, 64, 1), 0.3, np.float32)]
    expected = get_parts(network).tile(given)
    np.testing.assert_allclose(told[-1], expected[0], atol=1e-5)


def test_what_has_no_chain_or_level_is_refused():
    noisy = RNG.random((32, 32, 3), np.float32)
    with pytest.raises(ModelError, match=r"unet.*no chain"):
        chain_strip.find_chain(build("unet", preset="tiny"), noisy)
    with pytest.raises(ModelError, match=r"ddim.*--sigma"):
        chain_strip.find_chain(_build("ddim", noise_level=True), noisy)


def test_a_strip_is_drawn_of_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _build("ddim").save(tmp_path / "tiny.keras")
    Image.fromarray(RNG.integers(0, 256, (70, 50, 3), np.uint8)).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    for options in ([], ["--noise", "gaussian:50", "--sigma", "50"]):
        given = ["chain_strip.py", "tiny.keras", "photo.png", "--side", "32", "-o", "strip.png"]
        monkeypatch.setattr(sys, "argv", [*given, *options])
        chain_strip.main()
        with Image.open(tmp_path / "strip.png") as strip:
            assert strip.width > 3 * strip.height / 1.5
        (tmp_path / "strip.png").unlink()
