from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability import disturbed_folders

ROOT = Path(__file__).parents[2]
MODULE = ["-m", "tests.reliability.disturbed_folders"]

CLEAN = {
    "times": 3,
    "photos": 16,
    "disturbances": {
        name: dict.fromkeys(disturbed_folders.FOUND, 0) for name in disturbed_folders.DISTURBANCES
    },
    "many": {
        "photos": 40,
        "written": 40,
        "skipped_again": 40,
        "exit_codes": [0, 0],
        "wrong_results": 0,
        "other_files": 0,
        "changed_photos": 0,
        "seconds": 2.0,
        "seconds_again": 1.0,
    },
}


def _may_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "none", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_each_disturbance_once(cli_environment: dict[str, str], tmp_path: Path):
    if not _may_mount(tmp_path):
        pytest.skip("this user may mount nothing")
    result, page = tmp_path / "result.json", tmp_path / "page.md"
    options = ["--times", "1", "--photos", "5", "--many", "20", "--model", "tiny"]
    subprocess.run(
        [sys.executable, *MODULE, *options, "--result", result, "--page", page],
        cwd=ROOT,
        env=cli_environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    summary = json.loads(result.read_text("utf-8"))
    assert disturbed_folders.is_clean(summary)
    assert summary["disturbances"].keys() == disturbed_folders.DISTURBANCES.keys()
    assert summary["disturbances"]["disk full"][disturbed_folders.FAILED] > 0
    assert summary["many"]["written"] == 20
    assert "## Disturbed folders" in page.read_text("utf-8")


@pytest.mark.parametrize("name", disturbed_folders.FOUND[1:])
@pytest.mark.parametrize("disturbance", disturbed_folders.DISTURBANCES)
def test_whatever_is_found_counts(name: str, disturbance: str):
    summary = copy.deepcopy(CLEAN)
    assert disturbed_folders.is_clean(summary)
    summary["disturbances"][disturbance][name] = 1
    assert not disturbed_folders.is_clean(summary)
    assert f"| {name} |" in disturbed_folders.describe(summary)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("written", 39),
        ("skipped_again", 39),
        ("exit_codes", [1, 0]),
        ("wrong_results", 1),
        ("other_files", 1),
        ("changed_photos", 1),
    ],
)
def test_whatever_is_wrong_with_many_photos_counts(name: str, value: object):
    summary = copy.deepcopy(CLEAN)
    summary["many"][name] = value
    assert not disturbed_folders.is_clean(summary)
