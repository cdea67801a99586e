from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.evaluation.pages import write_section
from tests.reliability import mutated_files

ROOT = Path(__file__).parents[2]

pytest.importorskip("pillow_heif")
pytest.importorskip("rawpy")


def test_no_damaged_file_ends_in_anything_but_a_picture_or_an_error(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# Reliability\n\nBefore.\n", "utf-8")
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", mutated_files.__name__, "--files", "40", "--seed", "1"]
    subprocess.run(
        [*command, "--result", result, "--page", page], check=True, cwd=ROOT, timeout=500
    )
    summary: dict[str, Any] = json.loads(result.read_text("utf-8"))
    assert summary["files"] == 40 * len(summary["formats"]) == 320
    assert summary["bugs"] == []
    for name, counts in summary["formats"].items():
        assert counts["rejected"] > 0, name
    assert summary["peak_megabytes"] < 2000
    text = page.read_text("utf-8")
    assert text.startswith("# Reliability\n\nBefore.\n\n<!-- damaged files -->\n## Damaged files")
    assert "| all |" in text


def test_the_same_numbers_give_the_same_files():
    files = list(mutated_files.make_files("PNG"))
    mutants = [mutated_files.make_mutant("PNG", files, index, 3) for index in range(16)]
    again = [mutated_files.make_mutant("PNG", files, index, 3) for index in range(16)]
    assert mutants == again
    assert len(set(mutants)) == 16


def test_only_its_own_section_is_replaced(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(
        "above\n<!-- damaged files -->earlier figures<!-- end of damaged files -->\nbelow\n"
    )
    rows = {"PNG": [_row("rejected"), _row("died")], "JPEG": [_row("read and written")]}
    summary = mutated_files.summarize(rows, 0)
    write_section(page, "damaged files", mutated_files.describe(summary))
    text = page.read_text("utf-8")
    assert text.startswith("above\n<!-- damaged files -->\n## Damaged files")
    assert text.endswith("<!-- end of damaged files -->\nbelow\n")
    assert "earlier figures" not in text
    assert "|  | read and written | rejected | died |" in text
    assert "| PNG | 0 | 1 | 1 |" in text
    assert "1 of them ended" in " ".join(text.split())


def _row(outcome: str) -> dict[str, Any]:
    return {"index": 0, "outcome": outcome, "cause": "", "seconds": 0.5, "kilobytes": 2048}


@pytest.mark.parametrize("ending", ["os._exit(3)", "os.abort()", "time.sleep(1000)"])
def test_a_process_that_dies_or_stops_is_counted_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str
):
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, os, sys, time\n"
        "first, count = int(sys.argv[3]), int(sys.argv[4])\n"
        "for index in range(first, count):\n"
        f"    if index == 2: {ending}\n"
        "    print(json.dumps({'index': index, 'outcome': 'rejected', 'cause': '', 'seconds': 0,"
        " 'kilobytes': 1}), flush=True)\n"
    )
    monkeypatch.setattr(mutated_files, "WORKER", [sys.executable, str(script), "--work"])
    # Long enough for a busy machine to start a process.
    monkeypatch.setattr(mutated_files, "SECONDS", 10 if "sleep" in ending else 300)
    outcomes = [row["outcome"] for row in mutated_files.run("PNG", 5, 0)]
    bad = "stopped" if "sleep" in ending else "died"
    assert outcomes == ["rejected", "rejected", bad, "rejected", "rejected"]
