"""`kerasdenoise serve`: an HTTP service that denoises photos."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import click

from kerasdenoise.cli.options import BYTES, TIME, max_memory_option, threads_option
from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import UsageError

TOKEN = "KERASDENOISE_TOKEN"
"""The variable with the token, which other users of the machine cannot see."""


@click.command("serve", short_help="Denoise photos for other computers.")
@click.option(
    "--host", default="127.0.0.1", metavar="ADDRESS", help="Address to serve.  [default: 127.0.0.1]"
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    metavar="N",
    help="Port; 0 is any free port.  [default: 8000]",
)
@click.option("-m", "--model", metavar="MODEL", help="A saved model's name or folder.")
@click.option(
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    metavar="QUALITY",
    help="fast, balanced (default), or best (8 times slower).",
)
@click.option(
    "--max-upload",
    type=BYTES,
    default="200M",
    metavar="SIZE",
    help="Largest photo file.  [default: 200M]",
)
@max_memory_option
@click.option(
    "--queue",
    type=click.IntRange(0, 1000),
    default=8,
    metavar="N",
    help="Photos that may wait; others get status 429.  [default: 8]",
)
@click.option(
    "--timeout",
    type=TIME,
    default="60s",
    metavar="TIME",
    help="Time limit for a photo, including waiting.  [default: 60s]",
)
@threads_option
@verbose_option
def command(
    host: str,
    port: int,
    model: str | None,
    quality: Literal["fast", "balanced", "best"],
    max_upload: int,
    max_memory: int | None,
    queue: int,
    timeout: float,
    threads: int | None,
) -> None:
    """Denoise photos for other computers.

    \b
        kerasdenoise serve
        curl --data-binary @photo.jpg localhost:8000/denoise -o clean.jpg

    No file is kept. To serve other computers, set a token in the environment variable
    KERASDENOISE_TOKEN, and give --host. Requests send it as "Authorization: Bearer TOKEN".
    """  # noqa: D301 (\b keeps the lines after it as they are)
    missing = [name for name in ("starlette", "uvicorn") if not importlib.util.find_spec(name)]
    if missing:
        remedy = 'run pip install "kerasdenoise[serve]"'
        raise UsageError("serve", f"needs missing packages: {', '.join(missing)}", remedy)
    token = os.environ.get(TOKEN)
    if token is None and not _is_own(host):
        raise UsageError(f"--host {host}", "needs a token", f"set {TOKEN}, or leave out --host")
    if token == "":
        raise UsageError(TOKEN, "is empty", "set it to a secret, or unset it")
    if model and Path(model).suffix == ".keras":
        raise UsageError(model, "is not a saved model", "export it first, and name that folder")
    import uvicorn

    from kerasdenoise.cli.treatment import Request
    from kerasdenoise.web.service import Limits, Service

    treatment = Request(model, quality=quality, max_memory=max_memory, threads=threads).prepare()
    name = treatment.denoiser.info.name
    limits = Limits(max_upload, queue, timeout)
    app = Service(_make_denoise(treatment), name, limits, token).app()
    with _listen(host, port) as listener:
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(timeout) + 1,
            limit_concurrency=queue + 100,
        )
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/denoise"
        say(f"{name}: {address} (stop with Ctrl+C)")
        # Whether it raises after Ctrl+C depends on what it was doing.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
        say("stopped")


def _make_denoise(treatment: Any) -> Callable[[bytes, Mapping[str, Any], Callable[[], None]], Any]:
    """Returns what denoises a photo by a treatment and the options of its request."""
    from kerasdenoise.images.formats import FORMATS
    from kerasdenoise.web.service import Denoised

    amounts = ("strength", "luma", "chroma", "detail", "keep_grain")

    def denoise(
        content: bytes, options: Mapping[str, Any], on_tile: Callable[[], None]
    ) -> Denoised:
        mine = dataclasses.replace(
            treatment,
            settings=treatment.denoiser.prepare(
                **{name: options[name] for name in amounts if name in options}
            ),
            quality=options.get("jpeg_quality"),
            metadata=options.get("metadata", "keep"),
            bit_depth=options.get("bit_depth"),
        )
        photo = mine.read(content, "the photo", to_write=True)
        # The name only says the format; nothing is written.
        mine.check(photo, Path(f"photo{FORMATS[photo.format].extensions[0]}"))
        denoised, notes = mine.encode(mine.denoise(photo, on_tile=on_tile, name="the photo"))
        mime = FORMATS[photo.format].mime
        return Denoised(denoised, mime, notes, photo.height * photo.width)

    return denoise


def _is_own(host: str) -> bool:
    """Whether an address is only reached from this computer."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        cause = f"cannot be served ({error.strerror or error})"
        raise UsageError(f"--host {host} --port {port}", cause, "choose others") from error
