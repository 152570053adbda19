"""What only PostgreSQL has: things that hang on tables, other sessions, locks, and ways for a connection to end."""

from __future__ import annotations

import contextlib
import itertools
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import psycopg
import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict

from fastflowtransform.attempts import attempted
from fastflowtransform.checks import check
from fastflowtransform.engines.base import Kind, kind_of
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.errors import (
    BadSql,
    ConnectionFailed,
    ConnectionLost,
    DependentsInTheWay,
    EngineError,
    OutOfSpace,
    RelationBusy,
    TimedOut,
    WriteConflict,
    WrongResult,
)
from fastflowtransform.model import PLAIN, Index, Layout
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome, WriteCounts
from tests.conftest import ProjectFolder, postgres_dsn, postgres_engine
from tests.processes import process

pytestmark = pytest.mark.engine("postgres")

T, V = Relation("demo", "t"), Relation("demo", "v")
NEW = [(1, "a"), (2, "B"), (3, "c")]
ON_KEY = Layout((Index(("id",), unique=True),))


@pytest.fixture
def engine() -> Iterator[PostgresEngine]:
    """An engine with the table demo.t of two rows."""
    opened = postgres_engine()
    opened.replace(T, rows_of([(1, "a"), (2, "b")]), over=None)
    yield opened
    opened.close()


@pytest.fixture
def server() -> Iterator[psycopg.Connection[Any]]:
    """Another session, as somebody else has it."""
    with psycopg.connect(postgres_dsn(), autocommit=True) as connection:
        yield connection


