"""Activations by name, as configurations have them."""

from __future__ import annotations

import keras

from kerasdenoise.errors import ModelError


def check_activation(architecture: str, name: str) -> None:
    """Refuses what Keras does not know.

    Args:
        architecture: Whose configuration it is.
        name: The activation's name in Keras.

    Raises:
        ModelError: If there is none of that name.
    """
    try:
        keras.activations.get(name)
    except ValueError as error:
        raise ModelError(
            f"{architecture} activation {name!r}",
            "is unknown to Keras",
            "give one like relu, elu, tanh, sigmoid or linear",
        ) from error
