"""What networks are given: the noisy image, the level of its noise, and what tiles share."""

from __future__ import annotations

import keras

from kerasdenoise.errors import ModelError
from kerasdenoise.models import Config
from kerasdenoise.models._parts import CONTEXT, TILE, ContextNetwork
from kerasdenoise.tensors import Tensor


class Inputs:
    """The inputs of a network: `noisy` and, if `config.noise_level`, `noise_level`.

    Args:
        config: The network's settings.

    Attributes:
        noisy: Noisy images (batch, height, width, channels), nominally in [0, 1].
        noise_level: Standard deviation of the noise at each pixel (batch, height, width, 1), on
            the same scale, or None if the network is not told.
        seen: Both, one behind the other along the channels: what a convolution is applied to
            (Zhang et al., "FFDNet", IEEE TIP 2018).
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._all = _make_inputs(config)
        self.noisy = self.seen = self._all[0]
        self.noise_level = None
        if config.noise_level:
            self.noise_level = self._all[1]
            self.seen = keras.layers.Concatenate(name="seen")(self._all)
        self._statistics: dict[str, Tensor] = {}
        self._shared: list[Tensor] = []

    def pass_context(self, layer: keras.Layer, x: Tensor) -> Tensor:
        """Applies a layer that needs a statistic of the whole image.

        A large photo is denoised in tiles, and a statistic of one tile is not that of the photo.
        So the network becomes two: one part gives the statistic and its weight for each of
        several parts of the photo, the other denoises a tile with the statistic given. In between
        the parts' values are averaged, weighted by `softmax(log_weight)` over the parts. That is
        exact for

        - a mean over pixels, with the logarithm of the number of pixels as weight;
        - a sum weighted by a softmax over pixels, with the logarithm of its denominator;
        - nearly a maximum, with a large multiple of itself.

        All tiles have the same context, so that there are no seams between them.

        Args:
            layer: A layer that gives `(value, log_weight)` when it is called as
                `layer(x, summarize=True)`: the statistic, float32 of shape (batch, ...) with no
                height and width, and its weight, of a shape that broadcasts with that. It gives
                its result as `layer(x, context=value)`.
            x: What it is applied to (batch, height, width, channels), made of the inputs by
                layers that see no other statistic.

        Returns:
            The layer's result.
        """
        value, log_weight = layer(x, summarize=True)
        shared = keras.Input(value.shape[1:], dtype="float32", name=f"{layer.name}_context")
        self._statistics[shared.name] = value
        self._statistics[f"{shared.name}_log_weight"] = log_weight
        self._shared.append(shared)
        return layer(x, context=shared)

    def make_network(self, denoised: Tensor, name: str) -> keras.Model:
        """Makes the network, of parts if statistics of the whole image were needed.

        Args:
            denoised: What it gives.
            name: The architecture's name.

        Raises:
            ModelError: One statistic is computed from another, which would take three parts.
        """
        if not self._shared:
            return keras.Model(_single(self._all), denoised, name=name)
        try:
            context = keras.Model(_single(self._all), self._statistics, name=CONTEXT)
        except ValueError as error:  # by which Keras refuses what the inputs do not lead to
            raise ModelError(
                name,
                "computes one global context from another",
                "compute all of them from what a tile shows",
            ) from error
        tile = keras.Model([*self._all, *self._shared], denoised, name=TILE)
        given = _make_inputs(self._config)
        statistics = context(_single(given))
        told = [statistics[shared.name] for shared in self._shared]
        return ContextNetwork(_single(given), tile([*given, *told]), name=name, config=self._config)


def _make_inputs(config: Config) -> list[Tensor]:
    noisy = keras.Input((None, None, config.channels), name="noisy")
    if not config.noise_level:
        return [noisy]
    return [noisy, keras.Input((None, None, 1), name="noise_level")]


def _single(tensors: list[Tensor]) -> Tensor | list[Tensor]:
    return tensors if len(tensors) > 1 else tensors[0]
