"""What a lambda layer takes beyond its convolutions: `python benchmarks/lambda_layer.py`.

Exports to LiteRT, in the two shapes of the student paper on denoising with LambdaNetworks, the
whole layer and its convolutions alone: three of 1x1, and the window's over the values. Both run
in turn on one thread, and their median processor time is printed; it depends on other programs
less than the clock does. Exits 1 if a layer takes more than the limit times its convolutions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerasdenoise.evaluation.costs import median_ratio, time_in_turns
from kerasdenoise.runtime import prepare_keras, quiet_stderr

prepare_keras()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

from kerasdenoise.layers.lambda_layer import LambdaLayer  # noqa: E402

LIMIT = 1.5
OUT_CHANNELS, KEY_DEPTH, HEADS = 16, 16, 4
HEAD_CHANNELS = OUT_CHANNELS // HEADS
SHAPES = [(1, 23), (4, 7)]  # intra-depth and window


def make_layer(intra_depth: int, window: int) -> keras.Model:
    noisy = keras.Input((None, None, 3), name="noisy")
    layer = LambdaLayer(OUT_CHANNELS, KEY_DEPTH, HEADS, intra_depth, window)
    return keras.Model(noisy, layer(noisy), name="layer")


def make_projections(intra_depth: int) -> keras.Model:
    """Makes the convolutions that give queries, keys and values."""
    noisy = keras.Input((None, None, 3), name="noisy")
    widths = (HEADS * KEY_DEPTH, intra_depth * KEY_DEPTH, intra_depth * HEAD_CHANNELS)
    results = [keras.layers.Conv2D(width, 1, use_bias=False)(noisy) for width in widths]
    return keras.Model(noisy, results, name="projections")


def make_window(intra_depth: int, window: int) -> keras.Model:
    """Makes the embedding's convolution over values, each channel of a head an image."""
    values = keras.Input((None, None, intra_depth), name="values")
    convolution = keras.layers.Conv2D(KEY_DEPTH, window, padding="same", use_bias=False)
    return keras.Model(values, convolution(values), name="window")


def prepare(network: keras.Model, images: int, side: int) -> Callable[[], None]:
    """Exports a network; returns what runs it once."""
    shape = (images, side, side, network.input_shape[-1])
    with tempfile.TemporaryDirectory() as folder, quiet_stderr():
        path = Path(folder) / "network.tflite"
        network.export(
            path,
            format="litert",
            input_signature=[keras.InputSpec("float32", (images, None, None, shape[-1]))],
            verbose=False,
            target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
        )
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
        (given,) = interpreter.get_input_details()
        interpreter.resize_tensor_input(given["index"], shape)
        interpreter.allocate_tensors()
    noisy = np.random.default_rng(0).random(shape, np.float32)
    interpreter.set_tensor(given["index"], noisy)

    return interpreter.invoke


def measure(intra_depth: int, window: int, side: int, repeats: int) -> tuple[float, float, float]:
    """Returns median milliseconds of layer and convolutions, and of each round's ratio."""
    networks = {
        "layer": prepare(make_layer(intra_depth, window), 1, side),
        "projections": prepare(make_projections(intra_depth), 1, side),
        "window": prepare(make_window(intra_depth, window), HEAD_CHANNELS, side),
    }
    runs = {name: lambda run=run: run for name, run in networks.items()}
    layer, *parts = time_in_turns(runs, repeats, clock=time.thread_time).values()
    bare = np.sum(parts, axis=0)
    return 1000 * np.median(layer), 1000 * np.median(bare), median_ratio(layer, bare)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=256, help="height and width of the image")
    parser.add_argument("--repeats", type=int, default=21)
    arguments = parser.parse_args()
    print(f"| intra-depth | window | layer ms | convolutions ms | ratio | limit {LIMIT} |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    for intra_depth, window in SHAPES:
        whole, bare, ratio = measure(intra_depth, window, arguments.side, arguments.repeats)
        verdict = "held" if ratio <= LIMIT else "exceeded"
        row = f"| {intra_depth} | {window} | {whole:.1f} | {bare:.1f} | {ratio:.2f} | {verdict} |"
        print(row, flush=True)
        worst = max(worst, ratio)
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    main()
