"""The Kotlin of apps/android, compiled and run without Android.

Needs `kotlinc` on the path, as of npm's package kotlin-compiler, and Debian's packages junit4 and
libandroid-json-java. What of Android and LiteRT the compiler has to know is declared in `kotlin/`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
KIT = ROOT / "apps" / "android"
JARS = [
    Path("/usr/share/java", f"{name}.jar") for name in ("junit4", "hamcrest", "com.android.json")
]
KOTLINC, JAVA = (shutil.which(name) or "" for name in ("kotlinc", "java"))

pytestmark = pytest.mark.skipif(
    not KOTLINC or not JAVA or not all(jar.exists() for jar in JARS),
    reason="needs kotlinc, Java, and Debian's packages junit4 and libandroid-json-java",
)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The class path of the kit, its tests, and the bridge."""
    target = tmp_path_factory.mktemp("kotlin") / "kit.jar"
    sources = [*KIT.rglob("*.kt"), *Path(__file__).with_name("kotlin").glob("*.kt")]
    known = ":".join(map(str, JARS))
    options = ["-Werror", "-jvm-target", "11", "-include-runtime", "-cp", known, "-d", target]
    subprocess.run([KOTLINC, *options, *sources], check=True)
    return f"{target}:{known}:{ROOT / 'apps' / 'vectors'}"


def test_its_own_tests_pass(classes: str):
    names = [f"kerasdenoise.{path.stem}" for path in (KIT / "test").rglob("*Test.kt")]
    assert "kerasdenoise.TilesTest" in names
    result = subprocess.run(
        [JAVA, "-cp", classes, "org.junit.runner.JUnitCore", *names],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    assert "OK (" in result.stdout


@pytest.mark.parametrize("kind", ["model", "model_int8"])
def test_it_denoises_as_the_engine_does(kind: str, classes: str, tmp_path: Path):
    from ai_edge_litert.interpreter import Interpreter

    from kerasdenoise import Denoiser
    from kerasdenoise.export.files import describe_file
    from kerasdenoise.inference.fixed_shape import fix_shape

    model, size = ROOT / "saved_models" / "photo_tiny", 256
    file = tmp_path / f"{kind}.tflite"
    file.write_bytes(fix_shape(model / f"{kind}.tflite", size, size))
    metadata = json.loads((model / "metadata.json").read_text(encoding="utf-8"))
    sidecar = describe_file(file, metadata, {"size": size})
    file.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")

    noisy, denoised = ROOT / "apps" / "golden" / "noisy.png", tmp_path / "denoised.png"
    interpreter = Interpreter(str(file))
    interpreter.allocate_tensors()
    command = [JAVA, "-cp", classes, "kerasdenoise.BridgeKt", file.with_suffix(".json"), noisy]
    with subprocess.Popen(
        [*command, denoised], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        streams: Any = process.stdout, process.stdin
        answer_tiles(interpreter, *streams)
    assert process.returncode == 0

    quality = "fast" if kind == "model_int8" else "balanced"
    with Image.open(noisy) as image, Image.open(denoised) as result:
        expected = Denoiser(model, quality=quality)(np.asarray(image))
        difference = np.abs(np.asarray(result, np.float32) - expected)
    assert difference.max() <= 1


def answer_tiles(interpreter, tiles: BinaryIO, results: BinaryIO) -> None:
    """Runs a model on each tile that comes until no more do."""
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    length = int(np.prod(taken["shape"])) * np.dtype(taken["dtype"]).itemsize
    while content := tiles.read(length):
        tile = np.frombuffer(content, taken["dtype"]).reshape(taken["shape"])
        interpreter.set_tensor(taken["index"], tile)
        interpreter.invoke()
        results.write(interpreter.get_tensor(given["index"]).tobytes())
        results.flush()
