"""Keras made ready, quietly, before the test modules import what needs it."""

from __future__ import annotations

from kerasdenoise.runtime import prepare_keras

prepare_keras()