def rows_of(rows: list[tuple[Any, ...]]) -> pa.RecordBatchReader:
    named = [dict(zip(("id", "v"), row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, schema=pa.schema({"id": pa.int64(), "v": pa.string()})).to_reader()


def content(server: psycopg.Connection[Any], table: str = "demo.t") -> list[tuple[Any, ...]]:
    return sorted(server.execute(f"SELECT * FROM {table}").fetchall())


def replace(engine: PostgresEngine, rows: list[tuple[Any, ...]] = NEW, layout: Layout = PLAIN) -> WriteCounts:
    return engine.replace(T, rows_of(rows), over=kind_of(engine.existing([T]).get(T)), layout=layout)


def merge(engine: PostgresEngine, rows: list[tuple[Any, ...]], *, null_safe: bool = False) -> WriteCounts:
    with engine.stage(rows_of(rows)) as staged:
        return engine.merge(T, staged, ("id",), null_safe=null_safe)


def told(engine: PostgresEngine, hear: Callable[[str], None]) -> None:
    """Let `hear` be told each statement before it is sent."""
    engine._session._on_statement = hear


# What hangs on a table.

HANGING = {
    "an index": "CREATE INDEX by_v ON demo.t (v)",
    "a unique index": "CREATE UNIQUE INDEX by_id ON demo.t (id) WHERE id > 0",
    "an index on an expression": "CREATE INDEX by_upper ON demo.t USING btree (upper(v) DESC) INCLUDE (id)",
    "a view": "CREATE VIEW demo.v AS SELECT id FROM demo.t",
    "a view on a view": "CREATE VIEW demo.v AS SELECT id FROM demo.t; CREATE VIEW demo.w AS SELECT * FROM demo.v",
    "a materialized view": "CREATE MATERIALIZED VIEW demo.m AS SELECT id FROM demo.t",
    "a primary key": "ALTER TABLE demo.t ADD PRIMARY KEY (id)",
    "a foreign key to it": "ALTER TABLE demo.t ADD PRIMARY KEY (id); "
    "CREATE TABLE demo.child (id bigint REFERENCES demo.t DEFERRABLE INITIALLY DEFERRED); "
    "INSERT INTO demo.child VALUES (1)",
    "a check": "ALTER TABLE demo.t ADD CHECK (id > 0)",
    "a default": "ALTER TABLE demo.t ALTER COLUMN v SET DEFAULT 'x'",
    "a column that is never NULL": "ALTER TABLE demo.t ALTER COLUMN id SET NOT NULL",
    "a policy": "CREATE POLICY p ON demo.t USING (true); ALTER TABLE demo.t ENABLE ROW LEVEL SECURITY",
    "a trigger": "CREATE FUNCTION demo.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
    "CREATE TRIGGER tr BEFORE INSERT ON demo.t FOR EACH ROW EXECUTE FUNCTION demo.f()",
    "a setting": "ALTER TABLE demo.t SET (fillfactor = 70)",
    "a statistic": "CREATE STATISTICS demo.s ON id, v FROM demo.t",
    "a comment": "COMMENT ON TABLE demo.t IS 'it''s {}'; COMMENT ON COLUMN demo.t.v IS 'a value'",
    "a grant": "GRANT SELECT ON demo.t TO PUBLIC; GRANT INSERT ON demo.t TO pg_monitor WITH GRANT OPTION",
    "a grant on a column": "GRANT SELECT (v) ON demo.t TO PUBLIC",
}
# Everything that the catalog says of a relation but its number and its rows, in an order that does not change.
CATALOG = """
SELECT 'relation', c.relname, c.relacl::text, obj_description(c.oid), c.reloptions::text || c.relrowsecurity::text
FROM pg_class c WHERE c.relnamespace = 'demo'::regnamespace AND c.relkind IN ('r', 'v', 'm')
UNION ALL SELECT 'column', a.attname, a.attacl::text, col_description(a.attrelid, a.attnum),
       a.attnotnull::text || pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'demo.t'::regclass AND a.attnum > 0
UNION ALL SELECT 'index', indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'demo'
UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), conrelid::regclass::text, '' FROM pg_constraint
WHERE connamespace = 'demo'::regnamespace
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid), '', '' FROM pg_trigger
WHERE tgrelid = 'demo.t'::regclass AND NOT tgisinternal
UNION ALL SELECT 'policy', polname, '', '', '' FROM pg_policy WHERE polrelid = 'demo.t'::regclass
UNION ALL SELECT 'statistic', stxname, '', '', '' FROM pg_statistic_ext WHERE stxrelid = 'demo.t'::regclass
UNION ALL SELECT 'view', viewname, definition, '', '' FROM pg_views WHERE schemaname = 'demo'
ORDER BY 1, 2, 3
"""


@pytest.mark.parametrize("statement", HANGING.values(), ids=HANGING)
def test_what_hangs_on_a_table_survives_its_replacement(engine, server, statement):
    server.execute(statement)
    before = server.execute(CATALOG).fetchall()

    replace(engine)

    assert server.execute(CATALOG).fetchall() == before
    assert content(server) == NEW


def test_a_table_that_must_stay_gets_the_indexes_of_its_new_rows_or_nothing(engine, server):
    server.execute("CREATE VIEW demo.reader AS SELECT v FROM demo.t; INSERT INTO demo.t VALUES (1, 'twice')")
    with pytest.raises(EngineError, match="could not create unique index"):
        replace(engine, [(5, "x"), (5, "y")], ON_KEY)
    assert len(content(server)) == 3

    replace(engine, NEW, ON_KEY)

    assert content(server) == NEW
    assert "UNIQUE" in str(server.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 't'").fetchall())


def test_rights_that_were_taken_back_do_not_come_again_with_a_new_table(engine, server):
    server.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA demo GRANT SELECT ON TABLES TO pg_monitor")
    try:
        replace(engine)
        ((acl,),) = server.execute("SELECT relacl::text FROM pg_class WHERE oid = 'demo.t'::regclass")
    finally:
        server.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA demo REVOKE SELECT ON TABLES FROM pg_monitor")

    assert "pg_monitor" not in (acl or "")


def test_a_table_that_views_read_takes_new_columns_and_other_types(engine, server):
    server.execute("CREATE VIEW demo.v AS SELECT id FROM demo.t")
    rows = pa.table({"id": [5], "v": [1.5], "extra": ["x"]})

    engine.replace(T, rows.to_reader(), over=Kind.TABLE)

    assert content(server) == [(5, 1.5, "x")]
    assert content(server, "demo.v") == [(5,)]


@pytest.mark.parametrize("rows", [pa.table({"id": [1]}), pa.table({"id": [1], "v": [2]})], ids=["gone", "retyped"])
def test_a_column_that_a_view_reads_is_not_taken_away(engine, server, rows):
    server.execute("CREATE VIEW demo.reader AS SELECT upper(v) AS v FROM demo.t")

    with pytest.raises(DependentsInTheWay, match="reader") as raised:
        engine.replace(T, rows.to_reader(), over=Kind.TABLE)

    assert raised.value.hint is not None and "drop" in raised.value.hint
    assert content(server) == [(1, "a"), (2, "b")]
    assert content(server, "demo.reader") == [("A",), ("B",)]


def test_an_index_on_a_column_that_goes_stops_the_replacement(engine, server):
    server.execute("CREATE INDEX by_v ON demo.t (v)")

    with pytest.raises(DependentsInTheWay, match='index "by_v" of "demo.t" is on "v"'):
        engine.replace(T, pa.table({"id": [1]}).to_reader(), over=Kind.TABLE)

    assert content(server) == [(1, "a"), (2, "b")]


def test_a_table_that_others_read_is_not_turned_into_a_view_and_the_plan_says_so(postgres_project):
    postgres_project.write({"models/t.ff.sql": "{{ config(materialized='table') }} select 1 as id"})
    postgres_project.fft("run")
    postgres_project.sql("CREATE VIEW report AS SELECT id FROM t")
    postgres_project.write({"models/t.ff.sql": "{{ config(materialized='view') }} select 2 as id"})

    for command in ("plan", "run"):
        answer = postgres_project.fft(command)

        assert answer.code == 1
        assert 'E122 "t" is a table in the warehouse and shall be a view now, but it is read by "view' in answer.err
        assert "report" in answer.err
    assert postgres_project.sql("SELECT id FROM report") == [(1,)]


def test_the_plan_names_what_a_table_loses_that_becomes_a_view(postgres_project):
    postgres_project.write({"models/t.ff.sql": "{{ config(materialized='table', indexes=['id']) }} select 1 as id"})
    postgres_project.fft("run")
    postgres_project.write({"models/t.ff.sql": "{{ config(materialized='view') }} select 2 as id"})

    assert "goes with its rows and 1 index" in postgres_project.fft("plan").out


def test_a_view_keeps_its_grants_and_comment_when_its_columns_change(engine, server):
    engine.create_view(V, engine.table(T), over=None)
    server.execute(
        "GRANT SELECT ON demo.v TO PUBLIC; COMMENT ON VIEW demo.v IS 'mine'; COMMENT ON COLUMN demo.v.id IS 'k'"
    )

    engine.create_view(V, engine.table(T).select("id"), over=Kind.VIEW)

    found = server.execute("SELECT relacl::text, obj_description(oid) FROM pg_class WHERE oid = 'demo.v'::regclass")
    ((acl, comment),) = found
    assert ("=r/" in acl, comment) == (True, "mine")


def test_a_view_that_others_read_is_replaced_in_its_place_or_not_at_all(engine, server):
    engine.create_view(V, engine.table(T), over=None)
    server.execute("CREATE VIEW demo.w AS SELECT v FROM demo.v")

    engine.create_view(V, engine.table(T).filter(ibis._.id > 1), over=Kind.VIEW)
    with pytest.raises(DependentsInTheWay, match=r"view demo\.w"):
        engine.create_view(V, engine.table(T).select("id"), over=Kind.VIEW)

    assert content(server, "demo.w") == [("b",)]


# What others see.


@pytest.mark.parametrize("hanging", ["", HANGING["a view"]], ids=["swapped", "rewritten"])
def test_readers_see_old_rows_or_new_ones_and_are_never_refused(engine, server, hanging):
    server.execute(hanging or "SELECT 1")
    sizes = [500, 700]
    replace(engine, [(number, "x") for number in range(sizes[0])])
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        with psycopg.connect(postgres_dsn(), autocommit=True) as reader:
            while not done.is_set():
                seen.update(row[0] for row in reader.execute("SELECT count(*) FROM demo.t"))

    reading = threading.Thread(target=read)
    reading.start()
    try:
        for size in itertools.islice(itertools.cycle(reversed(sizes)), 20):
            replace(engine, [(number, "x") for number in range(size)])
    finally:
        done.set()
        reading.join()

    assert seen and seen <= set(sizes)


@pytest.mark.parametrize(
    "hanging", ["", HANGING["a view"], HANGING["an index"]], ids=["a table", "with a view", "with an index"]
)
def test_a_transaction_that_keeps_its_snapshot_sees_the_old_rows(engine, server, hanging):
    server.execute(hanging or "SELECT 1")
    with psycopg.connect(postgres_dsn()) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT 1").fetchall()

        counts = replace(engine)

        assert content(reader) == [(1, "a"), (2, "b")]
    assert counts.strategy == "delete + insert"
    assert content(server) == NEW


@pytest.mark.parametrize(
    "isolation", [psycopg.IsolationLevel.READ_COMMITTED, None], ids=["read committed", "no transaction"]
)
def test_other_sessions_do_not_keep_a_table_from_being_swapped(engine, isolation):
    with psycopg.connect(postgres_dsn(), autocommit=isolation is None) as reader:
        reader.isolation_level = isolation
        reader.execute("SELECT 1").fetchall()

        assert replace(engine).strategy == "create table as select"


def test_a_prepared_statement_sees_old_rows_or_new_ones(engine):
    sizes, seen, done = [500, 700], set(), threading.Event()
    replace(engine, [(number, "x") for number in range(sizes[0])])

    def read() -> None:
        with psycopg.connect(postgres_dsn(), autocommit=True) as reader:
            reader.execute("PREPARE counted AS SELECT count(*) FROM demo.t")
            while not done.is_set():
                seen.update(row[0] for row in reader.execute("EXECUTE counted"))

    reading = threading.Thread(target=read)
    reading.start()
    try:
        for size in itertools.islice(itertools.cycle(reversed(sizes)), 40):
            replace(engine, [(number, "x") for number in range(size)])
    finally:
        done.set()
        reading.join()

    assert seen and seen <= set(sizes)


def test_a_reader_that_does_not_let_go_keeps_its_table_and_nobody_waits_for_it(engine, server):
    with psycopg.connect(postgres_dsn()) as reader:
        reader.execute("SELECT * FROM demo.t").fetchall()

        counts = replace(engine)

        assert content(reader) == NEW
    assert counts.strategy == "delete + insert"
    assert server.execute("SELECT relname FROM pg_class WHERE relname LIKE '\\_\\_fft%'").fetchall() == []


def test_what_a_killed_run_left_beside_a_table_is_dropped_by_the_next(engine, server):
    names: list[str] = []
    told(engine, names.append)
    replace(engine)
    (beside,) = {sql.split()[-1] for sql in names if sql.startswith("DROP TABLE IF EXISTS")}
    server.execute(f"CREATE TABLE {beside} AS SELECT 1 AS other")

    replace(engine, [(9, "z")])

    assert content(server) == [(9, "z")]
    assert server.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_\\_fft%'").fetchall() == [(0,)]


# Merging.


@pytest.mark.parametrize(
    ("layout", "null_safe", "strategy"),
    [
        (PLAIN, False, "delete + insert"),
        (ON_KEY, False, "insert on conflict"),
        (ON_KEY, True, "delete + insert"),
        (Layout((Index(("id", "v"), unique=True),)), False, "delete + insert"),
    ],
    ids=["no index", "unique", "NULL keys", "another key"],
)
def test_a_merge_takes_the_way_that_the_indexes_allow(engine, server, layout, null_safe, strategy):
    engine.arrange(T, layout)

    counts = merge(engine, [(2, "B"), (3, "c")], null_safe=null_safe)

    assert counts == WriteCounts(1, 1, strategy)
    assert content(server) == NEW


def test_a_key_with_nothing_but_itself_is_merged_on_conflict(engine, server):
    engine.replace(T, pa.table({"id": [1]}).to_reader(), over=Kind.TABLE, layout=ON_KEY)

    with engine.stage(pa.table({"id": [1, 2]}).to_reader()) as staged:
        counts = engine.merge(T, staged, ("id",), null_safe=False)

    assert counts.inserted == 1
    assert content(server) == [(1,), (2,)]


@pytest.mark.parametrize("dtype", ["text", "numeric", "date", "timestamptz", "boolean", "uuid", "double precision"])
def test_null_keys_are_joined_and_not_compared_row_by_row(engine, server, dtype):
    server.execute(f"CREATE TABLE demo.k AS SELECT NULL::{dtype} AS id FROM generate_series(1, 3000)")
    table = engine.table(Relation("demo", "k"))
    statements: list[str] = []
    told(engine, statements.append)
    with engine.stage(table.limit(1)) as staged:
        engine.merge(Relation("demo", "k"), staged, ("id",), null_safe=True)
        (delete,) = (statement for statement in statements if statement.startswith("DELETE"))
        plan = engine._session.rows(f"EXPLAIN {delete}")

    assert "Join" in str(plan) and "Nested Loop" not in str(plan)
    assert len(content(server, "demo.k")) == 1


def test_the_indexes_of_a_model_follow_its_definition_and_leave_others_alone(engine, server):
    server.execute("CREATE INDEX mine ON demo.t (v)")
    engine.arrange(T, Layout((Index(("id",), unique=True), Index(("v", "id")))))

    engine.arrange(T, Layout((Index(("v",), method="hash"),)))

    found = server.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY indexname").fetchall()
    assert [text.partition(" USING ")[2] for (text,) in found] == ["hash (v)", "btree (v)"]


def test_a_unique_index_that_the_rows_do_not_allow_leaves_the_table(engine, server):
    with pytest.raises(EngineError, match="could not create unique index"):
        replace(engine, [(1, "x"), (1, "y")], ON_KEY)

    assert content(server) == [(1, "a"), (2, "b")]


# Two at once, and what can break.


def test_a_second_run_waits_for_the_first_and_says_for_whom(engine, server):
    heard: list[str] = []
    ((lock,),) = server.execute("SELECT hashtextextended('fft demo.t', 0)")
    server.execute("SELECT pg_advisory_lock(%s)", [lock])
    threading.Timer(0.3, lambda: server.execute("SELECT pg_advisory_unlock(%s)", [lock])).start()

    with engine.writing(T, heard.append):
        replace(engine)

    assert f"server process {server.info.backend_pid} of postgres" in heard[0]
    assert content(server) == NEW


def test_a_second_run_gives_up_after_lock_wait_and_has_changed_nothing(engine, server):
    server.execute("SELECT pg_advisory_lock(hashtextextended('fft demo.t', 0))")

    done = attempted(engine, T, lambda again: pytest.fail("it wrote"), lambda why: None)

    assert isinstance(done.error, RelationBusy)
    assert "did not end within 1 s" in done.error.message


def test_a_lock_is_free_again_after_success_and_after_an_error(engine, server):
    with engine.writing(T, pytest.fail):
        pass
    with contextlib.suppress(ZeroDivisionError), engine.writing(T, pytest.fail):
        raise ZeroDivisionError

    assert server.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchall() == [(0,)]


def test_a_second_run_does_not_wait_where_lock_wait_is_0(engine, server):
    impatient = PostgresEngine(postgres_dsn(options="-c lock_timeout=7s"), "demo", lock_wait=0)
    server.execute("SELECT pg_advisory_lock(hashtextextended('fft demo.t', 0))")

    with pytest.raises(RelationBusy), impatient.writing(T, pytest.fail):
        pass

    impatient.close()


def test_waiting_for_another_run_leaves_the_servers_lock_timeout_as_it_was(engine, server):
    limited = PostgresEngine(postgres_dsn(options="-c lock_timeout=7s"), "demo", lock_wait=1)
    server.execute("SELECT pg_advisory_lock(hashtextextended('fft demo.t', 0))")
    with pytest.raises(RelationBusy), limited.writing(T, lambda why: None):
        pass

    assert limited._session.rows("SELECT current_setting('lock_timeout') AS now") == [("7s",)]
    limited.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_cancels_its_statement_and_rolls_back(postgres_project, server, ending):
    slow = "{{ config(materialized='table', dialect='postgres') }} select 1 as id, pg_sleep(60)::text as s"
    postgres_project.write({"models/t.ff.sql": slow})
    postgres_project.sql("CREATE TABLE t AS SELECT 7 AS id")
    fft = [str(Path(sys.executable).with_name("fft")), "run", "--adopt", "t", str(postgres_project.folder)]
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE%pg_sleep(60)%' AND state = 'active'"
    with process(fft) as running:
        for _ in range(400):
            if server.execute(busy).fetchall() == [(1,)]:
                break
            time.sleep(0.05)

        running.send_signal(ending)
        _, err = running.communicate(timeout=10)

    assert running.returncode == 130, err
    assert "C130" in err and "Traceback" not in err
    assert server.execute(busy).fetchall() == [(0,)]
    assert postgres_project.sql("SELECT id FROM t") == [(7,)]


def fault_points(engine: PostgresEngine) -> list[str]:
    """Return the statements of a merge with all that it can have to do."""
    sent: list[str] = []
    told(engine, sent.append)
    merge(engine, [(2, "B"), (3, "c")])
    return sent


def test_a_backend_that_is_killed_at_any_statement_leaves_the_table_and_is_tried_again(engine, server):
    for fault in range(len(fault_points(engine))):
        told(engine, lambda sql: None)
        replace(engine, [(1, "a"), (2, "b")])
        left = itertools.count()
        seen: list[list[tuple[Any, ...]]] = []

        def kill(sql: str, left=left, fault=fault, seen=seen) -> None:
            if next(left) == fault:
                pid = engine._session.rows("SELECT pg_backend_pid() AS pid")[0][0]
                server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
                seen.append(content(server))

        told(engine, kill)
        done = attempted(engine, T, lambda again: outcome(merge(engine, [(2, "B"), (3, "c")])), lambda why: None)

        assert seen in ([[(1, "a"), (2, "b")]], [NEW])
        assert done.error is None, (fault, done.error)
        # What is committed is not written again for what comes after it.
        assert [retry[:4] for retry in done.retries] == ([] if seen == [NEW] else ["E104"])
        assert content(server) == NEW


def outcome(counts: WriteCounts) -> Outcome:
    return Outcome(counts.strategy, inserted=counts.inserted, updated=counts.updated)


def test_a_connection_that_is_always_lost_is_an_error_after_three_attempts(engine, server):
    def kill(sql: str) -> None:
        if sql.startswith("DELETE"):
            pid = engine._session.rows("SELECT pg_backend_pid() AS pid")[0][0]
            server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    told(engine, kill)
    done = attempted(engine, T, lambda again: outcome(merge(engine, NEW)), lambda why: None)

    assert isinstance(done.error, ConnectionLost)
    assert len(done.retries) == 2
    assert content(server) == [(1, "a"), (2, "b")]


def test_a_commit_that_the_server_refuses_is_known_to_have_failed(engine, server):
    server.execute(
        "CREATE FUNCTION demo.die() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END'; "
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON demo.t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION demo.die()"
    )

    with pytest.raises(ConnectionLost):
        merge(engine, [(3, "c")])

    assert content(server) == [(1, "a"), (2, "b")]


class CutAfterCommit:
    """Stands between an engine and the server, and cuts the line once, when the server has answered a COMMIT.

    So the client never hears what came of it, as when a network ends at the wrong moment.
    """

    def __init__(self, folder: Path) -> None:
        given = conninfo_to_dict(postgres_dsn())
        self._host, self._port = str(given["host"]), int(given.get("port") or 5432)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._armed = True
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
                    other = server if ready is client else client
                    if not data:
                        return
                    other.sendall(data)
                    if self._armed and ready is client and b"COMMIT" in data:
                        self._armed = False
                        server.recv(65536)
                        return


def test_a_commit_whose_answer_was_lost_is_asked_for_and_not_repeated(engine, server):
    with tempfile.TemporaryDirectory() as folder:
        cut = PostgresEngine(CutAfterCommit(Path(folder)).dsn, "demo")
        counts = cut.append(T, cut.sql("SELECT 3::bigint AS id, 'c' AS v"))
        cut.close()

    assert counts.inserted == 1
    assert content(server) == [(1, "a"), (2, "b"), (3, "c")]


def test_a_deadlock_is_rolled_back_and_tried_again(server):
    engine = PostgresEngine(postgres_dsn(options="-c deadlock_timeout=100ms"), "demo")
    server.execute("DROP SCHEMA IF EXISTS demo CASCADE; CREATE SCHEMA demo")
    engine.replace(T, rows_of([(1, "a"), (2, "b")]), over=None)
    server.execute("SET deadlock_timeout = '1min'")
    server.autocommit = False
    server.execute("LOCK TABLE demo.t IN EXCLUSIVE MODE")
    waiting = threading.Thread(
        target=lambda: server.execute("SELECT pg_advisory_xact_lock(hashtextextended('fft demo.t', 0))")
    )

    def lock_in_the_other_order(sql: str) -> None:
        if sql.startswith("DELETE") and not waiting.ident:
            waiting.start()

    told(engine, lock_in_the_other_order)
    try:
        done = attempted(
            engine, T, lambda again: outcome(merge(engine, [(2, "B"), (3, "c")])), release_on_retry(server, waiting)
        )
    finally:
        engine.close()

    assert done.error is None
    assert [retry[:4] for retry in done.retries] == ["E120"]
    assert content(server) == NEW


def release_on_retry(server: psycopg.Connection[Any], waiting: threading.Thread) -> Callable[[str], None]:
    """Return what ends the other transaction as soon as ours was rolled back."""

    def hear(why: str) -> None:
        if why.startswith("trying again"):
            waiting.join()
            server.rollback()

    return hear


@pytest.mark.parametrize(
    ("setting", "kind"),
    [("statement_timeout=200", TimedOut), ("lock_timeout=100", WriteConflict)],
)
def test_a_timeout_of_the_server_leaves_the_table_and_says_what_to_do(engine, server, setting, kind):
    limited = PostgresEngine(postgres_dsn(options=f"-c {setting}"), "demo")
    server.autocommit = False
    server.execute("LOCK TABLE demo.t IN EXCLUSIVE MODE")

    with pytest.raises(kind):
        merge(limited, [(3, "c")])

    server.rollback()
    limited.close()
    assert content(server) == [(1, "a"), (2, "b")]


def test_too_little_room_is_said_to_be_that(engine):
    engine._session.run("SET temp_file_limit = '100kB'; SET work_mem = '64kB'")

    with pytest.raises(OutOfSpace, match="temporary file size exceeds"):
        engine.rows(engine.sql("SELECT g FROM generate_series(1, 300000) g ORDER BY md5(g::text)"))


# What goes in and comes out.


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("'{\"a\": 1}'::jsonb", '{"a": 1}'),
        ("'6f1d0c4e-55a3-4c7e-8d0d-0d6f4c8b7d0a'::uuid", "6f1d0c4e-55a3-4c7e-8d0d-0d6f4c8b7d0a"),
        ("1.10::numeric(10, 2)", "1.10"),
        ("1e30::numeric", "1" + "0" * 30),
        ("0.1::numeric - 0.3", "-0.2"),
        ("'NaN'::numeric", "NaN"),
        ("array[1.5, null]::numeric[]", "['1.5', None]"),
        ("interval '1 day 2 hours'", "1 day 02:00:00"),
        ("'1.2.3.4'::inet", "1.2.3.4/32"),
        ("1::money", "$1.00"),
        ("'a b'::tsvector", "'a' 'b'"),
        ("timestamptz '2026-01-01 01:00+02'", "2025-12-31 23:00:00+00:00"),
        ("'ab '::char(3)", "ab "),
        ("time '10:00:00.5'", "10:00:00.500000"),
    ],
)
def test_a_value_of_any_type_can_be_shown(engine, value, shown):
    ((row),) = engine.rows(engine.sql(f"SELECT {value} AS x"))

    assert str(row["x"]) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [("'infinity'::date", "infinity"), ("timestamp '4713-01-01 BC'", "4713-01-01 00:00:00 BC")]
)
def test_a_time_that_python_cannot_hold_is_shown_as_a_text(engine, value, shown):
    assert engine.rows(engine.sql(f"SELECT {value} AS x")) == [{"x": shown}]


