"""Names of results, made by a template such as `{stem}_denoised{ext}`."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

from kerasdenoise.errors import UsageError
from kerasdenoise.images.formats import format_of_suffix, known_suffixes, suffix_of_result

KEPT = "{stem}{ext}"
"""The source's own name."""

DENOISED = "{stem}_denoised{ext}"
"""A name that can stand beside the source's."""

PREVIEW = "{stem}_preview.png"
"""The name of a picture of a part of the source."""


def can_be_written(name: str | Path) -> bool:
    """Whether a file name's suffix is that of a format that can be written."""
    row = format_of_suffix(name)
    return row is not None and row.written_as is None


class NameTemplate:
    """Makes a result's file name of its source's.

    Args:
        text: The name, with `{stem}`, the source's without its suffix, `{ext}`, the suffix of its
            result with the dot, and any of the words in it.
        words: What further words in braces stand for.

    Raises:
        UsageError: The text is no such template, or names a folder.
    """

    def __init__(self, text: str, words: Mapping[str, str] | None = None) -> None:
        self._subject = f"name {text}"
        self._text = text
        self._words = dict(words or {})
        known = ["stem", "ext", *self._words]
        try:
            fields = [part[1:] for part in string.Formatter().parse(text) if part[1] is not None]
        except ValueError as error:
            raise UsageError(
                self._subject, "has an unmatched brace", "write {{ for a literal brace"
            ) from error
        for field, specification, conversion in fields:
            if field not in known or specification or conversion:
                words_in_braces = ", ".join(f"{{{word}}}" for word in known)
                raise UsageError(
                    self._subject, f"{{{field}}} is not known", f"{words_in_braces} are"
                )
        if "/" in text or "\\" in text:
            raise UsageError(self._subject, "names a folder", "give the folder with -o")

    def apply(self, source: Path, stem: str | None = None) -> str:
        """Returns the name of a source's result.

        Args:
            source: The source.
            stem: What stands for its name without suffix; that itself if None.

        Raises:
            UsageError: It is no file name, or has another suffix than the source that stands
                for no known format.
        """
        ext = suffix_of_result(source)
        name = self._text.format(**{**self._words, "stem": stem or source.stem, "ext": ext})
        # What the words stand for comes from files of others, such as a model's.
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise UsageError(
                self._subject, f"gives no valid file name for {source}: {name!r}", f"try {DENOISED}"
            )
        suffix = Path(name).suffix
        if suffix != ext and not can_be_written(name):
            found = f"files ending in {suffix} cannot be written" if suffix else "has no suffix"
            raise UsageError(
                self._subject, f"{found}, for {source}", f"use {{ext}}, or {known_suffixes()}"
            )
        return name
