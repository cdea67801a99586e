"""The web page that denoises in the browser: its files and a model, served here or as a folder."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasdenoise.errors import ModelError, UsageError
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

HOST = "127.0.0.1"

# Seconds before an idle connection is closed, and the most connections; browsers open six.
_TIMEOUT = 30
_CONNECTIONS = 64


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
    from kerasdenoise.inference.fixed_shape import fix_shape
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
        UsageError: It already exists.
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


def serve_page(resources: Mapping[str, Resource], port: int) -> ThreadingHTTPServer:
    """Creates a server that only this computer can reach, and that serves only the page.

    Args:
        resources: The content of each address.
        port: The port; 0 for any free one, which `server_port` then tells.

    Raises:
        UsageError: The port cannot be used.
    """
    handler = type("Handler", (_Handler,), {"resources": resources})
    try:
        return _Server((HOST, port), handler)
    except OSError as error:
        raise UsageError(
            f"--port {port}", f"cannot be used ({error.strerror})", "choose another, or 0 for any"
        ) from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.Semaphore(_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a new thread, or closes a connection beyond the limit."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers, and then makes room for another connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores closed connections; other errors are our bugs."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    resources: Mapping[str, Resource]
    protocol_version = "HTTP/1.1"
    server_version = "kerasdenoise"
    timeout = _TIMEOUT
    sys_version = ""

    def do_GET(self) -> None:
        """Answers with the content of the address."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answers with the headers only."""
        self._answer(with_content=False)

    def end_headers(self) -> None:
        """Adds the headers of every answer, including errors."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Logs nothing."""

    def _answer(self, *, with_content: bool) -> None:
        # Another site may point its own name at this computer's address and pose as this page
        # (DNS rebinding), but the browser still sends that name.
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        resource = self.resources.get(self.path.partition("?")[0])
        if resource is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", resource.kind)
        self.send_header("Content-Length", str(len(resource.content)))
        if resource.is_gzip:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if with_content:
            self.wfile.write(resource.content)