@pytest.mark.parametrize(
    ("value", "complaint"), [("1e30", "numeric field overflow"), ("'NaN'::numeric", '"total" holds')]
)
def test_a_numeric_that_no_decimal_holds_is_an_error_and_not_another_number(engine, value, complaint):
    with pytest.raises(EngineError, match=complaint), engine.batches(engine.sql(f"SELECT {value} AS total")) as rows:
        rows.read_all()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("12.5::numeric(10, 2)", Decimal("12.50")),
        ("15::numeric(3, -1)", Decimal("20")),
        ("0.0012::numeric(3, 5)", Decimal("0.00120")),
        ("12.5::numeric", Decimal("12.5")),
        ("1e40::numeric(60, 2)", Decimal("1e40")),
        ("array[12.5, null]", [Decimal("12.5"), None]),
    ],
)
def test_a_numeric_reaches_a_dataframe_as_a_decimal(engine, value, read):
    with engine.batches(engine.sql(f"SELECT {value} AS x")) as rows:
        ((row),) = rows.read_all().to_pylist()

    assert row["x"] == read


@pytest.mark.parametrize("value", ["1.1234567890123456789", "1e-19", "array[1, 0.1234567890123456789012]"])
def test_a_numeric_with_more_digits_than_a_dataframe_keeps_is_refused(engine, value):
    with (
        pytest.raises(EngineError, match="more than 18 digits after the point"),
        engine.batches(engine.sql(f"SELECT {value} AS x")) as rows,
    ):
        rows.read_all()


