from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.zoo import default_model, find_model, list_models, model_names
from kerasdenoise.zoo import find as find_module

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def copied(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that a test may change; the only one that is searched."""
    folder = shutil.copytree(models, tmp_path / "copied")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(folder))
    monkeypatch.setattr(find_module, "_PACKAGE", tmp_path / "nowhere" / "package")
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
def test_a_path_finds_a_model_of_which_nothing_is_recorded(kind: type, models: Path):
    info = find_model(kind(models / "tiny"))
    assert info.name == "tiny"
    assert info.files is None


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
    monkeypatch.setenv("KERASDENOISE_MODELS", f"{second}{find_module.os.pathsep}{copied}")
    assert find_model("tiny").folder == second / "tiny"
    assert len(list_models()) == 2


@pytest.mark.parametrize(
    "change",
    [{"channels": 4}, {"stride": 0}, {"stride": "8"}, {"radius": -1}, {"radius": 2.5}],
    ids=str,
)
def test_metadata_that_describe_no_denoiser_are_refused(copied: Path, change: dict[str, object]):
    path = copied / "tiny" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=r"metadata\.json: channels, stride, radius"):
        find_model("tiny")


@pytest.mark.parametrize(
    ("content", "cause"),
    [("{", "not valid JSON"), ("[]", "not a JSON object"), ("{}", "has no 'name'")],
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
