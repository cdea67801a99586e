from __future__ import annotations

from typing import Any

import pytest

from kerasdenoise.export.card import render_card


@pytest.fixture
def metadata() -> dict[str, Any]:
    return {
        "name": "quick",
        "summary": "Random weights",
        "architecture": "unet",
        "channels": 3,
        "stride": 4,
        "radius": 23,
        "global_context": False,
        "noise_level": False,
        "estimates_level": False,
        "bytes_per_pixel": 1843,
        "parameters": 1234567,
        "mac_per_pixel": 45678,
        "litert_difference": 3.2e-7,
        "license": "Apache-2.0",
        "training": {
            "steps": 30000,
            "data": ["train/a", "train/b"],
            "data_license": "CC0",
            "noise": ["gaussian:0-55", "camera"],
            "commit": "0123456789abcdef",
            "version": "1.2.3",
        },
        "figures": [],
    }


@pytest.mark.parametrize(
    "said",
    [
        "# quick",
        "Random weights.",
        "| Parameters | 1,234,567 |",
        "| Multiply-accumulates per pixel | 45,678 |",
        "| Memory | 1,843 bytes per pixel of a tile |",
        "| Sees | 23 pixels around each pixel |",
        "1 x H x W x 3",
        "sides multiples of 4",
        "30,000 steps",
        "`0123456789ab`",
        "version 1.2.3",
        "| Noise in training | `gaussian:0-55`, `camera` |",
        "| License of the weights | Apache-2.0 |",
        "| License of the data | CC0 |",
        "Not measured",
    ],
)
def test_the_card_says_it(metadata: dict[str, Any], said: str):
    assert said in render_card(metadata)


def test_a_network_with_global_context_sees_everything(metadata: dict[str, Any]):
    card = render_card(metadata | {"global_context": True})
    assert "| Sees | 23 pixels around each pixel, and statistics of the whole image |" in card


def test_a_network_that_is_told_the_level_says_so(metadata: dict[str, Any]):
    assert "the level of its noise" not in render_card(metadata)
    assert "the level of its noise" in render_card(metadata | {"noise_level": True})


def test_a_network_that_estimates_the_level_says_so(metadata: dict[str, Any]):
    assert "Noise level" not in render_card(metadata)
    card = render_card(metadata | {"estimates_level": True})
    assert "| Noise level | estimated by `level.tflite`; `tile.tflite` takes it, " in card


def test_what_a_training_started_and_learned_from_is_named(metadata: dict[str, Any]):
    assert "after" not in render_card(metadata)
    assert "taught" not in render_card(metadata)
    training = {"earlier": ["recipe_earlier_1.toml"], "teacher": "runs/photo"}
    card = render_card(metadata | {"training": metadata["training"] | training})
    assert "by `recipe.toml` after `recipe_earlier_1.toml`, taught by `runs/photo`, at" in card


@pytest.mark.parametrize(("noise", "called"), [("gaussian:25", "gaussian:25"), (None, "its own")])
def test_figures_are_a_table(metadata: dict[str, Any], noise: str | None, called: str):
    row = {
        "set": "CBSD68",
        "noise": noise,
        "images": 68,
        "noisy_psnr": 20.174,
        "psnr": 30.626,
        "psnr_error": 0.251,
        "ssim": 0.87654,
    }
    card = render_card(metadata | {"figures": [row]})
    assert f"| CBSD68 | 68 | {called} | 20.17 | 30.63 ± 0.25 | 0.8765 |" in card
    assert "Not measured" not in card


def test_files_that_were_kept_by_force_are_marked(metadata: dict[str, Any]):
    row = {
        "kind": "int8",
        "target": "mobile",
        "size": 256,
        "bytes": 9,
        "photos": "set",
        "images": 3,
    }
    row |= {"noise": "gaussian:25", "psnr": 29.0, "psnr_keras": 30.0}
    files = {"a.tflite": row | {"forced": False}, "b.tflite": row | {"forced": True}}
    card = render_card(metadata | {"files": files})
    assert "| `a.tflite` |" in card
    assert "| `b.tflite` (`--force`) |" in card
    assert "without that option" in card
    assert "--force" not in render_card(metadata | {"files": {"a.tflite": files["a.tflite"]}})
