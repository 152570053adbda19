"""`fft retry`: repeat what failed, and what was below it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fastflowtransform.cli.options import output_options
from fastflowtransform.console import Console, Output
from fastflowtransform.secret_values import HIDDEN
from fastflowtransform.state import FAILED, FAILED_RUN, MAKING

REPEATED = (*MAKING, "test")
SELECTED = " ".join(f"result:{word}" for word in FAILED)


@click.command("retry", short_help="Repeat what failed in the last command, and what was below it.")
@click.argument("project", default=".", type=click.Path(path_type=Path))
@output_options
@click.pass_obj
def command(output: Output, project: Path) -> int:
    """Repeat the last `run`, `build`, `seed` or `test` of PROJECT, with its options, for what did not end well.

    That is what failed, was cancelled, or was skipped or not started; all else is left alone. It is that command with
    --select "result:error result:fail result:skipped result:cancelled". Where `test` or `utest` came after a run that
    failed, the run is repeated first, and then the checks that failed.

    \b
    fft retry .
    """
    from fastflowtransform import artifacts, settings
    from fastflowtransform.state import has_failed, read_results

    folder = settings.find_project(project)
    if not (folder / "target" / FAILED_RUN).is_file():
        return _repeat(read_results(folder), folder, output)
    run, checks = read_results(folder, FAILED_RUN), _checks(folder)
    artifacts.put_failed_run_back(folder)
    code = _repeat(run, folder, output)
    if code or checks is None or not has_failed(checks):
        return code
    artifacts.put_results_back(folder, checks)
    return _repeat(checks, folder, output)


def _checks(folder: Path) -> Mapping[str, Any] | None:
    """Return the results of the checks that came after a run that failed; None where they were unit tests, or none."""
    from fastflowtransform.errors import NoState
    from fastflowtransform.state import read_results

    try:
        last = read_results(folder)
    except NoState:
        return None
    return last if last["command"] in REPEATED else None


def _repeat(last: Mapping[str, Any], folder: Path, output: Output) -> int:
    """Repeat what failed in a command whose results are those of the last one."""
    from fastflowtransform.errors import NoState
    from fastflowtransform.state import has_failed

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
    if not has_failed(last):
        Console(output, folder).say(f"nothing failed in the last fft {name}")
        return 0
    repeated: click.Command = importlib.import_module(f"fastflowtransform.cli.{name}").command
    # A backfill goes on with the windows that are left.
    resumed = ["--resume"] if "--from" in options and "--resume" not in options else []
    arguments = [*options, *resumed, "--select", SELECTED, str(folder)]
    code: int = repeated.main(arguments, prog_name=f"fft {name}", standalone_mode=False, obj=output)
    return code
