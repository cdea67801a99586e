"""Perception against distortion: how natural results look beside how wrong they are.

    python experiments/perception.py --noise gaussian:50

Distortion is PSNR. Perception is a kernel distance between patches of denoised and of clean photos,
in the features of a small classifier that is trained here, on CIFAR-10. That is no kernel inception
distance: it compares models of one run of this command, and nothing else. Both are shown in one
picture, with all saved models on it; models that add detail have a line, from naturalness 0 to 1.

The classifier is kept in runs/perception/, the figures in experiments/results/perception.json, and
the picture in docs/images/perception.png.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common.data import CIFAR10, add_data_option
from common.paper import RESULTS
from common.records import ROOT

from kerasdenoise.errors import InputError
from kerasdenoise.evaluation.noisy_sets import Corrupted, Corruption, NoisySet, find_images
from kerasdenoise.evaluation.pages import COLORS, start_figure
from kerasdenoise.files import write_file
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.metrics import psnr
from kerasdenoise.metrics.perception import gmsd, kernel_distance
from kerasdenoise.runtime import prepare_keras
from kerasdenoise.zoo import list_models

PATCH = 32  # the side of CIFAR-10's images
CLASSES = 10
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
FEATURES = "features"
SEED = 20261130

# From noisy pixels (height, width, 3) to denoised ones.
Method = Callable[[np.ndarray], np.ndarray]


def build_classifier(widths: Sequence[int] = (32, 64, 128)) -> Any:
    """Builds a classifier of images of 32x32 pixels, with a layer `features`.

    Args:
        widths: Channels of its levels, the last of which are the features.
    """
    import keras

    layers = keras.layers
    x = inputs = keras.Input((PATCH, PATCH, 3))
    for width in widths:
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    outputs = layers.Dense(CLASSES)(layers.Dropout(0.3)(x))
    return keras.Model(inputs, outputs, name="classifier")


def train_classifier(archive: Path, target: Path, epochs: int) -> Any:
    """Trains the classifier on CIFAR-10, and keeps it.

    Args:
        archive: NumPy archive of `x_train`, `y_train`, `x_test` and `y_test`.
        target: The `.keras` file to write.
        epochs: How often all images are seen.

    Returns:
        The classifier.

    Raises:
        InputError: If there is no such archive.
    """
    import keras

    if not archive.is_file():
        raise InputError(archive, "does not exist", "name the folder of CIFAR-10 by --data")
    with np.load(archive) as arrays:
        images, labels = arrays["x_train"] / np.float32(255), arrays["y_train"].astype(np.int64)
        test = arrays["x_test"] / np.float32(255), arrays["y_test"].astype(np.int64)
    keras.utils.set_random_seed(SEED)
    classifier = build_classifier()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(images) // 128))
    classifier.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    rng = np.random.default_rng(SEED)
    for epoch in range(epochs):
        mirrored = rng.random(len(images)) < 0.5
        seen = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        classifier.fit(seen, labels, batch_size=128, verbose=0)
        _, accuracy = classifier.evaluate(*test, verbose=0)
        print(f"classifier: epoch {epoch + 1} of {epochs}, {accuracy:.1%} of test images right")
    target.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(target)
    return classifier


def find_features(classifier: Any, patches: np.ndarray) -> np.ndarray:
    """Computes the features of patches.

    Args:
        classifier: See `build_classifier`.
        patches: Float32 (patches, 32, 32, 3) in [0, 1].

    Returns:
        (patches, features).
    """
    import keras

    network = keras.Model(classifier.input, classifier.get_layer(FEATURES).output)
    return network.predict(patches, batch_size=256, verbose=0)


def cut_patches(image: np.ndarray) -> np.ndarray:
    """Cuts an image (height, width, 3) into all its patches of 32x32 pixels."""
    rows, columns = (side // PATCH for side in image.shape[:2])
    inside = image[: rows * PATCH, : columns * PATCH]
    blocks = inside.reshape(rows, PATCH, columns, PATCH, image.shape[2]).swapaxes(1, 2)
    return blocks.reshape(-1, PATCH, PATCH, image.shape[2])


def measure(
    methods: Mapping[str, Method], samples: NoisySet, classifier: Any
) -> dict[str, dict[str, float]]:
    """Measures what denoises.

    Half of the photos give the clean patches, and the other half the denoised ones, so that no
    photo is compared with itself.

    Args:
        methods: What denoises, by name.
        samples: Noisy photos, in color, two or more.
        classifier: See `build_classifier`.

    Returns:
        By name: `psnr` in dB and `gmsd`, means over all photos, and `distance`.
    """
    loaded = [samples.load(index) for index in range(len(samples.names))]
    clean = np.concatenate([cut_patches(each.clean) for each in loaded[::2]])
    natural = find_features(classifier, clean)
    rows = {}
    for name, denoise in methods.items():
        results = [np.clip(denoise(each.noisy), 0, 1) for each in loaded]
        pairs = list(zip(loaded, results, strict=True))
        patches = np.concatenate([cut_patches(each) for each in results[1::2]])
        rows[name] = {
            "psnr": float(np.mean([psnr(each.clean, result) for each, result in pairs])),
            "gmsd": float(np.mean([gmsd(each.clean, result) for each, result in pairs])),
            "distance": kernel_distance(natural, find_features(classifier, patches)),
        }
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in rows[name].items()))
    return rows


def list_methods(names: Sequence[str] = ()) -> dict[str, Method]:
    """Lists the noisy photo as it is, and saved models; models with detail at several shares.

    Args:
        names: Names or folders of models; all saved ones by default.
    """
    methods: dict[str, Method] = {"noisy": lambda pixels: pixels}
    for name in names or [info.name for info in list_models()]:
        denoiser = Denoiser(name)
        if denoiser.info.has_detail:
            for share in SHARES:
                own = Denoiser(name, naturalness=share)
                methods[f"{denoiser.info.name} {share:g}"] = own.denoise_pixels
        else:
            methods[denoiser.info.name] = denoiser.denoise_pixels
    return methods


def draw(rows: Mapping[str, Mapping[str, float]], title: str, target: Path) -> None:
    """Draws perception over distortion, one point for each of `measure`'s rows."""
    figure, ((axes,),) = start_figure()
    lines: dict[str, list[Mapping[str, float]]] = {}
    for name, row in rows.items():
        lines.setdefault(name.partition(" ")[0], []).append(row)
    for number, (name, points) in enumerate(lines.items()):
        xs, ys = ([point[key] for point in points] for key in ("psnr", "distance"))
        axes.plot(xs, ys, "o-", color=COLORS[number % len(COLORS)], label=name)
        axes.annotate(name, (xs[-1], ys[-1]), (5, 5), textcoords="offset points", fontsize=8)
    axes.set_title(title, fontsize=11)
    axes.set(
        xlabel="PSNR, dB: right is nearer to the truth",
        ylabel="distance of features: lower looks more natural",
    )
    figure.savefig(target, dpi=110)


