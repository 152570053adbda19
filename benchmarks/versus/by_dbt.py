"""dbt-core with dbt-duckdb: usage statistics off, partial parsing on, as it is by default."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from pathlib import Path

from upsert import copied

from versus.environments import Environment
from versus.work import DATABASE, Work, without, written

OFF = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
PROJECT = 'name: bench\nversion: "1.0"\nprofile: bench\nmodels:\n  +materialized: table\n'
SOURCES = "version: 2\nsources:\n  - name: raw\n    schema: raw\n    tables:\n      - name: events\n"
STRATEGIES = ("delete+insert", "merge")
KEPT = ("target", "logs")


class ByDbt:
    """Sends `dbt run`, `test` and `seed`.

    Parameters
    ----------
    threads
        How many models or tests dbt makes at a time; DuckDB's own threads are as DuckDB sets them.
    """

    def __init__(self, environment: Environment, threads: int = 1) -> None:
        self._dbt = environment.program("dbt")
        self._threads = threads
        self.name = "dbt" if threads == 1 else f"dbt, {threads} threads"

    def trivial(self, folder: Path, number: int, *, checked: bool) -> None:
        """Write a model a table, and one YAML file for all tests."""
        models = {f"models/model_{model}.sql": f"select {model} as id, 'text' as label\n" for model in range(number)}
        tests = "version: 2\nmodels:\n" + "".join(
            f"  - name: model_{model}\n    columns:\n      - name: id\n        data_tests: [not_null, unique]\n"
            for model in range(number)
        )
        self._project(folder, {**models, "models/schema.yml": tests} if checked else models)

    def first(self, folder: Path) -> Work:
        """`dbt run` without database and target/."""
        return Work(folder, self._command("run", folder), lambda: without(folder, *KEPT), OFF)

    def again(self, folder: Path) -> Mapping[str, Work]:
        """`dbt run`, which makes all anew, from what it has kept of the files."""
        return {"": Work(folder, self._command("run", folder), variables=OFF)}

    def checks(self, folder: Path, *, one_model: bool) -> Work:
        """`dbt test`."""
        chosen = ("--select", "model_0") if one_model else ()
        return Work(folder, self._command("test", folder, *chosen), variables=OFF)

    def seed(self, folder: Path, rows: Path) -> Work:
        """`dbt seed`."""
        self._project(folder, {})
        (folder / "seeds").mkdir()
        shutil.copyfile(rows, folder / "seeds" / "rows.csv")
        return Work(folder, self._command("seed", folder), lambda: without(folder, *KEPT), OFF)

    def upsert(self, folder: Path, made: Path) -> Mapping[str, Work]:
        """`dbt run` of an incremental model, whose table is there, by each strategy that has a key."""
        works = {}
        for strategy in STRATEGIES:
            inside = folder / strategy.replace("+", "_")
            self._project(inside, {"models/facts.sql": _facts(strategy), "models/sources.yml": SOURCES})
            prepared = functools.partial(copied, made, inside / DATABASE)
            works[f"dbt, {strategy}"] = Work(inside, self._command("run", inside), prepared, OFF)
        return works

    def named(self, table: str) -> str:
        """Return the name as it is."""
        return table

    def _project(self, folder: Path, files: Mapping[str, str]) -> None:
        output = f"{{type: duckdb, path: {folder / DATABASE}, threads: {self._threads}}}"
        profiles = f"bench:\n  target: dev\n  outputs:\n    dev: {output}\n"
        written(folder, {"dbt_project.yml": PROJECT, "profiles.yml": profiles, **files})
        (folder / "models").mkdir(exist_ok=True)

    def _command(self, name: str, folder: Path, *more: str) -> tuple[str, ...]:
        return (self._dbt, name, "--project-dir", str(folder), "--profiles-dir", str(folder), *more)


def _facts(strategy: str) -> str:
    return (
        f"{{{{ config(materialized='incremental', incremental_strategy='{strategy}', unique_key='event_id') }}}}\n"
        "select * from {{ source('raw', 'events') }}\n"
        "{% if is_incremental() %}\n"
        "where updated_at > (select max(updated_at) from {{ this }})\n"
        "{% endif %}\n"
    )
