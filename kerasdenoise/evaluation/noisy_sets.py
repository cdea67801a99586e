"""What a model is measured on: noisy images, each with its clean one, read when needed."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from PIL import Image as PillowImage

from kerasdenoise.data.sources import SUFFIXES
from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.foreign import address_of
from kerasdenoise.images.read import read_image
from kerasdenoise.pixels import to_pixels, to_samples

# The noise of `EightBit`, on the [0, 1] scale.
SIGMA = 25 / 255

PAIR_FOLDERS = ("noisy", "clean")
PAIR_ENDINGS = ("_real", "_mean")

_TO_GRAY = np.array([[0.299], [0.587], [0.114]], np.float32)


@dataclass(frozen=True)
class Sample:
    """Float32 arrays (height, width, 1 or 3) of one shape; `noisy` may exceed [0, 1]."""

    noisy: np.ndarray
    clean: np.ndarray


class NoisySet(Protocol):
    """A set of samples that are loaded one at a time."""

    @property
    def label(self) -> str:
        """What the noise is called in tables."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The samples' names, in order."""
        ...

    def load(self, index: int) -> Sample:
        """Reads one sample.

        Raises:
            InputError: A file cannot be read, or cannot be used for this.
        """
        ...


class Corruption:
    """A kind of noise, ready for one image at a time.

    Making one imports Keras.

    Args:
        text: `kind` or `kind:argument`, as `kerasdenoise.noise.parse_noise` reads it.

    Attributes:
        label: The text.
        multiple: What the sides of an image must be multiples of.

    Raises:
        UsageError: The kind is unknown or its argument unusable.
    """

    def __init__(self, text: str) -> None:
        from kerasdenoise.runtime import prepare_keras

        prepare_keras()
        from kerasdenoise.noise import parse_noise

        self.label = text
        self._noise = parse_noise(text)
        self.multiple = self._noise.multiple

    def __call__(self, clean: np.ndarray, seed: int, *, name: object = "image") -> np.ndarray:
        """Draws one noisy version of an image.

        Args:
            clean: Float32 (height, width, 1 or 3) in [0, 1], with sides that are multiples of
                `multiple`.
            seed: Below 2**32; the same seed gives the same noise.
            name: What to call the image in errors.

        Returns:
            Float32 of the same shape; clipped to [0, 1] only where the kind of noise says so.

        Raises:
            InputError: The image is gray and the noise is a color camera's.
        """
        from kerasdenoise.noise import corrupt_arrays

        if self._noise.color_only and clean.shape[2] != 3:
            raise InputError(
                name,
                f"is gray, but {self._noise.kind} noise needs three colors",
                "use gaussian noise, or convert the image to RGB first",
            )
        return corrupt_arrays(self._noise, clean[np.newaxis], seed)[0]


