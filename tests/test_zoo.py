from __future__ import annotations

import json
import os
import shutil
import sys
import types
from pathlib import Path

import pytest

from kerasdenoise import zoo
from kerasdenoise.errors import ModelError
from kerasdenoise.zoo import (
    ModelInfo,
    default_model,
    find_model,
    list_models,
    model_names,
    verify_model,
)

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def copied(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that a test may change; the only one that is searched."""
    folder = shutil.copytree(models, tmp_path / "copied")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(folder))
    monkeypatch.setattr(zoo, "_PACKAGE", tmp_path / "nowhere" / "package")
    return folder


def test_a_name_finds_its_folder_and_metadata(models: Path):
    info = find_model("tiny_gray")
    assert info.folder == models / "tiny_gray"
    assert (info.name, info.channels, info.stride, info.radius) == ("tiny_gray", 1, 2, 4)
    assert info.metadata["license"] == "Apache-2.0"
    assert info.litert_path.is_file()
    assert info.files is not None
    assert set(info.files) == {"config.json", "metadata.json", "model.tflite"}


def test_the_files_that_denoising_runs_follow_from_the_metadata(copied: Path):
    path = copied / "tiny" / "metadata.json"
    metadata = json.loads(path.read_text())

    def run_paths(**changes: bool) -> list[str]:
        path.write_text(json.dumps(metadata | changes))
        return [each.name for each in find_model("tiny").run_paths]

    assert run_paths() == run_paths(noise_level=True) == ["model.tflite"]
    assert run_paths(global_context=True) == ["tile.tflite", "context.tflite"]
    assert run_paths(estimates_level=True) == ["tile.tflite", "level.tflite"]


@pytest.mark.parametrize(
    ("key", "follows"),
    [("noise_level", True), ("estimates_level", True), ("global_context", False)],
)
def test_a_model_goes_by_a_level_that_it_takes_or_estimates(copied: Path, key: str, follows: bool):
    assert not find_model("tiny").follows_level
    path = copied / "tiny" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: True}))
    assert find_model("tiny").follows_level == follows


def test_models_are_listed_in_order(copied: Path):
    assert [info.name for info in list_models()] == model_names() == ["tiny", "tiny_gray"]


@pytest.mark.parametrize(
    ("asked", "hint"), [("tinny", "did you mean tiny"), ("zebra", "known models: tiny, tiny_gray")]
)
def test_an_unknown_name_is_refused_with_a_hint(copied: Path, asked: str, hint: str):
    with pytest.raises(ModelError, match=f"model {asked}: unknown; {hint}"):
        find_model(asked)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_finds_what_an_index_records(
    kind: type, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    info = find_model(kind(models / "tiny"))
    assert (info.name, info.folder) == ("tiny", models / "tiny")
    assert info.files == find_model("tiny").files
    (tmp_path / "link").symlink_to(models, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    assert find_model(kind("link/tiny")).files == info.files


def test_a_folder_of_no_index_has_no_records(models: Path, tmp_path: Path):
    info = find_model(shutil.copytree(models / "tiny", tmp_path / "tiny"))
    assert (info.name, info.files) == ("tiny", None)


@pytest.mark.parametrize("name", ["model.tflite", "config.json", "metadata.json"])
def test_a_path_to_changed_files_has_no_records(copied: Path, name: str):
    with (copied / "tiny" / name).open("ab") as file:
        file.write(b" ")
    assert find_model(copied / "tiny").files is None


def test_a_name_goes_before_a_folder_that_is_called_the_same(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(models / "tiny_gray", tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    assert find_model("tiny").channels == 3
    assert find_model("./tiny").channels == 1
    assert find_model(Path("tiny")).channels == 1


def test_a_file_or_a_folder_that_is_no_model_is_refused(models: Path, tmp_path: Path):
    with pytest.raises(ModelError, match=r"file.*folder; give .*tiny"):
        find_model(models / "tiny" / "model.tflite")
    with pytest.raises(ModelError, match=r"no metadata\.json"):
        find_model(tmp_path)


def test_what_is_no_name_or_folder_is_refused():
    with pytest.raises(ModelError, match=r"a list: .*give a name, a folder"):
        find_model(["tiny"])  # pyright: ignore[reportArgumentType]


def test_the_default_is_the_indexs_or_the_environments(
    copied: Path, monkeypatch: pytest.MonkeyPatch
):
    assert default_model() == "tiny"
    monkeypatch.setenv("KERASDENOISE_MODEL", "tiny_gray")
    assert default_model() == "tiny_gray"


def test_no_models_at_all_says_where_to_put_them(copied: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERASDENOISE_MODELS", str(copied / "tiny"))
    with pytest.raises(ModelError, match="set KERASDENOISE_MODELS"):
        default_model()
    with pytest.raises(ModelError, match="set KERASDENOISE_MODELS"):
        find_model("photo")


def test_the_first_folder_wins(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    second = shutil.copytree(copied, tmp_path / "second")
    monkeypatch.setenv("KERASDENOISE_MODELS", f"{second}{os.pathsep}{copied}")
    assert find_model("tiny").folder == second / "tiny"
    assert len(list_models()) == 2


@pytest.mark.parametrize(
    "change",
    [
        *({"channels": 4}, {"stride": 0}, {"stride": "8"}, {"radius": -1}, {"radius": 2.5}),
        *({"radius": 2**70}, {"channels": True}, {"part": 10**9}, {"bytes_per_pixel": None}),
        *({"name": 7}, {"summary": ["a"]}, {"architecture": {}}, {"license": 1}, {"training": []}),
        *({"keeps_tone": "false"}, {"noise_level": 1}, {"files": "none"}, {"int8": True}),
    ],
    ids=str,
)
def test_metadata_that_describe_no_denoiser_are_refused(copied: Path, change: dict[str, object]):
    path = copied / "tiny" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=rf"metadata\.json: .*\b{next(iter(change))}\b") as refused:
        find_model("tiny")
    assert refused.value.remedy
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        *(("{", "not valid JSON"), ("[]", "not a JSON object"), ("{}", "has no 'name'")),
        ('{"a": ' * 200 + "1" + "}" * 200, "nested more than 100 times"),
        ("[" * 10**6, "not valid JSON"),
        ('{"name": 1' + "0" * 5000 + "}", "not valid JSON"),
    ],
)
def test_damaged_metadata_are_refused(copied: Path, content: str, cause: str):
    (copied / "tiny" / "metadata.json").write_text(content)
    with pytest.raises(ModelError, match=cause):
        find_model("tiny")


@pytest.mark.parametrize(
    "content",
    ['{"models": []}', '{"models": {"tiny": {}}}', '{"models": {"tiny": {"files": {"a": 1}}}}'],
)
def test_a_damaged_index_is_refused(copied: Path, content: str):
    (copied / "index.json").write_text(content)
    with pytest.raises(ModelError, match=r"index\.json: is not an index"):
        find_model("tiny")


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


def test_a_file_that_a_wheel_leaves_out_is_found_elsewhere(tiny: ModelInfo):
    assert tiny.files is not None
    record = tiny.files["config.json"]
    object.__setattr__(tiny, "files", {**tiny.files, "model.keras": record})
    with pytest.raises(ModelError, match=r"model\.keras: .*source.*KERASDENOISE_MODELS"):
        verify_model(tiny, only=["model.keras"])


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


def test_a_model_of_no_index_needs_its_own_files_only(tiny: ModelInfo, tmp_path: Path):
    unrecorded = find_model(shutil.copytree(tiny.folder, tmp_path / "unrecorded"))
    (unrecorded.folder / "config.json").write_text("changed")
    verify_model(unrecorded)
    unrecorded.litert_path.unlink()
    with pytest.raises(ModelError, match="missing"):
        verify_model(unrecorded)


@pytest.fixture
def hub(models: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """A stand-in for the Hugging Face Hub with one model; lists what was asked for."""
    asked = []

    def snapshot_download(repo_id: str, *, revision: str | None, ignore_patterns: list[str]) -> str:
        asked.append((repo_id, revision))
        assert "saved_model/*" in ignore_patterns
        if repo_id != "me/tiny":
            raise OSError(f"404: {repo_id}")
        return str(models / "tiny")

    module = types.ModuleType("huggingface_hub")
    monkeypatch.setattr(module, "snapshot_download", snapshot_download, raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return asked


def test_a_model_of_the_hub_is_downloaded(hub: list[tuple[str, str | None]], models: Path):
    assert find_model("hf://me/tiny").folder == models / "tiny"
    # Nobody here recorded its files: it is run like any stranger's.
    assert find_model("hf://me/tiny@v2").files is None
    assert hub == [("me/tiny", None), ("me/tiny", "v2")]


def test_a_failed_download_says_why(hub: list[tuple[str, str | None]]):
    with pytest.raises(ModelError, match=r"hf://me/gone.*404.*connection"):
        find_model("hf://me/gone")


def test_the_hub_needs_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=r"hf://me/tiny.*pip install .kerasdenoise\[hub\]"):
        find_model("hf://me/tiny")
