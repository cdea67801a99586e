"""An HTTP service that denoises photos, for one's own network: it keeps no file.

One photo is denoised at a time, by all threads; a few wait, and all others are told to come again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kerasdenoise._version import __version__
from kerasdenoise.errors import (
    InputError,
    KerasDenoiseError,
    ModelError,
    OutputError,
    UsageError,
    describe_unexpected,
)


def _number(most: float) -> dict[str, Any]:
    return {"type": "number", "minimum": 0, "maximum": most}


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "strength": (_number(2), "Share of noise to remove; above 1, more. By default 1."),
    "luma": (_number(2), "Multiplies the strength for brightness. By default 1."),
    "chroma": (_number(2), "Multiplies the strength for color. By default 1."),
    "detail": (_number(1), "Lost fine detail to restore. By default 0."),
    "keep_grain": (_number(1), "Noise to restore, without its color. By default 0."),
    "jpeg_quality": (
        {"type": "integer", "minimum": 1, "maximum": 100},
        "Quality of lossy files. By default a JPEG's own, 85 at least, or 95.",
    ),
    "bit_depth": (
        {"type": "integer", "enum": [8, 16, 32]},
        "Bits per sample of the result. By default the photo's own.",
    ),
    "metadata": ({"type": "string", "enum": ["keep", "no-gps", "none"]}, "By default keep."),
}
"""The options of a photo: a JSON schema for each, and what it means."""

_TYPES = {"number": float, "integer": int, "string": str}

# Upper ends of the histogram of photos' times, in seconds.
_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

_STATUS = {
    200: "The denoised photo, in the photo's own format.",
    400: "An option is unknown or out of range.",
    401: "The token is missing or wrong.",
    413: "The photo has more bytes than are allowed.",
    422: "The file is no photo, is damaged, or cannot be kept whole.",
    429: "Too many photos wait; try again after the seconds of Retry-After.",
    500: "The model failed.",
    504: "The photo took longer than is allowed.",
}


@dataclass(frozen=True)
class Denoised:
    """A denoised photo: its file, the file's media type, and what the file loses or changes."""

    content: bytes
    mime: str
    notes: tuple[str, ...]
    pixels: int


Denoise = Callable[[bytes, Mapping[str, Any], Callable[[], None]], Denoised]
"""Denoises a file's content with options of `OPTIONS`; calls its last argument after each tile."""


@dataclass(frozen=True)
class Limits:
    """What the service takes.

    Attributes:
        upload: Most bytes of a photo.
        waiting: Photos that may wait for the one that is denoised.
        seconds: Most time of a photo, its upload and its waiting included.
    """

    upload: int = 200_000_000
    waiting: int = 8
    seconds: float = 60.0


class _StoppedError(Exception):
    """Nobody waits for the photo anymore."""


