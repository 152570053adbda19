"""Counts what commands cost in ways that no clock is needed for: statements sent to the engine, and our own calls.

    python -m tests.counting duckdb            what each command takes for each number of models, as JSON
    python -m tests.counting --write           note that of DuckDB and PostgreSQL in tests/costs.json

A process of its own, so that nothing that other tests have left in memory counts. The server is that of `FF_PG_DSN`.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import psycopg

from tests.conftest import postgres_dsn

NOTED = Path(__file__).with_name("costs.json")
ROOT = Path(__file__).parents[1]
COMMANDS = {
    "plan": ("plan",),
    "run": ("run",),
    "run again": ("run",),
    "run again, with a cache": ("run", "--cache", "rw"),
    "test": ("test",),
}
NUMBERS = {3: tuple(COMMANDS), 20: tuple(COMMANDS)[1:], 80: tuple(COMMANDS)[1:], 100: ("plan",), 400: ("plan",)}
"""How many models there are, and which commands are run with them; the first are there for what a process learns once,
and do not count."""
PROFILES = {
    "duckdb": "duckdb:\n    path: costs.duckdb\n",
    "postgres": "postgres:\n    dsn: \"{{ env('FF_PG_DSN') }}\"\n    schema: NAME\n",
}
Counts = dict[str, dict[str, dict[str, int]]]


def counted_apart(engine: str, dsn: str | None = None) -> Counts:
    """Return what `main` prints for an engine, from a new process."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("FFT_", "FF_"))}
    variables |= {"PYTHONHASHSEED": "0"} | ({} if dsn is None else {"FF_PG_DSN": dsn})
    if dsn is not None:
        _emptied(dsn)
    command = (sys.executable, "-m", "tests.counting", engine)
    found: Counts = json.loads(subprocess.check_output(command, cwd=ROOT, env=variables))
    return found


def _emptied(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as server:
        for number in NUMBERS:
            server.execute(f"DROP SCHEMA IF EXISTS costs_of_{number} CASCADE")


def counts(engine: str) -> Counts:
    """Return statements and calls of each command, by the number of models."""
    found: Counts = {name: {} for name in COMMANDS}
    first = next(iter(NUMBERS))
    # As the command line sets it.
    gc.set_threshold(500_000, 50, 100)
    with tempfile.TemporaryDirectory() as folder:
        for number, commands in NUMBERS.items():
            project = Path(folder) / f"costs_of_{number}"
            write(project, number, engine)
            for name in commands:
                cost = of_command([*COMMANDS[name], str(project)])
                if number != first:
                    found[name][str(number)] = cost
    return found


def write(folder: Path, number: int, engine: str) -> None:
    """Write models of which each reads one before it: tables, views and increments, with two checks each."""
    (folder / "models").mkdir(parents=True)
    (folder / "project.yml").write_text("name: costs\n")
    (folder / "profiles.yml").write_text(f"dev:\n  engine: {engine}\n  {PROFILES[engine]}".replace("NAME", folder.name))
    for model in range(number):
        (folder / "models" / f"m_{model}.ff.sql").write_text(_text(model))
    checks = "".join(
        f"  - name: m_{model}\n    columns:\n      - name: id\n        tests: [not_null, unique]\n"
        for model in range(number)
    )
    (folder / "models" / "schema.yml").write_text(f"version: 2\nmodels:\n{checks}")


def _text(model: int) -> str:
    if model == 0:
        return "{{ config(materialized='table') }}\nselect 1 as id, 1 as seen"
    kinds = ("'table'", "'view'", "'table'", "'incremental', unique_key='id', updated_at='seen'")
    return f"{{{{ config(materialized={kinds[model % 4]}) }}}}\nselect id, seen from {{{{ ref('m_{model // 2}') }}}}"


def of_command(arguments: list[str]) -> dict[str, int]:
    """Run a command in this process, and return how many statements it sent and functions of ours it called."""
    from fastflowtransform import cli

    # The clock stands still: what shares a transaction shall not depend on how quick this machine is.
    with (
        mock.patch("time.perf_counter", return_value=0.0),
        contextlib.redirect_stdout(io.StringIO()),
        counting() as seen,
    ):
        code = cli.call(arguments)
    assert code == 0, arguments
    ours = f"{os.sep}fastflowtransform{os.sep}"
    calls = sum(number for code, number in seen.items() if isinstance(code, CodeType) and ours in code.co_filename)
    return {"statements": sum(number for sent, number in seen.items() if _sends(sent)), "calls": calls}


def _sends(called: object) -> bool:
    """Whether it is DuckDB's method that sends a statement, or what our session with PostgreSQL puts around each."""
    from fastflowtransform.engines.postgres_errors import Translated

    return called in ("execute", Translated.__init__.__code__)


@contextlib.contextmanager
def counting() -> Iterator[Counter[object]]:
    """Count calls in this thread and in those that it starts, by their code, or by name where it is not Python's."""
    seen: list[dict[object, int]] = []
    total: Counter[object] = Counter()

    def hook() -> Callable[[FrameType, str, Any], None]:
        mine: dict[object, int] = {}
        seen.append(mine)

        def note(frame: FrameType, event: str, called: Any) -> None:
            if event == "call":
                mine[frame.f_code] = mine.get(frame.f_code, 0) + 1
            elif event == "c_call" and called.__name__ == "execute":
                mine["execute"] = mine.get("execute", 0) + 1

        return note

    def in_thread(frame: FrameType, event: str, called: Any) -> None:
        sys.setprofile(hook())

    threading.setprofile(in_thread)
    sys.setprofile(hook())
    try:
        yield total
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        for mine in seen:
            total.update(mine)


def main(argument: str) -> None:
    """Print the counts of an engine, or note those of both."""
    if argument != "--write":
        print(json.dumps(counts(argument)))
        return
    noted = {"duckdb": counted_apart("duckdb"), "postgres": counted_apart("postgres", postgres_dsn())}
    NOTED.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
