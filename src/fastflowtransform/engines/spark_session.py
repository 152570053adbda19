"""A Spark session: the one that is already there, one on a server, or one of our own that is small and quiet."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastflowtransform.engines.interrupting import Interrupt
from fastflowtransform.engines.spark_errors import Translated, last_words
from fastflowtransform.engines.spark_profile import Settings
from fastflowtransform.engines.spark_tags import tagged
from fastflowtransform.engines.spark_types import Columns
from fastflowtransform.errors import ConnectionFailed, DatabaseLocked, EngineError

if TYPE_CHECKING:
    from ibis.expr.schema import Schema
    from pyspark.sql import DataFrame, SparkSession

_DELTA = metadata.version("delta-spark")
_JARS = (
    "delta-spark_4.0_2.13",
    "delta-storage",
    "delta-kernel-api",
    "delta-kernel-defaults",
    "delta-kernel-unitycatalog",
)
"""What Delta needs beside Spark's own jars. All else that its packages ask for is in pyspark, or for other catalogs."""
_EXCLUDED = (
    "com.fasterxml.jackson.core",
    "com.fasterxml.jackson.datatype",
    "com.google.code.findbugs",
    "io.unitycatalog",
    "org.antlr",
    "org.apache.hadoop",
    "org.apache.logging.log4j",
    "org.apache.parquet",
    "org.apache.spark",
    "org.roaringbitmap",
    "org.scala-lang",
    "org.slf4j",
)
_CONNECT_PORT = 15002
"""Where a Spark Connect server listens, where nothing says otherwise."""
_OLDEST_JAVA, _NEWEST_JAVA = 17, 23
_WAIT = 5.0
"""Seconds that a Java process may take to let go of the catalog after the fft that it belonged to was killed."""

# Measured for small tables, where Spark's defaults take six times the processor time: `docs/guides/spark.md`.
_LOCAL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
# With the first compiler alone Java keeps 48 MB of code, which some hundred statements fill; then Java 17
# takes a quarter of the processor's time to make room. Where Java's own clock is not UTC, Delta reads a table's whole
# log again after each commit, to compare it with what it has counted.
_JAVA_OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -Duser.timezone=UTC"
# How values are compared, cast and printed, wherever the session comes from.
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.mapKeyDedupPolicy": "LAST_WIN",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
_MARK = "spark.databricks.delta.commitInfo.userMetadata"
_WRITER, _NUMBER = "spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion"


