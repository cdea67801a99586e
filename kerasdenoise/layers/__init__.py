"""Keras layers of the networks in `kerasdenoise.models`: one per file, from `keras.ops` only.

Importing them registers them, so that saved networks can be loaded.
"""

from __future__ import annotations

from kerasdenoise.layers.border_mix import BorderMix
from kerasdenoise.layers.contrast_regressor import ContrastRegressor, from_contrast, to_contrast
from kerasdenoise.layers.diffusion_step import DiffusionStep
from kerasdenoise.layers.edge_indicator import EdgeIndicator
from kerasdenoise.layers.global_maximum import GlobalMaximum
from kerasdenoise.layers.image_regressor import ImageRegressor
from kerasdenoise.layers.iteration_gates import IterationGates
from kerasdenoise.layers.lambda_layer import LambdaLayer
from kerasdenoise.layers.p1_coefficient import P1Coefficient
from kerasdenoise.layers.p1_flux import P1Flux
from kerasdenoise.layers.perona_malik_flux import PeronaMalikFlux
from kerasdenoise.layers.reaction_diffusion_step import ReactionDiffusionStep
from kerasdenoise.layers.shared_values import SharedValues

__all__ = [
    "BorderMix",
    "ContrastRegressor",
    "DiffusionStep",
    "EdgeIndicator",
    "GlobalMaximum",
    "ImageRegressor",
    "IterationGates",
    "LambdaLayer",
    "P1Coefficient",
    "P1Flux",
    "PeronaMalikFlux",
    "ReactionDiffusionStep",
    "SharedValues",
    "from_contrast",
    "to_contrast",
]
