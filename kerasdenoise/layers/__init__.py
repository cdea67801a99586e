"""Keras layers of the networks in `kerasdenoise.models`, from `keras.ops` only.

Importing them registers them, so that saved networks can be loaded.
"""

from __future__ import annotations

from kerasdenoise.layers.block_dct import BlockDct, HeatDecay
from kerasdenoise.layers.ddim_step import AngleEmbedding, AngleLevels, ContentNoise, DdimStep
from kerasdenoise.layers.diffusion_step import BorderMix, DiffusionStep, IterationGates
from kerasdenoise.layers.embedding_distance import EmbeddingDistance
from kerasdenoise.layers.lambda_layer import LambdaLayer
from kerasdenoise.layers.p1_coefficient import EdgeIndicator, GlobalMaximum, P1Coefficient
from kerasdenoise.layers.reaction_diffusion_step import (
    P1Flux,
    PeronaMalikFlux,
    ReactionDiffusionStep,
)
from kerasdenoise.layers.regressors import (
    ContrastRegressor,
    ImageRegressor,
    SharedValues,
    from_contrast,
    to_contrast,
)
from kerasdenoise.layers.variance_stabilizer import VarianceStabilizer

__all__ = [
    "AngleEmbedding",
    "AngleLevels",
    "BlockDct",
    "BorderMix",
    "ContentNoise",
    "ContrastRegressor",
    "DdimStep",
    "DiffusionStep",
    "EdgeIndicator",
    "EmbeddingDistance",
    "GlobalMaximum",
    "HeatDecay",
    "ImageRegressor",
    "IterationGates",
    "LambdaLayer",
    "P1Coefficient",
    "P1Flux",
    "PeronaMalikFlux",
    "ReactionDiffusionStep",
    "SharedValues",
    "VarianceStabilizer",
    "from_contrast",
    "to_contrast",
]
