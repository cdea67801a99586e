from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.evaluation.peak_memory import peak_memory, run_command

MEGABYTE = 10**6

if sys.platform == "win32":
    pytest.skip("Windows says no peak of memory", allow_module_level=True)


def test_the_peak_is_that_of_the_process_alone():
    held = np.ones(400 * MEGABYTE, np.uint8)  # what a child must not inherit
    small, large = (peak_memory(partial(np.ones, size, np.uint8), "ones") for size in (1, 10**8))
    assert small is not None
    assert large is not None
    assert small < held.size
    assert large - small == pytest.approx(100 * MEGABYTE, rel=0.1)


def test_what_fails_says_why():
    with pytest.raises(UsageError, match=r"^thing: .*invalid literal"):
        peak_memory(partial(int, "x"), "thing")


def test_a_command_has_its_seconds_and_its_peak():
    program = "import numpy; numpy.ones(10**8, 'uint8')"
    small, large = (run_command([sys.executable, "-c", code], "it") for code in ("", program))
    assert min(small[0], large[0]) > 0
    assert large[1] - small[1] > 90 * MEGABYTE


def test_a_command_that_fails_has_its_exit_code():
    with pytest.raises(UsageError, match=r"^thing: .*\b3\b"):
        run_command([sys.executable, "-c", "raise SystemExit(3)"], "thing")
