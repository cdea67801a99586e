from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kerasdenoise.evaluation.pages import write_section
from tests.reliability.killed_batches import FOUND, describe, is_clean

ROOT = Path(__file__).parents[2]
MODULE = ["-m", "tests.reliability.killed_batches"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_three_kills_lose_nothing(cli_environment: dict[str, str], tmp_path: Path):
    result, page = tmp_path / "result.json", tmp_path / "page.md"
    page.write_text("# Reliability\n\n<!-- other -->\nstays\n<!-- end of other -->\n", "utf-8")
    options = ["--kills", "3", "--photos", "6", "--model", "tiny", "--seed", "1"]
    subprocess.run(
        [sys.executable, *MODULE, *options, "--result", result, "--page", page],
        cwd=ROOT,
        env=cli_environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    summary = json.loads(result.read_text("utf-8"))
    assert summary["kills"] == 3
    assert sum(summary["kills_by_results_there"].values()) == 3
    assert is_clean(summary)
    text = page.read_text("utf-8")
    assert "<!-- other -->\nstays\n<!-- end of other -->" in text
    assert "| kills | 3 |" in text


def test_a_section_replaces_itself_alone(tmp_path: Path):
    page = tmp_path / "reliability.md"
    summary = {name.replace(" ", "_"): 0 for name in FOUND}
    summary |= {"kills": 1, "photos": 2, "batches_completed": 1}
    for hidden in (0, 7):
        summary |= {"hidden_files_left": hidden, "kills_by_results_there": {"0": 1}}
        write_section(page, "killed batches", describe(summary))
        page.write_text(page.read_text("utf-8") + "\nbelow\n", "utf-8")
    text = page.read_text("utf-8")
    assert text.startswith("# Reliability\n\n<!-- killed batches -->\n## Killed batches")
    assert text.count("## Killed batches") == 1
    assert "| hidden temporary files left | 7 |" in text
    assert text.endswith("\nbelow\n\nbelow\n")


@pytest.mark.parametrize("name", FOUND[:-1])
def test_whatever_is_lost_is_seen(name: str):
    summary = {each.replace(" ", "_"): 0 for each in FOUND}
    assert is_clean(summary)
    summary[name.replace(" ", "_")] = 1
    assert not is_clean(summary)
