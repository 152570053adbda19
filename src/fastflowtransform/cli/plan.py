"""`fft plan`: what `fft seed` and `fft run` would do, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from fastflowtransform.cli.options import (
    Chosen,
    Noting,
    Stretch,
    adopt_option,
    noting_options,
    project_options,
    selection_options,
    windows_options,
)
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import counted

if TYPE_CHECKING:
    from fastflowtransform.engines.base import Engine
    from fastflowtransform.plan import Plan
    from fastflowtransform.project import Project
    from fastflowtransform.seed import SeedStep


@click.command("plan", short_help="Show what seed and run would do, and why.")
@project_options
@selection_options
@click.option("--full-refresh", is_flag=True, help="As for seed and run.")
@adopt_option
@noting_options
@windows_options
@click.pass_obj
def command(
    output: Output, chosen: Chosen, full_refresh: bool, adopt: tuple[str, ...], noting: Noting, stretch: Stretch
) -> int:
    """Show, model by model, what `fft run` with the same options would do, and `fft seed`. Nothing is touched.

    Of each seed it shows the columns, their types, and why they have them.

    \b
    fft plan .
    fft plan . --select fct_events+ --full-refresh
    fft plan . --select events --from 2026-01-01 --to 2026-02-01 --step "1 day"
    """
    from fastflowtransform import plan, seed
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.compile import require_translations
    from fastflowtransform.ownership import Asked, adoptions, require_fit
    from fastflowtransform.placing import ordered
    from fastflowtransform.proof import Cache

    opened = open_project(chosen, whole=False)
    console = Console(output, opened.project.folder)
    models, seeds = opened.models_and_seeds(chosen)
    names = ordered(opened.project, models, [check for check in opened.project.checks if check.is_promised])
    windows = stretch.windows([opened.project.models[name] for name in names], full_refresh=full_refresh)
    with opened.connected(console, read_only=True) as engine:
        for warning in require_translations(opened.project, names, engine):
            console.say(warning)
        existing = opened.existing(engine, (*names, *seeds))
        asked = Asked(adopt, full_refresh, noting.ledger)
        adopted = adoptions(opened.project, (*names, *seeds), existing, engine, asked)
        built = plan.build(
            opened.project, names, existing, engine.capabilities, full_refresh=full_refresh, adoptions=adopted
        )
        require_fit(built, opened.project, engine)
        built = built.in_windows(windows, resumes=stretch.resumes)
        is_cached = Cache(noting.cache).reads and not full_refresh and not windows
        reasons = _reasons(opened.project, engine, built) if is_cached else {}
        in_windows = _in_windows(opened.project, engine, built) if windows else {}
        loads = seed.plan(
            [opened.project.seeds[name] for name in seeds], existing, engine, full_refresh=full_refresh, adopted=adopted
        )
    counts = [counted(len(found), word) for word, found in (("seed", seeds), ("model", names)) if found]
    what = " and ".join(counts) or "0 models"
    console.say(f"{opened.project.name}: {what} on {engine.name} ({opened.profile.name})")
    _show_seeds(loads, console)
    _show_models(built, reasons, in_windows, console)
    return 0


def _reasons(project: Project, engine: Engine, built: Plan) -> Mapping[str, str | None]:
    """Return why models have to run, by the ledger; None for one that will be left alone."""
    from fastflowtransform import ledger
    from fastflowtransform.normalize import Tables
    from fastflowtransform.proof import Prover, Standing, foreseen, stands_below

    notes = ledger.states_in(project.database)
    stands = notes.relation in engine.existing([notes.relation])
    names = [step.model.name for step in built.steps]
    proven = ledger.proven(engine, notes, names) if stands else {}
    standing = Standing(stands_below(project, names, engine))
    return foreseen(built.steps, Prover(project, engine, Tables(project, engine), proven, standing))


def _in_windows(project: Project, engine: Engine, built: Plan) -> Mapping[str, str]:
    """Return how many windows of each model are left to do, and whether they may be taken up at once."""
    from fastflowtransform import ledger
    from fastflowtransform.backfill import place_of, why_in_turn
    from fastflowtransform.fingerprint import fingerprint_of
    from fastflowtransform.placing import placed

    asked = placed(built.order, [check for check in project.checks if check.is_promised])
    notes = (ledger.states_in(project.database), ledger.runs_in(project.database))
    are_noted = built.resumes and len(engine.existing([found.relation for found in notes])) == len(notes)
    found = {}
    for step in built.steps:
        name = step.model.name
        why = why_in_turn(step, built, engine.capabilities, is_open=not asked.get(name))
        how = "at once, as many as --jobs says" if why is None else f"one after the other: {why}"
        place = place_of(step, built, engine.capabilities)
        own = str(fingerprint_of(step.model, project))
        done = ledger.last_backfill(engine, *notes, place, own) if are_noted else None
        left = [window for window in built.windows if done is None or (window.start, window.end) not in done.windows]
        of = "" if len(left) == len(built.windows) else f" of {len(built.windows)}"
        found[name] = f"{counted(len(left), 'window')}{of}" + (f", {how}" if len(left) > 1 else "")
    return found


def _show_seeds(steps: Sequence[SeedStep], console: Console) -> None:
    for step in steps:
        console.event(
            "seed_planned",
            name=step.seed.name,
            action=step.action,
            why=step.why,
            relation=str(step.seed.relation),
            columns=[asdict(column) for column in step.columns],
        )
    rows = [(step.seed.name, step.action, step.why, str(step.seed.relation)) for step in steps]
    console.table(("seed", "action", "why", "relation"), rows)
    columns = [(step.seed.name, column.name, column.type, column.why) for step in steps for column in step.columns]
    if rows:
        console.say("")
        console.table(("seed", "column", "type", "why"), columns)
        console.say("")


def _show_models(
    built: Plan, reasons: Mapping[str, str | None], in_windows: Mapping[str, str], console: Console
) -> None:
    from fastflowtransform.model import Frame, PythonBody
    from fastflowtransform.proof import LEAVE, STANDS

    rows = []
    for step in built.steps:
        body = step.model.body
        frame = body.frame if isinstance(body, PythonBody) and body.frame not in (Frame.IBIS, Frame.SPARK) else None
        why = step.action.why + (f"; rows pass through {frame}" if frame else "")
        why += f"; {in_windows[step.model.name]}" if in_windows else ""
        action = str(step.action)
        if step.model.name in reasons:
            reason = reasons[step.model.name]
            action, why = (LEAVE, STANDS) if reason is None else (action, f"{why}; {reason}")
        rows.append((step.model.name, action, why, str(step.relation)))
        console.event(
            "planned",
            name=step.model.name,
            verb=step.action.verb,
            what=step.action.what,
            why=why,
            alone=action == LEAVE,
            adopts=step.action.adopts is not None,
            frame=frame,
            relation=str(step.relation),
        )
    console.table(("model", "action", "why", "relation"), rows)
