"""Writing a trained network as a saved model, adding files to one, and loading one into Keras."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasdenoise._version import __version__
from kerasdenoise.errors import ModelError, OutputError, UsageError
from kerasdenoise.export.card import enter_files, index_with, write_card
from kerasdenoise.files import (
    Identity,
    check_name,
    file_identity,
    new_folder,
    refuse_existing,
)
from kerasdenoise.models import Config, make_config
from kerasdenoise.plain_json import read_object, write_json
from kerasdenoise.runtime import prepare_keras
from kerasdenoise.zoo import INDEX, ModelInfo, find_model, list_models, verify_model

# The bits by which float32 is more exact than float16.
_SPARE_BITS = 13

if TYPE_CHECKING:
    import keras

    from kerasdenoise.export.files import Order
    from kerasdenoise.training.recipe import Recipe


def load_model(name: str | Path) -> keras.Model:
    """Loads a saved model into Keras, for evaluation, fine-tuning or inspection.

    Args:
        name: A model's name, the path of its folder, or `hf://OWNER/NAME` for one on the Hugging
            Face Hub, with the extra `hub`.

    Returns:
        A functional model from noisy images (batch, height, width, channels), float32 and
        nominally in [0, 1], to denoised ones that are not clipped; one that is told the level
        of the noise takes two inputs, see `models.Config`. It is not compiled.

    Raises:
        ModelError: If the model is unknown, damaged, or made by a version that this one cannot
            read.
    """
    info = find_model(name)
    verify_model(info, only=["model.keras"])
    prepare_keras()
    import keras

    import kerasdenoise.layers  # noqa: F401 (registers the layers that the file names)

    try:
        return keras.models.load_model(info.folder / "model.keras", compile=False)
    except (TypeError, ValueError, KeyError) as error:
        version = info.metadata.get("training", {}).get("version", "an unknown version")
        raise ModelError(
            info.folder / "model.keras",
            f"cannot be read by kerasdenoise {__version__}; it was made by {version}",
            "install that version, or export the model again",
        ) from error


def save_model(
    denoiser: keras.Model | str | Path,
    folder: str | Path,
    *,
    like: str | Path | Config | None = None,
    summary: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Saves a Keras network as a model, so that everything which takes a saved model takes it.

    >>> network = kerasdenoise.load_model("photo")
    >>> network.fit(...)
    >>> kerasdenoise.save_model(network, "my_photo")

    Args:
        denoiser: The network, or its `.keras` file.
        folder: The folder to write, which appears when it is complete. Its name is the model's.
        like: What the network was made from: the name or folder of a saved model or of a
            training run, or the architecture's `Config`. It says how far a pixel reaches. None
            for the file of a run, or a network whose layers are those of a known model.
        summary: One line: what it is for.
        overwrite: Whether an existing folder is replaced.

    Returns:
        The folder.

    Raises:
        UsageError: If the folder exists.
        ModelError: If the file cannot be read, the network is another one than `like`, or
            LiteRT does not compute what it does.
        OutputError: If the folder cannot be written.
    """
    from kerasdenoise.export.files import describe_file
    from kerasdenoise.export.litert import write_runnable
    from kerasdenoise.models import mac_per_pixel

    target = Path(folder).absolute()
    remedy = "give another folder, or overwrite=True to replace it"
    refuse_existing([target], overwrite=overwrite, remedy=remedy)
    replaces = file_identity(target)
    network, origin = _find_origin(denoiser, like)
    with new_folder(target, replaces=replaces) as made:
        network.save(made / "model.keras", include_optimizer=False)
        _write_config(made, origin.architecture, origin.config)
        for name, text in origin.recipes.items():
            (made / name).write_text(text, "utf-8")
        metadata = {
            "name": target.name,
            "summary": summary or f"{origin.name}, trained further",
            "architecture": origin.architecture,
            **write_runnable(network, origin.config, made),
            "keeps_tone": origin.keeps_tone,
            "invents_detail": origin.invents_detail,
            **_name_level(origin.highest_level),
            "parameters": network.count_params(),
            "mac_per_pixel": mac_per_pixel(network, origin.config.stride),
            "license": origin.license,
            "trained_from": origin.name,
            "figures": [],
        }
        file = made / "model.tflite"
        row = {"kind": "float32", "target": "cpu", "size": None, "bytes": file.stat().st_size}
        write_json(made / "model.json", describe_file(file, metadata, row))
        write_card(made, metadata)
    return target