def main() -> None:
    """Reads the command line, trains what is missing, measures and draws."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs="*", help="names or folders of models; all by default")
    parser.add_argument("--noise", default="gaussian:50", help="what is added to the photos")
    parser.add_argument("--folder", default="test/kodak24", help="clean photos in the data folder")
    parser.add_argument("--limit", type=int, help="use only the first photos")
    parser.add_argument("--epochs", type=int, default=30, help="of the classifier's training")
    parser.add_argument("--run", type=Path, default=Path("runs/perception"))
    parser.add_argument("--figures", type=Path, default=RESULTS / "perception.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/images/perception.png")
    add_data_option(parser)
    arguments = parser.parse_args()
    prepare_keras()
    import keras

    kept = arguments.run / "classifier.keras"
    if kept.is_file():
        classifier = keras.models.load_model(kept, compile=False)
    else:
        classifier = train_classifier(arguments.data / CIFAR10, kept, arguments.epochs)
    files = find_images(arguments.data / arguments.folder)[: arguments.limit]
    samples = Corrupted(files, Corruption(arguments.noise), SEED, gray=False)
    rows = measure(list_methods(arguments.models), samples, classifier)
    facts = {"noise": arguments.noise, "folder": arguments.folder, "images": len(files)}
    write_file(arguments.figures, json.dumps({**facts, "models": rows}, indent=1) + "\n")
    draw(rows, f"{arguments.noise} on {arguments.folder}", arguments.picture)


if __name__ == "__main__":
    main()
