"""Small models that share a transaction: what is committed, told and noted is as if each had its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from fastflowtransform import plan
from fastflowtransform import project as projects
from fastflowtransform.console import Console, Output
from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.duckdb import DuckDBEngine
from fastflowtransform.errors import EngineError
from fastflowtransform.gate import Audit
from fastflowtransform.ledger import Command, Ledger, states_in
from fastflowtransform.past import Past
from fastflowtransform.placing import ordered
from fastflowtransform.proof import Cache, stands_below
from fastflowtransform.relation import Relation
from fastflowtransform.results import RunResult, Status, StepResult
from fastflowtransform.run import How, Made, run
from fastflowtransform.work import Ending, Manner
from tests.conftest import ProjectFolder, duckdb_engine

TABLE = "{{ config(materialized='table') }} "
VIEW = "{{ config(materialized='view') }} "
SLOWLY_WRONG = "select error('no') as id from range(20000000) r(i) where hash(i) % 20000000 = 7 having count(*) >= 0"
WORKER = Path(__file__).parent / "engines" / "crash_worker.py"


class Warehouse:
    """An empty DuckDB in memory, and the statements that were sent to it."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.stops_before: int | None = None
        """The number of the statement before which Ctrl-C comes, from 1 on."""
        self.at: dict[str, Callable[[], None]] = {}
        """What happens before statements that begin with some words."""
        self.duckdb = duckdb.connect()
        self.duckdb.execute("CREATE SCHEMA demo")
        self.engine = DuckDBEngine(self.duckdb, "demo", self._heard)

    def _heard(self, statement: str) -> None:
        self.statements.append(statement)
        for words, action in self.at.items():
            if statement.startswith(words):
                action()
        if len(self.statements) == self.stops_before:
            raise KeyboardInterrupt

    def run(self, folder: Path, texts: dict[str, str], shared: float = 60.0, cache: Cache = Cache.OFF) -> Made:
        """Make models of which one transaction takes up all that begin within `shared` seconds."""
        models = {f"models/{name}.ff.sql": text for name, text in texts.items()}
        for name, text in {"project.yml": "name: test\n", **models}.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        project = projects.load(folder, engine="duckdb", database="demo", variables={})
        order = ordered(project, project.graph.nodes, ())
        existing = self.engine.existing([project.relation(name) for name in project.models])
        steps = plan.build(project, order, existing, self.engine.capabilities)
        ledger = Ledger(self.engine, "demo", Command("run", "dev", "duckdb"))
        stands = stands_below(project, project.models, self.engine)
        past = Past(ledger, cache, ledger.proven(project.models) if cache.reads else {}, stands)
        self.statements.clear()
        how = How(Audit({}, project, self.engine), past, Manner(shared=shared))
        return run(steps, project, self.engine, Console(Output(verbosity=-1)), how)

    def sent(self, words: str) -> int:
        """Return how many statements begin with words."""
        return sum(statement.startswith(words) for statement in self.statements)

    def together(self) -> list[str]:
        """Return the statements of each transaction, one after the other in one text."""
        found = "\n".join(self.statements).split("BEGIN TRANSACTION")
        return [part.partition("COMMIT")[0] for part in found[1:]]

    def noted(self) -> list[tuple[str, str]]:
        """Return the models that the ledger notes in tables, and how."""
        return self.duckdb.execute("SELECT model, status FROM demo.fft_model_state ORDER BY ALL").fetchall()


def statuses(made: Made) -> dict[str, Status]:
    return {step.name: step.status for step in made.steps}


def test_small_models_share_a_transaction_and_the_statement_that_notes_them(tmp_path: Path):
    warehouse = Warehouse()

    made = warehouse.run(
        tmp_path,
        {
            "a": TABLE + "select 1 as id",
            "b": VIEW + "select * from {{ ref('a') }}",
            "c": TABLE + "select * from {{ ref('b') }}",
        },
    )

    assert set(statuses(made).values()) == {Status.SUCCESS}
    assert (warehouse.sent("BEGIN"), warehouse.sent("COMMIT"), warehouse.sent("INSERT")) == (1, 1, 1)
    assert warehouse.noted() == [("a", "success"), ("b", "success"), ("c", "success")]
    assert [step.outcome.inserted for step in made.steps if step.outcome] == [1, None, 1]


def test_a_model_of_its_own_kind_ends_the_transaction_of_those_before_it(tmp_path: Path):
    warehouse = Warehouse()
    incremental = "{{ config(materialized='incremental', unique_key='id') }} "

    warehouse.run(
        tmp_path,
        {
            "a": TABLE + "select 1 as id",
            "b": TABLE + "select 2 as id",
            "c": incremental + "select * from {{ ref('b') }}",
            "d": TABLE + "select * from {{ ref('c') }}",
        },
    )

    assert (warehouse.sent("BEGIN"), warehouse.sent("COMMIT")) == (3, 3)