@dataclass(frozen=True)
class _Origin:
    """What a network was made from: a saved model, a training run or an architecture's `Config`."""

    name: str
    architecture: str
    config: Config
    license: str = "not stated"
    keeps_tone: bool = False
    invents_detail: bool = False
    highest_level: float | None = None
    recipes: Mapping[str, str] = field(default_factory=dict)


def _find_origin(
    denoiser: keras.Model | str | Path, like: str | Path | Config | None
) -> tuple[keras.Model, _Origin]:
    """Returns a network and what it was made from; see `save_model`."""
    prepare_keras()
    from kerasdenoise.training.network import FILE, is_run, load_network

    if isinstance(denoiser, str | Path):
        named, path = str(denoiser), Path(denoiser)
        if not path.is_file():
            raise ModelError(path, "does not exist", "check the path")
        network = load_network(path)
        if like is None and path.name == FILE and is_run(path.parent):
            like = path.parent
    else:
        named, network = denoiser.name, denoiser
    if like is not None:
        origin = _read_origin(like)
        if not _is_made_from(network, origin):
            raise ModelError(
                named, f"is a different network from {origin.name}", "give what it was made from"
            )
        return network, origin
    for info in list_models():
        if network.name == info.architecture:
            origin = _read_origin(info.name)
            if _is_made_from(network, origin):
                return network, origin
    raise ModelError(
        named,
        "has layers that match no known model",
        "save it by kerasdenoise.save_model(..., like=...), which names what it was made from",
    )


def _is_made_from(network: keras.Model, origin: _Origin) -> bool:
    from kerasdenoise.models import get_architecture

    expected = get_architecture(origin.architecture).build(origin.config)
    shapes = [
        [(weight.name, tuple(weight.shape)) for weight in each.weights]
        for each in (network, expected)
    ]
    return shapes[0] == shapes[1]


def _read_origin(like: str | Path | Config) -> _Origin:
    from kerasdenoise.training.network import is_run, read_run
    from kerasdenoise.training.tasks import find_task

    if not isinstance(like, str | Path):
        architecture = type(like).__module__.rpartition(".")[2]
        return _Origin(architecture, architecture, like)
    if is_run(Path(like)):
        recipe = read_run(Path(like))
        return _Origin(
            recipe.name,
            recipe.model.architecture,
            recipe.model.config,
            recipe.model.license,
            _keeps_tone(recipe),
            find_task(recipe).invents_detail,
            find_task(recipe).find_highest_level(recipe.mixture),
            {"recipe.toml": recipe.source},
        )
    info = find_model(like)
    values = read_object(info.folder / "config.json", ModelError)["config"]
    return _Origin(
        info.name,
        info.architecture,
        make_config(info.architecture, values),
        info.metadata["license"],
        info.keeps_tone,
        info.metadata.get("invents_detail", False),
        info.highest_level,
        {path.name: path.read_text("utf-8") for path in info.folder.glob("recipe*.toml")},
    )


