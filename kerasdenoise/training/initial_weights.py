"""What a training starts from: earlier runs, and saved models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.models._parts import find_layers, get_parts, list_parts, read_graph
from kerasdenoise.training.dead_units import ignore_brightness
from kerasdenoise.training.network import build_network, is_run, load_network, load_run, read_run
from kerasdenoise.training.recipe import Recipe, read_recipe
from kerasdenoise.zoo import find_model, verify_model

# Both networks sum in another order; beyond this, in units of the image, they differ.
_TOLERANCE = 1e-4

# The initializers of kernels that an architecture draws at full size.
_RANDOM = (
    keras.initializers.GlorotUniform,
    keras.initializers.HeNormal,
    keras.initializers.RandomUniform,
)

_ADVICE = "grow from a network of the same architecture with as many blocks and fewer channels"


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
            # One that a user saved has none.
            history += [file.read_text("utf-8") for file in files if file.exists()]
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

    Args:
        denoiser: A new network.
        recipe: Its recipe.

    Raises:
        RecipeError: If they are of another network, or there is no such part.
    """
    targets = {"": (denoiser, recipe.model.initial_weights)} if recipe.model.initial_weights else {}
    if not recipe.model.initial_weights:
        _check_frozen(denoiser, recipe.model.part_weights)
        _draw_kernels(denoiser, recipe.model.kernel_initializer, recipe.seed)
    for part, source in recipe.model.part_weights.items():
        known = {each.name: each for each in find_layers(denoiser) if _is_network(each)}
        if part not in known:
            raise RecipeError(
                f"part {part!r}",
                f"is not a part of {denoiser.name}",
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
    """Returns the network of this name within another; if there is none, what denoises in it."""
    parts = [layer for layer in whole.layers if layer.name == name]
    return parts[0] if parts and isinstance(parts[0], keras.Model) else get_parts(whole).tile


def _copy_from(network: keras.Model, given: keras.Model, source: str) -> None:
    try:
        network.set_weights(given.get_weights())
    except ValueError as error:
        raise RecipeError(
            source, f"is a different network from {network.name}", "start from one of the same"
        ) from error


def _grow_from(denoiser: keras.Model, source: str, recipe: Recipe) -> None:
    """Grows a copy that computes in float32, in which it can be compared with what it is of."""
    exact = build_network(recipe.model, "float32")
    net2wider(exact, load_source(source))
    denoiser.set_weights(exact.get_weights())


def _draw_kernels(denoiser: keras.Model, name: str, seed: int) -> None:
    """Draws kernels anew, except those that do not start at random."""
    if name == "default":
        return
    draws = keras.random.SeedGenerator(seed)
    for layer in find_layers(denoiser):
        if isinstance(getattr(layer, "kernel_initializer", None), _RANDOM):
            initializer = keras.initializers.get({"class_name": name, "config": {"seed": draws}})
            layer.kernel.assign(initializer(layer.kernel.shape))


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


def net2wider(network: keras.Model, smaller: keras.Model) -> None:
    """Gives a network the weights of a smaller one, so that it computes the same at first.

    The first channels of each layer become those of the smaller network, and take nothing from
    the others; the others are new, and take from all. So training begins with what the smaller
    network can do, as in Chen et al., "Net2Net: Accelerating learning via knowledge transfer",
    ICLR 2016, where channels are copied instead and their outgoing weights divided. New
    channels with ReLU answer to differences, not to brightness, as in `revive`.

    Args:
        network: The larger network, as built; its convolutions keep the weights of their new
            channels. Computes in float32.
        smaller: One with the same layers, of as many channels or fewer.

    Raises:
        ModelError: If the layers differ, one of the smaller network has more channels, or the
            larger network does not compute the same (channels that meet other than in sums).
    """
    own, trained = (_list_trained(model) for model in (network, smaller))
    odd = sorted(own.keys() ^ trained.keys())
    if odd:
        raise ModelError(
            smaller.name, f"has other layers than what grows from it ({odd[0]})", _ADVICE
        )
    groups = _find_groups(network)
    for name, layer in own.items():
        for weight, old in zip(layer.weights, trained[name].get_weights(), strict=True):
            fresh = keras.ops.convert_to_numpy(weight)
            if fresh.ndim != old.ndim or any(np.less(fresh.shape, old.shape)):
                raise ModelError(
                    f"layer {name!r}", f"of shape {fresh.shape} cannot hold {old.shape}", _ADVICE
                )
            if fresh.ndim == 4 and getattr(layer, "activation", None) is keras.activations.relu:
                fresh = ignore_brightness(fresh)
            weight.assign(_enlarge(fresh, old, groups.get(name, 1)))
    _check_same(network, smaller)


def _list_trained(network: keras.Model) -> dict[str, Any]:
    """Lists the layers with weights that stand in a network or its parts, by their names."""
    return {
        layer.name: layer for part in list_parts(network) for layer in part.layers if layer.weights
    }


def _find_groups(network: keras.Model) -> dict[str, int]:
    """Returns how many pixels a layer's channels are spread over afterwards, each with its own."""
    groups = {}
    for part in list_parts(network):
        for name, consumers in read_graph(part).consumers.items():
            blocks = [getattr(consumer, "block_size", 1) for consumer in consumers]
            groups[name] = max(blocks) ** 2
    return groups


def _enlarge(fresh: np.ndarray, old: np.ndarray, groups: int) -> np.ndarray:
    """Puts trained weights (..., inputs, outputs), or (outputs,), where new ones stand."""
    if fresh.shape == old.shape:
        return old
    shape = fresh.shape
    fresh = fresh.reshape(*shape[:-1], groups, -1).copy()
    old = old.reshape(*old.shape[:-1], groups, -1)
    outputs = old.shape[-1]
    if len(shape) > 1:
        inputs = old.shape[-3]
        fresh[..., inputs:, :, :outputs] = 0
        fresh[..., :inputs, :, :outputs] = old
    else:
        fresh[..., :outputs] = old
    return fresh.reshape(shape)


def _check_same(network: keras.Model, smaller: keras.Model) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.random((1, 64, 64, tensor.shape[-1]), np.float32) for tensor in network.inputs]
    given = inputs if len(inputs) > 1 else inputs[0]
    results = [
        keras.ops.convert_to_numpy(model(given, training=False)) for model in (network, smaller)
    ]
    error = float(np.abs(results[0] - results[1]).max())
    if not error < _TOLERANCE:
        raise ModelError(
            network.name, f"grown differs by {error:.2g} from what it grows from", _ADVICE
        )
