from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import keras  # noqa: E402

from kerasdenoise import losses, metrics  # noqa: E402
from kerasdenoise.models import get_architecture, make_config  # noqa: E402

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
CLEAN = RNG.uniform(0, 1, (5, 14, 17, 3)).astype(np.float32)
NOISY = (CLEAN + RNG.normal(0, 0.1, CLEAN.shape) * np.arange(1, 6)[:, None, None, None] / 5).astype(
    np.float32
)
KINDS = [(metrics.PSNR, metrics.psnr), (metrics.SSIM, metrics.ssim)]


@pytest.mark.parametrize(("kind", "measure"), KINDS)
@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_it_is_the_mean_over_images_of_all_batches(kind, measure, peak: float):
    metric = kind(peak=peak)
    for batch in (slice(0, 2), slice(2, 5)):
        metric.update_state(peak * CLEAN[batch], peak * NOISY[batch])
    expected = [measure(peak * a, peak * b, peak=peak) for a, b in zip(CLEAN, NOISY, strict=True)]
    assert float(metric.result()) == pytest.approx(np.mean(expected), rel=1e-4)
    assert float(metric.result()) != pytest.approx(np.mean(expected[2:]), rel=1e-4)


def test_equal_images_are_perfect():
    values = [kind()(CLEAN, CLEAN) for kind, _ in KINDS]
    assert [float(value) for value in values] == [math.inf, pytest.approx(1.0, abs=1e-5)]


@pytest.mark.parametrize(("kind", "measure"), KINDS)
def test_images_of_half_precision_are_measured_in_single(kind, measure):
    half = [images.astype(np.float16) for images in (CLEAN, NOISY)]
    expected = np.mean(
        [measure(a.astype(np.float32), b.astype(np.float32)) for a, b in zip(*half, strict=True)]
    )
    assert float(kind()(*half)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("kind", "measure"), KINDS)
def test_a_config_of_a_registered_name_makes_an_equal_metric(kind, measure):
    metric = kind(peak=255.0, name="mine")
    config = keras.saving.serialize_keras_object(metric)
    assert config["registered_name"] == f"kerasdenoise>{kind.__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert (type(again), again.peak, again.name, again.dtype) == (kind, 255.0, "mine", "float32")


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="at least 11"):
        metrics.SSIM()(CLEAN[:, :10], NOISY[:, :10])


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_fit_takes_losses_and_metrics_and_a_file_keeps_them(tmp_path: Path, loss: str):
    model = get_architecture("dncnn").build(make_config("dncnn", {"preset": "tiny"}))
    model.compile(
        "sgd", losses.get_loss(loss), metrics=[metrics.PSNR(), metrics.SSIM()], run_eagerly=True
    )
    target = np.round(CLEAN) if loss == "balanced_bce" else CLEAN
    history = model.fit(NOISY, target, batch_size=5, epochs=1, verbose=0).history
    assert set(history) == {"loss", "psnr", "ssim"}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    figures = again.evaluate(NOISY, target, batch_size=5, verbose=0, return_dict=True)
    denoised = again.predict(NOISY, verbose=0)
    assert figures["loss"] == pytest.approx(
        np.mean(keras.ops.convert_to_numpy(losses.get_loss(loss)(target, denoised))), rel=1e-4
    )
    expected = np.mean([metrics.psnr(a, b) for a, b in zip(target, denoised, strict=True)])
    assert figures["psnr"] == pytest.approx(expected, rel=1e-4)


def test_arrays_are_measured_without_keras():
    code = "import sys; from kerasdenoise.metrics import psnr, ssim; print('keras' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def test_what_is_no_metric_is_no_attribute():
    with pytest.raises(AttributeError, match="lpips"):
        _ = metrics.lpips
