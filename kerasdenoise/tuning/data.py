"""What a study trains on: what was asked for, or what is there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasdenoise.data.sources import data_folder, decode_image, list_images, load_images
from kerasdenoise.errors import UsageError

_PACKAGE = Path(__file__).resolve().parents[1]
_CIFAR = "cifar10"
_SAMPLE = "sample_clean.png"
# So many images are enough to rank settings, and every trial reads them again.
_MOST = 10_000
# Of images that nobody has divided: the share, and the number, kept for measuring.
_SHARE, _KEPT = 0.1, 64

MEASURED_ON = "measured_on"
"""The folder in a study's of the images of another folder that are measured on."""


@dataclass(frozen=True)
class Data:
    """Images to train on and others to measure on, as a recipe names them.

    Attributes:
        train: Sources with absolute paths.
        validation: The same, of other images.
        exclude: File names that are left out of both.
        license: What is known of their license.
        description: What they are, for people.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    exclude: tuple[str, ...]
    license: str
    description: str


def choose_data(asked: str | None, study: Path) -> Data:
    """Finds the images of a study.

    Args:
        asked: A folder of images, or of the folders `train` and `validation`; an array in a
            NumPy archive, `FILE.npz:NAME`; a data set, `tfds:NAME`; or None for what is there.
            Of what is not divided, some images are kept for measuring.
        study: The study's folder, where copies of those may be written.

    Raises:
        UsageError: If there are too few images.
        RecipeError: If they cannot be read.
    """
    if asked is None:
        return _find(study)
    if asked.startswith("tfds:"):
        return _divide_tfds(asked, None)
    if ".npz" in asked:
        return _divide_archive(asked, study)
    folder = Path(asked).resolve()
    if _is_divided(folder):
        return _divided(folder, asked)
    return _divide_folder(folder, study)


def _find(study: Path) -> Data:
    if _has_cifar():
        return _divide_tfds(f"tfds:{_CIFAR}", _MOST)
    folder = data_folder()
    if _is_divided(folder):
        return _divided(folder.resolve(), str(folder))
    return _bundled(study)


def _has_cifar() -> bool:
    """Whether CIFAR-10 is prepared, or can be without a network."""
    folder = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    archive = folder / "downloads" / "manual" / "cifar-10-binary.tar.gz"
    return archive.is_file() or any(folder.glob(f"{_CIFAR}/*/dataset_info.json"))


def _divide_tfds(asked: str, most: int | None) -> Data:
    name, _, split = asked.removeprefix("tfds:").partition(":")
    split = split or "train"
    if "[" in split:
        raise UsageError(
            asked, "is only part of a split", "name the split; a part is held out anyway"
        )
    end = f"-{_KEPT}" if most is None else str(most)
    return Data(
        (f"tfds:{name}:{split}[:{end}]",),
        (f"tfds:{name}:{split}[-{_KEPT}:]",),
        (),
        f"{name}: see TensorFlow Datasets",
        f"{name} of TensorFlow Datasets"
        + (f", {most:,} images" if most else "")
        + f"; measured on {_KEPT} others",
    )


def _is_divided(folder: Path) -> bool:
    return all((folder / part).is_dir() for part in ("train", "validation"))


def _divided(folder: Path, name: str) -> Data:
    counts = [len(list_images([folder / part])) for part in ("train", "validation")]
    return Data(
        ((folder / "train").as_posix(),),
        ((folder / "validation").as_posix(),),
        (),
        "not stated",
        f"{counts[0]:,} photos of {name}/train; measured on {name}/validation",
    )


def _divide_folder(folder: Path, study: Path) -> Data:
    """Copies some images of a folder, and leaves them out of training by their names."""
    files = list_images([folder])
    if len(files) < 2:
        raise UsageError(
            folder, "contains only one image", "give some to train on and one to measure"
        )
    count = _kept(len(files))
    # Spread over the folder, as neighbors are often alike.
    chosen = [files[round(i * len(files) / count)] for i in range(count)]
    target = study / MEASURED_ON
    if target.exists():  # of other images, some of which may be among those to train on
        raise UsageError(
            target, "is left from an earlier start", "remove it, or give another --study or --run"
        )
    target.mkdir(parents=True)
    for number, file in enumerate(chosen):
        # Under another name, as names that are left out are left out of measuring as well.
        shutil.copyfile(file, target / f"{study.name}_{number:03}{file.suffix.lower()}")
    names = {file.name for file in chosen}
    rest = sum(file.name not in names for file in files)
    if not rest:
        raise UsageError(
            folder, "contains only images with the same name", "give them different names"
        )
    return Data(
        (folder.as_posix(),),
        (target.resolve().as_posix(),),
        tuple(sorted(names)),
        "not stated",
        f"{rest:,} images of {folder}; measured on {count} others",
    )


def _divide_archive(asked: str, study: Path) -> Data:
    if "[" in asked.partition(".npz")[2]:
        raise UsageError(
            asked, "is only part of an array", "name the array; a part is held out anyway"
        )
    images = load_images([asked], Path.cwd())
    if len(images) < 2:
        raise UsageError(
            asked, "contains fewer than two images", "give some to train on and one to measure"
        )
    count = _kept(len(images))
    target = study / f"{MEASURED_ON}.npz"
    study.mkdir(parents=True, exist_ok=True)
    np.savez(target, images=np.stack(images[-count:]))
    stem, _, name = asked.partition(".npz")
    file = Path(f"{stem}.npz").resolve()
    with np.load(file) as archive:
        name = name.lstrip(":") or archive.files[0]
    rest = len(images) - count
    source = f"{file.as_posix()}:{name}[:{rest}]"
    return Data(
        (source,),
        (f"{target.resolve().as_posix()}:images",),
        (),
        "not stated",
        f"{rest:,} images of {asked}; measured on {count} others",
    )


def _bundled(study: Path) -> Data:
    """Divides the sample picture: the left two thirds to train on, the rest to measure on."""
    # In a checkout it stands with the documentation, in an installation beside this file.
    folders = (_PACKAGE.parent / "docs" / "images", _PACKAGE / "tuning")
    files = [folder / _SAMPLE for folder in folders]
    picture = decode_image(next((file for file in files if file.is_file()), files[-1]))
    edge = 2 * picture.shape[1] // 3
    target = study / "sample.npz"
    study.mkdir(parents=True, exist_ok=True)
    np.savez(target, train=picture[None, :, :edge], validation=picture[None, :, edge:])
    source = target.resolve().as_posix()
    return Data(
        (f"{source}:train",),
        (f"{source}:validation",),
        (),
        "CC0",
        "one sample picture, as no other images are there: for a first try; give yours by --data",
    )


def _kept(images: int) -> int:
    return max(1, min(_KEPT, round(images * _SHARE)))
