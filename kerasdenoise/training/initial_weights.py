"""What a training starts from: earlier runs, and saved models."""

from __future__ import annotations

from pathlib import Path

import keras

from kerasdenoise.errors import RecipeError
from kerasdenoise.models._parts import find_layers
from kerasdenoise.training.net2wider import net2wider
from kerasdenoise.training.network import build_network, is_run, load_network, load_run, read_run
from kerasdenoise.training.recipe import Recipe, read_recipe
from kerasdenoise.zoo import find_model, verify_model


def read_history(recipe: Recipe) -> list[str]:
    """Returns the texts of the recipes of all that one started from, the last first."""
    history: list[str] = []
    for source in filter(None, (recipe.model.initial_weights, *recipe.model.part_weights.values())):
        if is_run(Path(source)):
            earlier = read_run(Path(source))
            history += [earlier.source, *read_history(earlier)]
        else:
            # The runs that a saved model was made by need not be there any more.
            folder = find_model(source).folder
            files = [folder / "recipe.toml", *sorted(folder.glob("recipe_earlier_*.toml"))]
            history += [file.read_text("utf-8") for file in files]
    return history


def load_source(source: str) -> keras.Model:
    """Loads what a recipe starts from: the network of a training run, or a saved model.

    Args:
        source: The folder of a run, or the name or folder of a saved model.

    Raises:
        RecipeError: If it is a run that cannot be read.
        ModelError: If it is neither, or a model that is damaged, or that would need code of its
            own to be run, which is never done.
    """
    if is_run(Path(source)):
        return load_run(Path(source))[1]
    info = find_model(source)
    verify_model(info, only=["model.keras"])
    return load_network(info.folder / "model.keras")


def read_source(source: str) -> Recipe:
    """Returns the recipe of a run or of a saved model."""
    if is_run(Path(source)):
        return read_run(Path(source))
    return read_recipe(find_model(source).folder / "recipe.toml")


def set_initial_weights(denoiser: keras.Model, recipe: Recipe) -> None:
    """Gives a network, or parts of it, the weights that its recipe says it starts from.

    Raises:
        RecipeError: If they are of another network, or there is no such part.
    """
    targets = {"": (denoiser, recipe.model.initial_weights)} if recipe.model.initial_weights else {}
    if not recipe.model.initial_weights:
        _check_frozen(denoiser, recipe.model.part_weights)
    for part, source in recipe.model.part_weights.items():
        known = {each.name: each for each in find_layers(denoiser) if _is_network(each)}
        if part not in known:
            raise RecipeError(
                f"part {part!r}",
                f"is no network within {denoiser.name}",
                f"known: {', '.join(known) or 'none'}",
            )
        targets[part] = (known[part], source)
    for network, source in targets.values():
        if recipe.model.net2wider and network is denoiser:
            _grow_from(denoiser, source, recipe)
        elif network is denoiser:
            _copy_from(network, load_source(source), source)
        else:
            _copy_from(network, _find_part(load_source(source), network.name), source)


def keep_initial_share(network: keras.Model, recipe: Recipe) -> None:
    """Gives a finished network the share of its initial weights that its recipe asks for.

    Raises:
        RecipeError: If they are of another network.
    """
    share = recipe.model.initial_share
    learned = network.get_weights()
    source = recipe.model.initial_weights
    _copy_from(network, load_source(source), source)
    pairs = zip(network.get_weights(), learned, strict=True)
    network.set_weights([share * first + (1 - share) * last for first, last in pairs])


def _find_part(whole: keras.Model, name: str) -> keras.Model:
    """Returns the network of this name within another, or the other if there is none."""
    parts = [layer for layer in whole.layers if layer.name == name]
    return parts[0] if parts and isinstance(parts[0], keras.Model) else whole


def _copy_from(network: keras.Model, given: keras.Model, source: str) -> None:
    try:
        network.set_weights(given.get_weights())
    except ValueError as error:
        raise RecipeError(
            source, f"is another network than {network.name}", "start from one of the same"
        ) from error


def _grow_from(denoiser: keras.Model, source: str, recipe: Recipe) -> None:
    """Grows a copy that computes in float32, in which it can be compared with what it is of."""
    exact = build_network(recipe.model, "float32")
    net2wider(exact, load_source(source))
    denoiser.set_weights(exact.get_weights())


def _check_frozen(denoiser: keras.Model, parts: dict[str, str]) -> None:
    """Refuses to train around a network that is not trained and has random weights."""
    for layer in find_layers(denoiser):
        if _is_network(layer) and not layer.trainable and layer.name not in parts:
            raise RecipeError(
                f"part {layer.name!r}",
                f"of {denoiser.name} is not trained with it, and has no weights",
                f'write [model] part_weights = {{ {layer.name} = "RUN" }}, the run that trained it',
            )


def _is_network(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.Model)