def test_an_average_reaches_a_dataframe(engine):
    with engine.batches(engine.sql("SELECT avg(v) AS x FROM (VALUES (0), (0), (1)) AS t (v)")) as rows:
        assert rows.read_all().to_pylist() == [{"x": Decimal("0.333333333333333333")}]


@pytest.mark.parametrize(
    "value", ["timestamp 'infinity'", "timestamptz '-infinity'", "date 'infinity'", "array[date '-infinity']"]
)
def test_infinity_is_no_time_of_a_dataframe(engine, value):
    with (
        pytest.raises(EngineError, match='"x" holds infinity'),
        engine.batches(engine.sql(f"SELECT {value} AS x")) as rows,
    ):
        rows.read_all()


@pytest.mark.parametrize("value", ["timestamp '4713-01-01 BC'", "timestamptz '294246-12-31'", "date '5874897-12-31'"])
def test_any_time_that_the_server_has_goes_through_a_dataframe(engine, server, value):
    with engine.batches(engine.sql(f"SELECT {value} AS x")) as rows:
        read = rows.read_all()

    engine.replace(V, read.to_reader(), over=None)

    assert server.execute(f"SELECT x = {value} FROM demo.v").fetchall() == [(True,)]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([-(2**62)], pa.timestamp("us")),
        pa.array([-(2**62)], pa.timestamp("s")),
        pa.array([-(2**31)], pa.int32()).cast(pa.date32()),
    ],
    ids=["microseconds", "seconds", "days"],
)
def test_a_time_that_the_server_does_not_have_is_refused_by_its_column(engine, values):
    with pytest.raises(WrongResult, match='"x" holds a'):
        engine.replace(V, pa.table({"x": values}).to_reader(), over=None)


