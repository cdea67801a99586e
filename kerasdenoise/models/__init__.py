"""Architectures: one per file, and named after it.

A module here is an architecture if its name has no leading underscore. It defines `Config`
(a frozen dataclass), `PRESETS` (name to `Config`) and `build(config) -> keras.Model`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from kerasdenoise.errors import ModelError

if TYPE_CHECKING:
    import keras

    from kerasdenoise.models._facts import describe_architectures as describe_architectures
    from kerasdenoise.models._facts import mac_per_pixel as mac_per_pixel
    from kerasdenoise.models._parts import Parts as Parts
    from kerasdenoise.models._parts import get_parts as get_parts
    from kerasdenoise.models._primitives import Primitives as Primitives

__all__ = [
    "Architecture",
    "Config",
    "Parts",
    "Primitives",
    "build",
    "describe_architectures",
    "find_architecture",
    "find_builder",
    "get_architecture",
    "get_parts",
    "list_architectures",
    "mac_per_pixel",
    "make_config",
]


class Config(Protocol):
    """What the `Config` of every architecture defines."""

    @property
    def channels(self) -> int:
        """Channels of the image, 1 or 3."""
        ...

    @property
    def noise_level(self) -> bool:
        """Whether the network is told the noise level.

        If so, it has a second input `noise_level`: the standard deviation of
        the noise at each pixel (batch, height, width, 1).
        """
        ...

    @property
    def stride(self) -> int:
        """Height and width of an input are multiples of this."""
        ...

    @property
    def radius(self) -> int:
        """Pixels farther away than this, in rows or columns, have no influence.

        Statistics of the whole image, if the network uses any, are an exception.
        """
        ...


class Architecture(Protocol):
    """The module of an architecture."""

    Config: type[Any]
    PRESETS: dict[str, Any]

    def build(self, config: Any) -> keras.Model:
        """Builds the functional model that a configuration describes.

        If files for phones or with 8-bit integers use other layers, it takes these as a second
        argument, `Primitives`.
        """
        ...


# Imported on use: what stands here is asked for before Keras is prepared.
# No network has so many steps, channels or pixels in a window.
_MOST = 10_000

_PUBLIC = {
    "Parts": "_parts",
    "Primitives": "_primitives",
    "describe_architectures": "_facts",
    "get_parts": "_parts",
    "mac_per_pixel": "_facts",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def list_architectures() -> list[str]:
    """Names all architectures, without importing any."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def find_architecture(name: str) -> str:
    """Completes an architecture's name.

    Args:
        name: The name, or its first word or words if they are unambiguous, such as `lambda` for
            `lambda_net`.

    Raises:
        ModelError: If there is none of that name, or several.
    """
    names = list_architectures()
    if name in names:
        return name
    longer = [each for each in names if each.startswith(f"{name}_")]
    if len(longer) == 1:
        return longer[0]
    if longer:
        raise ModelError(name, "names several architectures", f"give one of {', '.join(longer)}")
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    raise ModelError(name, "no such architecture", hint)


def get_architecture(name: str) -> Architecture:
    """Imports an architecture's module by its name.

    Args:
        name: The name, or its first words; see `find_architecture`.

    Raises:
        ModelError: If there is none of that name, or several.
    """
    name = find_architecture(name)
    return importlib.import_module(f"{__name__}.{name}")  # pyright: ignore[reportReturnType]


def find_builder(architecture: str, config: Config) -> Callable[[Primitives], keras.Model] | None:
    """Returns a builder that takes other primitives; None if `build` does not use any.

    Args:
        architecture: The architecture's name, or its first words; see `find_architecture`.
        config: The network's settings.
    """
    build: Any = get_architecture(architecture).build
    if len(inspect.signature(build).parameters) == 1:
        return None
    return functools.partial(build, config)


def build(architecture: str, **config: Any) -> keras.Model:
    """Builds a network.

    >>> network = kerasdenoise.models.build("lambda_net", preset="paper")

    Args:
        architecture: The architecture's name, or its first words; see `find_architecture`.
        **config: `preset`, fields of the architecture's `Config`, or both.

    Returns:
        A functional model from noisy images (batch, height, width, channels), float32 and
        nominally in [0, 1], to denoised ones.

    Raises:
        ModelError: An architecture, preset or field is unknown, or a value is rejected.
    """
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    return get_architecture(architecture).build(make_config(architecture, config))


def make_config(architecture: str, values: dict[str, Any]) -> Config:
    """Makes an architecture's `Config` from plain values, as read from JSON or TOML.

    Args:
        architecture: The architecture's name, or its first words; see `find_architecture`.
        values: Field values; lists stand for tuples. `preset` may name a preset to start from.

    Raises:
        ModelError: If a field or preset is unknown or a value is rejected.
    """
    from kerasdenoise.parsing import make

    module = get_architecture(architecture)
    preset = values.get("preset")
    if preset is not None and preset not in list(module.PRESETS):  # it may be no key at all
        raise ModelError(
            f"{architecture} preset {preset!r}", "is unknown", f"known: {', '.join(module.PRESETS)}"
        )
    base = dataclasses.asdict(module.PRESETS[preset] if preset else module.Config())
    given = {name: value for name, value in values.items() if name != "preset"}
    for name, value in given.items():
        if _largest(value) > _MOST:
            raise ModelError(
                f"{architecture} {name}", "is larger than any network's", f"give {_MOST:,} or less"
            )
    return make(module.Config, base | given, architecture, ModelError)


def _largest(value: object) -> float:
    """Returns the largest number in lists and tables; 0 where there is none."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0)
    return value if isinstance(value, int | float) else 0
