"""Libraries that only some people need, as extras of the package."""

from __future__ import annotations

import importlib
from typing import Any

from kerasdenoise.images.refusal import RefusedError


def import_extra(module: str, extra: str) -> Any:
    """Imports the library of an extra.

    Args:
        module: The library's module.
        extra: What it is called in `pip install "kerasdenoise[extra]"`.

    Raises:
        RefusedError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RefusedError(
            f"needs the library {module}, which is not installed",
            f'run pip install "kerasdenoise[{extra}]"',
        ) from error