@pytest.mark.parametrize(
    "dtype", [pa.struct({"a": pa.int64()}), pa.map_(pa.string(), pa.int64()), pa.list_(pa.list_(pa.int64()))]
)
def test_a_nested_type_without_a_column_is_refused_by_name(engine, dtype):
    rows = pa.table({"x": pa.array([None], dtype)})

    with pytest.raises(WrongResult, match='"x" is of type'):
        engine.replace(V, rows.to_reader(), over=None)


def test_an_unsigned_number_keeps_its_value(engine, server):
    engine.replace(V, pa.table({"x": pa.array([2**64 - 1, 0], pa.uint64())}).to_reader(), over=None)

    assert [int(x) for (x,) in content(server, "demo.v")] == [0, 2**64 - 1]


def test_json_stays_json_through_an_increment(postgres_project):
    config = "{{ config(materialized='incremental', unique_key='id', updated_at='at', dialect='postgres') }}"
    postgres_project.write({"models/t.ff.sql": f"{config} select 1 as id, now() as at, '[1]'::jsonb as j"})
    postgres_project.fft("run")

    answer = postgres_project.fft("run")

    assert answer.code == 0, answer.err
    assert postgres_project.sql("SELECT pg_typeof(j)::text, j FROM t") == [("jsonb", [1])]


