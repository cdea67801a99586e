from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from kerasdenoise.export.files import describe_file
from kerasdenoise.export.gpu import find_driver
from kerasdenoise.inference.fixed_shape import fix_shape

RESIDENCY = Path(__file__).parents[2] / "apps" / "residency.py"


@pytest.fixture
def residency():
    spec = importlib.util.spec_from_file_location("residency", RESIDENCY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_device_that_is_there_has_a_row(residency, models_folder: Path, tmp_path: Path):
    model = models_folder / "tiny"
    file = tmp_path / "mobile_64.tflite"
    file.write_bytes(fix_shape(model / "model.tflite", 64, 64))
    metadata = json.loads((model / "metadata.json").read_text(encoding="utf-8"))
    sidecar = describe_file(file, {"global_context": False, **metadata}, {"size": 64})
    file.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")

    residency.main([str(tmp_path), "--output", str(tmp_path / "page.md")])
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `tiny/mobile_64.tflite`")]
    assert re.search(r"desktop CPU \(.+\), 2 threads \| - \| - \| \d+ \| \d+\.\d\d \|$", rows[0])
    assert len(rows) == 1 + has_driver()
    if has_driver():
        assert re.search(r"GPU .+ \| (yes \| [\d.e-]+|no: .+ \| \S+) \| - \| - \|$", rows[1])


def test_it_says_when_there_is_nothing_to_measure(residency, tmp_path: Path, capsys):
    with pytest.raises(SystemExit):
        residency.main([str(tmp_path)])
    assert "no files for phones there" in capsys.readouterr().err


def has_driver() -> bool:
    from kerasdenoise.errors import UsageError

    try:
        find_driver({})
    except UsageError:
        return False
    return True
