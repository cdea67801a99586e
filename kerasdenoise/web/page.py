"""The web page that denoises in the browser: its files and a model, in memory or as a folder."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from kerasdenoise.errors import ModelError
from kerasdenoise.files import new_folder, refuse_existing
from kerasdenoise.plain_json import to_json

if TYPE_CHECKING:
    from kerasdenoise.zoo import ModelInfo

# Tile size, halo included. With a halo of 120 pixels, half of the work is halo; larger tiles would
# take more memory.
TILE = 768
# Smallest size inside the halo, for models with a larger radius.
_INTERIOR = 256

# The headers file of Netlify, Cloudflare Pages and others. Without it the page works on one thread,
# and only the policy in `index.html` applies.
_HEADERS_FILE = "_headers"
# Only for the page on this computer; elsewhere the browser may cache the runtime.
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
    # The browser itself enforces the promise that photos never leave the computer.
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
    """The content of an address.

    Attributes:
        kind: Its media type.
        content: Its bytes.
        is_gzip: Whether the bytes are compressed by gzip.
    """

    kind: str
    content: bytes
    is_gzip: bool = False


def collect_page(info: ModelInfo) -> dict[str, Resource]:
    """Collects the files of the page and its model.

    Args:
        info: A model for RGB images whose only input is a tile.

    Returns:
        The content of each address: the files of `web/static`; `model.tflite` and, if the model
        has it, `model_int8.tflite`, both at one fixed size; and `model.json`, which describes how
        to run them.

    Raises:
        ModelError: The model is damaged, or has other inputs.
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
            "cannot run on the page, which needs a model whose only input is an RGB image",
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
    return to_json(manifest).encode(), models


def write_page(resources: Mapping[str, Resource], folder: Path) -> None:
    """Writes the page into a new folder, which appears only when complete.

    Args:
        resources: The content of each address.
        folder: The folder. Files have the names of their addresses, relative to it, so it can be
            served from any address.

    Raises:
        UsageError: It exists already.
        OutputError: It cannot be written.
    """
    refuse_existing([folder], overwrite=False, remedy="remove it, or choose another --output")
    with new_folder(folder, option="--output") as complete:
        for address, resource in resources.items():
            if name := address.removeprefix("/"):
                (complete / name).write_bytes(_plain(resource))
        (complete / _HEADERS_FILE).write_text(_describe_headers(), encoding="utf-8")


def _resource(name: str, content: bytes, *, is_gzip: bool = False) -> Resource:
    return Resource(_TYPES[name[name.rindex(".") :]], content, is_gzip)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _plain(resource: Resource) -> bytes:
    return gzip.decompress(resource.content) if resource.is_gzip else resource.content


def _describe_headers() -> str:
    lines = [f"  {name}: {value}" for name, value in HEADERS.items() if name not in _NOT_STATIC]
    return "\n".join(["/*", *lines]) + "\n"
