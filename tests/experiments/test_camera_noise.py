from __future__ import annotations

import json
from pathlib import Path

import camera_noise
import numpy as np
import pytest

RNG = np.random.default_rng(0)
RAMP = np.broadcast_to(np.linspace(0, 0.999, 256)[:, None, None], (256, 256, 3))


def measured(noise: np.ndarray, clean: np.ndarray = RAMP) -> dict[str, np.ndarray]:
    return camera_noise.measure(noise, clean)


def white(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def test_white_noise_has_no_correlation_and_a_flat_spectrum():
    result = measured(10 / 255 * white(256, 256, 3))
    assert result["rms"] == pytest.approx(10, rel=0.02)
    np.testing.assert_allclose(result["deviation"], 1, atol=0.05)
    for key in ("rows", "columns", "diagonals"):
        np.testing.assert_allclose(result[key], np.eye(1, 7).repeat(2, axis=0), atol=0.02)
    np.testing.assert_allclose(result["colors"], 0, atol=0.02)
    for key in ("luma_power", "chroma_power"):
        np.testing.assert_allclose(result[key][1:], 1, atol=0.2)


def test_directions_are_told_apart():
    wide = white(256, 257, 3)
    result = measured(wide[:, 1:] + wide[:, :-1])
    np.testing.assert_allclose(result["rows"][:, 1], 0.5, atol=0.02)
    for key in ("columns", "diagonals"):
        np.testing.assert_allclose(result[key][:, 1], 0, atol=0.02)
    assert result["luma_power"][1] > 1.5 > 1 > result["luma_power"][-1]


def test_gray_noise_has_no_chroma():
    result = measured(white(256, 256, 1).repeat(3, axis=2))
    np.testing.assert_allclose(result["colors"], 1)
    assert result["chroma"] < 0.01


def test_colors_are_paired_in_order():
    gray, own = white(2, 256, 256)
    result = measured(np.stack([gray, gray, own], axis=2))
    np.testing.assert_allclose(result["colors"], [1, 0, 0], atol=0.02)


def test_deviation_follows_the_intensity():
    result = measured(RAMP * white(256, 256, 3))["deviation"]
    intensity = (np.arange(16) + 0.5) / 16
    np.testing.assert_allclose(result, np.tile(intensity / 0.5, (3, 1)), atol=0.08)


def test_an_intensity_of_few_pixels_has_no_deviation():
    result = measured(white(256, 256, 3), np.full((256, 256, 3), 0.5))["deviation"]
    assert np.isfinite(result).sum() == 3


def test_the_table_has_the_middle_of_the_pictures(tmp_path: Path):
    values = np.arange(11.0)
    empty = np.full((11, 2), np.nan)
    summary = {"rms": camera_noise.summarize(values), "deviation": camera_noise.summarize(empty)}
    camera_noise.write_table({"real pairs": summary}, tmp_path / "results" / "table.json")
    table = json.loads((tmp_path / "results" / "table.json").read_text("utf-8"))
    assert table["sources"]["real pairs"]["rms"] == {"low": 1.0, "median": 5.0, "high": 9.0}
    assert table["sources"]["real pairs"]["deviation"]["median"] == [None, None]
    assert len(table["axes"]["intensity"]) == 16


def test_far_pixels_and_levels_are_measured():
    # Red and blue beyond luma, each constant over two rows of pixels.
    blocks = 0.02 * white(128, 256, 3).repeat(2, axis=0)
    result = measured(blocks)
    np.testing.assert_allclose(result["far"], [[0.25, 0, 0, 0]] * 2, atol=0.02)
    luma = np.sqrt(0.299**2 + 0.587**2 + 0.114**2)
    assert result["levels"][0] == pytest.approx(255 * 0.02 * luma, rel=0.02)
    squares = [0.701**2 + 0.587**2 + 0.114**2, 0.299**2 + 0.587**2 + 0.886**2]
    assert result["levels"][1] == pytest.approx(255 * 0.02 * np.sqrt(np.mean(squares)), rel=0.02)


def test_the_page_has_cameras_beside_the_simulation(tmp_path: Path):
    noises = [measured(scale * white(256, 256, 3)) for scale in (0.01, 0.02, 0.03)]
    stacked = {key: np.stack([noise[key] for noise in noises]) for key in noises[0]}
    page = tmp_path / "noise.md"
    page.write_text(
        "before\n<!-- camera noise -->\nold\n<!-- end of camera noise -->\nafter\n", "utf-8"
    )
    camera_noise.write_section(
        page, "camera noise", camera_noise.describe({"Sony": stacked, "camera": stacked})
    )
    text = page.read_text("utf-8")
    assert text.startswith("before\n<!-- camera noise -->\n| noise ")
    assert text.endswith("|\n<!-- end of camera noise -->\nafter\n")
    assert "old" not in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    titles = [row[2] for row in rows[1:]]
    assert titles == ["mean", "10 %", "50 %", "90 %"]
    # Of deviations 2.55, 5.1 and 7.65, in luma 0.67 of that.
    assert [float(row[3]) for row in rows[1:]] == pytest.approx([3.4, 2.0, 3.4, 4.8], abs=0.15)
    assert all(row[5].startswith("0.0") or row[5].startswith("-0.0") for row in rows[1:])


def test_it_draws(tmp_path: Path):
    noises = [measured(scale * white(256, 256, 3)) for scale in (0.01, 0.02)]
    stacked = {key: np.stack([noise[key] for noise in noises]) for key in noises[0]}
    summary = {key: camera_noise.summarize(values) for key, values in stacked.items()}
    camera_noise.draw(dict.fromkeys(camera_noise.SOURCES, summary), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