def test_no_model_begins_in_a_transaction_that_is_as_old_as_may_be(tmp_path: Path):
    warehouse = Warehouse()

    warehouse.run(tmp_path, {name: TABLE + "select 1 as id" for name in "abc"}, shared=1e-9)

    assert warehouse.sent("COMMIT") == 3


def test_what_shared_a_transaction_with_a_failure_is_made_by_itself_and_noted_once(tmp_path: Path):
    warehouse = Warehouse()
    warehouse.duckdb.execute("CREATE TABLE demo.c AS SELECT 7 AS id")

    made = warehouse.run(
        tmp_path,
        {
            "a": TABLE + "select 1 as id",
            "b": TABLE + "select * from {{ ref('a') }}",
            "c": TABLE + "select error('no') as id from {{ ref('b') }}",
            "d": TABLE + "select * from {{ ref('c') }}",
            "e": TABLE + "select 5 as id",
        },
    )

    success, error = Status.SUCCESS, Status.ERROR
    assert statuses(made) == {"a": success, "b": success, "c": error, "d": Status.SKIPPED, "e": success}
    assert warehouse.duckdb.execute("SELECT id FROM demo.b UNION ALL SELECT id FROM demo.e").fetchall() == [(1,), (5,)]
    assert warehouse.duckdb.execute("SELECT id FROM demo.c").fetchall() == [(7,)]
    assert warehouse.noted() == [("a", "success"), ("b", "success"), ("e", "success")]


def test_a_model_that_took_long_before_it_failed_is_not_made_again(tmp_path: Path):
    warehouse = Warehouse()

    made = warehouse.run(
        tmp_path, {"a": TABLE + "select 1 as id", "b": TABLE + SLOWLY_WRONG, "c": TABLE + "select 1 as id"}, shared=0.01
    )

    assert statuses(made) == {"a": Status.SUCCESS, "b": Status.ERROR, "c": Status.SUCCESS}
    assert warehouse.sent('CREATE OR REPLACE TABLE "demo"."b"') == 1
    (error,) = [step.error for step in made.steps if step.error]
    assert "no" in error.message and error.at is not None and error.at.path.name == "b.ff.sql"


def test_with_the_cache_models_share_a_transaction_and_are_left_alone_the_next_time(tmp_path: Path):
    warehouse = Warehouse()
    models = {"a": TABLE + "select 1 as id", "b": TABLE + "select * from {{ ref('a') }}"}

    warehouse.run(tmp_path, models, cache=Cache.BOTH)
    assert warehouse.sent("COMMIT") == 1
    made = warehouse.run(tmp_path, models, cache=Cache.BOTH)

    assert warehouse.sent("CREATE OR REPLACE") == 0
    assert {step.outcome.strategy for step in made.steps if step.outcome} == {"unchanged"}


def test_a_proof_is_of_the_rows_that_stand_and_not_of_those_that_were_rolled_back(tmp_path: Path):
    warehouse = Warehouse()
    tosses = itertools.count()

    def toss() -> None:
        warehouse.duckdb.execute(f"SET VARIABLE coin = {next(tosses)}")

    warehouse.at['CREATE OR REPLACE TABLE "demo"."a"'] = toss

    warehouse.run(
        tmp_path,
        {
            "a": TABLE + "select getvariable('coin') as id",
            "b": TABLE + "select * from {{ ref('a') }}",
            "c": TABLE + "select error('no') as id from {{ ref('b') }}",
        },
        cache=Cache.WRITE,
    )

    ((inputs,),) = warehouse.duckdb.execute("SELECT inputs FROM demo.fft_model_state WHERE model = 'b'").fetchall()
    assert json.loads(inputs) == {"a": warehouse.engine.state(Relation("demo", "a"), Kind.TABLE)}
    assert next(tosses) == 2


def test_a_model_that_fails_by_itself_is_sent_once(tmp_path: Path):
    warehouse = Warehouse()

    made = warehouse.run(tmp_path, {"a": TABLE + "select error('no') as id"})

    assert statuses(made) == {"a": Status.ERROR}
    assert (warehouse.sent("BEGIN"), warehouse.sent("CREATE OR REPLACE"), warehouse.sent("ROLLBACK")) == (1, 1, 1)


