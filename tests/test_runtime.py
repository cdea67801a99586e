from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kerasdenoise.cli.options import BYTES
from kerasdenoise.runtime import memory_text, quiet_stderr


def _run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_what_native_code_writes_is_hidden_and_only_then(capfd: pytest.CaptureFixture[str]):
    os.write(2, b"before ")
    with quiet_stderr():
        os.write(2, b"inside ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_an_error_inside_comes_out_and_ends_the_silence(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ZeroDivisionError), quiet_stderr():
        raise ZeroDivisionError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_two_threads_that_hide_it_give_it_back(capfd: pytest.CaptureFixture[str]):
    inside = threading.Event()

    def hide_later() -> None:
        inside.wait()
        with quiet_stderr():
            os.write(2, b"of the other")

    other = threading.Thread(target=hide_later)
    other.start()
    with quiet_stderr():
        inside.set()
        # Long enough for the other to come in, if nothing kept it out.
        other.join(0.2)
    other.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_no_file_descriptor_is_left_open():
    before = os.dup(2)
    os.close(before)
    for _ in range(3):
        with quiet_stderr():
            pass
    after = os.dup(2)
    os.close(after)
    assert after == before


@pytest.mark.parametrize("lost", ["sys.stderr = None", "import os; os.close(2)"])
def test_a_process_without_standard_error_goes_on(lost: str):
    code = f"import sys; from kerasdenoise.runtime import quiet_stderr; {lost}\n"
    assert _run(f"{code}with quiet_stderr(): print('done')").stdout == "done\n"


def test_nothing_heavy_is_imported_with_it():
    code = "import sys, kerasdenoise.runtime; print({'keras', 'tensorflow'} & set(sys.modules))"
    assert _run(code).stdout == "set()\n"


_PREPARE = """
from kerasdenoise.runtime import prepare_keras
prepare_keras()
prepare_keras()
import keras
print(keras.backend.backend(), keras.ops.convert_to_numpy(keras.ops.ones(1) + 1))
"""


def test_keras_runs_on_tensorflow_and_says_nothing():
    result = _run(_PREPARE)
    assert (result.stdout, result.stderr) == ("tensorflow [2.]\n", "")


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_another_backend_may_be_named():
    assert _run(_PREPARE, KERAS_BACKEND="jax").stdout == "jax [2.]\n"


_DRAW = """
from kerasdenoise.runtime import make_figure
figure = make_figure(2, 2)
from matplotlib.font_manager import fontManager
fontManager.ttflist = [font for font in fontManager.ttflist if not font.name.startswith("STIX")]
figure.subplots().semilogy([1, 1000])  # whose labels are formulas
figure.savefig("figure.png")
"""


def test_fonts_that_this_machine_lacks_are_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert _run(_DRAW).stderr == ""
    assert (tmp_path / "figure.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (5, "5"),
        (35_000_000, "35M"),
        (1_500_000_000, "1.5G"),
        (78_399, "78.399K"),
        (36_700_160, "36.701M"),
        (123_456_789_012, "123.457G"),
    ],
)
def test_amounts_of_memory_are_written_as_they_are_given(size: int, text: str):
    assert memory_text(size) == text
    assert BYTES.convert(text, None, None) >= size
