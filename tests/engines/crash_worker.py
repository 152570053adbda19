"""Kills `fft run` before each statement that it sends, one after the other, and tells what is left each time.

    python crash_worker.py PROJECT

Everything is imported once; each run is a fork of that process. Prints a JSON list with one entry a fault: the
statement that was never sent, the tables then, and the tables after one more run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import duckdb
import ibis  # noqa: F401  (imported before the forks)

from fastflowtransform import cli
from fastflowtransform.engines.duckdb import DuckDBEngine

TABLES = ("fct", "total")


def forked(action, *arguments) -> int:
    """Run `action` in a process of its own, and return how it ended: 0, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        action(*arguments)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dump(project: Path, name: str) -> None:
    """Write the tables' rows to a file."""
    with duckdb.connect(str(project / "w.duckdb"), read_only=True) as connection:
        rows = {t: sorted(map(repr, connection.execute(f"FROM demo.{t}").fetchall())) for t in TABLES}
        left = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '__fft%'").fetchall()
    (project / name).write_text(json.dumps({"rows": rows, "left": left}))


def killed_at(fault: int, project: Path) -> None:
    """Run, and die before statement number `fault`."""
    sent, send = 0, DuckDBEngine._run

    def count(engine: DuckDBEngine, statement: str):
        nonlocal sent
        sent += 1
        if sent == fault:
            (project / "fault").write_text(statement)
            os.kill(os.getpid(), signal.SIGKILL)
        return send(engine, statement)

    DuckDBEngine._run = count
    cli.call(["run", str(project), "-q"])


def again(project: Path) -> None:
    """Tell what the crash left, run once more, and tell again."""
    dump(project, "crashed.json")
    code = cli.call(["run", str(project), "-q"])
    dump(project, "recovered.json")
    (project / "code").write_text(str(code))


def main(project: Path) -> None:
    database, wal = project / "w.duckdb", project / "w.duckdb.wal"
    shutil.copy(database, project / "base.duckdb")
    found, fault = [], 0
    while True:
        fault += 1
        wal.unlink(missing_ok=True)
        shutil.copy(project / "base.duckdb", database)
        if forked(killed_at, fault, project) == 0:
            break
        assert forked(again, project) == 0
        found.append(
            {
                "statement": (project / "fault").read_text(),
                "crashed": json.loads((project / "crashed.json").read_text()),
                "recovered": json.loads((project / "recovered.json").read_text()),
                "code": int((project / "code").read_text()),
            }
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