@pytest.mark.parametrize("fault", range(1, 12))
def test_ctrl_c_before_any_statement_leaves_what_is_told_and_noted_of_each_model(fault: int, tmp_path: Path):
    warehouse = Warehouse()
    models = {
        "a": TABLE + "select NUMBER as id",
        "b": TABLE + "select NUMBER as id from {{ ref('a') }}",
        "c": TABLE + "select NUMBER as id where now() is not null",
    }
    warehouse.run(tmp_path, {name: text.replace("NUMBER", "1") for name, text in models.items()})
    warehouse.duckdb.execute("DELETE FROM demo.fft_model_state")
    warehouse.stops_before = fault

    made = warehouse.run(tmp_path, {name: text.replace("NUMBER", "2") for name, text in models.items()})

    warehouse.stops_before = None
    done = {name for name, status in statuses(made).items() if status is Status.SUCCESS}
    rows = warehouse.duckdb.execute(" UNION ALL ".join(f"SELECT '{name}', id FROM demo.{name}" for name in models))
    assert {name for name, number in rows.fetchall() if number == 2} == done
    assert warehouse.noted() == [(name, "success") for name in sorted(done)]
    assert {step.status for step in made.steps} <= {Status.SUCCESS, Status.CANCELLED, Status.SKIPPED}
    assert (made.ending is Ending.INTERRUPTED) == (len(done) < 3)


def test_what_was_in_the_way_for_a_moment_only_is_tried_again(tmp_path: Path):
    warehouse = Warehouse()
    warehouse.run(tmp_path, {"a": TABLE + "select 1 as id", "b": TABLE + "select 1 as id"})
    another = warehouse.duckdb.cursor()
    another.execute("BEGIN; CREATE OR REPLACE TABLE demo.b AS SELECT 7 AS id")
    later = threading.Timer(0.1, lambda: another.execute("ROLLBACK"))

    def go_away_soon() -> None:
        if not later.is_alive() and not later.finished.is_set():
            later.start()

    warehouse.at['CREATE OR REPLACE TABLE "demo"."b"'] = go_away_soon

    made = warehouse.run(tmp_path, {"a": TABLE + "select 2 as id", "b": TABLE + "select 2 as id"})

    assert set(statuses(made).values()) == {Status.SUCCESS}
    assert warehouse.duckdb.execute("SELECT a.id, b.id FROM demo.a, demo.b").fetchall() == [(2, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "select now() as at",
        "select CURRENT_TIMESTAMP as at",
        "select today() as at",
        "select rowid as at from {{ ref('a') }}",
        "select count(*) as at from demo.fft_model_state",
        "select {{ moment() }} as at",
        "select {{ env('FFT_COLUMN', '1') }} as at",
        "select * from {{ ref('through') }}",
        "select * from {{ ref('by_function') }}",
    ],
    ids=itertools.count(),
)
def test_a_model_whose_rows_depend_on_its_transaction_has_its_own(text: str, tmp_path: Path):
    warehouse = Warehouse()
    function = "import ibis\nfrom fastflowtransform import model\n\n"
    function += "@model(materialized='ephemeral')\n"
    function += "def by_function() -> ibis.Table:\n    return ibis.memtable({'at': [1]})\n"
    (tmp_path / "models" / "macros").mkdir(parents=True)
    (tmp_path / "models" / "macros" / "moment.sql").write_text(
        "{% macro moment() %}{{ inner() }}{% endmacro %}{% macro other() %}now(){% endmacro %}"
    )
    (tmp_path / "models" / "macros" / "inner.sql").write_text("{% macro inner() %}{{ other() }}{% endmacro %}")
    (tmp_path / "models" / "by_function.ff.py").write_text(function)

    made = warehouse.run(
        tmp_path,
        {
            "a": TABLE + "select 1 as id",
            "through": "{{ config(materialized='ephemeral') }} select now() as at",
            "b": TABLE + text,
            "c": TABLE + "select 1 as id",
            "d": TABLE + "select 2 as id from {{ ref('b') }}",
        },
    )

    assert Status.ERROR not in statuses(made).values()
    (with_b,) = [sent for sent in warehouse.together() if 'TABLE "demo"."b" AS' in sent]
    assert all(f'TABLE "demo"."{other}" AS' not in with_b for other in "acd")


def test_an_expression_that_was_registered_in_a_transaction_is_not_lost_with_it(tmp_path: Path):
    warehouse = Warehouse()
    function = "import ibis\nfrom fastflowtransform import model\n\n\n"
    function += "@model(materialized='ephemeral')\ndef rows() -> ibis.Table:\n    return ibis.memtable({'id': [1]})\n"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "rows.ff.py").write_text(function)

    made = warehouse.run(
        tmp_path,
        {
            "a": TABLE + "select * from {{ ref('rows') }}",
            "b": TABLE + "select error('no') as id from {{ ref('a') }}",
            "c": TABLE + "select * from {{ ref('rows') }}",
        },
    )

    assert statuses(made)["c"] is Status.SUCCESS and statuses(made)["b"] is Status.ERROR


