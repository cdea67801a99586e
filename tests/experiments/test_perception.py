"""Perception against distortion, with a tiny classifier on made-up images."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import perception  # noqa: E402

from kerasdenoise.errors import InputError  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of few images, and a small classifier to train."""
    build = perception.build_classifier
    monkeypatch.setattr(perception, "build_classifier", lambda: build((4,)))
    file = tmp_path / perception.CIFAR10
    file.parent.mkdir(parents=True)
    arrays = {}
    for part, count in (("train", 20), ("test", 5)):
        arrays[f"x_{part}"] = RNG.integers(0, 256, (count, 32, 32, 3), np.uint8)
        arrays[f"y_{part}"] = RNG.integers(0, 10, count, np.uint8)
    np.savez(file, **arrays)
    (tmp_path / "clean").mkdir()
    for number in range(4):
        spots = Image.fromarray(RNG.integers(0, 256, (6, 7, 3), np.uint8))
        spots.resize((70, 66)).save(tmp_path / "clean" / f"{number}.png")
    return tmp_path


def test_patches_are_all_of_an_image():
    image = RNG.random((70, 100, 3), np.float32)
    patches = perception.cut_patches(image)
    assert patches.shape == (6, 32, 32, 3)
    np.testing.assert_array_equal(patches[4], image[32:64, 32:64])


def test_models_are_measured_and_drawn(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    methods = {
        "noisy": lambda pixels: pixels,
        "natural 0": lambda pixels: 0 * pixels + 0.5,
        "natural 1": lambda pixels: 0.5 * pixels + 0.25,
    }
    monkeypatch.setattr(perception, "list_methods", lambda names: methods)
    given = {"--data": data, "--run": "run", "--folder": "clean", "--epochs": 1}
    given |= {"--figures": "figures.json", "--picture": "picture.png", "--noise": "gaussian:5"}
    arguments = [str(each) for pair in given.items() for each in pair]
    monkeypatch.setattr(sys, "argv", ["perception.py", *arguments])
    monkeypatch.chdir(tmp_path)
    perception.main()
    content = json.loads(Path("figures.json").read_text("utf-8"))
    assert (content["noise"], content["images"]) == ("gaussian:5", 4)
    rows = content["models"]
    assert list(rows) == list(methods)
    assert rows["noisy"]["psnr"] == pytest.approx(34.2, abs=0.3)
    assert rows["natural 0"]["gmsd"] > rows["natural 1"]["gmsd"] > rows["noisy"]["gmsd"]
    assert rows["natural 0"]["distance"] != rows["noisy"]["distance"]
    with Image.open("picture.png") as picture:
        assert picture.width > picture.height > 100
    kept = Path("run/classifier.keras").stat().st_mtime_ns
    perception.main()  # with the classifier that is there
    assert Path("run/classifier.keras").stat().st_mtime_ns == kept


def test_without_the_images_no_classifier_is_trained(tmp_path: Path):
    with pytest.raises(InputError, match="--data"):
        perception.train_classifier(tmp_path / "none.npz", tmp_path / "model.keras", 1)
