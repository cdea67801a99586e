"""The page as a folder of files, for web servers that know nothing of this package."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kerasdenoise.cli.page import HEADERS, Resource
from kerasdenoise.errors import OutputError, UsageError

# Where Netlify, Cloudflare Pages and others look for headers. The page works without them, on one
# thread; of its policy it then holds what `index.html` says itself.
_HEADERS_FILE = "_headers"
# For a page of this machine alone; others need not load the runtime again each time.
_NOT_STATIC = ("Cache-Control",)


def write_page(resources: Mapping[str, Resource], folder: Path) -> None:
    """Writes the page into a new folder, which appears when it is complete.

    Args:
        resources: What stands at each address.
        folder: The folder. Files are named as their addresses, relative to it, so that it may
            be served from any address.

    Raises:
        UsageError: It is there already.
        OutputError: It cannot be written.
    """
    if folder.exists():
        raise UsageError(folder, "exists", "remove it, or give another --output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            complete = Path(temporary) / "page"
            complete.mkdir()
            for address, resource in resources.items():
                if name := address.removeprefix("/"):
                    (complete / name).write_bytes(_plain(resource))
            (complete / _HEADERS_FILE).write_text(_describe_headers(), encoding="utf-8")
            complete.rename(folder)
    except OSError as error:
        raise OutputError(
            folder, f"cannot be written ({error.strerror})", "give another --output"
        ) from error


def _plain(resource: Resource) -> bytes:
    return gzip.decompress(resource.content) if resource.is_gzip else resource.content


def _describe_headers() -> str:
    lines = [f"  {name}: {value}" for name, value in HEADERS.items() if name not in _NOT_STATIC]
    return "\n".join(["/*", *lines]) + "\n"
