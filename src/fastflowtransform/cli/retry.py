"""`fft retry`: repeat what failed, and what was below it."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from fastflowtransform.cli.options import output_options
from fastflowtransform.console import Console, Output
from fastflowtransform.secret_values import HIDDEN

REPEATED = ("run", "build", "seed", "test")
FAILED = ("error", "fail", "skipped", "cancelled")
SELECTED = " ".join(f"result:{word}" for word in FAILED)


@click.command("retry", short_help="Repeat what failed in the last command, and what was below it.")
@click.argument("project", default=".", type=click.Path(path_type=Path))
@output_options
@click.pass_obj
def command(output: Output, project: Path) -> int:
    """Repeat the last `run`, `build`, `seed` or `test` of PROJECT, with its options, for what did not end well.

    That is what failed, was cancelled, or was skipped or not started; all else is left alone. It is that command with
    --select "result:error result:fail result:skipped result:cancelled".

    \b
    fft retry .
    """
    from fastflowtransform import settings
    from fastflowtransform.errors import NoState
    from fastflowtransform.state import read_results, results_by_node

    folder = settings.find_project(project)
    last = read_results(folder)
    name, options = last["command"], last.get("options")
    if name not in REPEATED or options is None:
        raise NoState(
            f'the last command was "{name}", which cannot be repeated in part',
            hint=f"retry repeats {', '.join(REPEATED)}; run fft {name} again",
        )
    if any(HIDDEN in option for option in options):
        raise NoState(
            f"an option of the last fft {name} was secret, and is kept nowhere",
            hint=f'run fft {name} with it, and with --select "{SELECTED}"',
        )
    if not any(words & set(FAILED) for words in results_by_node(last).values()):
        Console(output, folder).say(f"nothing failed in the last fft {name}")
        return 0
    repeated: click.Command = importlib.import_module(f"fastflowtransform.cli.{name}").command
    # A backfill goes on with the windows that are left.
    resumed = ["--resume"] if "--from" in options and "--resume" not in options else []
    arguments = [*options, *resumed, "--select", SELECTED, str(folder)]
    code: int = repeated.main(arguments, prog_name=f"fft {name}", standalone_mode=False, obj=output)
    return code
