"""`fft test`: check the contents of tables."""

from __future__ import annotations

import time

import click

from fastflowtransform.cli.options import Chosen, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import counted


@click.command("test", short_help="Check the contents of models and seeds.")
@project_options
@selection_options
@click.pass_obj
def command(output: Output, chosen: Chosen) -> int:
    """Run the checks of PROJECT's models and seeds, and change nothing.

    \b
    fft test .
    fft test . --select fct_events
    """
    from fastflowtransform import artifacts
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.results import RunResult
    from fastflowtransform.run_checks import run_checks

    began = time.perf_counter()
    opened = open_project(chosen)
    folder = opened.project.folder
    console = Console(output, folder)
    nodes = set(opened.selected(chosen))
    found = [check for check in opened.project.checks if check.node in nodes]
    artifacts.prepare(folder)
    with opened.connected(console, read_only=True) as engine:
        console.begin(
            f"{opened.project.name}: {counted(len(found), 'check')} on {engine.name} ({opened.profile.name})",
            len(found),
        )
        results = run_checks(found, opened.project, engine, console)
    result = RunResult("test", checks=results, seconds=time.perf_counter() - began)
    artifacts.write_results(folder, result)
    console.checks(results)
    console.summary(result)
    return result.exit_code