def write_saved_model(
    denoiser: keras.Model,
    recipe: Recipe,
    target: Path,
    *,
    overwrite: bool = False,
    measure: Callable[[Path], list[dict[str, Any]]] = lambda folder: [],
    order: Order | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Writes a denoiser with all that is known of it, and records it in the index.

    The folder appears in one move when it is complete; a failure leaves everything as it was.

    Args:
        denoiser: The network, with its final weights, which are rounded to 11 bits: packages then
            compress to two thirds. That is the precision of the float16 files.
        recipe: How it was trained.
        target: The model's folder, inside the folder of the index.
        overwrite: Whether an existing model is replaced.
        measure: Measures the finished files in a folder and returns figures for the card.
        order: Which further LiteRT files are asked for.
        facts: What else the card says, by what it is called.

    Raises:
        UsageError: If there is a model of that name already, or the order does not fit it.
        ModelError: If an exported file does not compute what the network does.
    """
    from kerasdenoise.export.files import write_files
    from kerasdenoise.export.kinds import check_integers

    replaces = check_free(target, overwrite=overwrite)
    if order is not None:
        check_integers(denoiser, order.variants)
    _round_weights(denoiser)
    with new_folder(target, replaces=replaces, option="--output") as folder:
        metadata = _write_files(denoiser, recipe, folder, target.name)
        if order is not None:
            rows = write_files(denoiser, recipe, metadata, folder, order)
            enter_files(metadata, rows)
        metadata["figures"] = measure(folder)
        metadata["facts"] = dict(facts or {})
        write_card(folder, metadata)
        index = index_with(target, folder, metadata["summary"])
    write_json(target.parent / INDEX, index)


def _round_weights(denoiser: keras.Model) -> None:
    """Rounds weights to as many bits as float16 has, in the range of float32.

    Parts that were not trained stay exactly those of the model that they come from.
    """
    import keras

    from kerasdenoise.models._parts import find_layers

    frozen = {
        id(weight)
        for layer in find_layers(denoiser)
        if not layer.trainable
        for weight in layer.weights
    }
    half = np.uint32(1 << (_SPARE_BITS - 1))
    for variable in denoiser.weights:
        values = keras.ops.convert_to_numpy(variable)
        if values.dtype == np.float32 and id(variable) not in frozen:
            bits = (values.view(np.uint32) + half) & ~np.uint32(2 * half - 1)
            variable.assign(bits.view(np.float32))


def check_free(target: Path, *, overwrite: bool) -> Identity | None:
    """Refuses to write where there is a model already, or anything else.

    Returns:
        What `new_folder` may replace.

    Raises:
        UsageError: There is one, and it may not be replaced; or it holds what this program did not
            write, which is never replaced.
    """
    replaces = file_identity(target)
    if replaces is None:
        return None
    remedy = "give another --name, or --overwrite to replace it"
    refuse_existing([target], overwrite=overwrite, remedy=remedy)
    index = target.parent / INDEX
    models = read_object(index, ModelError).get("models", {}) if index.is_file() else {}
    written = models.get(target.name, {}).get("files", {})
    foreign = [
        file
        for file in target.rglob("*")
        if not file.is_dir() and file.relative_to(target).as_posix() not in written
    ]
    if target.is_symlink() or not target.is_dir() or not written or foreign:
        raise UsageError(
            target,
            f"contains {foreign[0].name!r}, which kerasdenoise did not write"
            if foreign
            else "is not a model that kerasdenoise wrote",
            "move it away, or give another --name",
        )
    return replaces


def _write_files(denoiser: keras.Model, recipe: Recipe, folder: Path, name: str) -> dict[str, Any]:
    """Writes all files but the card, and returns the metadata without figures."""
    from kerasdenoise.export.litert import write_runnable
    from kerasdenoise.export.tf_saved_model import write_tf_saved_model
    from kerasdenoise.models import mac_per_pixel
    from kerasdenoise.training.tasks import find_task

    architecture, config = recipe.model.architecture, recipe.model.config
    _write_config(folder, architecture, config)
    (folder / "recipe.toml").write_text(recipe.source, "utf-8")
    earlier = _write_earlier_recipes(recipe, folder)
    denoiser.save(folder / "model.keras")
    runnable = write_runnable(denoiser, config, folder)
    write_tf_saved_model(denoiser, folder / "saved_model", config.stride, _halo(runnable))
    metadata = {
        "name": name,
        "summary": recipe.summary,
        "architecture": architecture,
        **runnable,
        "keeps_tone": _keeps_tone(recipe),
        "invents_detail": find_task(recipe).invents_detail,
        **_name_level(find_task(recipe).find_highest_level(recipe.mixture)),
        "parameters": denoiser.count_params(),
        "mac_per_pixel": mac_per_pixel(denoiser, config.stride),
        "license": recipe.model.license,
        "training": {
            "recipe": "recipe.toml",
            "earlier": earlier,
            "teacher": recipe.model.teacher,
            "steps": recipe.optimization.steps,
            "data": list(recipe.data.train),
            "data_license": recipe.data.license,
            "noise": [noise.text for noise in recipe.mixture.noises],
            "commit": _commit(),
            "version": __version__,
        },
    }
    write_json(folder / "metadata.json", metadata)
    return metadata


def _write_config(folder: Path, architecture: str, config: Config) -> None:
    values = dataclasses.asdict(config)  # pyright: ignore[reportArgumentType]
    write_json(folder / "config.json", {"architecture": architecture, "config": values})


def _keeps_tone(recipe: Recipe) -> bool:
    """Whether it denoises, and what it removes has no mean of its own."""
    from kerasdenoise.training.tasks import find_task

    keeps = [noise.keeps_tone for noise in recipe.mixture.noises]
    return find_task(recipe).finds_images and all(keeps)


def _name_level(highest: float | None) -> dict[str, float]:
    """The entry of the metadata that says how much noise a model has learned, if it is limited."""
    return {} if highest is None else {"highest_level": highest}


def _halo(runnable: dict[str, Any]) -> int:
    """What a whole image is continued by; none where that would change its statistics."""
    stride = runnable["stride"]
    return 0 if runnable["global_context"] else -(-runnable["radius"] // stride) * stride


def _write_earlier_recipes(recipe: Recipe, folder: Path) -> list[str]:
    """Writes the recipes of all that this training started from, and names them, last first."""
    from kerasdenoise.training.initial_weights import read_history

    names: list[str] = []
    for text in read_history(recipe):
        names.append(f"recipe_earlier_{len(names) + 1}.toml")
        (folder / names[-1]).write_text(text, "utf-8")
    return names


def _commit() -> str:
    """The checkout's commit, or "unknown" for an installed package."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(git, capture_output=True, text=True, check=False)
    except OSError:  # there is no git
        return "unknown"
    return result.stdout.strip() or "unknown"


def deliver_files(model: str | Path, order: Order, output: Path, *, overwrite: bool) -> Path:
    """Writes LiteRT files of a saved model into a folder of their own.

    They appear when all are complete; a failure leaves everything as it was.

    Args:
        model: The model's name, or the path of its folder.
        order: What is asked for.
        output: Where the folder is, which has the model's name.
        overwrite: Whether files that are there are replaced.

    Returns:
        The folder.

    Raises:
        UsageError: A file is there already, or the order does not fit the model.
        ModelError: The model is unknown or damaged, or a file cannot be made.
    """
    info = find_model(model)
    target = output / info.name
    replaces = _check_targets(target, order, overwrite=overwrite)
    with new_folder(target, replaces=replaces, option="--output") as folder:
        _copy(target, folder, order)
        _write_ordered(model, info, folder, order)
    return target


def add_files(model: str | Path, order: Order, *, overwrite: bool) -> Path:
    """Writes LiteRT files into a saved model's folder, its metadata, card and index.

    Args:
        model: The model's name, or the path of its folder.
        order: What is asked for.
        overwrite: Whether files that are there are replaced.

    Returns:
        The model's folder.

    Raises:
        UsageError: A file is there already, or the order does not fit the model.
        ModelError: The model is unknown or damaged, or a file cannot be made.
        OutputError: The folder cannot be written to.
    """
    info = find_model(model)
    target = info.folder
    replaces = _check_targets(target, order, overwrite=overwrite)
    with new_folder(target, replaces=replaces) as folder:
        _copy(target, folder, order)
        metadata: dict[str, Any] = dict(info.metadata)
        enter_files(metadata, _write_ordered(model, info, folder, order))
        write_card(folder, metadata)
        index = None
        if (target.parent / INDEX).exists():
            index = index_with(target, folder, info.summary)
    if index is not None:
        write_json(target.parent / INDEX, index)
    return target


def _copy(source: Path, folder: Path, order: Order) -> None:
    """Copies the existing files but for those that are ordered."""
    if source.is_dir():
        shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
    for variant in order.variants:
        (folder / variant.file).unlink(missing_ok=True)


def _write_ordered(
    model: str | Path, info: ModelInfo, folder: Path, order: Order
) -> dict[str, dict[str, Any]]:
    from kerasdenoise.export.files import write_files
    from kerasdenoise.training.recipe import read_recipe

    recipe = read_recipe(info.folder / "recipe.toml")
    return write_files(load_model(model), recipe, info.metadata, folder, order)


def _check_targets(folder: Path, order: Order, *, overwrite: bool) -> Identity | None:
    try:
        check_name(folder)
    except OutputError as error:
        raise UsageError(folder, error.cause, "give another --output") from error
    if folder.exists() and not folder.is_dir():
        raise UsageError(folder, "is a file, not a folder", "give another --output")
    targets = [folder / variant.file for variant in order.variants]
    remedy = "give another --output, or --overwrite to replace it"
    refuse_existing(targets, overwrite=overwrite, remedy=remedy)
    return file_identity(folder)
