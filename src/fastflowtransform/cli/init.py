"""`fft init`: a project that runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from fastflowtransform.cli.options import output_options
from fastflowtransform.console import Console, Output


@click.command("init", short_help="Make a project that runs.")
@click.argument("folder", type=click.Path(path_type=Path))
@output_options
@click.pass_obj
def command(output: Output, folder: Path) -> int:
    """Write a small project to FOLDER: a seed, a view, an incremental table, a Python model, and checks.

    \b
    fft init my_project
    """
    from fastflowtransform.starter import write_starter

    console = Console(output, folder)
    for path in write_starter(folder):
        console.event("written", path=str(path))
        console.say(f"wrote {path}")
    console.say()
    console.say(f"next: cd {shlex.quote(str(folder))} && fft seed && fft run && fft test")
    return 0
