"""`fft compile`: the SQL of models."""

from __future__ import annotations

import click

from fastflowtransform.cli.options import Chosen, project_options, selection_options
from fastflowtransform.console import Console, Output


@click.command("compile", short_help="Write the SQL of models to target/compiled.")
@project_options
@selection_options
@click.option("--engine", "dialect", metavar="NAME", help="Another engine or SQL dialect, such as postgres.")
@click.pass_obj
def command(
    output: Output,
    chosen: Chosen,
    dialect: str | None,
) -> int:
    """Write the SQL of each model to target/compiled/ of PROJECT; build nothing.

    \b
    fft compile .
    fft compile . --select fct_events --engine postgres
    """
    from fastflowtransform import artifacts
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.compile import compile_models

    opened = open_project(chosen, engine=dialect, whole=False)
    console = Console(output, opened.project.folder)
    artifacts.prepare(opened.project.folder)
    names = opened.models(chosen)
    with opened.connected(console, read_only=True) as engine:
        for name, sql in compile_models(opened.project, names, engine, dialect):
            path = artifacts.write_sql(opened.project.folder, "compiled", name, sql)
            console.event("compiled", name=name, path=str(path), sql=sql)
            console.say(f"{name}  {path}")
    return 0
