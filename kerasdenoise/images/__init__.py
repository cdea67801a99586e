"""Picture files to pixels and back, with everything that travels beside the pixels."""

from __future__ import annotations

from kerasdenoise.images.formats import FORMATS, Format, format_of_suffix, suffix_of_result
from kerasdenoise.images.image import Image, Metadata
from kerasdenoise.images.metadata import MetadataPolicy, lost_metadata
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image

__all__ = [
    "FORMATS",
    "Format",
    "Image",
    "Metadata",
    "MetadataPolicy",
    "encode_image",
    "format_of_suffix",
    "lost_metadata",
    "read_image",
    "suffix_of_result",
    "write_image",
]