def test_a_commit_that_fails_is_told_of_each_model_and_nothing_is_called_done(tmp_path: Path):
    warehouse = Warehouse()
    warehouse.run(tmp_path, {"a": TABLE + "select 1 as id"})
    # A row of the ledger that cannot be written: what belongs to it must not be either.
    warehouse.duckdb.execute("ALTER TABLE demo.fft_model_state DROP COLUMN seconds")
    warehouse.duckdb.execute("ALTER TABLE demo.fft_model_state ADD COLUMN seconds DATE")

    made = warehouse.run(tmp_path, {"a": TABLE + "select 2 as id", "b": TABLE + "select 2 as id"})

    assert statuses(made) == {"a": Status.ERROR, "b": Status.ERROR}
    assert warehouse.duckdb.execute("SELECT id FROM demo.a").fetchall() == [(1,)]


def test_a_schema_that_was_rolled_back_is_made_again(tmp_path: Path):
    engine, place = duckdb_engine(), Relation("elsewhere", "a")

    with pytest.raises(EngineError), engine.together():
        engine.replace(place, engine.select("select 1 as id"), over=None)
        engine.replace(place, engine.select("select error('no') as id"), over=None)
    assert place not in engine.existing([place])
    engine.replace(place, engine.select("select 2 as id"), over=None)

    assert engine.rows(engine.table(place)) == [{"id": 2}]


def test_notes_of_a_transaction_that_is_rolled_back_are_not_written_by_a_later_one(tmp_path: Path):
    engine, notes = duckdb_engine(), states_in("demo")
    engine.prepare(notes)

    with pytest.raises(EngineError), engine.together():
        engine.note(notes, [{"model": "lost"}])
        engine.replace(Relation("demo", "a"), engine.select("select error('no') as id"), over=None)
    with engine.together():
        engine.note(notes, [{"model": "kept"}])

    assert [row["model"] for row in engine.rows(engine.table(notes.relation))] == ["kept"]


def test_a_failure_says_which_models_were_made_again(project: ProjectFolder):
    project.write(
        {
            "models/a.ff.sql": TABLE + "select 1 as id",
            "models/b.ff.sql": TABLE + "select 1 as id",
            "models/c.ff.sql": TABLE + "select error('no') as id",
        }
    )

    answer = project.fft("run")

    assert answer.code == 1
    assert 'a: to be made again, like the one after it, by itself: "c" failed' in answer.out
    assert project.sql("select count(*) from a, b") == [(1,)]


def test_a_kill_at_any_statement_leaves_all_of_them_old_or_all_new(project: ProjectFolder):
    text = TABLE + "select NUMBER as v, count(*) as runs from {{ source('raw', 'events') }}"
    project.write(
        {
            "sources.yml": "sources: [{name: raw, tables: [{name: events}]}]",
            "models/fct.ff.sql": text.replace("NUMBER", "1"),
            "models/total.ff.sql": text.replace("NUMBER", "2"),
        }
    )
    project.sql("CREATE TABLE events AS SELECT 1 AS id")
    assert project.fft("run").code == 0
    before = {"fct": ["(1, 1)"], "total": ["(2, 1)"]}
    project.sql("INSERT INTO events VALUES (2)")
    after = {"fct": ["(1, 2)"], "total": ["(2, 2)"]}

    answer = subprocess.run(
        [sys.executable, WORKER, "duckdb", project.folder, "run"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "FFT_TEST_PG_DSN": ""},
    )

    found = json.loads(answer.stdout)
    shared = [crash for crash in found if crash["statement"] == "COMMIT" or "REPLACE TABLE" in crash["statement"]]
    assert len(shared) == 3 and all(crash["crashed"]["rows"] == before for crash in shared)
    assert all(crash["crashed"]["rows"] in (before, after) for crash in found)
    assert all(crash["recovered"]["rows"] == after and crash["code"] == 0 for crash in found)


@pytest.mark.parametrize("fault", [1, 2])
def test_a_wish_to_stop_that_comes_late_does_not_keep_a_stopped_run_from_being_noted(fault: int):
    warehouse = Warehouse()
    ledger = Ledger(warehouse.engine, "demo", Command("run", "dev", "duckdb"))
    ledger.noted(ledger.entry("a", None, Relation("demo", "a")), StepResult("a", "seed", Status.CANCELLED))
    warehouse.statements.clear()
    warehouse.stops_before = fault

    Past(ledger).ended(RunResult("run", (), (), 0.0, (), True), Console(Output(verbosity=-1)))

    assert warehouse.noted() == [("a", "cancelled")]
    assert warehouse.duckdb.execute("SELECT status FROM demo.fft_run").fetchall() == [("cancelled",)]
