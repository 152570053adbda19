"""What `fft run` and `fft build` have in common: a plan, its execution, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastflowtransform import artifacts, plan
from fastflowtransform.cli.session import Opened
from fastflowtransform.compile import require_translations
from fastflowtransform.console import Console
from fastflowtransform.contract import require_types
from fastflowtransform.errors import counted
from fastflowtransform.gate import Audit
from fastflowtransform.model import Check
from fastflowtransform.placing import ordered, placed
from fastflowtransform.results import RunResult
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
    full_refresh, fail_fast
        As for `fft run`.
    note
        A line to say first.
    """

    command: str
    names: tuple[str, ...]
    checks: tuple[Check, ...]
    full_refresh: bool = False
    fail_fast: bool = False
    note: str | None = None


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
        if wanted.note is not None:
            console.say(wanted.note)
        audit = Audit(checks, project, engine, console)
        results = run(steps, project, engine, console, audit, fail_fast=wanted.fail_fast)
    result = RunResult(wanted.command, results, tuple(audit.results), time.perf_counter() - began, opened.options)
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
