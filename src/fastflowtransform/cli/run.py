"""`fft run`: build models."""

from __future__ import annotations

import click

from fastflowtransform.cli.options import Chosen, cache_option, project_options, selection_options
from fastflowtransform.console import Console, Output


@click.command("run", short_help="Build models: tables, views and increments.")
@project_options
@selection_options
@click.option("--full-refresh", is_flag=True, help="Build incremental models anew, from their whole query.")
@click.option("--fail-fast", is_flag=True, help="Skip everything after the first failure.")
@click.option("--audit", is_flag=True, help="Publish a model only after its checks have passed, as build does.")
@cache_option
@click.option("--no-ledger", is_flag=True, help="Leave no note of the run in the warehouse.")
@click.pass_obj
def command(
    output: Output,
    chosen: Chosen,
    full_refresh: bool,
    fail_fast: bool,
    audit: bool,
    cache: str,
    no_ledger: bool,
) -> int:
    """Build the models of PROJECT, parents first.

    \b
    fft run .
    fft run . --select tag:nightly --exclude path:models/staging
    fft run . --select events+ --full-refresh
    """
    from fastflowtransform.cli.making import Wanted, make
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.errors import UsageError
    from fastflowtransform.proof import Cache

    opened = open_project(chosen)
    console = Console(output, opened.project.folder)
    checks = tuple(check for check in opened.project.checks if audit or check.is_promised)
    asked = Cache(cache)
    if no_ledger and asked is not Cache.OFF:
        raise UsageError(f'--cache "{cache}" needs the ledger, and --no-ledger leaves it out', hint="take one away")
    models = opened.models(chosen)
    return make(opened, console, Wanted("run", models, checks, full_refresh, fail_fast, asked, ledger=not no_ledger))
