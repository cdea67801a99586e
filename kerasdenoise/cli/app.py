"""`kerasdenoise app`: a web page that denoises photos on this computer."""

from __future__ import annotations

from pathlib import Path

import click

from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import UsageError


@click.command("app", short_help="Denoise photos in your browser.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the page; 0 is any free port.  [default: 0]",
    metavar="N",
)
@click.option("-m", "--model", help="A saved model's name or folder.")
@click.option("--open", "opens", is_flag=True, help="Open the page in your browser.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the page to a new folder for any web server, and serve nothing.",
)
@verbose_option
def command(port: int, model: str | None, opens: bool, output: Path | None) -> None:
    """Denoise photos in your browser.

    \b
        kerasdenoise app --open

    The page is served to this computer only. Your browser does the work: photos never leave it,
    and only what you save is written.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    if output is not None and (port or opens):
        raise UsageError("--output", "does not serve the page", "remove --port and --open")
    from kerasdenoise.web.page import HOST, collect_page, serve_page, write_page
    from kerasdenoise.zoo import default_model, find_model

    info = find_model(default_model() if model is None else model)
    if output is not None:
        write_page(collect_page(info), output)
        say(f"{output}: written, with model {info.name}")
        return
    with serve_page(collect_page(info), port) as server:
        address = f"http://{HOST}:{server.server_port}/"
        say(f"{info.name}: {address} (stop with Ctrl+C)")
        if opens:
            import webbrowser

            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("stopped")
