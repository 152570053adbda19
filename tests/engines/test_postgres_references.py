"""Foreign keys, triggers and rules of others on a model's table: what a write makes of the rows that refer to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform.attempts import attempted
from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.errors import EngineError, ReferencedKeyUnclear, RowsReferenced
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome, WriteCounts
from tests.conftest import ProjectFolder, postgres_dsn, postgres_engine
from tests.histories import examples

pytestmark = pytest.mark.engine("postgres")

T = Relation("demo", "t")
ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION DEFERRABLE INITIALLY DEFERRED")
SCHEMA = pa.schema({"id": pa.int32(), "code": pa.string(), "v": pa.int32()})
Row = tuple[int, str | None, int | None]


@pytest.fixture
def engine() -> Iterator[PostgresEngine]:
    opened = postgres_engine()
    yield opened
    opened.close()


@pytest.fixture
def server() -> Iterator[psycopg.Connection[Any]]:
    """Another session, as somebody else has it."""
    with psycopg.connect(postgres_dsn(), autocommit=True) as connection:
        yield connection


def rows_of(rows: list[Row]) -> pa.RecordBatchReader:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA).to_reader()


def replace(engine: PostgresEngine, rows: list[Row]) -> WriteCounts:
    return engine.replace(T, rows_of(rows), over=Kind.TABLE)


def merge(engine: PostgresEngine, rows: list[Row], key: str = "id", *, null_safe: bool = False) -> WriteCounts:
    with engine.stage(rows_of(rows)) as staged:
        return engine.merge(T, staged, (key,), null_safe=null_safe)


def content(server: psycopg.Connection[Any], table: str = "demo.t") -> list[Any]:
    return sorted(server.execute(f"SELECT * FROM {table}").fetchall(), key=repr)


TABLE = """
DROP SCHEMA demo CASCADE; CREATE SCHEMA demo;
CREATE TABLE demo.t (id int PRIMARY KEY, code text UNIQUE, v int);
INSERT INTO demo.t VALUES {rows};
CREATE TABLE demo.child (n serial, ref {type} DEFAULT {default} REFERENCES demo.t ({key}) ON DELETE {delete} ON UPDATE
{update});
INSERT INTO demo.child (ref) VALUES {children}
"""

KEYS = st.integers(1, 5)
CODES = st.permutations(["a", "b", "c", "d", "e", None])


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Draw rows with unique ids and codes, at least one."""
    ids, codes = draw(st.lists(KEYS, unique=True, min_size=1)), draw(CODES)
    return [(key, codes[number], draw(st.none() | st.integers(0, 2))) for number, key in enumerate(ids)]


def values(rows: list[Any]) -> str:
    def written(value: Any) -> str:
        return "NULL" if value is None else repr(value)

    return ", ".join(f"({', '.join(map(written, row))})" for row in rows)


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), before=tables(), after=tables())
def test_a_write_leaves_rows_that_refer_to_the_table_alone_or_is_refused(engine, server, data, before, after):
    """The rule: no referring row changes, whatever its foreign key would do; what it refers to cannot go."""
    column = data.draw(st.sampled_from([0, 1]), "referenced column")
    deleting, updating = data.draw(st.sampled_from(ACTIONS)), data.draw(st.sampled_from(ACTIONS[:5]))
    known = [row[column] for row in before if row[column] is not None]
    referred = data.draw(st.lists(st.sampled_from([*known, None]), min_size=1, max_size=3))
    merging = data.draw(st.sampled_from([None, "id", "code"]), "key of a merge")
    if merging == "code":
        after = [row for row in after if row[1] is not None]
    server.execute(
        TABLE.format(
            rows=values(before),
            type=("int", "text")[column],
            default="NULL",
            key=SCHEMA.names[column],
            delete=deleting.replace(" DEFERRABLE INITIALLY DEFERRED", ""),
            update=updating + (" DEFERRABLE INITIALLY DEFERRED" if "DEFERRABLE" in deleting else ""),
            children=values([(value,) for value in referred]),
        )
    )
    children = content(server, "demo.child")
    # All rows are found by what others refer to, and merged ones by their key.
    by = column if merging is None else SCHEMA.names.index(merging)
    new = {row[by]: row for row in after}
    expected = after if merging is None else [*(row for row in before if row[by] not in new), *after]
    stays = {(row[by], row[column]) for row in expected}
    lost = any(row[column] in referred and (row[by], row[column]) not in stays for row in before if row[column])

    try:
        counts = replace(engine, after) if merging is None else merge(engine, after, merging)
    except RowsReferenced:
        assert lost
        expected = before
    except ReferencedKeyUnclear:
        assert by == 1 and merging is None, "only ids are never NULL, and cannot be exchanged"
        expected = before
    except EngineError as error:
        assert merging is not None and "duplicate key" in error.message
        expected = before
    else:
        assert not lost
        assert counts.inserted + counts.updated + (counts.unchanged or 0) == len(after)
    assert content(server) == sorted(expected, key=repr)
    assert content(server, "demo.child") == children


