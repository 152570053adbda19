"""`fft seed`: load seeds."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fastflowtransform.cli.options import Chosen, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import counted


@click.command("seed", short_help="Load the files of seeds/ as tables.")
@project_options
@selection_options
@click.option(
    "--from",
    "other",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Take the files of another folder, such as a later batch; seeds without a file there stay as they are.",
)
@click.option("--full-refresh", is_flag=True, help="Load seeds that have not changed, too.")
@click.pass_obj
def command(output: Output, chosen: Chosen, other: Path | None, full_refresh: bool) -> int:
    """Load the CSV, TSV, JSON lines and Parquet files in the folder seeds/ of PROJECT, each as a whole.

    A seed whose file and table are as they were when it was loaded is left alone. `fft plan` shows which those are,
    and the types of all columns.

    \b
    fft seed .
    fft seed . --select seed_events
    fft seed . --from seeds_later
    """
    from fastflowtransform import artifacts, seed
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.results import RunResult

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
        console.begin(
            f"{opened.project.name}: {counted(len(seeds), 'seed')} on {engine.name} ({opened.profile.name})", len(seeds)
        )
        results = seed.load(seeds.values(), existing, engine, console, full_refresh=full_refresh)
    result = RunResult("seed", steps=results, seconds=time.perf_counter() - began, options=opened.options)
    artifacts.write_manifest(opened.project)
    artifacts.write_results(folder, result)
    console.steps(results)
    console.summary(result)
    return result.exit_code
