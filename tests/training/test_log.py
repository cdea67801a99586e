from __future__ import annotations

import json
from pathlib import Path

import pytest

from kerasdenoise.training.log import read_log


@pytest.mark.parametrize("damage", ['{"step": 3, "lo', "[" * 10**5, "7", "null", "{}", "\x00" * 9])
def test_a_damaged_record_does_not_keep_a_run_from_its_checkpoint(
    tmp_path: Path, damage: str
) -> None:
    entries = [{"step": step, "loss": 0.5} for step in (1, 2)]
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    (tmp_path / "log.jsonl").write_text(text + damage, "utf-8")
    assert read_log(tmp_path, 5) == entries
    assert read_log(tmp_path, 1) == entries[:1]
