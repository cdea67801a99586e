"""`kerasdenoise models`: which saved models there are, and whether they are intact."""

from __future__ import annotations

import json

import click

from kerasdenoise.cli.report import print_error, verbose_option


@click.group(
    "models", short_help="List, show and verify the saved models.", invoke_without_command=True
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and verify the saved models."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
@verbose_option
def list_command() -> None:
    """List the saved models; the default one is marked *."""
    from kerasdenoise.zoo import default_model, list_models

    default = default_model()
    models = list_models()
    width = max(len(info.name) for info in models)
    for info in models:
        mark = "*" if info.name == default else " "
        click.echo(f"{mark} {info.name:{width}}  {info.summary}")


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
