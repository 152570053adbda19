"""Kills a command before each statement that it sends, one after the other, and tells what is left each time.

    python crash_worker.py ENGINE PROJECT COMMAND

Everything is imported once; each run is a fork of that process. The tables as they are at the start are kept, and put
back before each run. Prints a JSON list with one entry a fault: the statement that was never sent, the tables then, and
the tables after the command once more.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import ibis  # noqa: F401  (imported before the forks)
import psycopg

from fastflowtransform import cli
from fastflowtransform.console import Console
from fastflowtransform.engines import postgres  # noqa: F401

TABLES = ("fct", "total")


class DuckDB:
    """A file, and a copy of it."""

    def __init__(self, project: Path) -> None:
        self._file, self._copy = project / "w.duckdb", project / "base.duckdb"
        shutil.copy(self._file, self._copy)

    def restore(self) -> None:
        self._file.with_suffix(".duckdb.wal").unlink(missing_ok=True)
        shutil.copy(self._copy, self._file)

    def rows(self, sql: str) -> list[Any]:
        with duckdb.connect(str(self._file), read_only=True) as connection:
            return connection.execute(f"SET search_path = 'demo'; {sql}").fetchall()

    LEFT = "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '__fft%'"


class Postgres:
    """A schema, and copies of its tables in another one."""

    LEFT = "SELECT relname FROM pg_class WHERE relname LIKE '\\_\\_fft%' AND relkind IN ('r', 'v')"

    def __init__(self, project: Path) -> None:
        self._dsn = os.environ["FFT_TEST_PG_DSN"]
        # With the ledger, which says that the tables are fft's.
        self._names = ("events", *TABLES, "fft_run", "fft_model_state")
        self._send("DROP SCHEMA IF EXISTS base CASCADE; CREATE SCHEMA base")
        self._copy("demo", "base")

    def restore(self) -> None:
        self._wait_for_the_dead()
        self._send("DROP SCHEMA demo CASCADE; CREATE SCHEMA demo; DROP SCHEMA IF EXISTS demo_failures CASCADE")
        self._copy("base", "demo")

    def _copy(self, source: str, target: str) -> None:
        for name in self._names:
            self._send(f"CREATE TABLE {target}.{name} (LIKE {source}.{name} INCLUDING ALL)")
            self._send(f"INSERT INTO {target}.{name} TABLE {source}.{name}")

    def rows(self, sql: str) -> list[Any]:
        self._wait_for_the_dead()
        with psycopg.connect(self._dsn, autocommit=True, options="-c search_path=demo") as connection:
            return connection.execute(sql).fetchall()

    def _send(self, sql: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(sql)

    def _wait_for_the_dead(self) -> None:
        """Let the server see that a client is gone; until then its temporary tables stand."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            for _ in range(500):
                (number,) = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fft'"
                ).fetchone() or (0,)
                if not number:
                    return
                time.sleep(0.01)


def forked(action: Callable[..., None], *arguments: Any) -> int:
    """Run `action` in a process of its own, and return how it ended: 0, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        action(*arguments)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def told(warehouse: DuckDB | Postgres) -> dict[str, Any]:
    """Return the tables' rows, and what a run may have left beside them."""
    rows = {name: sorted(map(repr, warehouse.rows(f"SELECT * FROM {name}"))) for name in TABLES}
    return {"rows": rows, "left": [name for (name,) in warehouse.rows(warehouse.LEFT)]}


def killed_at(fault: int, project: Path, command: str) -> None:
    """Run a command, and die before statement number `fault`."""
    sent = 0

    def count(_: Console, statement: str) -> None:
        nonlocal sent
        sent += 1
        if sent == fault:
            (project / "fault").write_text(statement)
            os.kill(os.getpid(), signal.SIGKILL)

    Console.statement = count  # type: ignore[method-assign]
    cli.call([command, str(project), "-q"])


def again(project: Path, command: str) -> None:
    """Run it once more."""
    (project / "code").write_text(str(cli.call([command, str(project), "-q"])))


def main(engine: str, project: Path, command: str) -> None:
    warehouse = {"duckdb": DuckDB, "postgres": Postgres}[engine](project)
    found, fault = [], 0
    while True:
        fault += 1
        warehouse.restore()
        if forked(killed_at, fault, project, command) != -signal.SIGKILL:
            break
        crashed = told(warehouse)
        assert forked(again, project, command) == 0
        found.append(
            {
                "statement": (project / "fault").read_text(),
                "crashed": crashed,
                "recovered": told(warehouse),
                "code": int((project / "code").read_text()),
            }
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