class Session:
    """An open session, and the only way by which statements reach it.

    Parameters
    ----------
    spark
        Spark's own session.
    on_statement
        Is told each statement that changes something before it is sent.
    end
        Ends what was started for it.
    """

    def __init__(
        self,
        spark: SparkSession,
        on_statement: Callable[[str], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        self.spark = spark
        self._on_statement = on_statement
        self._end = end
        self.mark: str | None = None
        """What each Delta commit carries now, so that it can be found in a table's history."""
        _quiet()
        self._before = {name: spark.conf.get(name, None) for name in _SETTINGS}
        self._configure(_SETTINGS)
        self._tagged = tagged(spark, f"fft-{uuid.uuid4().hex}")
        self._interrupt = Interrupt(self._tagged.cancel)

    def run(self, statement: str) -> list[dict[str, Any]]:
        """Send a statement that changes something, and return what it answers."""
        if self._on_statement is not None:
            self._on_statement(statement)
        return self.rows(statement)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query whose result is small."""
        with self.translated(query):
            return [row.asDict() for row in self.spark.sql(query).collect()]

    def frame(self, query: str) -> DataFrame:
        """Return a query as Spark's lazy table; it is not run."""
        with self.translated(query):
            return self.spark.sql(query)

    def schema(self, query: str) -> Schema:
        """Return the columns and types of a query, which is not run, as Ibis has them."""
        return self.columns(query).schema()

    def columns(self, query: str) -> Columns:
        """Return the columns and types of a query, which is not run."""
        with self.translated(query):
            return Columns(self.spark.sql(query).schema)

    def forget(self, view: str) -> None:
        """Drop a temporary view, where there is one."""
        with self.translated(None):
            self.spark.catalog.dropTempView(view)

    def translated(self, query: str | None) -> Translated:
        """Return a block whose errors are ours."""
        return Translated(query, self._is_interrupted)

    def values(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query whose result is small, with moments as such, and not as this machine's clock."""
        with self.translated(query):
            found: list[dict[str, Any]] = self.spark.sql(query).toArrow().to_pylist()
            return found

    def marked(self, writer: str, number: int, mark: Mapping[str, Any]) -> contextlib.AbstractContextManager[None]:
        """Let each Delta commit of the block carry a mark, and be the only one of its writer and number.

        Delta leaves out what a writer sends again under a number that it has committed. A block within another one has
        marks of its own: a check keeps its failing rows while its model is about to be written.
        """
        return self._carrying(json.dumps(mark), {_WRITER: writer, _NUMBER: str(number)})

    def noted(self, key: str, note: Any) -> contextlib.AbstractContextManager[None]:
        """Let each Delta commit of the block carry a note besides; None is no note."""
        if note is None:
            return contextlib.nullcontext()
        return self._carrying(json.dumps({**json.loads(self.mark or "{}"), key: note}), {})

    @contextlib.contextmanager
    def _carrying(self, mark: str, settings: Mapping[str, str]) -> Iterator[None]:
        before, self.mark = self.mark, mark
        try:
            with self.configured({_MARK: mark, **settings}):
                yield
        finally:
            self.mark = before

    @contextlib.contextmanager
    def configured(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Let settings of Spark hold while the block runs."""
        before = {name: self.spark.conf.get(name, None) for name in settings}
        self._configure(settings)
        try:
            yield
        finally:
            # A session that is gone has no settings either; the first error is the one to tell.
            with contextlib.suppress(EngineError), self.translated(None):
                self._configure(before)

    def _configure(self, settings: Mapping[str, str | None]) -> None:
        for name, value in settings.items():
            self.spark.conf.unset(name) if value is None else self.spark.conf.set(name, value)

    def interrupt(self) -> None:
        """Make what runs now end with `KeyboardInterrupt`; called from another thread."""
        self._interrupt.ask()

    def _is_interrupted(self) -> bool:
        if found := self._interrupt.is_asked:
            self._interrupt.heard()
        return found

    def close(self) -> None:
        """Leave a session as it was found; end one of our own."""
        self._interrupt.heard()
        if self._end is not None:
            self._end()
            return
        with contextlib.suppress(EngineError), self.translated(None):
            self._tagged.end()
            self._configure(self._before)


def opened(settings: Settings, on_statement: Callable[[str], None] | None = None) -> Session:
    """Return the session that is active in this process, one of the server of `remote`, or a new one.

    Raises
    ------
    ConnectionFailed
        There is no Java that Spark runs on, Delta's jars cannot be had, or the server does not answer.
    DatabaseLocked
        Another process has the catalog open.
    """
    from pyspark.sql import SparkSession

    if (active := SparkSession.getActiveSession()) is not None:
        return Session(active, on_statement)
    if settings.remote is not None:
        return _connected(settings.remote, on_statement)
    return _started(settings, on_statement)


def _quiet() -> None:
    """Let the libraries keep to themselves what is in our errors already: as JSON, or as a traceback."""
    for name in ("SQLQueryContextLogger", "py4j", "pyspark.sql.connect.client", "pyspark.sql.connect.logging"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger().addFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Whether a record says more than that the user stopped the command."""
    return not record.getMessage().startswith("KeyboardInterrupt while sending")


def _unraised(before: Callable[[Any], Any], found: Any) -> None:
    """Pass on what a finalizer raises, but for the Ctrl-C that it happened to meet: the engine has heard of that."""
    if not isinstance(found.exc_value, KeyboardInterrupt):
        before(found)


def _connected(remote: str, on_statement: Callable[[str], None] | None) -> Session:
    """Open a session of a Spark Connect server; ending it leaves the server as it is."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    where = re.sub(r"token=[^;]*", "token=***", remote)
    hint = "is the server up, and is remote right?"
    host, port = urlsplit(remote).hostname, urlsplit(remote.partition("/;")[0]).port
    try:
        # Spark would try again for ten minutes.
        socket.create_connection((host or "", port or _CONNECT_PORT), timeout=_WAIT).close()
    except OSError as error:
        raise ConnectionFailed(f'cannot connect to Spark at "{where}": {error.strerror or error}', hint=hint) from error
    try:
        import grpc

        spark = SparkSession.builder.remote(remote).getOrCreate()
        spark.sql("SELECT 1").collect()
        return Session(spark, on_statement, spark.stop)
    except ImportError as error:
        raise ConnectionFailed(
            f'Spark Connect needs a package that is not installed: "{error.name or error}"',
            hint="pip install 'fastflowtransform[spark]'",
        ) from error
    except (PySparkException, grpc.RpcError, ValueError) as error:
        words = re.sub(r"token=[^;\s]*", "token=***", last_words(str(error)))
        raise ConnectionFailed(f'cannot connect to Spark at "{where}": {words}', hint=hint) from error


def _started(settings: Settings, on_statement: Callable[[str], None] | None) -> Session:
    """Start Spark in a Java process of our own, whose words go to a file beside the tables."""
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    _require_java(settings.java_home)
    sys.unraisablehook = functools.partial(_unraised, sys.unraisablehook)
    try:
        settings.warehouse.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConnectionFailed(
            f'cannot make the folder "{settings.warehouse}": "{error.strerror}"',
            hint="choose another warehouse_dir in profiles.yml",
        ) from error
    lock = _alone(settings.warehouse) if _has_own_catalog(settings) else None
    log = settings.warehouse / "spark.log"
    conf = SparkConf(loadDefaults=False).setAll(list(_conf(settings).items()))
    # Spark sets a handler of its own, which would keep Ctrl-C from ours.
    handler = signal.getsignal(signal.SIGINT)
    try:
        with log.open("wb") as words:
            output = {"stdout": words, "stderr": words}
            gateway = launch_gateway(conf, popen_kwargs=output)  # type: ignore[no-untyped-call]
        context = SparkContext(conf=conf, gateway=gateway)
        spark = SparkSession(context)
        # The catalog is opened by the first that asks for it, and not by the session.
        spark.sql("SHOW DATABASES").collect()
    except (PySparkException, Py4JError, OSError) as error:
        if lock is not None:
            lock.close()
        raise _why_not_started(str(error), log, settings) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)

    def end() -> None:
        spark.stop()
        # Only when the process is gone has it let go of the catalog.
        gateway.shutdown()
        gateway.proc.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            gateway.proc.wait(_WAIT)
        SparkContext._gateway = SparkContext._jvm = None
        if lock is not None:
            lock.close()

    return Session(spark, on_statement, end)


def _conf(settings: Settings) -> dict[str, str]:
    """Return what a new session is started with."""
    given = dict(settings.conf)
    home = settings.warehouse
    options = [_JAVA_OPTIONS]
    conf = {
        **_LOCAL,
        **_SETTINGS,
        **_jars(settings, given),
        "spark.master": settings.master,
        "spark.app.name": settings.app_name,
        "spark.sql.warehouse.dir": str(home),
    }
    if _has_own_catalog(settings):
        conf["spark.sql.catalogImplementation"] = "hive"
        url = f"jdbc:derby:;databaseName={home / 'metastore_db'};create=true"
        conf["spark.hadoop.javax.jdo.option.ConnectionURL"] = url
        options += [f'"-Dderby.system.home={home}"', f'"-Dderby.stream.error.file={home / "derby.log"}"']
    if own := given.pop("spark.driver.extraJavaOptions", None):
        options.append(own)
    return {**conf, **given, "spark.driver.extraJavaOptions": " ".join(options)}


def _has_own_catalog(settings: Settings) -> bool:
    """Whether the catalog is the one in the warehouse's folder, and not one that the profile names."""
    named = ("spark.sql.catalogImplementation", "spark.hadoop.javax.jdo.option.ConnectionURL")
    return not any(name in settings.conf for name in (*named, "spark.hadoop.hive.metastore.uris"))


def _jars(settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """Return where Delta's jars come from: a folder, Spark's own, what an earlier session downloaded, or Maven."""
    import pyspark

    if "spark.jars" in given or "spark.jars.packages" in given:
        return {}
    if settings.jars is not None:
        found = sorted(settings.jars.glob("*.jar"))
        if not any(jar.name.startswith(_JARS[0].partition("_")[0]) or "delta-spark" in jar.name for jar in found):
            raise ConnectionFailed(
                f'there is no jar of Delta in "{settings.jars}"',
                hint=f"put there: {', '.join(f'{name}-{_DELTA}.jar' for name in _JARS)}",
            )
        return {"spark.jars": ",".join(map(str, found))}
    home = Path(settings.spark_home or Path(pyspark.__file__).parent)
    if list((home / "jars").glob("delta-spark_*.jar")):
        return {}
    # Where Spark 4 puts what it downloads; the names are the ones that it gives.
    ivy = Path(given.get("spark.jars.ivy") or Path.home() / ".ivy2.5.2")
    kept = [ivy / "jars" / f"io.delta_{name}-{_DELTA}.jar" for name in _JARS]
    if all(jar.is_file() for jar in kept):
        return {"spark.jars": ",".join(map(str, kept))}
    return {
        "spark.jars.packages": ",".join(f"io.delta:{name}:{_DELTA}" for name in _JARS),
        "spark.jars.excludes": ",".join(f"{group}:*" for group in _EXCLUDED),
    }


def _require_java(home: str | None) -> None:
    """Raise `ConnectionFailed` where there is no Java, or none that Spark runs on."""
    hint = "install Java 17 or 21 (on Debian and Ubuntu: apt install openjdk-17-jre-headless), or set JAVA_HOME to one"
    program = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "")
    if not program.is_file():
        where = f' in JAVA_HOME, which is "{home}"' if home else ""
        raise ConnectionFailed(f"Spark needs Java, and there is none{where}", hint=hint)
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    number = int(version[1]) if version else 0
    if not _OLDEST_JAVA <= number <= _NEWEST_JAVA:
        found = f"is Java {number}" if number else "does not say its version"
        raise ConnectionFailed(f'Spark needs Java 17 or 21, and "{program}" {found}', hint=hint)


def _alone(warehouse: Path) -> IO[str]:
    """Return the lock of a warehouse's catalog, which one process can have open.

    Raises
    ------
    DatabaseLocked
        Another process has it.
    """
    lock = (warehouse / "fft.lock").open("a+")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise _locked(warehouse, f" by process {holder}" if holder else "") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    derby = warehouse / "metastore_db" / "dbex.lck"
    deadline = time.monotonic() + _WAIT
    while _is_locked(derby):
        if time.monotonic() > deadline:
            lock.close()
            raise _locked(warehouse, "")
        time.sleep(0.05)
    return lock


def _is_locked(path: Path) -> bool:
    """Whether another process holds a file: a program that is not fft, or what a killed fft left for a moment."""
    try:
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _locked(warehouse: Path, who: str) -> DatabaseLocked:
    return DatabaseLocked(
        f'the warehouse "{warehouse}" is in use{who}',
        hint="wait for the other process or end it; for several at once, name a metastore server in extra_conf",
    )


def _why_not_started(message: str, log: Path, settings: Settings) -> ConnectionFailed:
    """Return the error for a session that did not start; what Java said is in the log."""
    said = log.read_text("utf-8", "replace") if log.is_file() else ""
    if "XSDB6" in said or "XSDB6" in message:
        return _locked(settings.warehouse, "")
    if "unresolved dependency" in said or "Server access error" in said:
        return ConnectionFailed(
            f"Delta's jars (io.delta:{_JARS[0]}:{_DELTA}) cannot be downloaded",
            hint='where Maven Central cannot be reached, set "jars" in profiles.yml to a folder that holds them',
        )
    words = last_words(said if "JAVA_GATEWAY_EXITED" in message else message)
    return ConnectionFailed(f"Spark does not start: {words}", hint=f'see "{log}"')
