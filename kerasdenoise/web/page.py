"""The page that denoises in the browser: its files and a model, in memory or as a folder."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from kerasdenoise.errors import ModelError, OutputError, UsageError

if TYPE_CHECKING:
    from kerasdenoise.zoo import ModelInfo

# Edge of the tiles, their halo included. A halo of 120 pixels is half of the work, and larger tiles
# would take more memory.
TILE = 768
# Least edge inside the halo, for models that see further.
_INTERIOR = 256

# Where Netlify, Cloudflare Pages and others look for headers. The page works without them, on one
# thread; of its policy it then holds what `index.html` says itself.
_HEADERS_FILE = "_headers"
# For a page of this machine alone; others need not load the runtime again each time.
_NOT_STATIC = ("Cache-Control",)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}

HEADERS = {
    # These two give the page threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The browser itself holds the page to what it promises: no photo leaves the machine.
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "worker-src 'self'",
            "connect-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Resource:
    """What stands at an address.

    Attributes:
        kind: Its media type.
        content: Its bytes.
        is_gzip: Whether they are compressed.
    """

    kind: str
    content: bytes
    is_gzip: bool = False


def collect_page(info: ModelInfo) -> dict[str, Resource]:
    """Puts together the page and a model for it.

    Args:
        info: A model of RGB images that needs nothing but a tile of the image.

    Returns:
        What stands at each address: the files of `web/static`, `model.tflite` and, where the model
        has one of 8-bit integers, `model_int8.tflite`, both at one fixed size, and `model.json`,
        which says what to do with them.

    Raises:
        ModelError: The model is damaged, or is not of this kind.
    """
    resources = _collect_files()
    manifest, models = _collect_model(info)
    return resources | models | {"/model.json": _resource("model.json", manifest)}


def _collect_files() -> dict[str, Resource]:
    resources = {}
    for file in files("kerasdenoise.web").joinpath("static").iterdir():
        name = file.name.removesuffix(".gz")
        is_gzip = name != file.name
        resources[f"/{name}"] = _resource(name, file.read_bytes(), is_gzip=is_gzip)
    return resources | {"/": resources["/index.html"]}


def _collect_model(info: ModelInfo) -> tuple[bytes, dict[str, Resource]]:
    from kerasdenoise.export.fixed_shape import fix_shape
    from kerasdenoise.inference.tone import fixed_halo, tile_stride
    from kerasdenoise.zoo import verify_model

    if info.channels != 3 or info.has_context or info.takes_noise_level:
        raise ModelError(
            info.name,
            "not for the page, which runs models of RGB images that are told nothing else",
            "use another model, or `kerasdenoise denoise`",
        )
    stride = tile_stride(info.stride, keeps_tone=info.keeps_tone)
    halo = fixed_halo(info.radius, stride, keeps_tone=info.keeps_tone)
    tile = _round_up(max(TILE, 2 * halo + _INTERIOR), stride)
    paths = {"precise": info.litert_path, "fast": info.int8_path}
    names = {kind: path.name for kind, path in paths.items() if path}
    verify_model(info, only=list(names.values()))
    models = {
        f"/{name}": _resource(name, fix_shape(info.folder / name, tile, tile))
        for name in names.values()
    }
    manifest = {
        "name": info.name,
        "tile": tile,
        "halo": halo,
        "keeps_tone": info.keeps_tone,
        "files": names,
    }
    return json.dumps(manifest).encode(), models


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


def _resource(name: str, content: bytes, *, is_gzip: bool = False) -> Resource:
    return Resource(_TYPES[name[name.rindex(".") :]], content, is_gzip)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _plain(resource: Resource) -> bytes:
    return gzip.decompress(resource.content) if resource.is_gzip else resource.content


def _describe_headers() -> str:
    lines = [f"  {name}: {value}" for name, value in HEADERS.items() if name not in _NOT_STATIC]
    return "\n".join(["/*", *lines]) + "\n"
