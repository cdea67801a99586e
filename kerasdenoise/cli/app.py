"""`kerasdenoise app`: a page in the browser that denoises photos on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from kerasdenoise.cli.report import say, verbose_option
from kerasdenoise.errors import UsageError


@click.command("app", short_help="Denoise photos on a page in the browser.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the page is served; any port that is free by default.",
)
@click.option("-m", "--model", help="Saved model, by name or by the path of its folder.")
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Serve nothing; write the page to a new folder, from which any web server can.",
)
@verbose_option
def command(port: int, model: str | None, opens: bool, output: Path | None) -> None:
    """Denoise photos on a page in the browser.

    The page is served to this machine alone. The browser does the work: no photo leaves it, and
    nothing is written but what you save.
    """
    if output is not None and (port or opens):
        raise UsageError("--output", "serves no page", "leave out --port and --open")
    from kerasdenoise.web.page import collect_page, write_page
    from kerasdenoise.web.server import HOST, serve_page
    from kerasdenoise.zoo import default_model, find_model

    info = find_model(default_model() if model is None else model)
    if output is not None:
        write_page(collect_page(info), output)
        say(f"{output}: written, with the model {info.name}")
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
