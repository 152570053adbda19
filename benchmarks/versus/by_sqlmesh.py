"""SQLMesh on DuckDB: analytics off, its state in the same file, its cache as it keeps it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from measure import child
from upsert import copied

from versus.environments import Environment
from versus.work import DATABASE, Work, without, written

OFF = {"SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true"}
CHECKS = "audits (not_null(columns := (id)), unique_values(columns := (id)))"
FACTS = """MODEL (
  name bench.facts,
  kind INCREMENTAL_BY_UNIQUE_KEY (unique_key event_id),
  cron '@daily'
);
SELECT event_id, account, kind, note, amount, score, weekday, updated_at
FROM raw.events
WHERE updated_at BETWEEN @start_ts AND @end_ts
"""
PLAN = ("plan", "--auto-apply", "--no-prompts")
KEPT = (".cache", "logs")


class BySqlmesh:
    """Sends `sqlmesh plan`, `run` and `audit`.

    Parameters
    ----------
    until
        The day that the rows of the table `facts` reach to, and not into.
    """

    name = "sqlmesh"

    def __init__(self, environment: Environment, until: str) -> None:
        self._sqlmesh = environment.program("sqlmesh")
        self._until = until

    def trivial(self, folder: Path, number: int, *, checked: bool) -> None:
        """Write a model a table, with its audits, which each plan runs too."""
        audits = f", {CHECKS}" if checked else ""
        models = {
            f"models/model_{model}.sql": f"MODEL (name bench.model_{model}, kind FULL{audits});\n"
            f"SELECT {model} AS id, 'text' AS label\n"
            for model in range(number)
        }
        self._project(folder, models)

    def first(self, folder: Path) -> Work:
        """`sqlmesh plan`, applied, without database and cache."""
        return Work(folder, self._command(folder, *PLAN), lambda: without(folder, *KEPT), OFF)

    def again(self, folder: Path) -> Mapping[str, Work]:
        """`sqlmesh plan`, which finds nothing to do; and `sqlmesh run`, which finds nothing due."""
        return {
            "plan": Work(folder, self._command(folder, *PLAN), variables=OFF),
            "run": Work(folder, self._command(folder, "run"), variables=OFF),
        }

    def checks(self, folder: Path, *, one_model: bool) -> Work:
        """`sqlmesh audit`."""
        chosen = ("--model", "bench.model_0") if one_model else ()
        return Work(folder, self._command(folder, "audit", *chosen), variables=OFF)

    def seed(self, folder: Path, rows: Path) -> Work:
        """`sqlmesh plan` of a seed model."""
        self._project(folder, {"models/rows.sql": "MODEL (name bench.rows, kind SEED (path '../seeds/rows.csv'));\n"})
        (folder / "seeds").mkdir()
        shutil.copyfile(rows, folder / "seeds" / "rows.csv")
        return Work(folder, self._command(folder, *PLAN), lambda: without(folder, *KEPT), OFF)

    def upsert(self, folder: Path, made: Path) -> Mapping[str, Work]:
        """`sqlmesh run` after a plan whose time was before the new rows; the copy is of what that plan made."""
        self._project(folder, {"models/facts.sql": FACTS})
        database, planned = folder / DATABASE, folder / "planned.duckdb"
        copied(made, database)
        child(self._command(folder, *PLAN, "--execution-time", self._until), variables=OFF, folder=folder)
        database.rename(planned)
        return {"sqlmesh": Work(folder, self._command(folder, "run"), lambda: copied(planned, database), OFF)}

    def named(self, table: str) -> str:
        """Return the name of the view over it."""
        return f"bench.{table}"

    def _project(self, folder: Path, files: Mapping[str, str]) -> None:
        config = (
            "gateways:\n  local:\n    connection:\n      type: duckdb\n"
            f"      database: {folder / DATABASE}\n"
            "default_gateway: local\n"
            "model_defaults:\n  dialect: duckdb\n  start: 2026-01-01\n"
        )
        written(folder, {"config.yaml": config, **files})

    def _command(self, folder: Path, *arguments: str) -> tuple[str, ...]:
        return (self._sqlmesh, "-p", str(folder), *arguments)