LOGGED = """
CREATE TABLE demo.log (what text, id int);
CREATE FUNCTION demo.log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO demo.log VALUES (TG_OP, coalesce(NEW.id, OLD.id)); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER logs AFTER INSERT OR UPDATE OR DELETE ON demo.t FOR EACH ROW EXECUTE FUNCTION demo.log()
"""
OLD: list[Row] = [(1, "a", 1), (2, "b", 2), (3, "c", 3)]


def prepare(server: psycopg.Connection[Any], *statements: str, key: str = "PRIMARY KEY (id)") -> None:
    server.execute(f"CREATE TABLE demo.t (id int, code text, v int, {key}); INSERT INTO demo.t VALUES {values(OLD)}")
    for statement in statements:
        server.execute(statement)


def test_triggers_fire_for_what_differs_and_for_nothing_else(engine, server):
    prepare(server, LOGGED)

    replace(engine, [(1, "a", 1), (2, "b", 0), (4, "d", 4)])

    assert content(server, "demo.log") == [("DELETE", 3), ("INSERT", 4), ("UPDATE", 2)]


@pytest.mark.parametrize("null_safe", [False, True])
@pytest.mark.parametrize("key", ["PRIMARY KEY (id)", "CHECK (id > 0)"], ids=["with an index", "without"])
def test_no_row_that_a_merge_updates_fires_a_trigger_of_deletion(engine, server, key, null_safe):
    prepare(server, LOGGED, key=key)

    counts = merge(engine, [(2, "b", 0), (4, "d", 4)], null_safe=null_safe)

    assert content(server, "demo.log") == [("INSERT", 4), ("UPDATE", 2)]
    assert (counts.inserted, counts.updated) == (1, 1)


def test_a_merge_with_null_keys_leaves_rows_that_refer_to_the_table(engine, server):
    prepare(
        server,
        "CREATE TABLE demo.child (ref int REFERENCES demo.t ON DELETE CASCADE)",
        "INSERT INTO demo.child VALUES (1), (2)",
    )

    merge(engine, [(2, "b", 0), (4, "d", 4)], null_safe=True)

    assert content(server, "demo.child") == [(1,), (2,)]
    assert content(server) == [(1, "a", 1), (2, "b", 0), (3, "c", 3), (4, "d", 4)]


def test_a_refusal_names_who_refers_to_what_and_the_way_out(engine, server):
    prepare(server, "CREATE TABLE demo.child (ref int REFERENCES demo.t)", "INSERT INTO demo.child VALUES (3)")

    with pytest.raises(RowsReferenced) as raised:
        replace(engine, OLD[:2])

    assert '1 row of it, such as "id = 3"' in raised.value.message
    assert '"demo.child" refers to it by the foreign key "child_ref_fkey"' in raised.value.message
    assert raised.value.hint is not None and '"demo.child"' in raised.value.hint
    assert content(server) == OLD


def test_a_row_that_is_referred_to_while_it_is_looked_at_is_not_taken_away(engine, server):
    """Whoever adds such a row waits, and is told that the key is gone."""
    prepare(server, "CREATE TABLE demo.child (ref int REFERENCES demo.t ON DELETE CASCADE)")
    refused: list[str] = []

    def refer(sql: str) -> None:
        if sql.startswith("DELETE"):
            with pytest.raises(psycopg.errors.LockNotAvailable) as raised:
                server.execute("SET lock_timeout = '100ms'; INSERT INTO demo.child VALUES (3)")
            refused.append(str(raised.value))

    engine._session._on_statement = refer
    replace(engine, OLD[:2])

    assert len(refused) == 1
    assert content(server) == OLD[:2]
    assert content(server, "demo.child") == []


