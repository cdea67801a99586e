"""Serves the page to this computer only.

The page is held in memory, so no address can reach a file.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kerasdenoise.errors import UsageError
from kerasdenoise.web.page import HEADERS, Resource

HOST = "127.0.0.1"

# Seconds before an idle connection is closed, and the most connections; browsers open six.
_TIMEOUT = 30
_CONNECTIONS = 64


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
