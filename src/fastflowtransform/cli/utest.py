"""`fft utest`: run models over a few rows that are written by hand."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import click

from fastflowtransform.cli.options import Chosen, given_variables, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import FftError, NothingSelected, UnknownProfile, UnknownRef, counted, hint_from

if TYPE_CHECKING:
    from ibis.expr.schema import Schema

    from fastflowtransform.cli.session import Opened
    from fastflowtransform.engines.base import Engine
    from fastflowtransform.project import Project
    from fastflowtransform.relation import Relation
    from fastflowtransform.settings import Profile
    from fastflowtransform.utest.case import Case

HERE = "duckdb"
"""The engine that needs no profile: it runs in this process, in memory."""


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
    opened = _opened(chosen, engine_name)
    project = opened.project
    console = Console(output, project.folder)
    cases = _selected(read_cases(project), project, chosen, words)
    artifacts.prepare(project.folder)
    # For reading, so that not even the profile's own schema is made: what is written is in the scratch schema.
    with opened.connected(console, read_only=True) as engine, contextlib.ExitStack() as closing:
        console.begin(f"{project.name}: {counted(len(cases), 'unit test')} on {engine.name}", len(cases))
        artifacts.set_results_aside(project.folder)
        warehouse = _Warehouse(chosen, console, closing, None if engine_name == HERE else engine)
        results = run_cases(cases, project, engine, console, warehouse.columns)
    result = RunResult("utest", checks=results, seconds=time.perf_counter() - began)
    artifacts.write_results(project.folder, result)
    if not cases:
        console.say("there are no unit tests in tests/unit")
    console.unit_tests(results)
    console.summary(result)
    return result.exit_code


class _Warehouse:
    """The project's own warehouse, which is asked for columns of tables, and for no rows.

    It is opened when the first table is asked for, and need not be there: few unit tests ask it anything.
    """

    def __init__(
        self, chosen: Chosen, console: Console, closing: contextlib.ExitStack, engine: Engine | None = None
    ) -> None:
        self._chosen, self._console, self._closing = chosen, console, closing
        self._engine, self._is_tried = engine, engine is not None

    def columns(self, relation: Relation) -> Schema | None:
        """Return the columns of a table; None where it is not there, or the warehouse cannot be asked."""
        with contextlib.suppress(FftError):
            engine = self._opened()
            if engine is not None and engine.existing([relation]):
                return engine.found(relation).schema()
        return None

    def _opened(self) -> Engine | None:
        if not self._is_tried:
            self._is_tried = True
            profile, engine_type = _profile_of_project(self._chosen)
            self._engine = engine_type.connect(profile, read_only=True, on_statement=self._console.statement)
            self._closing.callback(self._engine.close)
        return self._engine


def _profile_of_project(chosen: Chosen) -> tuple[Profile, type[Engine]]:
    """Return the active profile, and its engine."""
    from fastflowtransform import engines, settings

    profile = settings.load(settings.find_project(chosen.folder), chosen.env)
    return profile, engines.find(profile.engine, profile.options.at())


def _schema_of_project(chosen: Chosen) -> str:
    """Return the schema of the project's tables, which is the name that a model may call them by."""
    try:
        profile, engine_type = _profile_of_project(chosen)
        return engine_type.database(profile)
    except FftError:
        return "main"


def _opened(chosen: Chosen, engine: str) -> Opened:
    """Read the project for the engine that the tests run on; DuckDB needs no profile, since it runs in memory."""
    from fastflowtransform import engines
    from fastflowtransform.cli.session import open_project

    if engine == HERE:
        return _in_memory(chosen)
    engines.find(engine)
    opened = open_project(chosen)
    if opened.profile.engine != engine:
        raise UnknownProfile(
            f'the profile "{opened.profile.name}" is for the engine "{opened.profile.engine}", and not for "{engine}"',
            at=opened.profile.options.at(),
            hint=f'name a profile for "{engine}" with --env',
        )
    return opened


def _in_memory(chosen: Chosen) -> Opened:
    from fastflowtransform import engines, settings
    from fastflowtransform import project as projects
    from fastflowtransform.cli.session import Opened, enter_project
    from fastflowtransform.document import Section
    from fastflowtransform.errors import Location
    from fastflowtransform.settings import Profile

    folder = enter_project(chosen)
    name, variables = settings.environment(folder, chosen.env)
    # One thread: the rows are few, and more would only wait for each other.
    options = Section({"path": ":memory:", "threads": 1}, Location(folder), "the engine of unit tests")
    # Without variables, one of which could name a file.
    profile = Profile(name, HERE, options, {}, folder)
    given = given_variables(chosen.variables)
    project = projects.load(folder, engine=HERE, database=_schema_of_project(chosen), variables=variables, given=given)
    return Opened(project, profile, engines.find(HERE))


def _selected(cases: tuple[Case, ...], project: Project, chosen: Chosen, words: tuple[str, ...]) -> tuple[Case, ...]:
    """Return the cases of the selected models that have one of the words in their names."""
    from fastflowtransform.cli.comparing import compared
    from fastflowtransform.cli.session import selectables
    from fastflowtransform.select import select

    names = set(select(project.graph, selectables(project, compared(project, chosen)), chosen.select, chosen.exclude))
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
    sampling = Sampling(rows, seed)
    with opened.connected(console, read_only=True) as warehouse:
        samples = sampling.drawn(opened.project.models[name], opened.project, warehouse)
    tried = _opened(chosen, opened.profile.engine)
    with tried.connected(console, read_only=True) as engine:
        text = recorded(str(sampling), tried.project.models[name], tried.project, engine, samples)
    path = write_case(console.folder, name, text)
    console.event("written", path=str(path))
    console.say(f"wrote {path.relative_to(console.folder)}: take away what the test is not about, and run fft utest")
    return 0
