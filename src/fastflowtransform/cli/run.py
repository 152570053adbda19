"""`fft run`: build models."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fastflowtransform.cli.options import Chosen, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import counted


@click.command("run", short_help="Build models: tables, views and increments.")
@project_options
@selection_options
@click.option("--full-refresh", is_flag=True, help="Build incremental models anew, from their whole query.")
@click.option("--fail-fast", is_flag=True, help="Skip everything after the first failure.")
@click.option(
    "--cache",
    type=click.Choice(["off", "ro", "wo", "rw"]),
    default="off",
    show_default=True,
    help="Skip models that are proven unchanged, and keep the proofs. Nothing is proven yet, so all models run.",
)
@click.pass_obj
def command(
    output: Output,
    chosen: Chosen,
    full_refresh: bool,
    fail_fast: bool,
    cache: str,
) -> int:
    """Build the models of PROJECT, parents first.

    \b
    fft run .
    fft run . --select tag:nightly --exclude path:models/staging
    fft run . --select events+ --full-refresh
    """
    from fastflowtransform import artifacts, plan
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.compile import require_translations
    from fastflowtransform.results import RunResult
    from fastflowtransform.run import run

    began = time.perf_counter()
    opened = open_project(chosen)
    folder = opened.project.folder
    console = Console(output, folder)
    names = opened.models(chosen)
    artifacts.prepare(folder)
    artifacts.forget_failures(folder)
    with opened.connected(console) as engine:
        require_translations(opened.project, names, engine)
        existing = opened.existing(engine, names)
        steps = plan.build(opened.project, names, existing, engine.capabilities, full_refresh=full_refresh)
        console.begin(
            f"{opened.project.name}: {counted(len(names), 'model')} on {engine.name} ({opened.profile.name})",
            len(names),
        )
        if cache != "off":
            console.say(f'cache "{cache}": no model can be proven unchanged yet, so all of them run')
        results = run(steps, opened.project, engine, console, fail_fast=fail_fast)
    result = RunResult("run", steps=results, seconds=time.perf_counter() - began)
    artifacts.write_manifest(opened.project)
    artifacts.write_results(folder, result)
    for step in results:
        if step.error is not None and step.error.sql is not None:
            path = artifacts.write_sql(folder, "failed", step.name, step.error.sql)
            step.error.hint = _with_sql(step.error.hint, path)
    console.steps(results)
    console.summary(result)
    return result.exit_code


def _with_sql(hint: str | None, path: Path) -> str:
    """Say where the statement is that failed."""
    where = f'the SQL that was sent is in "{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"'
    return where if hint is None else f"{hint}\n  {where}"
