from __future__ import annotations

from pathlib import Path

import learned_diffusion
import numpy as np
import pytest
from PIL import Image

RECIPE = """
name = "reaction_diffusion"
summary = "Tiny"
seed = 1
[model]
architecture = "reaction_diffusion"
config = { preset = "tiny", channels = 1 }
[data]
root = "."
train = ["photos"]
validation = ["photos"]
license = "none"
patch_size = 16
margin = 0
batch_size = 2
[[noise]]
kind = "gaussian:25"
[optimization]
steps = 2
learning_rate = 1e-3
[validation]
interval = 1
images = 1
crop_size = 16
noises = ["gaussian:25"]
[[benchmark]]
name = "Made up"
folder = "photos"
noises = ["gaussian:25"]
"""


def test_a_run_is_trained_measured_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photos, recipe = tmp_path / "photos", tmp_path / "recipe.toml"
    photos.mkdir()
    recipe.write_text(RECIPE, "utf-8")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(100, 150, (24, 24), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    monkeypatch.setattr(learned_diffusion, "RECIPE", recipe)
    record = learned_diffusion.train_and_measure(tmp_path / "run", tmp_path)
    figures = record.figures["Made up"]
    assert (record.steps, figures["images"]) == (2, 3)
    # 255 / 25 as a ratio is 20.17 dB; the network has hardly learned.
    assert figures["noisy"] == pytest.approx(20.17, abs=0.6)
    assert figures["psnr"] == pytest.approx(figures["noisy"], abs=4)
    page = tmp_path / "page.md"
    learned_diffusion.write_page(record, page)
    assert f"| {figures['psnr']:.2f} ± {figures['psnr_error']:.2f} |" in page.read_text("utf-8")
    assert "28.57" not in page.read_text("utf-8")  # of another set of images