class Service:
    """The service.

    Args:
        denoise: Denoises a photo.
        model: The model's name.
        limits: What it takes.
        token: What requests must send as `Authorization: Bearer TOKEN`; None for none.
    """

    def __init__(
        self, denoise: Denoise, model: str, limits: Limits, token: str | None = None
    ) -> None:
        self._denoise = denoise
        self._model = model
        self._limits = limits
        self._token = token
        self._worker = ThreadPoolExecutor(1, "denoise")
        self._inside = 0
        self._answers: Counter[int] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._pixels = 0

    def app(self) -> Starlette:
        """The application, for any ASGI server."""
        routes = [
            Route("/denoise", self._post, methods=["POST"]),
            Route("/health", self._health),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._openapi),
        ]

        @contextlib.asynccontextmanager
        async def live(_: Starlette) -> AsyncIterator[None]:
            yield
            self._worker.shutdown(cancel_futures=True)

        return Starlette(routes=routes, lifespan=live)

    async def _post(self, request: Request) -> Response:
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it; it is only counted
        self._answers[response.status_code] += 1
        return response

    async def _answer(self, request: Request) -> Response:
        if not self._may(request):
            return _error(401, "the token is missing or wrong; send Authorization: Bearer TOKEN")
        try:
            options = _read_options(request.query_params)
        except UsageError as error:
            return _error(400, error)
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limits.upload:
            return self._too_large()
        if self._inside > self._limits.waiting:
            wait = str(max(1, round(self._mean() * self._inside)))
            return _error(429, "too many photos wait; try again later", {"Retry-After": wait})
        self._inside += 1
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._run(request, options)
        except TimeoutError:
            return _error(504, f"took longer than {self._limits.seconds:g} s; send a smaller photo")
        finally:
            self._inside -= 1

    async def _run(self, request: Request, options: Mapping[str, Any]) -> Response:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > self._limits.upload:
                return self._too_large()
        stopped = Event()

        def on_tile() -> None:
            if stopped.is_set():
                raise _StoppedError

        def work() -> tuple[Denoised, float]:
            on_tile()
            start = time.perf_counter()
            return self._denoise(bytes(content), options, on_tile), time.perf_counter() - start

        working = asyncio.get_running_loop().run_in_executor(self._worker, work)
        leaving = asyncio.create_task(_wait_until_gone(request))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientDisconnect
            denoised, seconds = working.result()
        except (InputError, OutputError) as error:
            return _error(422, error)
        except ModelError as error:
            return _error(500, error)
        except UsageError as error:
            return _error(400, error)
        except MemoryError:
            return _error(422, "the photo does not fit into memory; send a smaller one")
        except (ClientDisconnect, asyncio.CancelledError):
            raise
        except Exception as error:
            return _error(500, f"unexpected {describe_unexpected(error)}")
        finally:
            stopped.set()
            leaving.cancel()
            working.cancel()  # if it still waits
            working.add_done_callback(lambda each: each.cancelled() or each.exception())
        self._count(seconds, denoised.pixels)
        headers = {"Kerasdenoise-Notes": json.dumps(denoised.notes)} if denoised.notes else None
        return Response(denoised.content, media_type=denoised.mime, headers=headers)

    def _too_large(self) -> Response:
        return _error(413, f"more than {self._limits.upload:,} bytes; send a smaller photo")

    def _may(self, request: Request) -> bool:
        if self._token is None:
            return True
        sent = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(sent, f"Bearer {self._token}".encode())

    def _count(self, seconds: float, pixels: int) -> None:
        self._seconds += seconds
        self._pixels += pixels
        self._buckets[next((end for end in _BUCKETS if seconds <= end), float("inf"))] += 1

    def _mean(self) -> float:
        return self._seconds / max(1, self._buckets.total())

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "model": self._model, "version": __version__})

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(describe_service(with_token=self._token is not None))

    async def _metrics(self, request: Request) -> Response:
        if not self._may(request):
            return _error(401, "the token is missing or wrong; send Authorization: Bearer TOKEN")
        lines = _metric("requests_total", "counter", "Answers to POST /denoise.")
        for status, count in sorted(self._answers.items()):
            lines.append(f'kerasdenoise_requests_total{{status="{status}"}} {count}')
        lines += _metric("photos_inside", "gauge", "Photos that are sent, wait or are denoised.")
        lines.append(f"kerasdenoise_photos_inside {self._inside}")
        lines += _metric("pixels_total", "counter", "Denoised pixels.")
        lines.append(f"kerasdenoise_pixels_total {self._pixels}")
        lines += _metric("photo_seconds", "histogram", "Time of a photo without its waiting.")
        total = 0
        for end in (*_BUCKETS, float("inf")):
            total += self._buckets[end]
            label = "+Inf" if end == float("inf") else f"{end:g}"
            lines.append(f'kerasdenoise_photo_seconds_bucket{{le="{label}"}} {total}')
        lines.append(f"kerasdenoise_photo_seconds_sum {self._seconds:.6f}")
        lines.append(f"kerasdenoise_photo_seconds_count {total}")
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def describe_service(*, with_token: bool) -> dict[str, Any]:
    """Describes the service as an OpenAPI document.

    Args:
        with_token: Whether requests need a token.
    """
    binary = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
    responses: dict[str, Any] = {str(code): {"description": text} for code, text in _STATUS.items()}
    responses["200"] |= binary
    post = {
        "summary": "Remove noise from a photo and leave everything else untouched.",
        "parameters": [
            {"name": name, "in": "query", "schema": schema, "description": text}
            for name, (schema, text) in OPTIONS.items()
        ],
        "requestBody": {"required": True, **binary},
        "responses": responses,
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "kerasdenoise", "version": __version__},
        "paths": {
            "/denoise": {"post": post},
            "/health": {"get": {"responses": {"200": {"description": "The service works."}}}},
            "/metrics": {"get": {"responses": {"200": {"description": "Text for Prometheus."}}}},
        },
    }
    if with_token:
        document["components"] = {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}
        }
        for path, method in (("/denoise", "post"), ("/metrics", "get")):
            document["paths"][path][method]["security"] = [{"token": []}]
    return document


def _read_options(query: Mapping[str, str]) -> dict[str, Any]:
    """Reads the options of a photo.

    Raises:
        UsageError: One is unknown, or out of range.
    """
    read = {}
    for name, text in query.items():
        if name not in OPTIONS:
            raise UsageError(name, "is not an option", f"{', '.join(OPTIONS)} are")
        schema = OPTIONS[name][0]
        try:
            value = _TYPES[schema["type"]](text)
        except ValueError:
            value = None
        allowed = schema.get("enum") or [schema["minimum"], schema["maximum"]]
        fits = value in allowed if "enum" in schema else allowed[0] <= (value or 0) <= allowed[1]
        if value is None or not fits:
            words = (
                ", ".join(map(str, allowed)) if "enum" in schema else "{} to {}".format(*allowed)
            )
            raise UsageError(f"{name} {text}", "cannot be used", f"give {words}")
        read[name] = value
    return read


async def _wait_until_gone(request: Request) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(0.1)


def _error(
    status: int, error: KerasDenoiseError | str, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse({"error": str(error)}, status, headers)


def _metric(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP kerasdenoise_{name} {text}", f"# TYPE kerasdenoise_{name} {kind}"]
