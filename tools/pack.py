"""Packs the photos of a recipe for a machine without a network: `python tools/pack.py RECIPE`.

Writes folders `part_1`, `part_2` and so on, of a size that can be carried. Their files are the
photos as they are, under the names that the recipe has for them: put together in one folder, the
parts are its data root. Each holds the same MANIFEST, by which `sha256sum --check` finds out
there whether all has arrived.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from kerasdenoise.data.sources import list_images
from kerasdenoise.errors import KerasDenoiseError, OutputError, UsageError
from kerasdenoise.runtime import prepare_keras

MEGABYTE = 10**6


def split(files: list[Path], limit: int) -> Iterator[list[Path]]:
    """Yields the files in order, in groups of at most so many bytes."""
    group: list[Path] = []
    size = 0
    for file in files:
        bytes_ = file.stat().st_size
        if bytes_ > limit:
            raise UsageError(file, f"has {bytes_} bytes", "allow larger parts by --megabytes")
        if size + bytes_ > limit:
            yield group
            group, size = [], 0
        group.append(file)
        size += bytes_
    yield group


def pack(recipe: Path, root: Path | None, target: Path, limit: int) -> list[Path]:
    """Copies the photos that a recipe names into parts.

    Args:
        recipe: The recipe's file.
        root: Folder that its data folders are relative to; its own if None.
        target: A folder that is new, or empty.
        limit: Bytes of photos in a part.

    Returns:
        The parts' folders.

    Raises:
        KerasDenoiseError: If the recipe or its photos cannot be read, or the target has content.
    """
    prepare_keras()
    from kerasdenoise.training.recipe import read_recipe

    data = read_recipe(recipe).data
    root = root or Path(data.root)
    if target.exists() and any(target.iterdir()):
        raise OutputError(target, "is not empty", "delete it or choose another by --output")
    files = list_images(root / folder for folder in (*data.train, *data.validation))
    groups = list(split(list(dict.fromkeys(files)), limit))
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(root).as_posix()}\n"
        for group in groups
        for file in group
    ]
    parts = []
    for number, group in enumerate(groups, 1):
        part = target / f"part_{number}"
        for file in group:
            copy = part / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        (part / "MANIFEST").write_text("".join(sums), "utf-8")
        parts.append(part)
    return parts


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, help="default: the recipe's data root")
    parser.add_argument("--output", type=Path, default=Path("build/pack"))
    parser.add_argument("--megabytes", type=int, default=46, help="of a part; default: %(default)s")
    arguments = parser.parse_args()
    try:
        parts = pack(
            arguments.recipe, arguments.data, arguments.output, arguments.megabytes * MEGABYTE
        )
    except KerasDenoiseError as error:
        sys.exit(f"pack: {error}")
    for part in parts:
        sizes = [file.stat().st_size for file in part.rglob("*") if file.is_file()]
        print(f"{part}: {len(sizes) - 1} photos, {sum(sizes) / MEGABYTE:.1f} MB")


if __name__ == "__main__":
    main()
