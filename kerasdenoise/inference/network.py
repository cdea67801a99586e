"""Runs a saved model on gray or RGB pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import open_engine
from kerasdenoise.inference.gpu import CheckedEngine, Device
from kerasdenoise.inference.settings import Quality
from kerasdenoise.inference.tiles import cut_parts, reflect
from kerasdenoise.pixels import to_pixels
from kerasdenoise.zoo import ModelInfo, verify_model

# Inputs of a network besides the pixels: arrays by input name.
Context = dict[str, np.ndarray]

_WEIGHT = "_log_weight"


class Turn(NamedTuple):
    """One flip or rotation.

    Attributes:
        swap: Whether rows become columns, before anything is flipped.
        flip_rows: Whether the last row becomes the first.
        flip_columns: Whether the last column becomes the first.
    """

    swap: bool
    flip_rows: bool
    flip_columns: bool

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Transforms images.

        Args:
            batch: (N, H, W, C).

        Returns:
            The transformed images, (N, W, H, C) if rows become columns.
        """
        turned = batch.swapaxes(1, 2) if self.swap else batch
        return np.ascontiguousarray(np.flip(turned, self._flipped))

    def undo(self, batch: np.ndarray) -> np.ndarray:
        """Undoes the transformation.

        Args:
            batch: The result of `apply`, or images of the same size.

        Returns:
            The images in their original orientation.
        """
        turned = np.flip(batch, self._flipped)
        return turned.swapaxes(1, 2) if self.swap else turned

    @property
    def _flipped(self) -> tuple[int, ...]:
        return (1,) * self.flip_rows + (2,) * self.flip_columns


# Grouped by shape, because a model that gets another shape reallocates.
ALL_TURNS = tuple(Turn(*flags) for flags in itertools.product((False, True), repeat=3))
UPRIGHT = ALL_TURNS[:1]


def turns_of(quality: Quality) -> Sequence[Turn]:
    """Returns the flips and rotations for a quality."""
    return ALL_TURNS if quality == "best" else UPRIGHT


class Told(NamedTuple):
    """The noise level for a model that uses one; other models ignore it.

    Attributes:
        level: Standard deviation of the noise of all pixels on the [0, 1] scale, or None for
            the model's own estimate.
        factor: Multiplies the level.
    """

    level: float | None
    factor: float = 1.0


