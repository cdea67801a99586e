"""A folder of benchmark images as a data set of TensorFlow Datasets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from PIL import Image as PillowImage

from kerasdenoise.data.sources import decode_image, list_images


class BenchmarkImages(tfds.core.GeneratorBasedBuilder):
    """Prepares a folder of images, so that it is found by name.

    Each example has `image`, uint8 (height, width, channels), of any height and width and
    stored without loss, and `file_name`, its path below the folder. Pillow decodes, which also
    reads WebP. Examples keep the order of their names. There is one split, `test`.

        builder = BenchmarkImages(Path("test/kodak24"), data_dir=Path("prepared"))
        builder.download_and_prepare()
        for example in tfds.as_numpy(builder.as_dataset(split="test")):
            ...

    Later `tfds.builder("benchmark_images/kodak24", data_dir="prepared")` finds it without this
    class, and `tfds:benchmark_images/kodak24:test` names it in a recipe.

    Args:
        folder: Folder of images, with or without folders in it.
        config: What the set is called; the folder's name if left out.
        channels: 3 for RGB or 1 for gray; if left out, gray if all images are.
        data_dir: Where prepared data lie; if left out, where `TFDS_DATA_DIR` says, or else
            `~/tensorflow_datasets`.

    Raises:
        RecipeError: If the folder is missing or holds no image, or, when it is prepared, if
            one cannot be decoded.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(
        self,
        folder: Path,
        *,
        config: str | None = None,
        channels: int | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self._folder = folder
        self._files = list_images([folder])
        self._channels = channels or (1 if all(map(_is_gray, self._files)) else 3)
        name = config or folder.resolve().name
        super().__init__(config=tfds.core.BuilderConfig(name=name), data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, self._channels), encoding_format="png"),
            "file_name": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Images on which denoisers are compared.",
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"test": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, file in enumerate(self._files):
            yield (
                number,
                {
                    "image": decode_image(file, self._channels),
                    "file_name": file.relative_to(self._folder).as_posix(),
                },
            )


def _is_gray(file: Path) -> bool:
    with PillowImage.open(file) as picture:
        return picture.getbands()[0] in ("1", "L")