@pytest.mark.parametrize(
    "text",
    [
        "select 1 as x; drop table demo.t",
        "delete from demo.t returning id",
        "with gone as (delete from demo.t returning id) select * from gone",
        "select 1 as x into demo.made",
        "insert into demo.t values (9, 'x') returning id",
        "select 1 as x) as model; drop table demo.t; select * from (select 1 as x",
    ],
)
def test_a_text_that_is_more_than_one_select_is_refused_and_not_run(engine, server, text):
    with pytest.raises((BadSql, EngineError)):
        engine.sql(text)

    assert content(server) == [(1, "a"), (2, "b")]


# The door: DSNs, passwords, rights.


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_a_dsn_is_understood_as_sqlalchemy_writes_it(postgres_project, scheme):
    dsn = postgres_dsn().replace("postgresql://", f"{scheme}://")
    postgres_project.write(
        {
            "profiles.yml": f"dev: {{engine: postgres, postgres: {{dsn: '{dsn}', schema: demo}}}}",
            "models/m.ff.sql": "{{ config(dialect='postgres') }} select current_schema() as s, "
            "current_setting('application_name') as a",
        }
    )

    assert postgres_project.fft("run").code == 0
    assert postgres_project.sql("SELECT s FROM m") == [("demo",)]


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ada:s3cr3t@127.0.0.1:1/shop",
        "postgresql://ada:s3cr3t word@127.0.0.1:1/shop",
        "postgresql://ada:s3cr3t@127.0.0.1:1/shop?nonsense=1",
        "host=127.0.0.1 port=1 user=ada password=s3cr3t",
        "host=127.0.0.1 port=1 user=ada password='s3cr3t word' nonsense",
        "s3cr3t",
        "postgresql://ada@127.0.0.1:1/shop?password=s3cr3t",
    ],
)
@pytest.mark.parametrize("flags", [(), ("-v",), ("--json",)])
def test_a_password_is_never_shown(postgres_project: ProjectFolder, dsn, flags):
    postgres_project.write(
        {
            "profiles.yml": f'dev: {{engine: postgres, postgres: {{dsn: "{dsn}", schema: demo}}}}',
            "models/m.ff.sql": "select 1 as x",
        }
    )

    answer = postgres_project.fft("run", *flags)

    assert answer.code == 2
    assert "E101" in answer.out + answer.err
    assert "s3cr3t" not in answer.out + answer.err
    assert "Traceback" not in answer.err
    for path in postgres_project.folder.rglob("target/**/*"):
        assert path.is_dir() or "s3cr3t" not in path.read_text()


