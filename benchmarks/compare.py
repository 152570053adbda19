"""The same work by fft, dbt-duckdb, SQLMesh and a script of SQL, in turns; writes docs/benchmarks.md."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from measure import HERE, Cost, child, in_turns, python
from printing import heading, write_between
from sizes import Sizes
from upsert import merges_alone
from versus import page
from versus.by_dbt import ByDbt
from versus.by_fft import ByFft
from versus.by_hand import ByHand
from versus.by_sqlmesh import BySqlmesh
from versus.environments import Environment, environment, versions
from versus.page import Measured
from versus.work import DATABASE, Tool, Work

PAGE = HERE.parent / "docs" / "benchmarks.md"
MORE_THREADS = "dbt, 4 threads"
Costs = dict[str, list[Cost]]
Do = Callable[[], Cost]


class WrongResult(Exception):
    """A tool has not made what it was asked to make, so that what it took says nothing."""


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure, print, and write the page where the sizes are those of the bars."""
    heading("compare", "whole processes with their children; CPU is user and system")
    environments = {name: environment(name) for name in ("fft", "dbt", "sqlmesh", "sql")}
    found = Measured(sizes, {name: versions(name, where) for name, where in environments.items()})
    tools = _tools(environments, sizes)
    single = [tool for tool in tools if tool.name != MORE_THREADS]
    duckdb = environments["sql"].program("python")
    _trivial(tools, folder / "warming_up", 1, 1, duckdb)
    for number in sizes.models:
        first, again = _trivial(
            tools if number == sizes.models[-1] else single, folder / f"{number}_models", number, sizes.compared, duckdb
        )
        found.add(page.FIRST.format(number), first)
        found.add(page.AGAIN.format(number), again)
    few, many = _checks(tools, folder / "checks", sizes)
    found.add(page.CHECKS.format(2), few)
    found.add(page.CHECKS.format(sizes.checks), many)
    for rows in sizes.seeded:
        found.add(page.SEED.format(rows), _seeds(single, folder / f"{rows}_rows", rows, sizes.compared, duckdb))
    found.add(page.UPSERT, _upserts(single, folder / "upsert", sizes, duckdb))
    found.add(page.ALONE, merges_alone(folder, sizes, sizes.compared))
    found.print_bars()
    if sizes.is_full:
        write_between(PAGE, "tools", found.page())


def _tools(environments: dict[str, Environment], sizes: Sizes) -> list[Tool]:
    day = datetime(2026, 1, 1) + timedelta(days=-(-sizes.rows // 86_400))
    return [
        ByFft(environments["fft"]),
        ByDbt(environments["dbt"]),
        ByDbt(environments["dbt"], threads=4),
        BySqlmesh(environments["sqlmesh"], f"{day:%Y-%m-%d}"),
        ByHand(environments["sql"]),
    ]


def _trivial(tools: list[Tool], folder: Path, number: int, rounds: int, duckdb: str) -> tuple[Costs, Costs]:
    """Make all tables where there is nothing, and again where nothing has changed."""
    first: dict[str, Do] = {}
    again: dict[str, Do] = {}
    query = "select count(*) from information_schema.tables where table_name like 'model_%'"
    for tool in tools:
        inside = _folder(folder, tool)
        tool.trivial(inside, number, checked=False)
        made = functools.partial(_require, duckdb, query, number)
        first[tool.name] = functools.partial(_done, tool.first(inside), made)
        if tool.name == MORE_THREADS:
            continue
        for name, work in tool.again(inside).items():
            again[f"{tool.name} {name}".strip()] = functools.partial(_done, work, made)
    costs = in_turns(first, rounds)
    return costs, in_turns(again, rounds)


def _checks(tools: list[Tool], folder: Path, sizes: Sizes) -> tuple[Costs, Costs]:
    """Run two checks, and all of them, over tables that stand."""
    few: dict[str, Do] = {}
    many: dict[str, Do] = {}
    for tool in tools:
        inside = _folder(folder, tool)
        tool.trivial(inside, sizes.checks // 2, checked=True)
        _done(tool.first(inside))
        few[tool.name] = functools.partial(_done, tool.checks(inside, one_model=True))
        many[tool.name] = functools.partial(_done, tool.checks(inside, one_model=False))
    costs = in_turns(few, sizes.compared)
    return costs, in_turns(many, sizes.compared)


def _seeds(tools: list[Tool], folder: Path, rows: int, rounds: int, duckdb: str) -> Costs:
    folder.mkdir()
    file = folder / "rows.csv"
    child(python("child_rows.py", file, rows))
    works: dict[str, Do] = {}
    for tool in tools:
        loaded = functools.partial(_require, duckdb, f"select count(*) from {tool.named('rows')}", rows)
        works[tool.name] = functools.partial(_done, tool.seed(_folder(folder, tool), file), loaded)
    costs = in_turns(works, rounds)
    shutil.rmtree(folder)
    return costs


def _upserts(tools: list[Tool], folder: Path, sizes: Sizes, duckdb: str) -> Costs:
    folder.mkdir()
    made = folder / "made.duckdb"
    child(python("child_events.py", made, sizes.rows, sizes.changed, sizes.rows, "wide"))
    after = sizes.rows + sizes.changed - sizes.changed * 4 // 5
    works: dict[str, Do] = {}
    for tool in tools:
        query = f"select if(count(*) = count(distinct event_id), count(*), -1) from {tool.named('facts')}"
        merged = functools.partial(_require, duckdb, query, after)
        for name, work in tool.upsert(_folder(folder, tool), made).items():
            works[name] = functools.partial(_done, work, merged)
    costs = in_turns(works, sizes.compared)
    shutil.rmtree(folder)
    return costs


def _folder(folder: Path, tool: Tool) -> Path:
    return folder / tool.name.replace(", ", "_").replace(" ", "_")


def _done(work: Work, proof: Callable[[Path], None] = lambda _: None) -> Cost:
    """Do a work, and see that it is done."""
    work.prepared()
    cost, _ = child(work.command, variables=work.variables, folder=work.folder)
    proof(work.folder)
    return cost


def _require(duckdb: str, query: str, expected: int, folder: Path) -> None:
    """Raise `WrongResult` where a database does not hold what it should."""
    text = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchone()[0])"
    _, said = child((duckdb, "-c", text, str(folder / DATABASE), query))
    # Before the number there may be DuckDB's progress bar.
    found = int(said.split()[-1])
    if found != expected:
        raise WrongResult(f"{folder.name}: {query}: {found}, and not {expected}")
