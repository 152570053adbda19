"""`fft list`: what the project holds."""

from __future__ import annotations

import click

from fastflowtransform.cli.options import Chosen, project_options, selection_options
from fastflowtransform.console import Console, Output


@click.command("list", short_help="List models, seeds and sources.")
@project_options
@selection_options
@click.pass_obj
def command(output: Output, chosen: Chosen) -> int:
    """List the models, seeds and sources of PROJECT in the order in which they are built.

    \b
    fft list .
    fft list . --select +fct_events
    """
    from fastflowtransform.cli.session import open_project, selectables

    opened = open_project(chosen)
    console = Console(output, opened.project.folder)
    facts = selectables(opened.project)
    rows = []
    for name in opened.selected(chosen):
        fact = facts[name]
        upstream = sorted(opened.project.graph.upstream[name])
        rows.append((name, fact.kind.value, fact.materialized or "", ", ".join(upstream), " ".join(sorted(fact.tags))))
        console.event(
            "node",
            name=name,
            kind=fact.kind.value,
            materialized=fact.materialized,
            upstream=upstream,
            tags=sorted(fact.tags),
            path=fact.path,
        )
    console.table(("name", "kind", "as", "reads", "tags"), rows)
    return 0
