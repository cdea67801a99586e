"""What the page of the diffusion slides rests on: intervals, verdicts, maps, and its text."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import common.data  # noqa: E402
from anisotropic_diffusion.claims import (  # noqa: E402
    CLAIMS,
    bootstrap,
    check_claims,
    rank_correlation,
)
from anisotropic_diffusion.maps import (  # noqa: E402
    mean_contrasts,
    mean_function,
    read_borders,
    read_coefficient,
)
from anisotropic_diffusion.trials import NOISES, find_photos, measure_levels  # noqa: E402
from anisotropic_diffusion_paper import PAPER  # noqa: E402
from common.records import DIVERGED, Record  # noqa: E402
from common.trials import Context, Trial  # noqa: E402

from kerasdenoise.evaluation.figures import denoise  # noqa: E402
from kerasdenoise.models import get_architecture, make_config  # noqa: E402
from kerasdenoise.noise import parse_noise  # noqa: E402

IMAGES = 40


def build(architecture: str, **values: object):
    config = make_config(architecture, {"channels": 1, "steps": 1, **values})
    return get_architecture(architecture).build(config)


def make_edge(step: float) -> np.ndarray:
    image = np.full((1, 16, 16, 1), 0.2, np.float32)
    image[:, :, 8:] += step
    return image


@pytest.fixture
def measured(tmp_path: Path) -> Context:
    """Runs of which the mean PSNR is 25 dB and all SSIM 0.7, each image a bit more or less."""
    context = Context("anisotropic_diffusion", tmp_path, tmp_path / "runs")
    rng = np.random.default_rng(0)
    for trial in PAPER.trials:
        run = context.runs / trial.name
        run.mkdir(parents=True)
        spread = rng.standard_normal((4, IMAGES))
        write_images(run, 25 + 0.01 * (spread - spread.mean(axis=1, keepdims=True)), 0.7)
    (context.runs / "edginess").mkdir()
    slopes = {"blur": -1.0, "inpainting": 0.0}
    clean = rng.uniform(0.1, 0.3, IMAGES)
    edges = {
        noise: clean * (2 + slopes.get(noise, 1.0) * np.linspace(0, 1, 4))[:, np.newaxis]
        for noise in NOISES
    }
    np.savez(context.runs / "edginess" / "images.npz", **edges, clean=clean)  # pyright: ignore
    return context


def write_images(run: Path, psnr: np.ndarray, ssim: np.ndarray | float) -> None:
    np.savez(run / "images.npz", psnr=psnr, ssim=np.broadcast_to(ssim, psnr.shape))


def check(context: Context, tmp_path: Path) -> dict[tuple[str, str], bool]:
    findings = check_claims(context, tmp_path)["findings"]
    return {(each["claim"], each["noise"]): each["held"] for each in findings}


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(1).normal(3, 2, 400)
    mean, low, high = bootstrap(values)
    assert mean == pytest.approx(values.mean())
    error = values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.02)


def test_ranks_alone_count_in_the_correlation():
    x = np.random.default_rng(2).random((2, 30))
    assert rank_correlation(np.stack([x, np.exp(5 * x)])) == pytest.approx(1)
    assert rank_correlation(np.stack([x, -(x**3)])) == pytest.approx(-1)
    ties = np.array([[[1.0, 1, 2, 2]], [[1.0, 1, 2, 2]]])
    assert rank_correlation(ties) == pytest.approx(1)


def test_equal_networks_hold_only_the_claims_of_no_difference(measured: Context, tmp_path: Path):
    held = check(measured, tmp_path)
    assert {claim for claim, _ in held} == set(CLAIMS)
    assert held["functions", "gaussian"]
    assert held["two_contrasts", "blur"]
    assert held["exception", "salt_and_pepper"]
    for claim, noise in (("networks", "gaussian"), ("p1_large", "blur"), ("finer", "blur")):
        assert not held[claim, noise]
    assert (tmp_path / "edginess.png").exists()


def test_each_claim_holds_where_the_images_say_so(measured: Context, tmp_path: Path):
    spread = 0.01 * np.random.default_rng(3).standard_normal((4, IMAGES))
    levels = np.array([[1.0], [0.5], [-0.5], [-1.0]])
    chance = 0.01 * np.where(np.arange(IMAGES) % 2, 1, -0.98)
    for noise in NOISES:
        write_images(measured.runs / f"function_1_{noise}", 26 + spread, 0.7)
        write_images(measured.runs / f"function_2_{noise}", 26.2 + spread, 0.7)
        write_images(measured.runs / f"function_1_border_{noise}", 27 + spread, 0.7)
        write_images(measured.runs / f"p1_{noise}", 25 + levels + spread, 0.7)
        write_images(measured.runs / f"p1_border_{noise}", 25 + spread, 0.7 + chance)
    write_images(measured.runs / "p1_2_gaussian", 24 + spread, 0.7)
    write_images(measured.runs / "p1_2_blur", 23 + spread, 0.7)
    write_images(measured.runs / "p1_salt_and_pepper", 24 + spread, 0.7)
    held = check(measured, tmp_path)
    for claim, noise in (
        ("networks", "gaussian"),
        ("functions", "poisson"),
        ("p1_small", "gaussian"),
        ("p1_large", "gaussian"),
        ("p1_exception", "salt_and_pepper"),
        ("finer", "gaussian"),
        ("finer_depends", "gaussian - blur"),
        ("edginess_up", "poisson"),
        ("edginess_down", "blur"),
        ("edginess_flat", "inpainting"),
        ("two_p1", "blur"),
    ):
        assert held[claim, noise], claim
    assert not held["exception", "salt_and_pepper"]
    assert not held["two_contrasts", "gaussian"]


def test_the_page_says_what_held_and_shows_what_was_drawn(measured: Context, tmp_path: Path):
    figures = check_claims(measured, tmp_path)
    record = Record("claims", "claims", "quick", {"study": "claims"}, 0, "", figures, 1.0)
    text = PAPER.write_page({"claims": record}, tmp_path)
    rows = {line.split(" | ")[0][2:]: line for line in text.splitlines() if line.startswith("| ")}
    assert "| **held** |" in rows[CLAIMS["functions"]]
    assert "| **not held** |" in rows[CLAIMS["networks"]]
    for name in ("claims", "border_gains"):
        assert (tmp_path / f"anisotropic_diffusion_{name}.png").exists()
        assert f"anisotropic_diffusion_{name}.png)" in text
    assert "not run" in text


def make_record(trial: Trial, figures: dict) -> Record:
    return Record(
        trial.name,
        trial.title,
        "quick",
        trial.about,
        1,
        "made up",
        figures,
        1.0,
        steps=100,
        batch=8,
        full_steps=20_000,
        full_batch=16,
    )


def test_the_page_shows_every_network_and_how_far_it_came(tmp_path: Path):
    levels = [25.0, 24.0, 23.0, 22.0]
    figures = {
        "psnr": 23.5,
        "ssim": 0.7,
        "noisy": {"psnr": 20.0, "ssim": 0.5},
        "psnr_levels": levels,
        "ssim_levels": [0.8, 0.7, 0.7, 0.6],
        "noisy_psnr_levels": levels,
        "noisy_ssim_levels": levels,
        "function": [1.0, 0.5, -0.1],
        "contrast_levels": [[30.0, 10.0]] * 4,
        **{f"{name}_levels": [0.5] * 4 for name in ("precision", "recall", "f1")},
    }
    records = {trial.name: make_record(trial, figures) for trial in PAPER.trials}
    diverged = next(trial for trial in PAPER.trials if trial.name == "p1_blur")
    records["p1_blur"] = make_record(diverged, {DIVERGED: "why"})
    text = PAPER.write_page(records, tmp_path)
    partial = "partial: 100 steps of 8, paper 20,000 of 16"
    assert f"23.50 / 0.700<br>{partial}" in text
    assert f"0.50 / 0.50 / 0.50 / 0.50<br>{partial}" in text
    assert "| 10.0, 30.0 |" in text
    assert "| diverged |" in text
    for name in ("curves", "partition", "functions"):
        assert (tmp_path / f"anisotropic_diffusion_{name}.png").exists()
        assert f"anisotropic_diffusion_{name}.png)" in text


def test_a_page_without_figures_shows_no_picture(tmp_path: Path):
    text = PAPER.write_page({}, tmp_path)
    assert "not run" in text
    assert "![" not in text
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("function", ["exponential", "rational"])
def test_the_map_of_a_contrast_is_the_coefficient_of_the_step(function: str):
    network = build("perona_malik", scope="fixed", function=function, contrast=0.1)
    noisy = make_edge(0.1)
    coefficient = read_coefficient(network, noisy)
    assert coefficient.shape == noisy.shape
    assert coefficient[0, 3, 3, 0] == 1
    at_edge = {"exponential": np.exp(-1), "rational": 0.5}[function]
    # Half of it is along the edge, where nothing stops it.
    assert coefficient[0, 3, 7, 0] == pytest.approx((1 + at_edge) / 2)
    assert mean_contrasts(network, noisy) == pytest.approx([25.5])
    # What flows over the edge in one step is what the coefficient says.
    flow = noisy - denoise(network, noisy, noisy)
    assert flow[0, 3, 8, 0] == pytest.approx(0.2 * at_edge * 0.1, rel=1e-3)


def test_the_map_of_a_p1_function_is_what_it_starts_from():
    network = build("p1_diffusion", pieces=5, stem=0, values="global", backward=0.0)
    noisy = make_edge(0.5)
    coefficient = read_coefficient(network, noisy)
    assert coefficient[0, 3, 3, 0] == pytest.approx(0.99, abs=1e-3)
    assert coefficient[0, 3, 7, 0] == pytest.approx(0.01, abs=1e-3)
    values = mean_function(network, noisy)
    assert values is not None
    assert len(values) == 6
    assert values[1] == pytest.approx(np.exp(-((0.2 / 0.3) ** 2)), abs=1e-3)


def test_borders_have_the_smaller_contrast():
    network = build("perona_malik", scope="fixed", border=True, contrast=0.02, border_contrast=0.2)
    noisy = make_edge(0.1)
    border = read_borders(network, noisy)
    assert border is not None
    network.get_layer("border").get_layer("border").bias.assign([-50.0])
    elsewhere = read_coefficient(network, noisy)[0, 3, 7, 0]
    network.get_layer("border").get_layer("border").bias.assign([50.0])
    at_border = read_coefficient(network, noisy)[0, 3, 7, 0]
    assert at_border == pytest.approx((1 + np.exp(-25)) / 2, abs=1e-3)
    assert elsewhere == pytest.approx((1 + np.exp(-0.25)) / 2, abs=1e-3)
    assert mean_contrasts(network, noisy) == pytest.approx([5.1, 51.0])


def test_levels_are_within_what_networks_are_trained_on():
    for noise in NOISES.values():
        trained: Any = parse_noise(noise.trained)
        for level in (*noise.levels, noise.shown):
            measured: Any = parse_noise(noise.at(level))
            assert trained.low <= measured.low == measured.high <= trained.high


def test_every_level_is_measured_and_each_image_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = make_photos(tmp_path, monkeypatch)
    context = Context("anisotropic_diffusion", root, tmp_path / "runs")
    trial = next(each for each in PAPER.trials if each.name == "classical_gaussian")
    trial = dataclasses.replace(trial, images=3)
    (context.runs / trial.name).mkdir(parents=True)
    network = build("perona_malik", scope="fixed", contrast=0.1)
    figures = measure_levels(network, trial, context)
    assert figures["images"] == 3
    assert len(figures["psnr_levels"]) == 4
    assert figures["psnr_levels"] == sorted(figures["psnr_levels"], reverse=True)
    assert figures["psnr"] > figures["noisy"]["psnr"]
    with np.load(context.runs / trial.name / "images.npz") as kept:
        assert kept["psnr"].shape == (4, 3)
        assert kept["psnr"].mean(axis=1) == pytest.approx(figures["psnr_levels"], abs=1e-3)
    with np.load(context.runs / trial.name / "maps.npz") as maps:
        assert {"clean", "noisy", "denoised", "coefficient", "contrasts"} == set(maps.files)


def test_photos_to_test_with_are_others_than_those_to_train_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = find_photos(make_photos(tmp_path, monkeypatch))
    assert data.load_test().shape == (6, 96, 96, 1)
    assert data.part().endswith(":train[3%:]")
    assert data.validation.endswith(":train[:3%]")
    assert data.test[0].endswith(":test[:100]")


def make_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(common.data, "FOLDER", tmp_path / "packed")
    rng = np.random.default_rng(0)
    for folder in ("train/bsd432", "test/bsd68_gray", "test/kodak24", "test/mcmaster"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for number, size in enumerate(((481, 321), (321, 481))):
            spots = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
            spots.resize(size).save(tmp_path / "data" / folder / f"{number}.png")
    return tmp_path / "data"