def test_a_password_stands_in_no_artifact_of_a_run_that_fails(postgres_project: ProjectFolder):
    dsn = postgres_dsn(password="s3cr3t")
    postgres_project.write(
        {
            "profiles.yml": f"dev: {{engine: postgres, postgres: {{dsn: '{dsn}', schema: demo}}}}",
            "models/m.ff.sql": "{{ config(materialized='table') }} select 1 / (select 0) as x",
        }
    )

    answer = postgres_project.fft("run", "-v")

    assert answer.code == 1 and "division by zero" in answer.err
    texts = [path.read_bytes() for path in postgres_project.folder.rglob("target/**/*") if path.is_file()]
    assert texts and not any(b"s3cr3t" in text for text in (*texts, answer.out.encode(), answer.err.encode()))


def test_a_server_that_is_not_there_is_one_short_error(postgres_project):
    with pytest.raises(ConnectionFailed, match="port 1: connection refused|port 1: Connection refused"):
        PostgresEngine("postgresql://127.0.0.1:1/x", "demo").rows(ibis.memtable({"x": [1]}))


def test_an_error_of_sql_points_at_its_line(postgres_project):
    postgres_project.write(
        {"project.yml": "name: test\n", "models/m.ff.sql": "select 1 as a,\n  nope as b\nfrom (select 2 as c) t"}
    )

    answer = postgres_project.fft("run")

    assert 'E100 m: column "nope" does not exist' in answer.err
    assert "models/m.ff.sql:2" in answer.err


@pytest.fixture
def role(server) -> Iterator[str]:
    """A role that may do nothing but use and fill the schema `demo`."""
    server.execute("DROP SCHEMA IF EXISTS demo CASCADE; CREATE SCHEMA demo; CREATE ROLE fft_least LOGIN")
    server.execute("GRANT USAGE, CREATE ON SCHEMA demo TO fft_least")
    yield "fft_least"
    server.execute("DROP OWNED BY fft_least CASCADE; DROP ROLE fft_least")


def test_a_role_that_may_fill_one_schema_is_enough(role, tmp_path, capsys, monkeypatch, server):
    engine = PostgresEngine(postgres_dsn(user=role), "demo")
    engine._create_schema("demo")
    for _ in range(2):
        replace(engine)
    merge(engine, [(3, "C")])
    engine.close()

    assert content(server) == [(1, "a"), (2, "B"), (3, "C")]


