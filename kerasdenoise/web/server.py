"""Serves the page to this machine alone.

All of it is held in memory under the addresses that exist, so that no address reaches a file.
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

# Seconds that a connection may say nothing, and how many there may be at once; browsers open six.
_TIMEOUT = 30
_CONNECTIONS = 64


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
