"""Where clean images come from: folders, NumPy archives and TensorFlow Datasets."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from kerasdenoise.errors import RecipeError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

DATA_VARIABLE = "KERASDENOISE_DATA"
"""Environment variable that names the folder of data sets."""

_ARCHIVE = re.compile(
    r"(?P<file>.+\.npz)(?::(?P<name>.*?)(?:\[(?P<start>\d*%?):(?P<stop>\d*%?)\])?)?"
)
_TFDS = "tfds:"
# Pillow's "L" is the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded.
_MODES = {1: "L", 3: "RGB"}
# Of two images of a scene, one behind the other, of which only archives hold such.
_PAIRS = (2, 6)
# What archives may hold. Pillow converts and scales only the first.
_TYPES = (np.uint8, np.uint16, np.float32)


def data_folder() -> Path:
    """The folder of data sets: `$KERASDENOISE_DATA`, or else `data` in the working folder."""
    return Path(os.environ.get(DATA_VARIABLE) or "data")


def load_images(
    sources: Iterable[str],
    root: Path,
    *,
    channels: int = 3,
    scales: Sequence[float] = (1.0,),
    smallest: int = 0,
    exclude: Sequence[str] = (),
) -> list[np.ndarray]:
    """Loads the clean images of a recipe's sources into memory.

    Args:
        sources: Each one of
            a folder of photos, `train/cid22`;
            an array in a NumPy archive, `cifar10/images.npz:x_train`, or a part of one,
            `cifar10/images.npz:x_train[:5000]` or `[10%:]`;
            a split of a TensorFlow data set, `tfds:cifar10` or `tfds:cifar10:test`.
        root: Folder that folders and archives are relative to.
        channels: 3 for RGB, or 1 for gray: luma by ITU-R BT.601. 6 or 2 for two images of a scene
            in one array, which come as they are.
        scales: Each image is kept once at each of these sizes, relative to its own; a reduced
            photo has finer structure and less noise of its own.
        smallest: Versions with a side shorter than this are left out.
        exclude: File names that are left out, of folders and of data sets that keep them.

    Returns:
        Arrays (height, width, channels), in the order of the sources: uint8, or what an archive
        has.

    Raises:
        RecipeError: If a source is missing, contains no images or cannot be read.
    """
    sources = list(sources)
    is_paired = channels in _PAIRS and all(map(_ARCHIVE.fullmatch, sources))
    if channels not in _MODES and not is_paired:
        raise RecipeError(f"channels {channels}", "are neither gray nor RGB", "choose 1 or 3")
    return [
        version
        for source in sources
        for image in _read(source, root, channels, exclude)
        for version in _versions(image, channels, scales, smallest)
    ]


def list_images(folders: Iterable[Path]) -> list[Path]:
    """Lists the image files below folders, sorted by name within each.

    Raises:
        RecipeError: If a folder is missing or holds no image.
    """
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise RecipeError(folder, "is not a folder", "point the recipe's data at photos")
        found = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
        if not found:
            raise RecipeError(folder, "contains no images", f"known suffixes: {' '.join(SUFFIXES)}")
        files += found
    return files


def decode_image(file: Path, channels: int = 3) -> np.ndarray:
    """Decodes an image file of any mode.

    Args:
        file: The file.
        channels: 3 for RGB or 1 for gray.

    Returns:
        A uint8 array (height, width, channels); transparency is dropped.

    Raises:
        RecipeError: If the file is no image, is damaged, or is a gray image of more than 8 bits.
    """
    try:
        with PillowImage.open(file) as picture:
            if picture.mode[0] in "IF":
                # Pillow would cut off all values above 255.
                raise RecipeError(
                    file, "is a gray image of more than 8 bits", "save it with 8 bits"
                )
            # By way of RGB, so that a palette's colors count and not its indices.
            return _pixels(picture.convert("RGB").convert(_MODES[channels]))
    except (OSError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise RecipeError(
            file, f"cannot be decoded ({error})", "remove it, or list it in `exclude`"
        ) from error


def _read(source: str, root: Path, channels: int, exclude: Sequence[str]) -> Iterable[np.ndarray]:
    if source.startswith(_TFDS):
        # It takes a second to import, and not every computer has what it needs.
        from kerasdenoise.data.tfds_source import read_tfds

        return read_tfds(source, exclude)
    if archive := _ARCHIVE.fullmatch(source):
        images = _read_archive(root / archive["file"], archive["name"], channels)
        start, stop = (_place(archive[side], len(images)) for side in ("start", "stop"))
        return images[start:stop]
    return _read_folder(root / source, exclude)


def _read_folder(folder: Path, exclude: Sequence[str]) -> Iterator[np.ndarray]:
    return (decode_image(file) for file in list_images([folder]) if file.name not in exclude)


def _read_archive(file: Path, name: str | None, channels: int) -> np.ndarray:
    try:
        # NumPy by itself leaves a file open that it cannot read.
        with file.open("rb") as opened, np.load(opened) as archive:
            if name is None and len(archive.files) == 1:
                name = archive.files[0]
            if name not in archive.files:
                raise RecipeError(
                    file,
                    f"has no array {name!r}" if name else "is an archive of several arrays",
                    f"name one of them, as {file.name}:NAME; it has {', '.join(archive.files)}",
                )
            images = archive[name]
    except (OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise RecipeError(
            file, f"cannot be read ({error})", "name an archive made by numpy.savez"
        ) from error
    if images.ndim == 3:
        images = images[..., np.newaxis]
    allowed = (channels,) if channels in _PAIRS else (1, 3, 4)
    if images.dtype not in _TYPES or images.ndim != 4 or images.shape[3] not in allowed:
        raise RecipeError(
            f"{file}:{name}",
            "contains no images",
            "name an array (images, height, width) or (images, height, width, channels) of uint8, "
            "uint16 or float32",
        )
    return images[..., :3] if images.shape[3] == 4 else images


def _place(text: str | None, images: int) -> int | None:
    """Reads one end of a part: a number or a share of images, or nothing."""
    if not text or text == "%":
        return None
    return round(images * int(text[:-1]) / 100) if text.endswith("%") else int(text)


def _versions(
    image: np.ndarray, channels: int, scales: Sequence[float], smallest: int
) -> Iterator[np.ndarray]:
    is_fixed = image.dtype != np.uint8 or channels in _PAIRS
    if is_fixed and (image.shape[2] != channels or set(scales) != {1.0}):
        raise RecipeError(
            f"an image of {image.dtype} with {image.shape[2]} channel(s)",
            f"cannot be scaled, or converted to {channels}",
            "write scales = [1.0], and give the model as many channels",
        )
    if image.shape[2] != channels:
        image = _pixels(_picture(image).convert(_MODES[channels]))
    height, width = image.shape[:2]
    for scale in scales:
        size = (round(width * scale), round(height * scale))
        if min(size) < smallest:
            continue
        if scale == 1.0:
            yield image
        else:
            yield _pixels(_picture(image).resize(size, PillowImage.Resampling.LANCZOS))


def _picture(image: np.ndarray) -> PillowImage.Image:
    return PillowImage.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _pixels(picture: PillowImage.Image) -> np.ndarray:
    return np.atleast_3d(np.asarray(picture))
