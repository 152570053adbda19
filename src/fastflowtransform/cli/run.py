"""`fft run`: build models."""

from __future__ import annotations

import click

from fastflowtransform.cli.options import (
    Chosen,
    Limits,
    Noting,
    Stretch,
    adopt_option,
    limits_options,
    noting_options,
    project_options,
    selection_options,
    windows_options,
)
from fastflowtransform.console import Console, Output


@click.command("run", short_help="Build models: tables, views and increments.")
@project_options
@selection_options
@limits_options("model")
@click.option("--full-refresh", is_flag=True, help="Build incremental models anew, from their whole query.")
@click.option("--fail-fast", is_flag=True, help="Start nothing after the first failure; what runs then, ends.")
@click.option("--audit", is_flag=True, help="Publish a model only after its checks have passed, as build does.")
@adopt_option
@noting_options
@windows_options
@click.pass_obj
def command(
    output: Output,
    chosen: Chosen,
    limits: Limits,
    full_refresh: bool,
    fail_fast: bool,
    audit: bool,
    adopt: tuple[str, ...],
    noting: Noting,
    stretch: Stretch,
) -> int:
    """Build the models of PROJECT, parents first.

    \b
    fft run .
    fft run . --select tag:nightly --exclude path:models/staging
    fft run . --select events+ --full-refresh
    fft run . --select events --from 2026-01-01 --to 2026-02-01 --step "1 day"
    fft run . --jobs 4 --timeout 600
    """
    from fastflowtransform.cli.making import Wanted, make
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.ownership import Asked

    opened = open_project(chosen, whole=audit)
    console = Console(output, opened.project.folder)
    checks = tuple(check for check in opened.project.checks if audit or check.is_promised)
    manner = opened.manner(limits, fail_fast=fail_fast)
    asked = Asked(adopt, full_refresh, noting.ledger)
    return make(opened, console, Wanted("run", opened.models(chosen), checks, manner, noting, asked, stretch))
