"""The code on docs/reference.md runs and shows what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reference.md"


def test_the_code_on_the_page_runs(capsys: pytest.CaptureFixture[str]):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    printed = capsys.readouterr().out
    errors = re.findall(r"error (\S+) noisy, (\S+) denoised", printed)
    noisy, denoised = map(float, errors[-1])
    # Noise of 26.6/255 has a variance of 0.0109.
    assert noisy == pytest.approx(0.0109, rel=0.05)
    assert denoised < 0.5 * noisy < noisy < float(errors[0][1])
    difference = re.search(r"largest difference (\S+)", printed)
    assert difference
    assert float(difference[1]) < 1e-5
