"""`fft test`: check the contents of tables."""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastflowtransform.cli.options import Chosen, Limits, limits_options, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import counted

if TYPE_CHECKING:
    from fastflowtransform.cli.session import Opened
    from fastflowtransform.model import Check
    from fastflowtransform.results import RunResult


@click.command("test", short_help="Check the contents of models and seeds.")
@project_options
@selection_options
@limits_options("table")
@click.option("--store-failures", is_flag=True, help="Keep the failing rows of each check in a table.")
@click.pass_obj
def command(output: Output, chosen: Chosen, limits: Limits, store_failures: bool) -> int:
    """Run the checks of PROJECT's models and seeds; build nothing.

    A check is selected by its model, and by itself as NAME, check:NAME, type:TYPE or tag:T.

    \b
    fft test .
    fft test . --select fct_events
    fft test . --select "type:unique type:not_null" --exclude tag:slow
    """
    from fastflowtransform import artifacts
    from fastflowtransform.cli.ending import left_behind
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.results import RunResult
    from fastflowtransform.run_checks import check_all
    from fastflowtransform.work import Ending

    began = time.perf_counter()
    opened = open_project(chosen)
    folder = opened.project.folder
    console = Console(output, folder)
    found = selected_checks(opened, chosen)
    if store_failures:
        found = tuple(replace(check, terms=replace(check.terms, store_failures=True)) for check in found)
    storing = any(check.terms.store_failures for check in found)
    artifacts.prepare(folder)
    with opened.connected(console, read_only=not storing) as engine:
        console.begin(
            f"{opened.project.name}: {counted(len(found), 'check')} on {engine.name} ({opened.profile.name})",
            len(found),
        )
        artifacts.set_results_aside(folder)
        results, ending = check_all(found, opened.project, engine, console, opened.manner(limits))
        seconds = time.perf_counter() - began
        result = RunResult("test", (), results, seconds, opened.options, ending is not Ending.OVER)
        told = functools.partial(_told, folder, console, result)
        left_behind(ending, told)
    return told()


def _told(folder: Path, console: Console, result: RunResult) -> int:
    """Report what came of the checks, and return the exit code."""
    from fastflowtransform import artifacts
    from fastflowtransform.cli.ending import summed_up

    console.close()
    artifacts.write_results(folder, result)
    console.checks(result.checks)
    return summed_up(console, result)


def selected_checks(opened: Opened, chosen: Chosen) -> tuple[Check, ...]:
    """Return the checks that a selection means: those that it names, and those of the nodes that it names."""
    from fastflowtransform.cli.session import selectables
    from fastflowtransform.graph import build
    from fastflowtransform.select import Kind, Selectable, select

    project = opened.project
    checks = {f"check:{check.name}": check for check in project.checks}
    upstream = {name: sorted(found) for name, found in project.graph.upstream.items()}
    nodes = selectables(project, opened.compared)
    for key, check in checks.items():
        results = opened.compared.results.get(key, frozenset())
        path = "" if check.own is None else check.own.at.path.relative_to(project.folder).as_posix()
        nodes[key] = Selectable(check.name, Kind.CHECK, check.terms.tags, path, type=check.type, results=results)
        upstream[key] = [node for node in check.nodes if node in project.graph.upstream]
    graph = build(upstream, {key: check.at for key, check in checks.items()})
    names = set(select(graph, nodes, chosen.select, chosen.exclude))
    return tuple(check for key, check in checks.items() if key in names)
