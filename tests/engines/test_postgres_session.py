"""One connection to PostgreSQL: what the server sees of it, what two of them share, and what it does besides rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pytest

from fastflowtransform.attempts import attempted
from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.postgres import PostgresEngine
from fastflowtransform.relation import Relation
from fastflowtransform.results import Outcome, WriteCounts
from tests.conftest import ProjectFolder, postgres_dsn, postgres_engine

pytestmark = pytest.mark.engine("postgres")

T = Relation("demo", "t")
MANY = 5_000


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


def numbers(*ids: int, value: str = "a") -> pa.RecordBatchReader:
    return pa.table({"id": pa.array(ids, pa.int64()), "v": pa.array([value] * len(ids), pa.string())}).to_reader()


def merge(engine: PostgresEngine, rows: pa.RecordBatchReader) -> WriteCounts:
    with engine.stage(rows) as staged:
        return engine.merge(T, staged, ("id",), null_safe=False)


def told(engine: PostgresEngine, hear: Callable[[str], None]) -> None:
    engine._session._on_statement = hear


SESSIONS = """
select count(*) as sessions, min(application_name) as name, current_schema() as "schema",
       (select count(*) from codes) as codes, current_setting('TimeZone') as zone
from pg_stat_activity where application_name = 'fft'
"""


def test_a_run_is_one_session_that_bears_our_name_and_finds_its_schema(postgres_project: ProjectFolder):
    postgres_project.write(
        {
            "project.yml": "name: test\n",
            "seeds/codes.csv": "code\n1\n2\n",
            "models/frame.ff.py": "import pandas\nfrom fastflowtransform import model\n\n"
            "@model(materialized='table')\ndef frame(codes: pandas.DataFrame): return codes\n",
            "models/seen.ff.sql": "{{ config(materialized='table') }} -- reads {{ ref('frame') }}" + SESSIONS,
        }
    )

    answer = postgres_project.fft("build")

    assert answer.code == 0, answer.err
    assert postgres_project.sql("SELECT * FROM seen") == [(1, "fft", "demo", 2, "UTC")]


def test_a_schema_is_made_where_there_is_none_whatever_it_is_called(postgres_project: ProjectFolder):
    name = 'say "hi"; DROP SCHEMA demo'
    for _ in range(2):
        postgres_project.sql('DROP SCHEMA IF EXISTS "say ""hi""; DROP SCHEMA demo" CASCADE')
        postgres_project.write(
            {
                "profiles.yml": f"dev: {{engine: postgres, postgres: {{dsn: '{postgres_dsn()}', schema: '{name}'}}}}",
                "models/m.ff.sql": "{{ config(materialized='table') }} select 1 as x",
                "models/n.ff.sql": "select * from {{ ref('m') }}",
            }
        )
        assert postgres_project.fft("run").code == 0

    assert postgres_project.sql('SELECT x FROM "say ""hi""; DROP SCHEMA demo".n') == [(1,)]
    postgres_project.sql('DROP SCHEMA "say ""hi""; DROP SCHEMA demo" CASCADE')


@pytest.mark.parametrize("given", ["options='-c {}'", "options='-c work_mem=1MB -c {}'", "the database"])
def test_settings_of_the_server_change_nothing(postgres_project: ProjectFolder, server, given):
    settings = {"quote_all_identifiers": "on", "standard_conforming_strings": "off", "backslash_quote": "on"}
    schema, dsn = "it's a \\b", postgres_dsn()
    try:
        if given == "the database":
            for name, value in settings.items():
                server.execute(f"ALTER DATABASE postgres SET {name} = {value}")
        else:
            dsn = (
                postgres_dsn()
                + "&options="
                + quote(given.partition("'")[2].strip("'").format(" -c ".join(f"{n}={v}" for n, v in settings.items())))
            )
        postgres_project.write(
            {
                "project.yml": "name: test\n",
                "profiles.yml": f'dev: {{engine: postgres, postgres: {{dsn: "{dsn}", schema: "it\'s a \\\\b"}}}}',
                "seeds/codes.csv": "code,label\n1,a\\b\n",
                "models/m.ff.sql": "{{ config(materialized='table', indexes=['code']) }} select * from codes",
            }
        )
        answers = [postgres_project.fft(*command) for command in (("seed",), ("run",), ("run",))]
        found = server.execute(f'SELECT * FROM "{schema}".m').fetchall()
    finally:
        for name in settings:
            server.execute(f"ALTER DATABASE postgres RESET {name}")
        server.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')

    assert [answer.code for answer in answers] == [0, 0, 0], answers
    assert found == [(1, "a\\b")]


def test_what_two_runs_stage_at_once_is_not_mixed_up(engine, server):
    engine.replace(T, numbers(1), over=None)
    engine.replace(Relation("demo", "__fft_stage_1"), numbers(7), over=None)
    other = PostgresEngine(postgres_dsn(), "demo")

    with engine.stage(numbers(2)) as ours, engine.stage(numbers(3)) as second, other.stage(numbers(4)) as theirs:
        found = [
            row["id"] for rows, where in ((ours, engine), (second, engine), (theirs, other)) for row in where.rows(rows)
        ]

    other.close()
    assert found == [2, 3, 4]
    assert server.execute("SELECT id FROM demo.__fft_stage_1").fetchall() == [(7,)]


def test_a_serialization_failure_is_rolled_back_and_tried_again(engine, server):
    engine.replace(T, numbers(1, 2), over=None)
    server.execute("CREATE VIEW demo.v AS SELECT * FROM demo.t")
    strict = PostgresEngine(postgres_dsn(options="-c default_transaction_isolation=serializable"), "demo")

    def come_in_between(sql: str) -> None:
        if sql.startswith("DELETE") and "b" not in str(server.execute("SELECT v FROM demo.t").fetchall()):
            server.execute("UPDATE demo.t SET v = 'b'")

    told(strict, come_in_between)

    def write(again: bool) -> Outcome:
        written = strict.replace(T, numbers(3), over=Kind.TABLE)
        return Outcome(written.strategy, inserted=written.inserted)

    done = attempted(strict, T, write, lambda why: None)

    strict.close()
    assert done.error is None
    assert [retry[:4] for retry in done.retries] == ["E120"] and "serialize" in done.retries[0]
    assert server.execute("SELECT * FROM demo.t").fetchall() == [(3, "a")]


@pytest.mark.parametrize(("before", "after"), [(1, MANY), (MANY, MANY // 5)], ids=["new rows", "other rows"])
def test_a_merge_that_changes_much_is_analyzed_and_a_small_one_is_not(engine, server, before, after):
    engine.replace(T, numbers(*range(before)), over=None)
    analyzed = {sent: 0 for sent in ("much", "little")}

    def analyses(name: str, *ids: int) -> None:
        def hear(sql: str) -> None:
            analyzed[name] += sql.startswith('ANALYZE "demo"."t"')

        told(engine, hear)
        merge(engine, numbers(*ids, value="b"))

    analyses("much", *range(after))
    analyses("little", *range(10))

    assert analyzed == {"much": 1, "little": 0}
    ((values,),) = server.execute("SELECT most_common_vals::text FROM pg_stats WHERE tablename = 't' AND attname = 'v'")
    assert "b" in values