def test_a_backend_that_is_killed_at_any_statement_leaves_old_rows_or_new_ones(engine, server):
    prepare(
        server,
        "CREATE TABLE demo.child (ref int REFERENCES demo.t ON DELETE CASCADE)",
        "INSERT INTO demo.child VALUES (1), (2)",
    )
    new: list[Row] = [(1, "a", 9), (2, "b", 2), (4, "d", 4)]
    sent: list[str] = []
    engine._session._on_statement = sent.append
    replace(engine, new)
    for fault in range(len(sent)):
        engine._session._on_statement = None
        replace(engine, OLD)
        left = itertools.count()

        def kill(sql: str, left: Iterator[int] = left, fault: int = fault) -> None:
            if next(left) == fault:
                ((pid,),) = engine._session.rows("SELECT pg_backend_pid() AS pid")
                server.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        engine._session._on_statement = kill
        done = attempted(engine, T, lambda again: Outcome(replace(engine, new).strategy), lambda why: None)

        assert done.error is None, (sent[fault], done.error)
        assert content(server) == new
        assert content(server, "demo.child") == [(1,), (2,)]


DEFAULTS = """
CREATE SEQUENCE demo.sq; CREATE DOMAIN demo.word AS text DEFAULT 'of the domain';
CREATE TABLE demo.t (id int, code text, v int, a int DEFAULT 7, b serial, c int GENERATED BY DEFAULT AS IDENTITY,
d int GENERATED ALWAYS AS IDENTITY, e int GENERATED ALWAYS AS (v + 1) STORED, f demo.word, g int)
"""


def test_every_way_to_fill_a_column_is_known(engine, server):
    server.execute(DEFAULTS)

    assert engine.filled(T) == set("abcdef")


def test_columns_that_a_table_fills_stay_when_it_is_written_anew(engine, server):
    server.execute(DEFAULTS)

    replace(engine, OLD)
    replace(engine, [(1, "a", 1)])

    (row,) = server.execute("SELECT id, code, v, a, e, f FROM demo.t").fetchall()
    assert row == (1, "a", 1, 7, 2, "of the domain")


def test_a_foreign_key_that_is_not_enforced_is_in_the_way_of_nothing(engine, server):
    if server.info.server_version < 180000:
        pytest.skip("all foreign keys are enforced")
    prepare(
        server,
        "CREATE TABLE demo.child (ref int REFERENCES demo.t NOT ENFORCED)",
        "INSERT INTO demo.child VALUES (3), (9)",
    )

    replace(engine, OLD[:2])

    assert content(server) == OLD[:2]
    assert content(server, "demo.child") == [(3,), (9,)]


TREE = """
CREATE TABLE demo.t (id int PRIMARY KEY, code text, v int REFERENCES demo.t ON DELETE {action});
INSERT INTO demo.t VALUES (1, 'root', NULL), (2, 'a', 1), (3, 'b', 2), (4, 'leaf', 3)
"""


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"])
def test_a_tree_that_refers_to_itself_gets_its_new_rows(engine, server, action):
    server.execute(TREE.format(action=action))
    new: list[Row] = [(1, "root", None), (5, "new", 1), (6, "newer", 5), (4, "leaf", 6)]

    replace(engine, new)

    assert content(server) == sorted(new)


@pytest.mark.parametrize("action", ["NO ACTION", "CASCADE", "SET NULL"])
def test_a_tree_does_not_lose_a_new_row_whose_parent_goes(engine, server, action):
    server.execute(TREE.format(action=action))
    before = content(server)

    with pytest.raises(RowsReferenced):
        replace(engine, [(1, "root", None), (4, "leaf", 3)])

    assert content(server) == before


@pytest.mark.parametrize(
    ("columns", "words"),
    [({"code": ["a"], "v": [1]}, '"id"'), ({"id": [1, 1], "code": ["a", "b"], "v": [1, 1]}, '"id = 1"')],
    ids=["without the key", "with one key twice"],
)
def test_new_rows_without_the_key_that_others_refer_to_are_refused(engine, server, columns, words):
    prepare(server, "CREATE TABLE demo.child (ref int REFERENCES demo.t)", "INSERT INTO demo.child VALUES (1)")

    with pytest.raises(EngineError, match=words) as raised:
        engine.replace(T, pa.table(columns).to_reader(), over=Kind.TABLE)

    assert raised.value.code in ("E122", "E131")
    assert content(server) == OLD


