from __future__ import annotations

import dataclasses
import io
import json
import math

import pytest

from kerasdenoise.evaluation.comparison import (
    Comparison,
    Row,
    Timing,
    print_comparison,
    render_page,
    to_json,
)
from kerasdenoise.evaluation.subjects import FFDNET


@pytest.fixture
def comparison() -> Comparison:
    """A file, one of integers that is four times as fast, FFDNet and a peer."""

    def tile(*seconds: float, edge: int = 100) -> Timing:
        return Timing(edge, edge, seconds)

    rows = [
        Row(
            "tile.tflite",
            bytes=2_000_000,
            tile=tile(0.4, 0.5, 0.6),
            tile_peak=60_000_000,
            photo=Timing(1000, 2000, (9.0, 8.0, 7.0)),
            network=Timing(1000, 2000, (3.0, 4.0, 5.0)),
            photo_peak=600_000_000,
            psnr=30.123,
        ),
        Row(
            "model_int8.tflite",
            bytes=600_000,
            tile=tile(0.025, 0.031, 0.0375, edge=50),
            psnr=29.998,
        ),
        Row(FFDNET, bytes=3_000_000, tile=tile(2.0, 2.5, 3.3)),
        Row("OpenCV", tile=tile(1.0, 1.0, 1.0), photo=Timing(1000, 2000, (16.0, 16.0, 16.0))),
    ]
    return Comparison(
        model="photo",
        rows=rows,
        int8="model_int8.tflite",
        threads=2,
        rounds=3,
        pictures="set",
        count=7,
        noisy_psnr=20.5,
        versions={"numpy": "2.0"},
        processor="Abacus",
    )


def test_speed_is_by_pixels_and_the_median_of_the_rounds_ratios(comparison: Comparison):
    first, int8, ffdnet, peer = comparison.rows
    assert comparison.speed(first, "tile") == 1.0
    # A quarter of the pixels in a sixteenth of the time.
    assert comparison.speed(int8, "tile") == pytest.approx(4.0)
    assert comparison.speed(ffdnet, "tile") == pytest.approx(0.2)
    assert comparison.speed(peer, "photo") == pytest.approx(0.5)
    assert math.isnan(comparison.speed(int8, "photo"))


def test_goals_say_what_is_met(comparison: Comparison):
    int8, loss, ffdnet, photo = comparison.goals()
    assert (int8.measured, int8.met) == (pytest.approx(4.0), True)
    assert (loss.measured, loss.met) == (pytest.approx(0.125), False)
    assert (ffdnet.measured, ffdnet.met) == (pytest.approx(5.0), False)
    assert (photo.measured, photo.met) == (pytest.approx(2.0), True)
    few = dataclasses.replace(comparison, rows=comparison.rows[1:2], int8=None)
    assert few.goals() == []


def test_the_page_has_all_rows_and_what_was_not_measured(comparison: Comparison):
    page = render_page(comparison)
    cells = {
        line.split(" | ")[0].strip("| `"): line.strip("| ").split(" | ")[1:]
        for line in page.splitlines()
        if line.startswith("|")
    }
    expected = ["2,000", "100 x 100", "500.0", "1.00", "60", "8.00", "1.00", "2.00", "600", "30.12"]
    assert cells["tile.tflite"] == expected
    assert cells["model_int8.tflite"][:5] == ["600", "50 x 50", "31.0", "4.00", "-"]
    assert cells["OpenCV"][0] == "-"
    assert "the 7 images of set" in page
    assert "20.50 dB" in page
    assert "at least 8 | 5.00 | missed" in page
    assert "Abacus" in page
    widths = [len(line) for line in page.splitlines() if not line.startswith("|")]
    assert max(widths) <= 110


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "narrow terminal"])
def test_the_table_shows_the_same(
    comparison: Comparison, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "60")
    print_comparison(comparison, stream)
    text = stream.getvalue()
    for part in ("model_int8.tflite", FFDNET, "30.12", "OpenCV", "goal at least 8, missed"):
        assert part in text
    assert "…" not in text


def test_json_has_every_round(comparison: Comparison):
    content = json.loads(to_json(comparison))
    first, int8, *_ = content["rows"]
    assert first["photo"]["seconds"] == [9.0, 8.0, 7.0]
    assert int8["tile_speed"] == pytest.approx(4.0)
    assert int8["photo_speed"] is None
    assert [goal["met"] for goal in content["goals"]] == [True, False, False, True]
