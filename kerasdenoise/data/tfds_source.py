"""Clean images of TensorFlow Datasets: from disk if they are there, else downloaded."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
import tensorflow_datasets as tfds

# Nothing public finds prepared data of whichever version and default configuration, or tells of
# each download before it begins.
from tensorflow_datasets.core import read_only_builder
from tensorflow_datasets.core.download import downloader

from kerasdenoise.errors import RecipeError

# tfds.core.DatasetBuilder, whose decorators hide its signatures.
_Builder = Any

# Of several images in an example these are the clean ones; `hr` is the larger of a pair that
# is for enlarging.
_IMAGES = ("image", "hr")
_FILE_NAMES = ("file_name", "image/filename")
# Where TensorFlow Datasets looks for archives before it downloads them.
_MANUAL = Path("downloads", "manual")
# Longest time in seconds to wait for an answer; people wait for it when there is no network.
_PATIENCE = 5
# What a proxy says when it cannot reach a server or will not try.
_PROXY_ERRORS = (407, 502, 503, 504)


def read_tfds(source: str, exclude: Sequence[str] = ()) -> Iterator[np.ndarray]:
    """Reads a split of a data set.

    Prepared data are looked for first, in the folder that `TFDS_DATA_DIR` names or else in
    `~/tensorflow_datasets`. If there are none, they are prepared there from the archives in
    `downloads/manual`, and what is not there either is downloaded.

    Args:
        source: `tfds:NAME` or `tfds:NAME:SPLIT`: NAME is a data set of the catalog or one that
            was prepared before, with `/` and its configuration if it has several; SPLIT is
            `train` if left out, or whatever TensorFlow Datasets takes: `test`, `train[:90%]`.
        exclude: File names that are left out, if the data set keeps them.

    Yields:
        uint8 arrays (height, width, 1 or 3), in the order of the data set; transparency is
        dropped.

    Raises:
        RecipeError: If there is no such data set or split, it contains no uint8 images, or it
            cannot be prepared; if there is no network, after 5 seconds.
    """
    name, _, split = source.removeprefix("tfds:").partition(":")
    builder = _prepared(name, source)
    image, named = _features(builder, source)
    known = builder.info.splits
    try:
        dataset = builder.as_dataset(
            split=split or "train",
            decoders=tfds.decode.PartialDecoding(dict.fromkeys([image, *named], True)),
        )
    except (KeyError, ValueError) as error:
        raise RecipeError(
            source, f"has no split {split or 'train'!r}", f"it has {', '.join(known)}"
        ) from error
    examples: Any = tfds.as_numpy(dataset)
    for example in examples:
        names = [PurePosixPath(example[feature].decode()).name for feature in named]
        if not set(names) & set(exclude):
            yield example[image][..., :3]


def _prepared(name: str, source: str) -> _Builder:
    """Finds or makes a data set on disk."""
    folder = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    # What is wrong with a name is found out, and said, below.
    with contextlib.suppress(tfds.core.DatasetNotFoundError, ValueError):
        return read_only_builder.builder_from_files(name, data_dir=folder)
    try:
        builder = tfds.builder(name, data_dir=folder)
    except tfds.core.DatasetNotFoundError as error:
        raise RecipeError(
            source,
            f"is not in the catalog of TensorFlow Datasets, nor prepared in {folder}",
            "names are listed at https://www.tensorflow.org/datasets/catalog",
        ) from error
    except (TypeError, ValueError) as error:
        raise RecipeError(
            source, f"cannot be used ({_first_line(error)})", "check its configuration"
        ) from error
    try:
        # Its messages belong to the progress, not to a command's results.
        with contextlib.redirect_stdout(sys.stderr), _tested_connections(builder, folder, source):
            builder.download_and_prepare()
    except RecipeError:
        raise
    except Exception as error:  # Each data set has code of its own.
        raise RecipeError(
            source,
            f"cannot be prepared ({_first_line(error)})",
            f"put what it asks for into {folder / _MANUAL}, or copy prepared data to {folder}",
        ) from error
    return builder


def _features(builder: _Builder, source: str) -> tuple[str, list[str]]:
    """Returns the feature that is the clean image, and those that are file names."""
    features = builder.info.features
    images = [key for key, feature in features.items() if _is_image(feature)]
    clean = images if len(images) == 1 else [key for key in _IMAGES if key in images]
    if not clean:
        raise RecipeError(
            source,
            f"contains several images, {', '.join(images)}"
            if images
            else "contains no uint8 images",
            "choose another data set, or save its images in a folder",
        )
    return clean[0], [key for key in _FILE_NAMES if key in features]


def _is_image(feature: Any) -> bool:
    if not isinstance(feature, tfds.features.Image):
        return False
    shape: Any = feature.shape
    return feature.dtype == np.uint8 and shape[-1] in (1, 3, 4)


@contextlib.contextmanager
def _tested_connections(builder: _Builder, folder: Path, source: str) -> Iterator[None]:
    """Asks each server for an answer before anything is downloaded from it.

    TensorFlow Datasets by itself tries for more than three minutes. Only the place where it
    starts a download knows what is needed: the files of some configurations are not, and those
    on disk are not.
    """
    kind = downloader._Downloader
    download = kind.download
    answers: dict[str, bool] = {}

    def tested(self: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        server = urlsplit(url).netloc
        if url.startswith("http") and server not in answers:
            answers[server] = _answers(url)
        if not answers.get(server, True):
            known = (builder.url_infos or {}).get(url)
            local = (
                f"put {known.filename} into {folder / _MANUAL}"
                if known and known.filename
                else f"copy prepared data to {folder}"
            )
            raise RecipeError(
                source,
                f"is not on this computer, and {server} does not answer",
                f"connect to the internet, or {local}",
            )
        return download(self, url, *args, **kwargs)

    kind.download = tested
    try:
        yield
    finally:
        kind.download = download


def _answers(url: str) -> bool:
    """Whether a server answers soon, by way of the proxies that the environment names."""
    answered = threading.Event()

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            if requests.head(url, timeout=_PATIENCE).status_code not in _PROXY_ERRORS:
                answered.set()

    # In a thread, as looking up a name knows no time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return answered.is_set()


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
