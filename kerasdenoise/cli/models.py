"""`kerasdenoise models`: lists, shows and verifies saved models, and tries devices."""

from __future__ import annotations

from dataclasses import asdict

import click

from kerasdenoise.cli.options import check_training, threads_option
from kerasdenoise.cli.report import print_error, verbose_option
from kerasdenoise.foreign import printable
from kerasdenoise.plain_json import to_json

# Height and width of the tile that devices try.
_EDGE = 512

_HEADINGS = (
    "architecture",
    "preset",
    "parameters",
    "trainable",
    "MAC/pixel",
    "radius",
    "stride",
    "whole image",
    "noise level",
)


@click.group(
    "models", short_help="List, show and verify saved models.", invoke_without_command=True
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and verify saved models.

    \b
        kerasdenoise models list
        kerasdenoise models show photo
        kerasdenoise models devices
    """  # noqa: D301 (\b keeps the lines after it as they are)
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
@click.option(
    "--architectures",
    is_flag=True,
    help="List the architectures to train and their presets instead, for RGB images.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead.")
@verbose_option
def list_command(architectures: bool, as_json: bool) -> None:
    """List saved models; * marks the default.

    \b
        kerasdenoise models list
        kerasdenoise models list --architectures

    For --architectures: MAC/pixel is multiply-accumulates per pixel. Radius is how many pixels
    away the network sees. The input's height and width are multiples of stride. Whole image
    means that it needs statistics of the whole image. The noise level is told or estimated.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    if architectures:
        _list_architectures(as_json)
    else:
        _list_models(as_json)


def _list_models(as_json: bool) -> None:
    from kerasdenoise.zoo import default_model, list_models

    default = default_model()
    models = list_models()
    if as_json:
        rows = [
            {**info.metadata, "folder": str(info.folder), "default": info.name == default}
            for info in models
        ]
        click.echo(to_json(rows, indent=2))
        return
    width = max(len(info.name) for info in models)
    for info in models:
        mark = "*" if info.name == default else " "
        click.echo(f"{mark} {info.name:{width}}  {printable(info.summary)}")


def _list_architectures(as_json: bool) -> None:
    from kerasdenoise.runtime import prepare_keras

    check_training()
    prepare_keras()
    from kerasdenoise.models import describe_architectures

    facts = list(describe_architectures())
    if as_json:
        click.echo(to_json([asdict(each) for each in facts], indent=2))
        return
    rows = [[*_HEADINGS]]
    for each in facts:
        sizes = (each.parameters, each.trainable, each.mac_per_pixel, each.radius, each.stride)
        level = "told" if each.noise_level else "estimated" if each.estimates_level else "-"
        rows.append(
            [
                each.architecture,
                each.preset,
                *(f"{size:,}" for size in sizes),
                "yes" if each.global_context else "-",
                level,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)]
        cells[:2] = [f"{cell:{width}}" for cell, width in zip(row[:2], widths[:2], strict=True)]
        click.echo("  ".join(cells))


@command.command("show")
@click.argument("name")
@verbose_option
def show_command(name: str) -> None:
    """Print a model's metadata as JSON.

    \b
        kerasdenoise models show photo
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise.zoo import find_model

    info = find_model(name)
    click.echo(to_json({**info.metadata, "folder": str(info.folder)}, indent=2))


@command.command("verify")
@click.argument("name", required=False)
@verbose_option
@click.pass_context
def verify_command(ctx: click.Context, name: str | None) -> None:
    """Check model files against their recorded checksums.

    \b
        kerasdenoise models verify          all models
        kerasdenoise models verify photo    one model
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise.errors import ModelError
    from kerasdenoise.zoo import find_model, model_names, verify_model

    if name:
        find_model(name)  # an unknown name is a usage error, not a damaged model
    damaged = []
    for each in [name] if name else model_names():
        try:
            verify_model(find_model(each))
        except ModelError as error:
            damaged.append(each)
            print_error(error)
        else:
            click.echo(f"{printable(each)}: intact")
    if damaged:
        print_error(f"damaged: {', '.join(damaged)}")
        ctx.exit(1)


@command.command("devices")
@threads_option
@verbose_option
def devices_command(threads: int | None) -> None:
    """Try the CPU and the GPU with the default model.

    \b
        kerasdenoise models devices

    `denoise --device` names one of them. A GPU whose result differs by more than 0.001 on the
    [0, 1] scale is not used.
    """  # noqa: D301 (\b keeps the lines after it as they are)
    from kerasdenoise.inference.gpu import try_devices
    from kerasdenoise.zoo import default_model, find_model

    trial = try_devices(find_model(default_model()), _EDGE, threads)
    megapixels = _EDGE**2 / 1e6
    noun = "thread" if trial.threads == 1 else "threads"
    speed = f"{trial.cpu_seconds / megapixels:.2f} s per megapixel"
    click.echo(f"cpu  {trial.threads} {noun}, {speed}")
    if trial.gpu is None:
        click.echo(f"gpu  none: {printable(trial.cause)}")
        return
    kind = " (in software)" if trial.is_software else ""
    speed = f"{trial.gpu_seconds / megapixels:.2f} s per megapixel"
    same = f"differs from the CPU by at most {trial.difference:.1g}"
    unused = f"; not used: {trial.cause}" if trial.cause else ""
    click.echo(f"gpu  {printable(trial.gpu)}{kind}, {speed}, {same}{unused}")
