"""`kerasdenoise models`: which saved models there are, and whether they are intact."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from kerasdenoise.cli.report import print_error, verbose_option
from kerasdenoise.cli.requirements import check_training
from kerasdenoise.foreign import printable

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
    "models", short_help="List, show and verify the saved models.", invoke_without_command=True
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and verify the saved models."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
@click.option(
    "--architectures",
    is_flag=True,
    help="List what can be trained instead: every architecture and its presets, for RGB images.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead.")
@verbose_option
def list_command(architectures: bool, as_json: bool) -> None:
    """List the saved models; the default one is marked *.

    Of architectures, MAC/pixel is multiply-accumulates per pixel; radius is how many pixels far
    the network sees; sides of its input are multiples of stride; and it may need statistics of
    the whole image, and be told the noise level or estimate it.
    """
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
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(info.name) for info in models)
    for info in models:
        mark = "*" if info.name == default else " "
        click.echo(f"{mark} {info.name:{width}}  {printable(info.summary)}")


def _list_architectures(as_json: bool) -> None:
    from kerasdenoise.runtime import prepare_keras

    check_training()
    prepare_keras()
    from kerasdenoise.export.architectures import describe_architectures

    facts = list(describe_architectures())
    if as_json:
        click.echo(json.dumps([asdict(each) for each in facts], indent=2))
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
    """Print what is known about a model, as JSON."""
    from kerasdenoise.zoo import find_model

    info = find_model(name)
    click.echo(json.dumps({**info.metadata, "folder": str(info.folder)}, indent=2))


@command.command("verify")
@click.argument("name", required=False)
@verbose_option
@click.pass_context
def verify_command(ctx: click.Context, name: str | None) -> None:
    """Compare the files of a model, or of all, with their recorded checksums."""
    from kerasdenoise.errors import ModelError
    from kerasdenoise.zoo import find_model, model_names, verify_model

    if name:
        find_model(name)  # an unknown name is a wrong request, not a damaged model
    damaged = []
    for each in [name] if name else model_names():
        try:
            verify_model(find_model(each))
        except ModelError as error:
            damaged.append(each)
            print_error(error)
        else:
            click.echo(f"{each}: intact")
    if damaged:
        print_error(f"damaged: {', '.join(damaged)}")
        ctx.exit(1)
