"""The page that denoises in the browser: what it consists of, and a server for this machine alone.

All of it is held in memory under the addresses that exist, so that no address reaches a file.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from kerasdenoise.errors import ModelError, UsageError

if TYPE_CHECKING:
    from kerasdenoise.zoo import ModelInfo

HOST = "127.0.0.1"

# Edge of the tiles, their halo included. A halo of 120 pixels is half of the work, and larger tiles
# would take more memory.
TILE = 768
# Least edge inside the halo, for models that see further.
_INTERIOR = 256

# Seconds that a connection may say nothing, and how many there may be at once; browsers open six.
_TIMEOUT = 30
_CONNECTIONS = 64

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
        What stands at each address: the files of `kerasdenoise/app`, `model.tflite` and, where
        the model has one of 8-bit integers, `model_int8.tflite`, both at one fixed size, and
        `model.json`, which says what to do with them.

    Raises:
        ModelError: The model is damaged, or is not of this kind.
    """
    resources = _collect_files()
    manifest, models = _collect_model(info)
    return resources | models | {"/model.json": _resource("model.json", manifest)}


def _collect_files() -> dict[str, Resource]:
    resources = {}
    for file in files("kerasdenoise").joinpath("app").iterdir():
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


def serve_page(resources: Mapping[str, Resource], port: int) -> ThreadingHTTPServer:
    """Makes a server that only programs on this machine reach, and nothing but the page.

    Args:
        resources: What stands at each address.
        port: Where it listens; 0 for any that is free, which is `server_port` then.

    Raises:
        UsageError: The port is taken.
    """
    handler = type("Handler", (_Handler,), {"resources": resources})
    try:
        return _Server((HOST, port), handler)
    except OSError as error:
        raise UsageError(
            f"port {port}", f"cannot be used ({error.strerror})", "give another, or 0 for any"
        ) from error


def _resource(name: str, content: bytes, *, is_gzip: bool = False) -> Resource:
    return Resource(_TYPES[name[name.rindex(".") :]], content, is_gzip)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.Semaphore(_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a thread of its own, or closes what is one connection too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Makes room for another connection at the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a browser that has gone away; what else fails is a fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    resources: Mapping[str, Resource]
    protocol_version = "HTTP/1.1"
    server_version = "kerasdenoise"
    timeout = _TIMEOUT
    sys_version = ""

    def do_GET(self) -> None:
        """Answers with what stands at the address."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answers with the headers alone."""
        self._answer(with_content=False)

    def end_headers(self) -> None:
        """Adds the headers that every answer has, errors too."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing: no one asked."""

    def _answer(self, *, with_content: bool) -> None:
        # A page elsewhere may give its own name this machine's address, and would then pass
        # for this one; but the browser still says the name.
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
