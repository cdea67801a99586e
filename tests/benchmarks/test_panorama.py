from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "array"])
def test_a_small_one(cli_environment: dict[str, str], kind: str):
    pytest.importorskip("resource", reason="there is no such measure on Windows")
    options = ["--model", "tiny", "--width", "300", "--height", "200", "--only", kind]
    result = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "panorama.py", *options],
        env=cli_environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    name, megapixels, peak, limit, _ = result.stdout.splitlines()[-1].strip("| ").split(" | ")
    assert (name, megapixels, limit) == (kind, "0", "2.0")
    assert 0.02 < float(peak) < 1
