"""Removes noise from photos, and builds networks that do this, with Keras.

>>> import kerasdenoise
>>> kerasdenoise.denoise("photo.jpg")
'photo_denoised.jpg'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kerasdenoise._version import __version__

if TYPE_CHECKING:
    from kerasdenoise import layers, losses, metrics, models, noise
    from kerasdenoise.export.model_package import load_model, save_model
    from kerasdenoise.inference.denoiser import Denoiser, denoise
    from kerasdenoise.zoo import list_models

__all__ = [
    "Denoiser",
    "__version__",
    "denoise",
    "layers",
    "list_models",
    "load_model",
    "losses",
    "metrics",
    "models",
    "noise",
    "save_model",
]

# Imported on use: denoising needs no Keras, and asking for the version needs nothing.
_HOMES = {
    "Denoiser": "kerasdenoise.inference.denoiser",
    "denoise": "kerasdenoise.inference.denoiser",
    "list_models": "kerasdenoise.zoo",
    "load_model": "kerasdenoise.export.model_package",
    "save_model": "kerasdenoise.export.model_package",
}
_MODULES = ("layers", "losses", "metrics", "models", "noise")


def __getattr__(name: str) -> Any:
    if name not in _MODULES and name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(_HOMES.get(name, f"{__name__}.{name}"))
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"kerasdenoise.{name} needs {error.name}, which is not installed; "
            'run pip install "kerasdenoise[train]"',
            name=error.name,
        ) from error
    if name in _MODULES:
        return module
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
