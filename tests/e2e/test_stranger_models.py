"""A saved model from a stranger cannot run code, whichever way it is loaded into Keras."""

from __future__ import annotations

import base64
import json
import marshal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()
import keras  # noqa: E402 (needs to be prepared)

import kerasdenoise  # noqa: E402
from kerasdenoise.errors import ModelError  # noqa: E402
from kerasdenoise.training.initial_weights import load_source, set_initial_weights  # noqa: E402
from kerasdenoise.training.recipe import parse_recipe  # noqa: E402
from kerasdenoise.training.tasks import build_task  # noqa: E402

_RECIPE = """
name = "again"
summary = "Started from a stranger's model"
seed = 1
[model]
architecture = "unet"
config = {{ preset = "tiny" }}
initial_weights = "{start}"
[data]
root = "."
train = ["photos"]
validation = ["photos"]
license = "none"
[[noise]]
kind = "gaussian:25"
[optimization]
steps = 1
"""


def _lambda_layer(proof: Path) -> dict[str, Any]:
    """A Lambda layer whose function is code within the file."""
    source = f"def attack(x):\n    open({str(proof)!r}, 'w').close()\n    return x"
    constants = compile(source, "", "exec").co_consts
    function = next(each for each in constants if hasattr(each, "co_code"))
    code = base64.b64encode(marshal.dumps(function)).decode("ascii")
    value = {"code": code, "defaults": None, "closure": None}
    bytecode = {"class_name": "__lambda__", "config": value}
    return {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "attack", "trainable": True, "function": bytecode},
        "registered_name": None,
    }


def _foreign_function(proof: Path) -> dict[str, Any]:
    """A function of the standard library where a layer should be."""
    return {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "system",
        "inbound": f"touch {proof}",
    }


def _foreign_class(proof: Path) -> dict[str, Any]:
    """A class of the standard library that runs what it is given."""
    command = {"name": "attack", "args": ["touch", str(proof)]}
    return {
        "module": "subprocess",
        "class_name": "Popen",
        "config": command,
        "registered_name": "Popen",
    }


def _registered_name(proof: Path) -> dict[str, Any]:
    """That class, by the registered name of a layer that is known, and one by a layer's name."""
    return {**_foreign_class(proof), "registered_name": "kerasdenoise>LambdaLayer"}


def _disguised_lambda(proof: Path) -> dict[str, Any]:
    """Code in the file, by a registered name that is no Lambda layer's."""
    return {**_lambda_layer(proof), "registered_name": "kerasdenoise>Harmless"}


def _keras_helper(proof: Path) -> dict[str, Any]:
    """A helper of Keras that is no layer: it fetches a file and writes it."""
    return {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"fname": str(proof), "origin": "file:///etc/hostname"},
        "registered_name": "get_file",
    }


ATTACKS = [
    _lambda_layer,
    _disguised_lambda,
    _foreign_function,
    _foreign_class,
    _registered_name,
    _keras_helper,
]


@pytest.fixture(params=ATTACKS, ids=lambda attack: attack.__name__.strip("_"))
def stranger(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a model whose file attacks, and the file that would be there if it could."""
    proof = tmp_path / "proof"
    infect = _infection(request.param(proof))
    return _write(_harmless(), tmp_path / "stranger", infect), proof


def _harmless() -> keras.Model:
    noisy = keras.Input((None, None, 3), name="noisy")
    return keras.Model(noisy, keras.layers.Activation("linear", name="attack")(noisy))


def _infection(attack: dict[str, Any]) -> Callable:
    def infect(layer: dict[str, Any]) -> dict[str, Any]:
        return {**layer, **attack} if layer["config"].get("name") == "attack" else layer

    return infect


def _write(model: keras.Model, folder: Path, infect: Callable) -> Path:
    """Writes a saved model, its layers changed in the file."""
    folder.mkdir()
    model.save(folder / "clean.keras")
    with (
        zipfile.ZipFile(folder / "clean.keras") as clean,
        zipfile.ZipFile(folder / "model.keras", "w") as infected,
    ):
        for name in clean.namelist():
            content = clean.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"] = [infect(each) for each in config["config"]["layers"]]
                content = json.dumps(config).encode()
            infected.writestr(name, content)
    metadata = {"name": "stranger", "architecture": "unet", "summary": "Trust me"}
    metadata |= {"channels": 3, "stride": 1, "radius": 1}
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    return folder


def _start(folder: str) -> None:
    recipe = parse_recipe(_RECIPE.format(start=Path(folder).as_posix()))
    set_initial_weights(build_task(recipe).denoiser, recipe)


@pytest.mark.parametrize(
    "load", [kerasdenoise.load_model, load_source, _start], ids=["load_model", "source", "start"]
)
def test_a_file_that_holds_code_is_refused_and_does_not_run(
    stranger: tuple[Path, Path], load: Callable
):
    folder, proof = stranger
    with pytest.raises(ModelError) as refused:
        load(str(folder))
    assert not proof.exists()
    assert refused.value.subject == str(folder / "model.keras")
    assert refused.value.remedy
    assert "\n" not in str(refused.value)


def test_training_says_what_is_wrong_and_what_to_do(stranger: tuple[Path, Path]):
    with pytest.raises(ModelError, match=r"code.*; use"):
        _start(str(stranger[0]))


def test_the_lambda_would_run_if_it_were_trusted(tmp_path: Path):
    # Proof that the tests above can fail.
    proof = tmp_path / "proof"
    folder = _write(_harmless(), tmp_path / "trusted", _infection(_lambda_layer(proof)))
    keras.models.load_model(folder / "model.keras", safe_mode=False, compile=False)
    assert proof.exists()


def test_a_file_without_an_attack_loads(tmp_path: Path):
    folder = _write(_harmless(), tmp_path / "stranger", lambda layer: layer)
    assert kerasdenoise.load_model(folder).count_params() == 0


@pytest.mark.parametrize("load", [kerasdenoise.load_model, load_source])
def test_another_format_by_this_name_is_refused(tmp_path: Path, load: Callable):
    folder = _write(_harmless(), tmp_path / "old", lambda layer: layer)
    (folder / "model.keras").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ModelError, match=r"model\.keras: "):
        load(str(folder))