@dataclass(frozen=True)
class Corrupted:
    """Clean images to which noise is added.

    The noise of an image depends on the seed and the image's position alone, and not on
    what was drawn for other images. Where the noise needs sides that are multiples of a
    number, images are cropped to such, at the right and the bottom.

    Attributes:
        files: The clean images.
        corruption: The noise.
        seed: Any number that is not negative.
        gray: Whether images are turned to gray before noise is added.
    """

    files: Sequence[Path]
    corruption: Corruption
    seed: int = 0
    gray: bool = False

    @property
    def label(self) -> str:
        """The noise as it was asked for."""
        return self.corruption.label

    @property
    def names(self) -> Sequence[str]:
        """The files' names."""
        return [file.name for file in self.files]

    def load(self, index: int) -> Sample:
        """Reads an image and adds noise; see `NoisySet.load`."""
        file = self.files[index]
        clean = _read(file, gray=self.gray)
        multiple = self.corruption.multiple
        height, width = (side // multiple * multiple for side in clean.shape[:2])
        if not height or not width:
            raise InputError(
                file,
                f"is smaller than {multiple} x {multiple} pixels, which {self.label} needs",
                "leave it out of the folder",
            )
        clean = clean[:height, :width]
        noisy = self.corruption(clean, _seed_of(self.seed, index), name=file)
        return Sample(noisy=noisy, clean=clean)


@dataclass(frozen=True)
class Pairs:
    """Noisy photos and clean ones of the same.

    Attributes:
        files: Noisy and clean file of each pair.
        gray: Whether images are turned to gray.
    """

    files: Sequence[tuple[Path, Path]]
    gray: bool = False

    @property
    def label(self) -> str:
        """That the noise is the photos' own."""
        return "pairs"

    @property
    def names(self) -> Sequence[str]:
        """The noisy files' names."""
        return [noisy.name for noisy, _ in self.files]

    def load(self, index: int) -> Sample:
        """Reads a pair; see `NoisySet.load`."""
        files = self.files[index]
        noisy, clean = (_read(file, gray=self.gray) for file in files)
        if noisy.shape != clean.shape:
            raise InputError(
                files[0],
                f"is {_size(noisy)} and {files[1].name} {_size(clean)}",
                "make both files of a pair the same size",
            )
        return Sample(noisy=noisy, clean=clean)


@dataclass(frozen=True)
class Compressed:
    """NoisySet of which the noisy image was clipped and saved as JPEG.

    Attributes:
        samples: What is compressed.
        quality: 1 to 95, as Pillow counts it.
    """

    samples: NoisySet
    quality: int

    @property
    def label(self) -> str:
        """The noise as it was asked for."""
        return f"{self.samples.label}+jpeg:{self.quality}"

    @property
    def names(self) -> Sequence[str]:
        """The samples' names."""
        return self.samples.names

    def load(self, index: int) -> Sample:
        """Reads a sample and compresses it; see `NoisySet.load`."""
        sample = self.samples.load(index)
        pixels = to_samples(sample.noisy, np.uint8)
        file = io.BytesIO()
        PillowImage.fromarray(pixels).save(file, "JPEG", quality=self.quality)
        return Sample(noisy=read_image(file.getvalue()).pixels, clean=sample.clean)


@dataclass(frozen=True)
class Part:
    """Some of the samples, each with the noise that it has among all.

    Attributes:
        samples: All of them.
        indices: Which ones.
    """

    samples: NoisySet
    indices: Sequence[int]

    @property
    def label(self) -> str:
        """The noise as it was asked for."""
        return self.samples.label

    @property
    def names(self) -> Sequence[str]:
        """The names of these samples."""
        names = self.samples.names
        return [names[index] for index in self.indices]

    def load(self, index: int) -> Sample:
        """Reads a sample; see `NoisySet.load`."""
        return self.samples.load(self.indices[index])


@dataclass(frozen=True)
class EightBit:
    """Clean pictures to which noise of `SIGMA` is added, then clipped and rounded to 8 bits.

    Any file of a model and any peer can take these. The noise is white Gaussian, depends on the
    picture's position alone, and is drawn without Keras.

    Attributes:
        label: What the set is called.
        files: The clean pictures.
        gray: Whether they are turned to gray first; otherwise all are in color.
    """

    label: str
    files: Sequence[Path]
    gray: bool = False

    @property
    def names(self) -> Sequence[str]:
        """The files' names."""
        return [file.name for file in self.files]

    def load(self, index: int) -> Sample:
        """Reads a picture and adds noise; see `NoisySet.load`."""
        clean = _read(self.files[index], gray=self.gray)
        if not self.gray and clean.shape[2] == 1:
            clean = np.repeat(clean, 3, axis=2)
        noise = np.random.default_rng(index).normal(0, SIGMA, clean.shape)
        noisy = to_pixels(to_samples(clean + noise, np.uint8))
        return Sample(noisy=noisy, clean=clean)


def find_images(folder: Path) -> list[Path]:
    """Lists the images of a folder, not those of folders in it, by name.

    Raises:
        UsageError: The folder is missing or holds no image.
    """
    if not folder.is_dir():
        if address := address_of(folder):
            raise UsageError(address, "is an address, not a folder", "save the images first")
        cause = "is a file, not a folder" if folder.exists() else "no such folder"
        raise UsageError(folder, cause, "give a folder of images")
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise UsageError(folder, "contains no images", f"known suffixes: {' '.join(SUFFIXES)}")
    return files


def find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Lists the pairs of a folder as (noisy, clean), by name.

    Pairs are files of the same name in the folders `noisy` and `clean`, or, where there are
    no such folders, `NAME_real.*` (noisy) and `NAME_mean.*` (clean), as in the PolyU set.

    Raises:
        UsageError: The folder is missing or holds no image, or an image has not exactly one
            partner.
    """
    sides = [folder / side for side in PAIR_FOLDERS]
    if any(side.is_dir() for side in sides):
        keyed = [{file.name: [file] for file in find_images(side)} for side in sides]
        remedy = "give it a partner of the same name in the other folder"
    else:
        files = find_images(folder)
        keyed = [_by_beginning(files, ending) for ending in PAIR_ENDINGS]
        paired = [file for side in keyed for group in side.values() for file in group]
        _refuse(
            [file for file in files if file not in paired],
            "neither {}.* nor {}.*".format(*(f"*{ending}" for ending in PAIR_ENDINGS)),
            "rename it, or put pairs into the folders noisy and clean",
        )
        remedy = "give each *_real.* one *_mean.* of the same name"
    counts = Counter(key for side in keyed for key, group in side.items() for _ in group)
    both = keyed[0].keys() & keyed[1].keys()
    _refuse(
        [
            file
            for side in keyed
            for key, group in side.items()
            for file in group
            if key not in both or counts[key] > 2
        ],
        "not in a pair",
        remedy,
    )
    return [(keyed[0][key][0], keyed[1][key][0]) for key in sorted(both)]


def _by_beginning(files: Sequence[Path], ending: str) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for file in files:
        if file.stem.endswith(ending):
            groups.setdefault(file.stem.removesuffix(ending), []).append(file)
    return groups


def _refuse(files: Sequence[Path], cause: str, remedy: str) -> None:
    if files:
        raise UsageError(", ".join(map(str, files)), cause, remedy)


def to_gray(pixels: np.ndarray) -> np.ndarray:
    """Turns RGB pixels (H, W, 3) to gray ones (H, W, 1), as JPEG does; gray ones stay."""
    return pixels @ _TO_GRAY if pixels.shape[2] == 3 else pixels


def _read(file: Path, *, gray: bool) -> np.ndarray:
    pixels = read_image(file).pixels
    return to_gray(pixels) if gray else pixels


def _seed_of(seed: int, index: int) -> int:
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0])


def _size(pixels: np.ndarray) -> str:
    height, width, channels = pixels.shape
    return f"{width} x {height} pixels {'in color' if channels == 3 else 'in gray'}"


def make_noisy(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Makes smooth color with white noise of 25/255.

    Args:
        height: Rows.
        width: Pixels in a row.
        seed: Of the noise; it moves the colors as well.

    Returns:
        uint8 (height, width, 3).
    """
    rng = np.random.default_rng(seed)
    pixels = np.empty((height, width, 3), np.uint8)
    columns = np.linspace(0, 6 * np.pi, width, dtype=np.float32)[None, :, None]
    columns = columns + np.arange(seed, seed + 3, dtype=np.float32)
    for top in range(0, height, 64):  # in bands, of which the noise takes little memory
        band = pixels[top : top + 64]
        rows = np.arange(top, top + len(band), dtype=np.float32)[:, None, None] / 300
        noise = np.float32(255 * SIGMA) * rng.standard_normal(band.shape, np.float32)
        band[:] = (127 + 90 * np.sin(columns) * np.cos(rows) + noise).clip(0, 255)
    return pixels


def write_noisy(
    path: Path, height: int, width: int, seed: int = 0, channels: int = 3, **options: Any
) -> None:
    """Writes such a photo.

    Args:
        path: The file to write; its suffix decides the format, TIFF is not compressed.
        height: Rows.
        width: Pixels in a row.
        seed: As of `make_noisy`.
        channels: 3 for color, 1 for gray.
        **options: How Pillow codes it, as `quality=92`.
    """
    pixels = make_noisy(height, width, seed)
    if channels == 1:
        pixels = pixels[..., 0]
    if path.suffix == ".tif":
        import tifffile

        tifffile.imwrite(path, pixels, photometric="rgb" if channels == 3 else "minisblack")
    else:
        Image.fromarray(pixels).save(path, **options)
