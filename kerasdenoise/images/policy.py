"""What of a picture's metadata goes into its file: all, all but the place, or nothing."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Literal, get_args

from kerasdenoise.errors import UsageError
from kerasdenoise.images.geotags import (
    comments_without_place,
    exif_without_place,
    extension_without_place,
    resources_without_place,
    texts_without_place,
    xmp_without_place,
)
from kerasdenoise.images.image import Metadata
from kerasdenoise.images.tags import (
    EXIF,
    INTEROPERABILITY,
    ORIENTATION,
    Directory,
    byte_order,
    first_directory,
    pack_block,
    read_directory,
)

MetadataPolicy = Literal["keep", "no-gps", "none"]
"""`keep` everything; `no-gps`: all but where the photo was taken; `none` but what it looks like."""

# Resolution and its unit; the color space, which for Adobe RGB is `Uncalibrated` and told by the
# index and version of the interoperability directory.
_RESOLUTION = (282, 283, 296)
_COLOR = (0xA001, 1, 2)
_APPEARANCE = (ORIENTATION, *_RESOLUTION, *_COLOR)


def apply_policy(metadata: Metadata, policy: MetadataPolicy) -> Metadata:
    """Takes out of metadata what is not to be written.

    Neither policy touches what decides how the picture looks: the color profile, PNG's color
    chunks, EXIF's orientation and color space, and dots per inch.

    Args:
        metadata: What was read.
        policy: `keep`, `no-gps` or `none`.

    Raises:
        UsageError: There is no such policy.
    """
    if policy not in get_args(MetadataPolicy):
        known = ", ".join(get_args(MetadataPolicy))
        raise UsageError(f"metadata {policy}", "unknown", f"give one of {known}")
    if policy == "keep":
        return metadata
    if policy == "none":
        return Metadata(
            icc=metadata.icc,
            exif=_appearance_alone(metadata.exif),
            dpi=metadata.dpi,
            density=metadata.density,
            color=metadata.color,
        )
    return replace(
        metadata,
        exif=exif_without_place(metadata.exif) or _appearance_alone(metadata.exif),
        xmp=xmp_without_place(metadata.xmp),
        xmp_extension=extension_without_place(metadata.xmp_extension),
        photoshop=resources_without_place(metadata.photoshop),
        comments=comments_without_place(metadata.comments),
        texts=texts_without_place(metadata.texts),
        segments=(),  # of which nobody knows what they say
    )


def _appearance_alone(exif: bytes | None) -> bytes | None:
    """Makes an EXIF block of what decides how the picture looks; None if nothing does."""
    if not exif:
        return None
    try:
        tags = _pick(read_directory(exif, first_directory(exif)))
    except (ValueError, struct.error):  # nobody can follow it, and so it decides nothing
        return None
    return pack_block(tags, byte_order(exif)) if tags else None


def _pick(tags: Directory) -> Directory:
    picked = {number: tag for number, tag in tags.items() if number in _APPEARANCE}
    for number in (EXIF, INTEROPERABILITY):
        tag = tags.get(number)
        below = _pick(tag.directory) if tag and tag.directory else {}
        if tag and below:
            picked[number] = replace(tag, directory=below)
    return picked
