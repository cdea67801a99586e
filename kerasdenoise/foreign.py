"""Texts that others wrote, such as names of files and models: on a terminal, and as names here."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

_LONGEST_NAME = 100

# Letters that change the order of others, and separators of lines besides the controls.
_ACTIVE = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x061C, 0x200E, 0x200F, 0x2028, 0x2029}


def printable(text: object) -> str:
    r"""Returns a text as one line that a terminal shows and does not obey.

    Control characters, line ends, marks of the direction of writing and bytes that are no text
    come as an escape such as `\x1b`.
    """
    return "".join(_escape(letter) if _is_active(letter) else letter for letter in str(text))


def _is_active(letter: str) -> bool:
    return ord(letter) in _ACTIVE or unicodedata.category(letter) in ("Cc", "Cs")


def _escape(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is no text
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def address_of(name: object) -> str | None:
    """Returns the Internet address that was given for a file or folder; None if it is none.

    As a path, an address has lost one of its slashes.
    """
    address = re.match(r"([A-Za-z][A-Za-z0-9+.-]+:)//?([^/].*)", str(name), re.DOTALL)
    return f"{address[1]}//{address[2]}" if address else None


def fault_of_name(name: object) -> str | None:
    """Returns why a text may not name a folder that this program makes; None if it may.

    A name that a recipe, a model or a checkpoint brings along is one plain part of a path, so that
    it leads nowhere else.
    """
    if not isinstance(name, str) or not name:
        return "is not a name"
    parts = (PurePosixPath(name).name, PureWindowsPath(name).name)
    if parts != (name, name) or name in (".", "..") or re.match(r"[A-Za-z]:", name):
        return "is a path, not a name"
    if name != printable(name):
        return "has characters that no name should have"
    if name[0] in ".~-" or name[-1] in ". ":
        return f"begins or ends with {name[0] if name[0] in '.~-' else name[-1]!r}"
    return f"is longer than {_LONGEST_NAME} letters" if len(name) > _LONGEST_NAME else None
