"""A search space as KerasTuner has it, and its values as a recipe has them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import keras_tuner

from kerasdenoise.tuning.space import Alternative, Space


def to_hyperparameters(space: Space) -> keras_tuner.HyperParameters:
    """Declares the entries of a space.

    Numbers to choose from are declared by their positions: KerasTuner sends numbers between
    processes in single precision, in which they would no longer be those in its list. Each
    alternative has a name of its own, as of two with one KerasTuner would forget the value.
    """
    hyperparameters = keras_tuner.HyperParameters()
    for entry in space.entries:
        for number, alternative in enumerate(entry.alternatives):
            with contextlib.ExitStack() as scopes:
                for parent, values in alternative.when.items():
                    name, encoded = _find_parent(space, parent, values)
                    scopes.enter_context(hyperparameters.conditional_scope(name, encoded))
                _declare(hyperparameters, f"{entry.name}.{number}", alternative)
    return hyperparameters


def active_values(hyperparameters: keras_tuner.HyperParameters) -> dict[str, Any]:
    """Returns the values whose conditions hold.

    On the way from the chief to a worker, KerasTuner adds those that would be there by default.
    """
    declared = {hp.name for hp in hyperparameters.space}
    return {
        name: value
        for name, value in hyperparameters.values.items()
        if name not in declared or hyperparameters.is_active(name)
    }


def from_hyperparameters(space: Space, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the entries that KerasTuner's values stand for, by section and name."""
    found: dict[str, dict[str, Any]] = {}
    for entry in space.entries:
        for number, alternative in enumerate(entry.alternatives):
            value = values.get(f"{entry.name}.{number}")
            if value is not None:
                found.setdefault(entry.section, {})[entry.name] = _decode(alternative, value)
    return found


def _find_parent(space: Space, parent: str, values: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Returns what KerasTuner knows a parent and its values as."""
    (entry,) = (each for each in space.entries if each.name == parent)
    (alternative,) = entry.alternatives
    return f"{parent}.0", [_encode(alternative, value) for value in values]


def _declare(
    hyperparameters: keras_tuner.HyperParameters, name: str, alternative: Alternative
) -> None:
    low, high = alternative.low, alternative.high
    if low is None or high is None:
        values = [_encode(alternative, value) for value in alternative.choices]
        hyperparameters.Choice(name, values)
    else:
        kind = hyperparameters.Int if _is_whole(alternative) else hyperparameters.Float
        kind(name, low, high, sampling="log" if alternative.log else "linear")


def _is_whole(alternative: Alternative) -> bool:
    return isinstance(alternative.low, int) and isinstance(alternative.high, int)


def _is_ordered(alternative: Alternative) -> bool:
    return all(type(value) in (int, float) for value in alternative.choices)


def _encode(alternative: Alternative, value: Any) -> int | str:
    if _is_ordered(alternative):
        return alternative.choices.index(value)
    return json.dumps(value)


def _decode(alternative: Alternative, value: Any) -> Any:
    if alternative.low is not None:
        # Four digits are what a person would write; between processes more of them get lost.
        return int(value) if _is_whole(alternative) else float(f"{value:.4g}")
    if _is_ordered(alternative):
        return alternative.choices[int(value)]
    decoded = json.loads(value)
    return tuple(decoded) if isinstance(decoded, list) else decoded
