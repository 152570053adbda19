"""`fft history`: what runs did, as the warehouse has noted it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from fastflowtransform.cli.options import Chosen, project_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import UnknownRef, UsageError, hint_from

_RUN = ("run", "command", "status", "environment", "made", "failed", "started in UTC", "seconds")
_STATE = ("run", "status", "strategy", "inserted", "updated", "unchanged", "watermark", "started in UTC", "seconds")


@click.command("history", short_help="Show what runs did, as the warehouse has noted it.")
@click.argument("model", required=False)
@project_options
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest first.")
@click.option("--gaps", "shows_gaps", is_flag=True, help="Show what no run took up of the cursor of MODEL.")
@click.pass_obj
def command(output: Output, model: str | None, chosen: Chosen, limit: int, shows_gaps: bool) -> int:
    """Show the commands that made something in the warehouse of PROJECT; with MODEL, what they made of it.

    \b
    fft history
    fft history fct_events --limit 5
    fft history fct_events --gaps
    """
    from fastflowtransform import ledger
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.sql_model import model_name

    if model is not None and (Path(model) / "project.yml").is_file():
        chosen = replace(chosen, folder=Path(model))
        model = None
    opened = open_project(chosen)
    project = opened.project
    console = Console(output, project.folder)
    node = None if model is None else model_name(model)
    if node is not None and node not in {**project.models, **project.seeds}:
        raise UnknownRef(f'"{model}" is not in this project', hint=hint_from(node, project.models, "models"))
    with opened.connected(console, read_only=True) as engine:
        notes = ledger.states_in(project.database)
        stands = notes.relation in engine.existing([notes.relation])
        if shows_gaps:
            return _gaps(ledger.covered(engine, project.database, node or "") if stands else [], node, console)
        rows = ledger.history(engine, project.database, node, limit) if stands else []
    for row in rows:
        row["status"] = row["status"] or "did not end"
        console.event("run" if node is None else "made", **row)
    if node is None:
        console.table(_RUN, [_run(row) for row in rows], right=(4, 5, 7))
    else:
        console.table(_STATE, [_state(row) for row in rows], right=(3, 4, 5, 8))
        _tell_errors(rows, console)
    if not rows:
        what = "no command" if node is None else f'nothing of "{node}"'
        console.say(f'{what} has been noted in "{project.database}" yet')
    return 0


def _gaps(covered: Sequence[tuple[str | None, str]], node: str | None, console: Console) -> int:
    """Show what lies between the stretches that runs took up."""
    from fastflowtransform.windows import gaps

    if node is None:
        raise UsageError("--gaps is about one model", hint="name it: fft history MODEL --gaps")
    found = gaps(covered)
    for gap in found:
        console.event("gap", start=gap.start, end=gap.end)
    console.table(("from", "to"), [(gap.start, gap.end) for gap in found])
    if not found:
        console.say(
            f'no gap in what runs took up of "{node}"' if covered else f'nothing of "{node}" has been noted yet'
        )
    return 0


def _run(row: Mapping[str, object]) -> Sequence[str]:
    names = ("run_id", "command", "status", "environment", "made", "failed", "started_at", "seconds")
    return tuple(_shown(row[name]) for name in names)


def _state(row: Mapping[str, object]) -> Sequence[str]:
    window = "" if row["window_from"] is None else f", {row['window_from']} to {row['window_to']}"
    names = ("inserted", "updated", "unchanged", "watermark_after", "started_at", "seconds")
    first = (str(row["run_id"]), str(row["status"]), f"{_shown(row['strategy'])}{window}")
    return (*first, *(_shown(row[name]) for name in names))


def _tell_errors(rows: Sequence[Mapping[str, object]], console: Console) -> None:
    for row in rows:
        if row["error"] is not None:
            console.say(f"{row['run_id']}: {row['error']}")


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