class Network:
    """Runs a model's files.

    An RGB model gets a gray image as three equal channels, and the results are averaged, so it
    stays gray. A gray model gets an RGB image channel by channel.

    Args:
        info: The model.
        threads: Number of threads; all usable cores by default.
        turns: The flips and rotations whose results are averaged.
        naturalness: For a model that adds detail, the share of it that is added.
        seed: For such a model, which of many details is drawn.
        device: What denoises tiles. Other files of a model, those of 8-bit integers, and networks
            that need statistics of the whole image always run on the CPU.

    Attributes:
        threads: The number of threads.
        counted: Pixels whose noise level was compared with the highest that the model has learned.
        beyond: Those of them whose noise is stronger, which was reduced to that level.

    Raises:
        ModelError: The model is damaged or not a denoiser.
    """

    def __init__(
        self,
        info: ModelInfo,
        threads: int | None = None,
        turns: Sequence[Turn] = UPRIGHT,
        *,
        naturalness: float = 1.0,
        seed: int = 0,
        device: Device = "cpu",
    ) -> None:
        self._info = info
        self._turns = turns
        self._naturalness = np.float32(naturalness)
        self.counted = self.beyond = 0
        self._seed = np.full((1, 1, 1, 1), seed, np.float32)
        verify_model(info, only=[path.name for path in info.run_paths])
        self._tile = open_engine(info, info.tile_path, threads)
        self._level = open_engine(info, info.level_path, threads) if info.level_path else None
        self._detail = open_engine(info, info.detail_path, threads) if info.detail_path else None
        self.threads = self._tile.threads
        if device != "cpu" and not (info.runs_int8 or info.has_context):
            self._tile = CheckedEngine(self._tile, device)
        takes = set(self._tile.inputs)
        told = {"noisy", "noise_level"} if info.follows_level else {"noisy"}
        if not (takes > told if info.has_context else takes == told):
            raise ModelError(
                info.tile_path,
                f"takes {', '.join(self._tile.inputs)}, unlike its metadata",
                "export the model again",
            )

    def summarize(self, pixels: np.ndarray, told: Told) -> list[Context]:
        """Computes the statistics of the whole image that the model needs for each tile.

        They are computed part by part and averaged; see `models.Inputs.pass_context`.

        Args:
            pixels: (H, W, 1 or 3) of any type of `image_types.DTYPES`.
            told: The noise level.

        Returns:
            The statistics for each run of the model on a tile.
        """
        if self._info.context_path is None:
            return [{}] * (len(self._turns) * self._runs(pixels))
        # Created for each image, so that its memory is free while tiles are denoised.
        engine = open_engine(self._info, self._info.context_path, self.threads)
        height, width, _ = pixels.shape
        summaries: list[list[Context]] = []
        for rows, columns in cut_parts(height, width, self._info.stride, self._info.part):
            part = to_pixels(pixels[np.ix_(reflect(rows, height), reflect(columns, width))])
            views = [view for turn in self._turns for view in self._views(part, turn)]
            summaries.append([engine(self._inputs(view, told)) for view in views])
        return [merge_context(parts) for parts in zip(*summaries, strict=True)]

    def denoise(self, noisy: np.ndarray, told: Told, contexts: list[Context]) -> np.ndarray:
        """Denoises a tile.

        Args:
            noisy: Float32 (H, W, 1 or 3), sides multiples of the model's stride.
            told: The noise level.
            contexts: The result of `summarize` for the tile's image.

        Returns:
            Float32 of the same shape, not clipped.

        Raises:
            ModelError: The model cannot run on a tile of this shape, or gives another one.
        """
        total = np.zeros_like(noisy)
        context = iter(contexts)
        for turn in self._turns:
            denoised = [
                self._run({**self._inputs(view, told), **next(context)})
                for view in self._views(noisy, turn)
            ]
            if noisy.shape[2] < self._info.channels:
                denoised = [denoised[0].mean(axis=3, keepdims=True)]
            total += turn.undo(np.concatenate(denoised, axis=3))[0]
        total /= np.float32(len(self._turns))
        return total

    def estimate(self, noisy: np.ndarray) -> np.ndarray:
        """Estimates the noise level in a tile, with a model that estimates it.

        Args:
            noisy: Float32 (H, W, 1 or 3), sides multiples of the model's stride.

        Returns:
            Standard deviation of the noise at each pixel, float32 (H, W): the root mean square
            over flips and rotations, and over channels that the model processes one by one.

        Raises:
            ModelError: The model cannot run on a tile of this shape.
        """
        levels = [
            turn.undo(self._estimate(view))[0, ..., 0]
            for turn in self._turns
            for view in self._views(noisy, turn)
        ]
        return np.sqrt(np.mean(np.square(levels), axis=0))

    @property
    def accelerated(self) -> int:
        """How many tiles a GPU has denoised."""
        return self._tile.accelerated if isinstance(self._tile, CheckedEngine) else 0

    @property
    def fallback(self) -> str | None:
        """Why the CPU is used instead of a GPU, where that needs a word."""
        return self._tile.reason if isinstance(self._tile, CheckedEngine) else None

    def release(self) -> None:
        """Frees the memory of tiles."""
        for engine in filter(None, (self._tile, self._level, self._detail)):
            engine.release()

    def _runs(self, pixels: np.ndarray) -> int:
        return pixels.shape[2] if self._info.channels == 1 else 1

    def _views(self, pixels: np.ndarray, turn: Turn) -> list[np.ndarray]:
        """The transformed pixels as model inputs, (1, H, W, C) or (1, W, H, C) each."""
        batch = turn.apply(pixels[np.newaxis])
        if pixels.shape[2] < self._info.channels:
            return [np.repeat(batch, self._info.channels, axis=3)]
        return np.split(batch, self._runs(pixels), axis=3)

    def _inputs(self, noisy: np.ndarray, told: Told) -> Context:
        if not self._info.follows_level:
            return {"noisy": noisy}
        if told.level is None:
            level = self._estimate(noisy)
        else:
            level = np.full((*noisy.shape[:3], 1), told.level, np.float32)
        level = np.float32(told.factor) * level
        if self._info.highest_level is not None:
            self.counted += level.size
            self.beyond += int((level > self._info.highest_level).sum())
            level = np.minimum(level, np.float32(self._info.highest_level))
        return {"noisy": noisy, "noise_level": level}

    def _estimate(self, noisy: np.ndarray) -> np.ndarray:
        if self._level is None:
            raise ModelError(
                self._info.name,
                "does not estimate the noise level",
                "give sigma, or use another model",
            )
        return next(iter(self._level({"noisy": noisy}).values()))

    def _run(self, inputs: Context) -> np.ndarray:
        denoised = next(iter(self._tile(inputs).values()))
        if denoised.shape != inputs["noisy"].shape:
            raise ModelError(
                self._tile.path,
                f"returns {denoised.shape} for a tile of {inputs['noisy'].shape}",
                "export the model again",
            )
        if self._detail is None:
            return denoised
        detail = self._detail({**inputs, "mean": denoised, "seed": self._seed})
        return denoised + self._naturalness * next(iter(detail.values()))


def merge_context(parts: tuple[Context, ...]) -> Context:
    """Averages the statistics of an image's parts, weighted by `softmax(log_weight)`.

    Args:
        parts: For each part its statistics by name and, by that name and `_log_weight`, their
            weights.
    """
    merged = {}
    for name in (name for name in parts[0] if not name.endswith(_WEIGHT)):
        weight = np.stack([part[name + _WEIGHT] for part in parts]).astype(np.float64)
        weight = np.exp(weight - weight.max(axis=0))
        values = np.stack([part[name] for part in parts])
        merged[name] = ((weight * values).sum(axis=0) / weight.sum(axis=0)).astype(np.float32)
    return merged
