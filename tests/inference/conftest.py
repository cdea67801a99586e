"""A network with all that a saved model can have, given random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _run_here(request: pytest.FixtureRequest) -> None:
    if request.path.stem != "test_isolated":
        request.getfixturevalue("run_here")


@pytest.fixture(scope="session")
def guided_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that estimates the level of the noise and has a file of 8-bit integers."""
    from kerasdenoise.export.kinds import write_int8
    from kerasdenoise.zoo import INT8

    folder = write_random("unet", tmp_path_factory.mktemp("guided"), estimates_level=True)
    rng = np.random.default_rng(1)
    noisy = [rng.random((4, 32, 32, 3), np.float32) for _ in range(2)]
    write_int8(_build("unet", estimates_level=True)[0], folder / INT8, noisy)
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    (folder / "metadata.json").write_text(json.dumps({**metadata, "int8": {}}), "utf-8")
    return folder


@pytest.fixture(scope="session")
def global_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that needs statistics of the whole image, from small parts."""
    folder = write_random("lambda_net", tmp_path_factory.mktemp("global"))
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    (folder / "metadata.json").write_text(json.dumps({**metadata, "part": 32}), "utf-8")
    return folder


def write_random(architecture: str, folder: Path, **settings: object) -> Path:
    """Writes the LiteRT files of a small network that changes its input a little."""
    from kerasdenoise.export.litert import write_litert

    network, config = _build(architecture, **settings)
    write_litert(network, folder, config.stride)
    metadata = {
        "name": architecture,
        "architecture": architecture,
        "summary": "Random weights",
        "channels": config.channels,
        "stride": config.stride,
        "radius": config.radius,
        "global_context": (folder / "context.tflite").exists(),
        "estimates_level": (folder / "level.tflite").exists(),
        "bytes_per_pixel": 100,
    }
    if (folder / "detail.tflite").exists():
        metadata["mean_radius"] = config.mean_radius
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    (folder / "config.json").write_text("{}", "utf-8")
    return folder


def _build(architecture: str, **settings: object) -> tuple[Any, Any]:
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    from kerasdenoise.models import get_architecture, make_config
    from kerasdenoise.models._parts import find_layers

    config = make_config(architecture, {"preset": "tiny", **settings})
    network = get_architecture(architecture).build(config)
    rng = np.random.default_rng(0)
    for layer in find_layers(network):  # also in parts that are trained elsewhere
        layer.trainable = True
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(rng.normal(0, 0.7 * fan_in**-0.5, weight.shape))
    return network, config
