"""`fft build`: seeds, models and checks, and nothing published that fails."""

from __future__ import annotations

import click

from fastflowtransform.cli.options import (
    Chosen,
    Limits,
    Noting,
    adopt_option,
    limits_options,
    noting_options,
    project_options,
    selection_options,
)
from fastflowtransform.console import Console, Output


@click.command("build", short_help="Load seeds, build models, and publish only what passes its checks.")
@project_options
@selection_options
@click.option(
    "--full-refresh", is_flag=True, help="Build incremental models anew, and load seeds that have not changed."
)
@limits_options("model")
@click.option("--fail-fast", is_flag=True, help="Start nothing after the first failure; what runs then, ends.")
@adopt_option
@noting_options
@click.pass_obj
def command(
    output: Output,
    chosen: Chosen,
    limits: Limits,
    full_refresh: bool,
    fail_fast: bool,
    adopt: tuple[str, ...],
    noting: Noting,
) -> int:
    """Load the seeds of PROJECT and build its models, parents first, each after its checks have passed.

    The checks look at the new rows before these are published. Where one of the severity error fails, what stood before
    stays as it was, what reads it is skipped, and the new rows are kept in a table that is named.

    \b
    fft build .
    fft build . --select +fct_orders
    """
    from fastflowtransform.cli.making import Wanted, make
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.ownership import Asked

    opened = open_project(chosen)
    console = Console(output, opened.project.folder)
    names = opened.made(chosen)
    manner = opened.manner(limits, fail_fast=fail_fast)
    asked = Asked(adopt, full_refresh, noting.ledger)
    return make(opened, console, Wanted("build", names, opened.project.checks, manner, noting, asked))
