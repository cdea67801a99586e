"""Files run by a GPU alone, or by what stands for one."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import pytest
from keras import layers

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.export import gpu
from kerasdenoise.export.gpu import CHROMIUM, GpuResult, check_gpu, find_driver
from kerasdenoise.export.kinds import write_kind
from kerasdenoise.export.mobile import make_mobile, replace_operations
from kerasdenoise.models import find_builder, get_architecture, get_parts, make_config

SHIPPED = sorted((Path(__file__).parents[2] / "saved_models").glob("*/mobile_*.tflite"))

needs_driver = pytest.mark.skipif(
    not (CHROMIUM / "vk_swiftshader_icd.json").is_file(),
    reason="SwiftShader is not there; Debian's package chromium has it",
)


@needs_driver
def test_the_graph_for_phones_runs_whole(tmp_path: Path):
    unet = get_architecture("unet")
    keras.utils.set_random_seed(0)
    config = unet.Config(widths=(4, 8), blocks=(1, 1), estimates_level=True)
    network = unet.build(config)
    tail = get_parts(network).tile.get_layer("tail")
    tail.set_weights([keras.random.normal(tail.kernel.shape, stddev=0.1)])
    build = find_builder("unet", config)
    # 9 cells, which LiteRT would enlarge wrongly at once.
    write_kind(make_mobile(network, build, 72, 72), tmp_path / "mobile.tflite", "float32")
    replace_operations(tmp_path / "mobile.tflite")
    result = check_gpu(tmp_path / "mobile.tflite")
    assert result.exact
    assert result.passed, result


@needs_driver
@pytest.mark.parametrize("architecture", ["lambda_net", "perona_malik", "p1_diffusion"])
def test_own_layers_for_phones_run_whole(architecture: str, tmp_path: Path):
    config = make_config(architecture, {"preset": "tiny"})
    keras.utils.set_random_seed(0)
    network = get_architecture(architecture).build(config)
    build = find_builder(architecture, config)
    write_kind(make_mobile(network, build, 40, 40), tmp_path / "mobile.tflite", "float32")
    replace_operations(tmp_path / "mobile.tflite")
    result = check_gpu(tmp_path / "mobile.tflite")
    assert result.exact
    assert result.passed, result


@needs_driver
def test_what_a_gpu_lacks_is_named(tmp_path: Path):
    noisy = keras.Input((16, 16, 3), batch_size=1, name="noisy")
    layer = layers.Conv2DTranspose(
        3, 3, padding="same", activation="relu", bias_initializer="random_normal"
    )
    write_kind(keras.Model(noisy, layer(noisy)), tmp_path / "fused.tflite", "float32")
    result = check_gpu(tmp_path / "fused.tflite")
    assert not result.passed
    assert not result.whole
    assert "TRANSPOSE_CONV: Max version supported: 3" in result.cause


@pytest.mark.parametrize(
    ("whole", "largest", "rms", "exact", "passed"),
    [
        (True, 1e-4, 1e-5, True, True),
        (True, 2e-3, 1e-5, True, False),
        (True, 0.03, 0.004, False, True),
        (True, 0.03, 0.01, False, False),
        (False, 0.0, 0.0, True, False),
        (True, math.nan, math.nan, True, False),
    ],
)
def test_floats_must_agree_and_integers_nearly(
    whole: bool, largest: float, rms: float, exact: bool, passed: bool
):
    assert GpuResult(whole, largest, rms, exact).passed is passed


def test_the_driver_of_chromium_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpu, "CHROMIUM", tmp_path)
    (tmp_path / "vk_swiftshader_icd.json").write_text("{}", "utf-8")
    found = find_driver({"LD_LIBRARY_PATH": "/mine"})
    assert found["VK_ICD_FILENAMES"] == str(tmp_path / "vk_swiftshader_icd.json")
    assert found["LD_LIBRARY_PATH"] == f"{tmp_path}:/mine"
    assert find_driver({"VK_ICD_FILENAMES": "another"}) == {"VK_ICD_FILENAMES": "another"}


def test_a_missing_driver_is_named_with_what_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gpu, "CHROMIUM", tmp_path)
    with pytest.raises(UsageError, match=r"Vulkan.*; install .*chromi"):
        find_driver({})


@pytest.mark.parametrize("content", [None, b"", b"text that is not a model"])
def test_what_is_not_a_file_of_litert_is_refused(content: bytes | None, tmp_path: Path):
    path = tmp_path / "mobile.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"mobile\.tflite: .*(LiteRT|read)"):
        check_gpu(path)


@needs_driver
@pytest.mark.parametrize(
    "path",
    SHIPPED
    or [pytest.param(None, marks=pytest.mark.skip(reason="no file for phones is shipped yet"))],
    ids=lambda path: path and f"{path.parent.name}-{path.stem}",
)
def test_a_shipped_file_runs_whole(path: Path):
    result = check_gpu(path)
    assert result.passed, result
