"""Modules one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.reference.module import Module


class Sequential(Module):
    """Applies modules in their order, and goes back through them in reverse: the chain rule.

    Args:
        modules: The modules, the first one first.
    """

    def __init__(self, modules: Sequence[Module]) -> None:
        super().__init__()
        self.modules = tuple(modules)

    @property
    def parameters(self) -> list[np.ndarray]:
        """Those of all modules; `keras_model.set_weights` of a Keras twin takes them."""
        return [parameter for module in self.modules for parameter in module.parameters]

    @property
    def gradients(self) -> list[np.ndarray]:
        """Those of all modules, in the order of the parameters."""
        return [gradient for module in self.modules for gradient in module.gradients]

    def set_parameters(self, values: Sequence[np.ndarray]) -> None:
        """Copies values into the parameters, which keep their type.

        Args:
            values: One array for each parameter, as `keras_model.get_weights()` of a Keras twin
                gives them.

        Raises:
            ModelError: If their number or a shape differs; then nothing was copied.
        """
        parameters = self.parameters
        shapes = [np.shape(value) for value in values]
        expected = [parameter.shape for parameter in parameters]
        if shapes != expected:
            raise ModelError(
                f"parameters {shapes}", "are of another network", f"give arrays {expected}"
            )
        for parameter, value in zip(parameters, values, strict=True):
            parameter[...] = value

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Applies all modules; see `Module.forward`."""
        for module in self.modules:
            inputs = module.forward(inputs)
        return inputs

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Goes back through all modules; see `Module.backward`."""
        for module in reversed(self.modules):
            gradient = module.backward(gradient)
        return gradient
