"""Keras layers of the networks in `kerasdenoise.models`; one a file, from `keras.ops` alone."""

from __future__ import annotations

from kerasdenoise.layers.global_context import GlobalContext, pass_context

__all__ = ["GlobalContext", "pass_context"]
