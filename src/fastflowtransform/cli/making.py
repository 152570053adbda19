"""What `fft run` and `fft build` have in common: a plan, its execution, and what came of it."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastflowtransform import artifacts, plan
from fastflowtransform.cli.ending import left_behind, summed_up
from fastflowtransform.cli.options import Noting, Stretch
from fastflowtransform.cli.session import Opened, tell_adoptions
from fastflowtransform.compile import require_translations
from fastflowtransform.console import Console
from fastflowtransform.contract import require_types
from fastflowtransform.engines.base import Engine, Kind, Together, kind_of
from fastflowtransform.errors import Location, UnwritableFolder, counted
from fastflowtransform.gate import Audit
from fastflowtransform.ledger import Command, Ledger
from fastflowtransform.model import Check
from fastflowtransform.ownership import Asked, adoptions, require_fit
from fastflowtransform.past import NO_PAST, Past
from fastflowtransform.placing import ordered, placed
from fastflowtransform.project import Project
from fastflowtransform.proof import Cache, stands_below
from fastflowtransform.results import RunResult
from fastflowtransform.run import How, run
from fastflowtransform.work import Ending, Manner


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command is to make.

    Parameters
    ----------
    command
        Its name.
    names
        Models, and seeds and sources where they are wanted.
    checks
        What is asked before anything is published; those about none of `names` are left out.
    manner
        How many at once, and how long each.
    noting
        What is noted in the warehouse.
    asked
        What it may write to.
    stretch
        As for `fft run`.
    """

    command: str
    names: tuple[str, ...]
    checks: tuple[Check, ...]
    manner: Manner
    noting: Noting
    asked: Asked
    stretch: Stretch = Stretch()


def make(opened: Opened, console: Console, wanted: Wanted) -> int:
    """Make what is wanted, report it, and return the exit code."""
    began = time.perf_counter()
    project, folder = opened.project, opened.project.folder
    order = ordered(project, wanted.names, wanted.checks)
    checks = placed(order, wanted.checks)
    names = [name for name in order if name not in project.sources]
    models = [name for name in names if name in project.models]
    for name in models:
        if (contract := project.models[name].contract) is not None:
            require_types(contract)
    anew = wanted.asked.full_refresh
    windows = wanted.stretch.windows([project.models[name] for name in models], full_refresh=anew)
    artifacts.prepare(folder)
    artifacts.forget_failures(folder)
    with opened.connected(console) as engine:
        existing = opened.existing(engine, names)
        adopted = adoptions(project, names, existing, engine, wanted.asked)
        for warning in require_translations(project, models, engine):
            console.say(warning)
        steps = plan.build(project, order, existing, engine.capabilities, full_refresh=anew, adoptions=adopted)
        require_fit(steps, project, engine)
        steps = steps.in_windows(windows, resumes=wanted.stretch.resumes)
        asked = sum(map(len, checks.values()))
        parts = [(len(names) - len(models), "seed"), (len(models), "model"), (asked, "check")]
        words = _listed(counted(number, noun) for number, noun in parts if number or noun == "model" and not names)
        looked_at = sum(len(asked) for node, asked in checks.items() if node in project.sources)
        console.begin(f"{project.name}: {words} on {engine.name} ({opened.profile.name})", len(names) + looked_at)
        if not project.models:
            console.say("there are no models: a model is a file such as models/orders.ff.sql, or orders.ff.py")
        tell_adoptions(adopted, existing, project, console)
        past = _past(opened, engine, steps, wanted, console)
        past.claim([name for name in names if project.relation(name) not in existing], project)
        artifacts.forget_results(folder)
        how = How(Audit(checks, project, engine), past, wanted.manner)
        made = run(steps, project, engine, console, how)
        seconds, stopped = time.perf_counter() - began, made.ending is not Ending.OVER
        result = RunResult(wanted.command, made.steps, made.checks, seconds, opened.options, stopped)
        # Before anything else is sent: a user who is impatient may cut that short.
        unwritten = _write(project, result)
        told = functools.partial(_told, console, result)
        left_behind(made.ending, told)
        past.ended(result, console)
    code = told()
    if unwritten is not None:
        raise unwritten
    return code


def _write(project: Project, result: RunResult) -> UnwritableFolder | None:
    """Write what came of the steps into the project's folder; return why it cannot be, for when they have been told."""
    folder = project.folder
    try:
        if not project.unread:
            artifacts.write_manifest(project)
        artifacts.write_results(folder, result)
        for step in result.steps:
            if step.error is not None and step.error.sql is not None:
                path = artifacts.write_sql(folder, "failed", step.name, step.error.sql)
                step.error.hint = _with_sql(step.error.hint, path)
    except UnwritableFolder as error:
        return error
    return None


def _told(console: Console, result: RunResult) -> int:
    """Report what came of the steps, and return the exit code."""
    console.close()
    console.steps(result.steps)
    console.checks(result.checks)
    return summed_up(console, result)


def _past(opened: Opened, engine: Engine, steps: plan.Plan, wanted: Wanted, console: Console) -> Past:
    """Open the ledger, where there is to be one, and read what it proves, where that is believed."""
    if not wanted.noting.ledger:
        return NO_PAST
    database = opened.project.database
    name = opened.project.name
    command = Command(wanted.command, opened.profile.name, engine.name, opened.options, name)
    ledger = Ledger(engine, database, command)
    if not ledger.is_kept:
        console.say(f'nothing is noted of this run: there is no right to make tables in "{database}"')
    cache = Cache(wanted.noting.cache)
    if cache is Cache.OFF:
        return Past(ledger)
    # What has no table yet has to run, whatever was noted of it.
    models = [step.model.name for step in steps.steps if step.over is not None]
    proven = ledger.proven(models) if cache.reads and models else {}
    tables = [step.relation for step in steps.steps if kind_of(step.over) is Kind.TABLE and not steps.windows]
    states = engine.states(tables, all_at_once=True) if isinstance(engine, Together) and tables else {}
    return Past(
        ledger,
        cache,
        proven,
        stands_below(opened.project, [step.model.name for step in steps.steps], engine),
        dict(states),
    )


def _listed(words: Iterable[str]) -> str:
    """Return words with commas between them, and "and" before the last.

    Examples
    --------
    >>> _listed(["1 seed", "2 models", "3 checks"])
    '1 seed, 2 models and 3 checks'
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _with_sql(hint: str | None, path: Path) -> str:
    """Say where the statement is that failed."""
    where = f'the SQL that was sent is in "{Location(path)}"'
    return where if hint is None else f"{hint}\n  {where}"
