"""`fft utest`: run models over a few rows that are written by hand."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from fastflowtransform.cli.options import Chosen, given_variables, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import NothingSelected, UnknownProfile, UnknownRef, counted, hint_from

if TYPE_CHECKING:
    from fastflowtransform.engines.base import Engine
    from fastflowtransform.project import Project
    from fastflowtransform.results import CheckResult
    from fastflowtransform.settings import Profile
    from fastflowtransform.utest.case import Case

HERE = "duckdb"
"""The engine that needs no profile: it runs in this process, in memory."""

_SHOWN = 20


@click.command("utest", short_help="Run models over rows that tests give, without a warehouse.")
@project_options
@selection_options
@click.option("-k", "words", multiple=True, metavar="TEXT", help="Only cases with TEXT in their name; may be repeated.")
@click.option("--engine", "engine_name", metavar="NAME", default=HERE, help="The engine of the active profile instead.")
@click.option("--record", metavar="MODEL", help="Write a case of MODEL from rows of the warehouse; run none.")
@click.option("--rows", type=click.IntRange(min=1), default=5, show_default=True, help="For --record: rows an input.")
@click.option("--seed", type=int, default=0, show_default=True, help="For --record: another seed, other rows.")
@click.pass_obj
def command(
    output: Output,
    chosen: Chosen,
    words: tuple[str, ...],
    engine_name: str,
    record: str | None,
    rows: int,
    seed: int,
) -> int:
    """Run the unit tests of PROJECT's models, which stand in tests/unit/: on a DuckDB in memory, or on another engine.

    \b
    fft utest .
    fft utest . --select fct_events -k late
    fft utest . --engine postgres
    fft utest . --record fct_events --rows 3
    """
    from fastflowtransform import artifacts
    from fastflowtransform.results import RunResult
    from fastflowtransform.utest.read import read_cases
    from fastflowtransform.utest.run import run_cases

    if record is not None:
        return _recorded(output, chosen, record, rows, seed)
    began = time.perf_counter()
    profile, database = _place(chosen, engine_name)
    project = _project(chosen, profile, database)
    console = Console(output, project.folder)
    cases = _selected(read_cases(project), project, chosen, words)
    artifacts.prepare(project.folder)
    with _connected(profile, database, console) as engine:
        console.begin(f"{project.name}: {counted(len(cases), 'unit test')} on {engine.name}", len(cases))
        results = run_cases(cases, project, engine, database, console)
    result = RunResult("utest", checks=results, seconds=time.perf_counter() - began)
    artifacts.write_results(project.folder, result)
    _show(results, console)
    console.summary(result)
    return result.exit_code


def _place(chosen: Chosen, engine_name: str) -> tuple[Profile, str]:
    """Return where the tests run, and a schema that is theirs alone."""
    from fastflowtransform import engines, settings
    from fastflowtransform.document import Section
    from fastflowtransform.errors import Location
    from fastflowtransform.settings import Profile

    folder = settings.find_project(chosen.folder)
    if engine_name == HERE:
        name, variables = settings.environment(folder, chosen.env)
        at = Location(folder / "profiles.yml")
        # One thread: the rows are few, and more would only wait for each other.
        options = Section({"path": ":memory:", "schema": "utest", "threads": 1}, at, "the engine of unit tests")
        return Profile(name, HERE, options, _without_places(variables), folder), "utest"
    engines.find(engine_name)
    profile = settings.load(folder, chosen.env)
    if profile.engine != engine_name:
        raise UnknownProfile(
            f'the profile "{profile.name}" is for the engine "{profile.engine}", and not for "{engine_name}"',
            at=profile.options.at(),
            hint=f'name a profile for "{engine_name}" with --env',
        )
    database = f"fft_utest_{secrets.token_hex(4)}"
    options = profile.options.overlaid({"schema": database})
    return replace(profile, options=options, variables=_without_places(profile.variables)), database


def _without_places(variables: Any) -> dict[str, str]:
    """Leave out the variables that would lead a test to a database file or a schema of the user's."""
    return {
        name: value
        for name, value in variables.items()
        if not (name.startswith("FF_") and name.endswith(("_SCHEMA", "_PATH")))
    }


