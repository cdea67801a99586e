"""What denoisers are measured on: sets of images, each with the noise that is added to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kerasdenoise.evaluation.noisy_sets import (
    Compressed,
    Corrupted,
    Corruption,
    NoisySet,
    Pairs,
    find_images,
    find_pairs,
)
from kerasdenoise.metrics import psnr

# The noise of sets that are pairs of photos.
PAIRS = "its own"
_JPEG = "+jpeg:"

LEVELS = ("gaussian:15", "gaussian:25", "gaussian:50")
BEYOND = ("gaussian:75", "gaussian:100")
CLEAN = "gaussian:0"
OTHERS = ("poisson", "speckle", f"gaussian:25{_JPEG}75", "camera:0.004")


@dataclass(frozen=True)
class ImageSet:
    """A folder of images and the kinds of noise that they are measured with.

    Attributes:
        title: What tables call it.
        folder: Where it is in the data folder.
        noises: As `kerasdenoise.noise.parse_noise` reads them, `+jpeg:QUALITY` for what is saved
            as JPEG after it; or PAIRS.
        limit: How many images are taken, by name.
    """

    title: str
    folder: str
    noises: tuple[str, ...]
    limit: int | None = None


COLOR = tuple(
    ImageSet(title, f"test/{title.lower()}", LEVELS) for title in ("CBSD68", "Kodak24", "McMaster")
)
GRAY = (
    ImageSet("BSD68", "test/bsd68_gray", LEVELS + BEYOND),
    ImageSet("Set12", "test/set12", LEVELS + BEYOND),
)
REAL = (
    ImageSet("PolyU", "real/polyu", (PAIRS,)),
    ImageSet("PolyU, Canon 5D2", "real/polyu_canon5d2", (PAIRS,)),
)
OTHER = ImageSet("CID22", "validation/cid22", (*OTHERS, CLEAN), limit=16)
# So many images are measured with peers that are slow, and so many pairs with any.
COMPARED = 12
# What the settings of peers are chosen on; never a test set.
CHOICE = ImageSet("choice", "validation/cid22", LEVELS, limit=4)
# What takes long is measured on these.
FEW = (COLOR[0], *REAL)
ALL = (*COLOR, *GRAY, *REAL, OTHER)


class Source:
    """The samples of a set with one kind of noise.

    Args:
        images: The set.
        noise: One of its kinds of noise.
        data: The folder that the set's folder is in.
    """

    def __init__(self, images: ImageSet, noise: str, data: Path) -> None:
        self.images = images
        self.noise = noise
        self._folder = data / images.folder

    @cached_property
    def samples(self) -> NoisySet:
        """All samples, up to the set's limit."""
        if self.noise == PAIRS:
            return Pairs(find_pairs(self._folder)[: self.images.limit])
        files = find_images(self._folder)[: self.images.limit]
        noise, _, quality = self.noise.partition(_JPEG)
        samples = Corrupted(files, Corruption(noise))
        return Compressed(samples, int(quality)) if quality else samples

    @cached_property
    def fingerprint(self) -> str:
        """What tells these samples from others: the files, and how strong the first one's noise is.

        The noise itself is not compared bit by bit, so that other machines agree.
        """
        digest = hashlib.sha256()
        for file in find_images(self._folder):
            digest.update(file.read_bytes())
        first = self.samples.load(0)
        return f"{digest.hexdigest()[:12]}, {psnr(first.clean, first.noisy):.2f} dB"
