"""The settings of the two course projects, their noise and their pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import hourglass_paper  # noqa: E402
import strided_autoencoder_paper  # noqa: E402
from common.noise2noise import (  # noqa: E402
    NOISE,
    OTHERS,
    constant_rate,
    describe_noise,
    draw_samples,
    measure_noise,
)
from common.records import Record  # noqa: E402
from common.trials import Context  # noqa: E402

from kerasdenoise.training.optimization import make_optimization, make_optimizer  # noqa: E402


def test_the_rate_is_the_same_in_every_step():
    plan = make_optimization({"steps": 50, **constant_rate(2e-3, optimizer="sgd")}, "sgd")
    rate = make_optimizer(plan)._learning_rate
    assert [float(rate(step)) for step in (0, 1, 25, 49)] == pytest.approx([2e-3] * 4)
    assert plan.objective == "noise2noise"


def test_full_is_as_long_as_the_projects_trained():
    trials = {
        trial.name: trial
        for trial in strided_autoencoder_paper.PAPER.trials
        if trial.name == "published"
    }
    full = trials["published"].full
    assert full.steps * full.batch == 10 * 50_000
    assert (full.options["optimizer"], full.options["learning_rate"]) == ("sgd", 0.1)
    for trial in hourglass_paper.PAPER.trials:
        epochs = 200 if trial.name == "variant_B_longer" else 100
        assert trial.full.steps * trial.full.batch == epochs * 50_000
        assert trial.noise == NOISE


def test_every_comparison_changes_one_thing():
    trials = {trial.name: trial for trial in hourglass_paper.PAPER.trials}
    base = trials["published"]
    assert base.full.options["learning_rate"] == 2e-3
    for name, changed in {
        "rate_0.01": {"learning_rate": 1e-2},
        "cross_entropy": {"loss": "bce"},
        "clean": {"objective": "supervised"},
        "sgd": {"optimizer": "sgd", "learning_rate": 0.1},
    }.items():
        expected = {**base.full.options, **changed}
        if name == "sgd":  # which has none
            del expected["beta_2"]
        assert trials[name].full.options == expected
        assert trials[name].config == base.config
    assert (trials["images_60"].percent, trials["images_60"].turns) == (60, False)
    assert (trials["images_60_turned"].percent, trials["images_60_turned"].turns) == (60, True)
    for variant in "ABCDE":
        trial = trials[f"variant_{variant}"]
        assert (trial.config["variant"], trial.percent) == (variant, 20)
        assert trial.full == base.full


def test_white_noise_has_the_psnr_of_the_projects_images(made_up_cifar10: Path, tmp_path: Path):
    figures = measure_noise(Context("any", made_up_cifar10, tmp_path), tmp_path)
    assert figures[NOISE] == pytest.approx(19.62, abs=0.1)
    assert figures["sigma_of_255"] == pytest.approx(26.6, abs=0.1)
    assert all(figures[kind] > figures[NOISE] for kind in OTHERS)  # these images are smooth
    record = Record("noise", "", "quick", {}, 0, "", figures, 1.0)
    assert "White noise of sigma 26.6 of 255" in describe_noise(record).replace("\n", " ")


def test_samples_are_drawn(made_up_cifar10: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import keras

    pixels = keras.Input((None, None, 3))
    identity = keras.Model(pixels, keras.layers.Rescaling(1.0)(pixels))
    monkeypatch.setattr(Context, "load", lambda self, trial: identity)
    context = Context("any", made_up_cifar10, tmp_path)
    figures = draw_samples({"denoised": "published"}, context, tmp_path)
    assert len(figures["noisy"]) == len(figures["denoised"]) == 6
    # Clipping alone does something.
    assert min(figures["denoised"]) > min(figures["noisy"])
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")
