"""What every module is: a function of images that knows its derivative."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from kerasdenoise.errors import UsageError


class Module(abc.ABC):
    """A function of images, with its backward pass.

    `forward` keeps what `backward` needs, so that a backward pass belongs to the last forward
    pass. Computation is in the type of what is given: float32 images and parameters give
    float32 results, float64 ones float64.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, ...], Any] | None = None

    @property
    def parameters(self) -> list[np.ndarray]:
        """What is trained, in Keras' order: the arrays themselves, to be changed in place."""
        return []

    @property
    def gradients(self) -> list[np.ndarray]:
        """The loss's derivative by each parameter, as the last backward pass found it.

        Empty before the first. A pass replaces the values of the one before; they are not
        summed.
        """
        return []

    @abc.abstractmethod
    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Applies the function.

        Args:
            inputs: Numbers (batch, height, width, channels).

        Returns:
            Numbers (batch, height, width, channels) of what may be another size.
        """

    @abc.abstractmethod
    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Takes a loss's derivative by the outputs to its derivative by the inputs.

        Args:
            gradient: Of the shape of the last forward pass's outputs.

        Returns:
            Numbers of the shape of its inputs.

        Raises:
            UsageError: If there was no forward pass, or its outputs have another shape.
        """

    def _keep(self, outputs: np.ndarray, kept: Any) -> np.ndarray:
        """Keeps what the backward pass needs, and returns the outputs."""
        self._kept = (outputs.shape, kept)
        return outputs

    def _recall(self, gradient: np.ndarray) -> Any:
        """Returns what the forward pass kept, if the gradient is one of its outputs."""
        name = type(self).__name__
        if self._kept is None:
            raise UsageError(name, "has no forward pass to go back", "call forward first")
        shape, kept = self._kept
        if gradient.shape != shape:
            raise UsageError(
                f"{name}'s gradient {gradient.shape}",
                "has another shape than the outputs",
                f"give one of shape {shape}",
            )
        return kept
