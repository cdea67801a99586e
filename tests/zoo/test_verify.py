from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.zoo import ModelInfo, find_model, verify_model


@pytest.fixture
def tiny(models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelInfo:
    folder = shutil.copytree(models_folder, tmp_path / "copied")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(folder))
    return find_model("tiny")


def test_an_intact_model_passes(tiny: ModelInfo):
    verify_model(tiny)


def test_a_changed_byte_is_found(tiny: ModelInfo):
    content = bytearray(tiny.litert_path.read_bytes())
    content[-1] ^= 1
    tiny.litert_path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.tflite: .*SHA-256"):
        verify_model(tiny)


def test_another_size_is_named(tiny: ModelInfo):
    size = tiny.litert_path.stat().st_size
    tiny.litert_path.write_bytes(b"short")
    with pytest.raises(ModelError, match=f"5 bytes instead of {size}"):
        verify_model(tiny)


@pytest.mark.parametrize("name", ["model.tflite", "config.json", "metadata.json"])
def test_a_file_that_must_be_there_is_missed(tiny: ModelInfo, name: str):
    (tiny.folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: is missing from the model tiny"):
        verify_model(tiny)


def test_files_of_a_model_with_context_are_missed(tiny: ModelInfo):
    object.__setattr__(tiny, "has_context", True)
    with pytest.raises(ModelError, match=r"tile\.tflite: is missing.*tiny"):
        verify_model(tiny)


def test_a_recorded_file_that_a_wheel_leaves_out_is_not_missed(tiny: ModelInfo):
    assert tiny.files is not None
    record = tiny.files["config.json"]
    object.__setattr__(tiny, "files", {**tiny.files, "model.keras": record})
    verify_model(tiny)
    (tiny.folder / "model.keras").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model\.keras: .*the file .*recorded"):
        verify_model(tiny)


def test_a_file_that_must_be_recorded_is_not_trusted_without(tiny: ModelInfo):
    object.__setattr__(tiny, "files", {})
    with pytest.raises(ModelError, match="not recorded"):
        verify_model(tiny)


def test_only_some_files_can_be_checked(tiny: ModelInfo):
    (tiny.folder / "config.json").write_text("changed")
    verify_model(tiny, only=["model.tflite"])
    with pytest.raises(ModelError):
        verify_model(tiny)


def test_a_model_given_as_a_path_needs_its_own_files_only(tiny: ModelInfo):
    unrecorded = find_model(tiny.folder)
    (tiny.folder / "config.json").write_text("changed")
    verify_model(unrecorded)
    tiny.litert_path.unlink()
    with pytest.raises(ModelError, match="missing"):
        verify_model(unrecorded)