def test_a_table_that_others_refer_to_takes_new_columns_and_other_types(engine, server):
    prepare(
        server,
        "ALTER TABLE demo.t ALTER COLUMN code SET NOT NULL",
        "CREATE TABLE demo.child (ref int REFERENCES demo.t ON DELETE CASCADE)",
        "INSERT INTO demo.child VALUES (1)",
    )
    rows = pa.table({"id": pa.array([1, 7], pa.int64()), "code": ["x", "y"], "v": ["n", "m"], "more": [1.5, None]})

    engine.replace(T, rows.to_reader(), over=Kind.TABLE)

    assert content(server) == [(1, "x", "n", 1.5), (7, "y", "m", None)]
    assert content(server, "demo.child") == [(1,)]


def test_rows_of_a_table_that_the_role_may_not_read_count_as_referring(engine, server):
    prepare(server, "CREATE TABLE demo.child (ref int REFERENCES demo.t ON DELETE CASCADE)")
    server.execute("DROP ROLE IF EXISTS fft_blind; CREATE ROLE fft_blind LOGIN")
    server.execute("GRANT ALL ON SCHEMA demo TO fft_blind; ALTER TABLE demo.t OWNER TO fft_blind")
    server.execute("GRANT TEMPORARY ON DATABASE postgres TO fft_blind; GRANT REFERENCES ON demo.t TO PUBLIC")
    blind = PostgresEngine(postgres_dsn(user="fft_blind"), "demo")
    try:
        assert replace(blind, [(1, "a", 1), (2, "b", 2), (3, "c", 4)]).updated == 1
        with pytest.raises(RowsReferenced, match='this role may not read all of "demo.child"'):
            replace(blind, OLD[:2])
    finally:
        blind.close()
        server.execute("DROP OWNED BY fft_blind CASCADE; DROP ROLE fft_blind")


DIM = "{{{{ config(materialized='{kind}') }}}} select id, name from {{{{ source('raw', 'dims') }}}}"


@pytest.mark.parametrize("kind", ["table", "incremental', unique_key='id"], ids=["table", "incremental"])
@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "NO ACTION"])
def test_commands_leave_rows_that_refer_to_a_model_or_seed(postgres_project: ProjectFolder, kind, action):
    project = postgres_project
    project.sql("CREATE TABLE dims AS SELECT i AS id, 'n' || i AS name FROM generate_series(1, 3) i")
    project.write(
        {
            "project.yml": "name: test\n",
            "sources.yml": "sources: [{name: raw, schema: demo, tables: [{name: dims}]}]",
            "models/dim.ff.sql": DIM.format(kind=kind),
            "seeds/codes.csv": "code,label\n1,a\n2,b\n",
        }
    )
    assert project.fft("seed").code == project.fft("run").code == 0
    for table, key in (("dim", "id"), ("codes", "code")):
        project.sql(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
        project.sql(f"CREATE TABLE of_{table} AS SELECT {key} AS ref FROM {table} LIMIT 2")
        project.sql(f"ALTER TABLE of_{table} ADD FOREIGN KEY (ref) REFERENCES {table} ON DELETE {action}")
    before = [project.sql(f"SELECT * FROM of_{table} ORDER BY 1") for table in ("dim", "codes")]
    project.sql("UPDATE dims SET name = 'other' WHERE id = 1; INSERT INTO dims VALUES (4, 'new')")
    project.write({"seeds/codes.csv": "code,label\n1,A\n2,b\n3,c\n"})

    plan = project.fft("plan")
    answers = [project.fft(*command) for command in (("run",), ("run", "--full-refresh"), ("build",), ("seed",))]

    assert '"demo.of_dim"' in plan.out
    assert [answer.code for answer in answers] == [0, 0, 0, 0], answers
    assert [project.sql(f"SELECT * FROM of_{table} ORDER BY 1") for table in ("dim", "codes")] == before
    assert project.sql("SELECT * FROM dim ORDER BY id") == [(1, "other"), (2, "n2"), (3, "n3"), (4, "new")]
    assert project.sql("SELECT * FROM codes ORDER BY code") == [(1, "A"), (2, "b"), (3, "c")]