def _project(chosen: Chosen, profile: Profile, database: str) -> Project:
    from fastflowtransform import project as projects
    from fastflowtransform import settings

    return projects.load(
        profile.folder,
        engine=profile.engine,
        database=database,
        variables=settings.environment(profile.folder, chosen.env)[1],
        given=given_variables(chosen.variables),
    )


@contextlib.contextmanager
def _connected(profile: Profile, database: str, console: Console) -> Iterator[Engine]:
    """Open the engine while the block runs, and leave nothing behind in it."""
    from fastflowtransform import engines
    from fastflowtransform.cli.signals import interruptible

    engine = engines.find(profile.engine).connect(profile, on_statement=console.statement)
    try:
        with interruptible(engine.interrupt):
            yield engine
    finally:
        console.close()
        engine.discard(database)
        engine.close()


def _selected(cases: tuple[Case, ...], project: Project, chosen: Chosen, words: tuple[str, ...]) -> tuple[Case, ...]:
    """Return the cases of the selected models that have one of the words in their names."""
    from fastflowtransform.cli.session import selectables
    from fastflowtransform.select import select

    names = set(select(project.graph, selectables(project), chosen.select, chosen.exclude))
    found = tuple(case for case in cases if case.model in names)
    if not found and (chosen.select or chosen.exclude):
        raise NothingSelected(
            "no unit test is about what is selected",
            hint=hint_from("", {case.model for case in cases}, "tested models"),
        )
    if not words:
        return found
    named = tuple(case for case in found if any(word.casefold() in case.title.casefold() for word in words))
    if not named:
        wanted = '", "'.join(words)
        raise NothingSelected(
            f'no unit test has "{wanted}" in its name', hint=hint_from(words[0], {case.name for case in found}, "cases")
        )
    return named


def _show(results: tuple[CheckResult, ...], console: Console) -> None:
    """Show each case in a line, and each that failed cell by cell."""
    from fastflowtransform.console import MARKS

    if not results:
        console.say("there are no unit tests in tests/unit")
    rows = [(MARKS[result.status], result.name, f"{result.seconds:.2f}") for result in results]
    console.table(("", "unit test", "seconds"), rows, right=(2,))
    for result in results:
        if result.error is None:
            continue
        console.say("")
        named = f'"{result.name}"' in result.error.message
        console.error(result.error, "" if named else f"{result.name}: ")
        console.rows(result.sample[:_SHOWN])
        if len(result.sample) > _SHOWN:
            console.say(f"and {len(result.sample) - _SHOWN} more, which target/run_results.json holds")


def _recorded(output: Output, chosen: Chosen, model: str, rows: int, seed: int) -> int:
    """Write a case from rows of the warehouse."""
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.sql_model import model_name
    from fastflowtransform.utest.record import Sampling, recorded, write_case

    opened = open_project(chosen)
    console = Console(output, opened.project.folder)
    name = model_name(model)
    if name not in opened.project.models:
        raise UnknownRef(
            f'"{model}" is not a model of this project', hint=hint_from(model, opened.project.models, "models")
        )
    with opened.connected(console, read_only=True) as warehouse:
        inputs = Sampling(rows, seed).inputs(opened.project.models[name], opened.project, warehouse)
    profile, database = _place(chosen, HERE if warehouse.name == HERE else warehouse.name)
    project = _project(chosen, profile, database)
    with _connected(profile, database, console) as engine:
        text = recorded(project.models[name], project, engine, database, inputs)
    path = write_case(project.folder, name, text)
    console.event("written", path=str(path))
    console.say(f"wrote {path.relative_to(project.folder)}: take away what the test is not about, and run fft utest")
    return 0
