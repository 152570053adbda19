"""`fft seed`: load seeds."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastflowtransform.cli.options import (
    Chosen,
    Limits,
    adopt_option,
    limits_options,
    project_options,
    selection_options,
)
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import counted

if TYPE_CHECKING:
    from fastflowtransform.project import Project
    from fastflowtransform.results import RunResult


@click.command("seed", short_help="Load the files of seeds/ as tables.")
@project_options
@selection_options
@click.option(
    "--from",
    "other",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    metavar="FOLDER",
    help="Take the files of another folder, such as a later batch; seeds without a file there stay as they are.",
)
@limits_options("seed")
@click.option("--full-refresh", is_flag=True, help="Load seeds that have not changed, too.")
@adopt_option
@click.pass_obj
def command(
    output: Output, chosen: Chosen, limits: Limits, other: Path | None, full_refresh: bool, adopt: tuple[str, ...]
) -> int:
    """Load the CSV, TSV, JSON lines and Parquet files in the folder seeds/ of PROJECT, each as a whole.

    A seed whose file and table are as they were when it was loaded is left alone. `fft plan` shows which those are,
    and the types of all columns.

    \b
    fft seed .
    fft seed . --select seed_events
    fft seed . --from seeds_later
    """
    from fastflowtransform import artifacts, seed
    from fastflowtransform.cli.ending import left_behind
    from fastflowtransform.cli.session import open_project, tell_adoptions
    from fastflowtransform.ownership import Asked, adoptions
    from fastflowtransform.results import RunResult
    from fastflowtransform.work import Ending

    began = time.perf_counter()
    opened = open_project(chosen)
    folder = opened.project.folder
    console = Console(output, folder)
    seeds = {name: opened.project.seeds[name] for name in opened.seeds(chosen)}
    if other is not None:
        seeds = {name: found for name, found in seed.taken_from(other, opened.project.seeds).items() if name in seeds}
    artifacts.prepare(folder)
    with opened.connected(console) as engine:
        existing = opened.existing(engine, seeds)
        adopted = adoptions(opened.project, seeds, existing, engine, Asked(adopt, full_refresh))
        console.begin(
            f"{opened.project.name}: {counted(len(seeds), 'seed')} on {engine.name} ({opened.profile.name})", len(seeds)
        )
        tell_adoptions(adopted, existing, opened.project, console)
        manner = opened.manner(limits)
        artifacts.forget_results(folder)
        results, ending = seed.load_all(seeds.values(), existing, engine, console, manner, full_refresh=full_refresh)
        seconds = time.perf_counter() - began
        result = RunResult("seed", results, (), seconds, opened.options, ending is not Ending.OVER)
        told = functools.partial(_told, opened.project, console, result)
        left_behind(ending, told)
    return told()


def _told(project: Project, console: Console, result: RunResult) -> int:
    """Report what came of the seeds, and return the exit code."""
    from fastflowtransform import artifacts
    from fastflowtransform.cli.ending import summed_up

    console.close()
    artifacts.write_manifest(project)
    artifacts.write_results(project.folder, result)
    console.steps(result.steps)
    return summed_up(console, result)
