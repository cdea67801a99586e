"""What stands twice about the project stands the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kerasdenoise import __version__

ROOT = Path(__file__).parents[2]


def test_the_citation_is_of_this_version():
    lines = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    assert f"version: {__version__}" in lines


def test_the_module_is_the_command():
    words = [sys.executable, "-m", "kerasdenoise", "--version"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == f"kerasdenoise, version {__version__}\n"
