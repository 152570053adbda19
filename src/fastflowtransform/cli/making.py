"""What `fft run` and `fft build` have in common: a plan, its execution, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflowtransform import artifacts, plan
from fastflowtransform.cli.session import Opened
from fastflowtransform.compile import require_translations
from fastflowtransform.console import Console
from fastflowtransform.contract import require_types
from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import counted
from fastflowtransform.gate import Audit
from fastflowtransform.ledger import Command, Ledger
from fastflowtransform.model import Check
from fastflowtransform.past import NO_PAST, Past
from fastflowtransform.placing import ordered, placed
from fastflowtransform.proof import Cache
from fastflowtransform.results import RunResult, Status
from fastflowtransform.run import run


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
    full_refresh, fail_fast, cache
        As for `fft run`.
    ledger
        Whether it is noted in the warehouse what was made.
    """

    command: str
    names: tuple[str, ...]
    checks: tuple[Check, ...]
    full_refresh: bool = False
    fail_fast: bool = False
    cache: Cache = Cache.OFF
    ledger: bool = True


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
    artifacts.prepare(folder)
    artifacts.forget_failures(folder)
    with opened.connected(console) as engine:
        require_translations(project, models, engine)
        existing = opened.existing(engine, names)
        steps = plan.build(project, order, existing, engine.capabilities, full_refresh=wanted.full_refresh)
        asked = sum(map(len, checks.values()))
        parts = [(len(names) - len(models), "seed"), (len(models), "model"), (asked, "check")]
        words = _listed(counted(number, noun) for number, noun in parts if number or noun == "model" and not names)
        console.begin(f"{project.name}: {words} on {engine.name} ({opened.profile.name})", len(names))
        audit = Audit(checks, project, engine, console)
        past = _past(opened, engine, models, wanted, console)
        results = run(steps, project, engine, console, audit, past, fail_fast=wanted.fail_fast)
        result = RunResult(wanted.command, results, tuple(audit.results), time.perf_counter() - began, opened.options)
        if past.ledger is not None:
            past.ledger.end(Status.ERROR if result.exit_code else Status.SUCCESS)
    artifacts.write_manifest(project)
    artifacts.write_results(folder, result)
    for step in results:
        if step.error is not None and step.error.sql is not None:
            path = artifacts.write_sql(folder, "failed", step.name, step.error.sql)
            step.error.hint = _with_sql(step.error.hint, path)
    console.steps(results)
    console.checks(result.checks)
    console.summary(result)
    return result.exit_code


def _past(opened: Opened, engine: Engine, models: Sequence[str], wanted: Wanted, console: Console) -> Past:
    """Open the ledger, where there is to be one, and read what it proves, where that is believed."""
    if not wanted.ledger:
        return NO_PAST
    database = opened.project.database
    ledger = Ledger(engine, database, Command(wanted.command, opened.profile.name, engine.name, opened.options))
    if not ledger.is_kept:
        console.say(f'nothing is noted of this run: there is no right to make tables in "{database}"')
    proven = ledger.proven(models) if wanted.cache.reads else {}
    return Past(ledger, wanted.cache, proven)


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
    where = f'the SQL that was sent is in "{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"'
    return where if hint is None else f"{hint}\n  {where}"
