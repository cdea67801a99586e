"""The Swift of apps/ios, all but what needs LiteRT or Apple's frameworks, compiled and tested.

Needs `swift` on the path.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "apps" / "ios"
SWIFT = shutil.which("swift") or ""


# The first build of a package takes long.
@pytest.mark.slow
@pytest.mark.skipif(not SWIFT, reason="needs Swift")
def test_its_own_tests_pass(tmp_path: Path):
    result = subprocess.run(
        [SWIFT, "test", "--package-path", str(PACKAGE), "--scratch-path", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Executed 0 tests" not in result.stdout + result.stderr