def test_a_session_that_a_role_may_not_look_at_counts_as_one_with_a_snapshot(role, server):
    engine = PostgresEngine(postgres_dsn(user=role), "demo")
    replace(engine)

    blind = replace(engine)
    server.execute(f"GRANT pg_read_all_stats TO {role}")
    seeing = replace(engine)

    engine.close()
    assert (blind.strategy, seeing.strategy) == ("delete + insert", "create table as select")


def test_a_missing_right_is_named_with_a_hint(role):
    engine = PostgresEngine(postgres_dsn(user=role), "demo")

    with pytest.raises(EngineError, match="permission denied for database") as raised:
        engine._create_schema("elsewhere")

    engine.close()
    assert raised.value.hint is not None and "rights" in raised.value.hint


# SQL of another dialect.


@pytest.mark.parametrize(
    ("construct", "named"),
    [
        ("approx_quantile(id, 0.5)", '"approx_quantile"'),
        ("id::bit", "it makes bit of integer"),
        ("{'a': id}", "PostgreSQL has no structs"),
        ("list_aggregate([id], 'sum')", '"list_aggregate"'),
    ],
)
@pytest.mark.parametrize("command", ["compile", "run"])
def test_a_construct_without_a_translation_is_named_before_anything_runs(postgres_project, command, construct, named):
    postgres_project.write(
        {
            "models/first.ff.sql": "{{ config(materialized='table') }} select 1 as id",
            "models/m.ff.sql": f"select 1 as a,\n  {construct} as q from {{{{ ref('first') }}}}",
        }
    )

    answer = postgres_project.fft(command)

    assert answer.code == 2
    assert answer.err.startswith('M130 no translation from "duckdb" into "postgres" is known for ')
    assert named in answer.err and "at models/m.ff.sql:2" in answer.err.replace(str(postgres_project.folder) + "/", "")
    assert postgres_project.sql("SELECT count(*) FROM pg_class WHERE relname = 'first'") == [(0,)]


def test_everyday_sql_of_duckdb_is_translated(postgres_project):
    postgres_project.write(
        {
            "models/m.ff.sql": "select id % 2 as odd, ifnull(max(v), 'none') as v, date_trunc('day', max(seen)) as day,"
            " date_diff('hour', min(seen), max(seen)) as hours, list(id order by id) as ids, id // 2 as half,"
            " strftime(max(seen), '%Y-%m') as month, count_if(id > 1) as n, max(try_cast(v as varchar)) as t"
            " from (select i as id, 'x' || i as v, timestamp '2026-01-01' + i * interval 1 hour as seen"
            " from range(1, 5) r(i)) t group by id, odd, half qualify row_number() over (order by id desc) <= 2",
        }
    )

    answer = postgres_project.fft("run")

    assert answer.code == 0, answer.err
    assert sorted(postgres_project.sql("SELECT odd, ids, half, month FROM m")) == [
        (0, [4], 2, "2026-01"),
        (1, [3], 1, "2026-01"),
    ]


def test_texts_are_compared_and_sorted_by_code_point_whatever_their_collation(engine, server):
    known = server.execute("SELECT collname FROM pg_collation WHERE collname = 'en-x-icu'").fetchone()
    server.execute(f'CREATE TABLE demo.texts (a text COLLATE "{"C" if known is None else known[0]}", b varchar(3))')
    server.execute("INSERT INTO demo.texts VALUES ('B', 'B'), ('a', 'a'), ('b', NULL)")
    texts = engine.table(Relation("demo", "texts"))

    found = texts.filter((texts.a >= "a") & (texts.b > "B") & (texts.a.upper() <= texts.b))
    first = texts.mutate(place=ibis.row_number().over(order_by=texts.a)).filter(lambda table: table.place == 0)

    assert engine.rows(found.select("a")) == [{"a": "a"}]
    assert engine.rows(first.select("a")) == [{"a": "B"}]
    assert 'COLLATE "C"' in engine.compiled(found)


def test_an_enumeration_is_checked_by_its_texts(engine, server):
    server.execute("CREATE TYPE demo.state AS ENUM ('new', 'sent', '')")
    server.execute("CREATE TABLE demo.states (state demo.state)")
    server.execute("INSERT INTO demo.states VALUES ('new'), ('sent'), (''), (NULL)")
    states = engine.table(Relation("demo", "states"))

    failing = {
        "accepted_values": {"values": ["new", "sent"]},
        "not_accepted_values": {"values": [""]},
        "not_empty_string": {},
        "regex_match": {"pattern": "^[a-z]+$"},
    }

    for name, arguments in failing.items():
        found = check(name).failing_rows(states, column="state", **arguments)
        assert engine.rows(found.count().as_table()) == [{"CountStar()": 1}], name


def test_an_array_of_an_enumeration_is_shown_as_its_text(postgres_project):
    postgres_project.sql("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    postgres_project.write(
        {
            "models/a.ff.sql": "{{ config(materialized='table', dialect='postgres') }} "
            "select 1 as id, array['sad', 'glad']::mood[] as moods",
            "models/schema.yml": "models: [{name: a, tests: [expression: {expression: id > 1}]}]",
        }
    )
    assert postgres_project.fft("run").code == 0

    checked, shown = postgres_project.fft("test"), postgres_project.fft("show", "a")

    assert (checked.code, shown.code) == (1, 0)
    assert "{sad,glad}" in checked.out
    assert "{sad,glad}" in shown.out
