from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_a_small_one(cli_environment: dict[str, str]):
    pytest.importorskip("resource", reason="there is no such measure on Windows")
    options = ["--model", "tiny", "--photos", "2", "--width", "300", "--height", "200"]
    result = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "batch.py", *options],
        env=cli_environment,
        capture_output=True,
        text=True,
    )
    row = result.stdout.splitlines()[-1].strip("| ").split(" | ")
    photos, megapixels, _, _, ratio, peak = map(float, row)
    assert (photos, megapixels) == (2, 0.1)
    # The goal is for photos that take their time.
    assert result.returncode == int(ratio < 1.6) or ratio == 1.6, result.stderr
    assert 0.02 < peak < 1
