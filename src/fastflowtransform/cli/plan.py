"""`fft plan`: what `fft run` would do, and why."""

from __future__ import annotations

import click

from fastflowtransform.cli.options import Chosen, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import counted


@click.command("plan", short_help="Show what run would do, and why.")
@project_options
@selection_options
@click.option("--full-refresh", is_flag=True, help="As for run.")
@click.pass_obj
def command(output: Output, chosen: Chosen, full_refresh: bool) -> int:
    """Show, model by model, what `fft run` with the same options would do. Nothing is touched.

    \b
    fft plan .
    fft plan . --select fct_events+ --full-refresh
    """
    from fastflowtransform import plan
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.model import Frame, PythonBody

    opened = open_project(chosen)
    console = Console(output, opened.project.folder)
    names = opened.models(chosen)
    with opened.connected(console, read_only=True) as engine:
        existing = opened.existing(engine, names)
        built = plan.build(opened.project, names, existing, engine.capabilities, full_refresh=full_refresh)
    rows = []
    for step in built.steps:
        body = step.model.body
        frame = body.frame if isinstance(body, PythonBody) and body.frame not in (Frame.IBIS, Frame.SPARK) else None
        why = step.action.why + (f"; rows pass through {frame}" if frame else "")
        rows.append((step.model.name, str(step.action), why, str(step.relation)))
        console.event(
            "planned",
            name=step.model.name,
            verb=step.action.verb,
            what=step.action.what,
            why=step.action.why,
            frame=frame,
            relation=str(step.relation),
        )
    console.say(f"{opened.project.name}: {counted(len(names), 'model')} on {engine.name} ({opened.profile.name})")
    console.table(("model", "action", "why", "relation"), rows)
    return 0
