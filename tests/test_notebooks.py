"""The notebooks run from top to bottom, and what they print is true."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
# Those that train, save and adapt.
LONG = ("adapt", "layers", "train_your_own")
# A kernel opens sockets and threads, and its libraries warn.
pytestmark = pytest.mark.filterwarnings("default")


def execute(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Runs notebooks one after the other in one kernel; returns what each printed."""
    # Trainings of a moment, around a model that is judged in a moment.
    monkeypatch.setenv("MINUTES", "0.02")
    monkeypatch.setenv("BASE", "perona_malik")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebooks = {name: nbformat.read(FOLDER / f"{name}.ipynb", 4) for name in names}
    together = nbformat.v4.new_notebook()
    for notebook in notebooks.values():
        together.cells += notebook.cells
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(together, timeout=300, kernel_name="python3", resources=resources).execute()
    return {name: printed(notebook) for name, notebook in notebooks.items()}


def printed(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def numbers(pattern: str, text: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return [float(group.replace(",", "")) for group in found.groups()]


def test_a_photo_is_denoised(monkeypatch: pytest.MonkeyPatch):
    text = execute(("denoise_and_compare",), monkeypatch)["denoise_and_compare"]
    noisy, classical, tiny, photo = numbers(
        r"noisy +(\S+) dB.*\s+perona_malik +(\S+) dB.*\s+photo_tiny +(\S+) dB.*\s+photo +(\S+) dB",
        text,
    )
    assert noisy < classical < tiny < photo
    removed, estimated = numbers(r"removed (\S+)/255, estimated (\S+)/255", text)
    assert abs(removed - estimated) < 4


@pytest.mark.slow
def test_networks_are_built_trained_saved_and_adapted(monkeypatch: pytest.MonkeyPatch):
    texts = execute(LONG, monkeypatch)
    by_hand, built = numbers(r"by hand (\S+) trained weights, built (\S+)", texts["layers"])
    assert by_hand == built == 9083
    (difference,) = numbers(r"largest difference of both: (\S+)", texts["layers"])
    assert difference < 1e-6
    noisy, before, after = numbers(
        r"noisy (\S+) dB, before (\S+) dB, after (\S+) dB", texts["layers"]
    )
    assert noisy < before < after - 3
    assert "model.tflite" in texts["train_your_own"]
    numbers(r"noisy (\S+) dB, denoised (\S+) dB", texts["train_your_own"])
    assert "independent from pixel to pixel" in texts["adapt"]
    assert re.search("saved: kerasdenoise denoise|not better: ", texts["adapt"])


def test_notebooks_are_small_clean_and_install_themselves():
    files = sorted(FOLDER.glob("*.ipynb"))
    assert {file.stem for file in files} >= {"denoise_and_compare", *LONG}
    for file in files:
        assert file.stat().st_size < 300_000, file
        cells = [cell for cell in nbformat.read(file, 4).cells if cell.cell_type == "code"]
        assert "%pip install" in cells[0].source
        outputs = [output for cell in cells for output in cell.outputs]
        assert any("image/jpeg" in output.get("data", ()) for output in outputs), file
        assert all(output.output_type != "error" for output in outputs)
        assert all(output.get("name") != "stderr" for output in outputs), file
