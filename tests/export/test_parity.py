from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.export import parity
from kerasdenoise.export.kinds import Variant, write_kind
from kerasdenoise.export.parity import ParityGate, load_photos
from kerasdenoise.layers import LambdaLayer
from kerasdenoise.training.recipe import Recipe


def _blur(factor: float = 1.0) -> keras.Model:
    """Denoises by the mean over 3x3 pixels, times a factor."""
    noisy = keras.Input((None, None, 3), name="noisy")
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[:, :, range(3), range(3)] = factor / 9
    layer = keras.layers.Conv2D(3, 3, padding="same", use_bias=False)
    network = keras.Model(noisy, layer(noisy), name="blur")
    layer.set_weights([kernel])
    return network


def _photos(count: int = 2, size: tuple[int, int] = (40, 300)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.full((*size, 3), rng.integers(60, 200, 3), np.uint8) for _ in range(count)]


def _gate(force: bool = False) -> ParityGate:
    return ParityGate(_blur(), _photos(), "made up", 1, force)


def test_a_file_that_loses_nothing_is_measured(tmp_path: Path):
    path = tmp_path / "model.tflite"
    write_kind(_blur(), path, "float32")
    row = _gate().measure(path, Variant())
    assert row["psnr"] == pytest.approx(row["psnr_keras"], abs=1e-3)
    # The mean over nine pixels leaves a third of the noise, but darkens the borders.
    assert 26 < row["psnr"] < 20.17 + 9.54
    assert (row["images"], row["photos"], row["noise"]) == (2, "made up", "gaussian:25")
    assert (row["kind"], row["target"], row["size"]) == ("float32", "cpu", None)
    assert row["bytes"] == path.stat().st_size


@pytest.mark.parametrize(
    ("kind", "factor", "passes"),
    [
        ("float32", 0.9, False),
        ("float16", 0.9, False),
        ("dynamic", 0.9, False),
        ("dynamic", 0.9995, True),
        ("float16", float("nan"), False),
    ],
)
def test_a_file_that_loses_more_than_its_kind_may_is_refused(
    kind: str, factor: float, passes: bool, tmp_path: Path
):
    path = tmp_path / "model.tflite"
    write_kind(_blur(factor), path, "float32")
    variant = dataclasses.replace(Variant(), kind=kind)
    if passes:
        assert not _gate().measure(path, variant)["forced"]
        assert not _gate(force=True).measure(path, variant)["forced"]
        return
    with pytest.raises(ModelError, match=r"model\.tflite: loses .* dB") as caught:
        _gate().measure(path, variant)
    allowed = "0.1 are" if kind == "dynamic" else "0.01 are"
    assert allowed in str(caught.value)
    assert "--force" in str(caught.value)


def test_force_lets_it_through_with_what_it_loses(tmp_path: Path):
    path = tmp_path / "model.tflite"
    write_kind(_blur(0.9), path, "float32")
    row = _gate(force=True).measure(path, Variant())
    assert row["psnr_keras"] - row["psnr"] > 1
    assert row["forced"]


def test_the_layer_that_8_bits_are_too_few_for_is_named(tmp_path: Path):
    noisy = keras.Input((None, None, 3), name="noisy")
    layer = LambdaLayer(3, key_depth=4, heads=1, window=3, name="lambda")
    network = keras.Model(noisy, layer(noisy), name="lambdas")
    path = tmp_path / "model_int8.tflite"
    write_kind(_blur(0.5), path, "float32")
    gate = ParityGate(network, _photos(1, (32, 32)), "made up", 128)
    gate._keras[256] = 30.0
    with pytest.raises(ModelError, match=r"8 bits .*LambdaLayer; .*--float16"):
        gate.measure(path, Variant("int8"))


def test_a_network_that_is_told_the_level_is_told_it(tmp_path: Path):
    noisy = keras.Input((None, None, 3), name="noisy")
    level = keras.Input((None, None, 1), name="noise_level")
    network = keras.Model([noisy, level], noisy - level, name="told")
    write_kind(network, tmp_path / "model.tflite", "float32")
    gate = ParityGate(network, _photos(), "made up", 1)
    row = gate.measure(tmp_path / "model.tflite", Variant())
    # What is subtracted is as large as the noise, on average.
    assert row["psnr"] == pytest.approx(20.17 - 3.01, abs=0.2)


class TestPhotos:
    """Which photos files are measured on."""

    @staticmethod
    def _write(folder: Path, count: int) -> None:
        folder.mkdir()
        for number in range(count):
            Image.new("RGB", (8, 9), (number, 0, 0)).save(folder / f"{number}.png")

    def test_those_of_the_recipe_that_were_not_trained_on(self, recipe: Recipe, tmp_path: Path):
        self._write(tmp_path / "validation", 18)
        self._write(tmp_path / "train", 1)
        photos, called = load_photos(recipe, tmp_path, 3)
        assert (len(photos), called) == (16, "validation")
        assert photos[0].shape == (9, 8, 3)

    def test_those_that_are_given_come_first(self, recipe: Recipe, tmp_path: Path):
        self._write(tmp_path / "validation", 2)
        self._write(tmp_path / "mine", 1)
        photos, called = load_photos(recipe, tmp_path, 1, tmp_path / "mine")
        assert (len(photos), called) == (1, "mine")
        assert photos[0].shape == (9, 8, 1)

    def test_the_sample_of_a_checkout_if_there_are_none(self, recipe: Recipe, tmp_path: Path):
        photos, called = load_photos(recipe, tmp_path, 3)
        assert (len(photos), called) == (1, "sample_clean.png")

    def test_none_at_all_is_one_clear_line(
        self, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(parity, "_SAMPLE", tmp_path / "none.png")
        with pytest.raises(UsageError, match=r"clean photos .*--photos"):
            load_photos(recipe, tmp_path, 3)
