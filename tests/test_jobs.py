"""Many models at once: the same results, whatever runs beside what; limits of time; and how a run is stopped."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import plan, run_checks
from fastflowtransform import project as projects
from fastflowtransform.console import Console, Output
from fastflowtransform.gate import Audit
from fastflowtransform.placing import ordered, placed
from fastflowtransform.run import How, Made, run
from fastflowtransform.work import Manner
from tests.conftest import ProjectFolder, duckdb_engine, postgres_dsn
from tests.histories import examples
from tests.processes import process

SOURCES = "sources: [{name: raw, schema: demo, tables: [{name: events}]}]\n"
TABLE = "{{ config(materialized='table') }} "
MEETING = """
import threading
import pandas
from fastflowtransform import model

both_are_here = threading.Barrier(2)

def meet():
    both_are_here.wait(timeout=60)
    return pandas.DataFrame({"id": [1]})

@model(materialized="table", frame="pandas")
def left():
    return meet()

@model(materialized="table", frame="pandas")
def right():
    return meet()
"""
ENDLESS = "select count(*) as v from range(100000000) a, range(1000000) b where hash(a.range + b.range) = 0"
ASLEEP = "{{ config(materialized='table', dialect='postgres') }} select 1 as id, pg_sleep(600)::text as s"


def results(project: ProjectFolder) -> dict[str, str]:
    """Return how each step of the last command ended."""
    document = json.loads((project.folder / "target" / "run_results.json").read_text())
    return {step["name"]: step["status"] for step in document["steps"]}


def test_two_models_that_wait_for_each_other_end_when_both_run_at_once(each_project: ProjectFolder):
    each_project.write({"models/pair.ff.py": MEETING})

    answer = each_project.fft("run", "--jobs", "2")

    assert answer.code == 0, answer.err
    assert results(each_project) == {"left": "success", "right": "success"}


@pytest.mark.slow
@pytest.mark.never("spark", reason="a second Delta commit takes a second, and there are 800 of them", run=False)
def test_forty_increments_of_one_source_at_once_are_right_each_time(each_project: ProjectFolder):
    each_project.write({"sources.yml": SOURCES, "profiles.yml": profiles_with(each_project, "jobs: 8")})
    for number in range(40):
        config = "config(materialized='incremental', unique_key='id', updated_at='ts')"
        text = f"{{{{ {config} }}}} select id, ts, v + {number} as v from {{{{ source('raw', 'events') }}}}"
        each_project.write({f"models/m{number:02}.ff.sql": text})
    each_project.sql("CREATE TABLE events (id INTEGER, ts TIMESTAMP, v INTEGER)")
    for repeat in range(20):
        # Half of the rows are new, and half are newer ones of a key that was there.
        each_project.sql(
            f"INSERT INTO events SELECT {repeat} + i, TIMESTAMP '2026-01-01' + INTERVAL '{repeat} hours', {repeat} * i "
            "FROM generate_series(1, 2) r(i)"
        )
        answer = each_project.fft("run", "-q")
        assert answer.code == 0, answer.err
        newest = "SELECT id, max(ts) AS ts FROM events GROUP BY id"
        expected = each_project.sql(
            f"SELECT e.id, e.ts, e.v FROM events e JOIN ({newest}) n USING (id, ts) ORDER BY id"
        )
        tables = " UNION ALL ".join(f"SELECT {number} AS m, id, ts, v FROM m{number:02}" for number in range(40))
        found = each_project.sql(f"SELECT m, id, ts, v - m FROM ({tables}) t ORDER BY m, id")
        assert found == [(number, *row) for number in range(40) for row in expected]


def profiles_with(project: ProjectFolder, line: str) -> str:
    """Return the project's profile with one more setting."""
    return (project.folder / "profiles.yml").read_text().replace("dev:\n", f"dev:\n  {line}\n", 1)


@st.composite
def projects_with_failures(draw: st.DrawFn) -> dict[str, str]:
    """Models over each other, some of which fail, and checks of some, which may read another model and may fail."""
    files, checks = {}, []
    for number in range(draw(st.integers(1, 9))):
        above = sorted(draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else []
        kind = draw(st.sampled_from(["table", "view", "ephemeral", "table"]))
        bad = kind == "table" and draw(st.integers(0, 4)) == 0
        selects = [f"select id from {{{{ ref('m{other}') }}}}" for other in above] or ["select 1 as id"]
        wrong = "cast(error('no') as integer)" if bad else "id"
        text = f"select {wrong} as id from ({' union all '.join(selects)}) t"
        files[f"models/m{number}.ff.sql"] = f"{{{{ config(materialized='{kind}') }}}} {text}"
        if kind != "ephemeral" and draw(st.integers(0, 2)) == 0:
            most = draw(st.sampled_from([0, 1, 5]))
            checks.append(f"{{name: m{number}, tests: [between: {{column: id, max: {most}}}]}}")
    files["models/s.yml"] = f"models: [{', '.join(checks)}]\n"
    return files


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=projects_with_failures())
def test_what_comes_of_a_build_does_not_depend_on_how_many_are_made_at_once(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name, text in {"project.yml": "name: test\n", **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    manners = (Manner(shared=0), Manner(), Manner(shared=60), Manner(jobs=8))
    one, *others = (told(made(folder, manner)) for manner in manners)

    assert all(other == one for other in others)


def made(folder: Path, manner: Manner) -> Made:
    """Build a project in an empty database."""
    project = projects.load(folder, engine="duckdb", database="demo", variables={})
    engine = duckdb_engine()
    order = ordered(project, project.graph.nodes, project.checks)
    steps = plan.build(project, order, {}, engine.capabilities)
    audit = Audit(placed(order, project.checks), project, engine)
    found = run(steps, project, engine, Console(Output(verbosity=-1)), How(audit, manner=manner))
    engine.close()
    return found


def told(found: Made) -> list[Any]:
    """Return all that is said of a build, but for the time that it took, and the numbers of its own names in SQL."""
    steps = [
        (step.name, step.status, step.blocked_by, step.kept, step.outcome, str(step.error or ""))
        for step in found.steps
    ]
    checks = [
        (check.name, check.status, check.failures, re.sub(r"__fft_query_\d+", "query", check.sql or ""))
        for check in found.checks
    ]
    return [*steps, *checks]


def test_ctrl_c_while_a_source_is_looked_at_ends_the_build(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    project.write(
        {
            "sources.yml": SOURCES,
            "tests/some.ff.sql": "select * from {{ source('raw', 'events') }} where id > 5",
            "models/m.ff.sql": TABLE + "select id from {{ source('raw', 'events') }}",
        }
    )
    project.sql("CREATE TABLE events AS SELECT 1 AS id")

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_checks, "count_all", stopped)

    assert project.fft("build").code == 130
    assert results(project) == {"m": "skipped"}


def test_a_failure_blocks_what_is_below_it_and_nothing_else(project: ProjectFolder):
    project.write(
        {
            "models/bad.ff.sql": TABLE + "select error('no') as id",
            "models/below.ff.sql": TABLE + "select * from {{ ref('bad') }}",
            "models/beside.ff.sql": TABLE + "select 1 as id",
            "models/far.ff.sql": TABLE + "select * from {{ ref('beside') }}",
        }
    )

    assert project.fft("run", "-j", "4").code == 1
    assert results(project) == {"bad": "error", "below": "skipped", "beside": "success", "far": "success"}


def test_fail_fast_starts_nothing_more_and_lets_end_what_runs(project: ProjectFolder):
    project.write(
        {
            "models/pair.ff.py": MEETING.replace(
                "def left():\n    return meet()", "def left():\n    meet()\n    1 / 0"
            ).replace(
                "def right():\n    return meet()",
                "def right():\n    found = meet()\n    until_it_is_told()\n    return found",
            )
            + "\ndef until_it_is_told():\n    import time, pathlib\n"
            "    while not (pathlib.Path(__file__).parent / 'told').exists():\n        time.sleep(0.01)\n",
            "models/then.ff.sql": TABLE + "select * from {{ ref('right') }}",
        }
    )
    finished = Console.finished

    def tell(console: Console, result: Any) -> None:
        finished(console, result)
        if result.name == "left":
            (project.folder / "models" / "told").write_text("")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Console, "finished", tell)
        assert project.fft("run", "-j", "2", "--fail-fast").code == 1

    assert results(project) == {"left": "error", "right": "success", "then": "skipped"}


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_model_that_takes_too_long_is_cancelled_and_rolled_back(each_project: ProjectFolder, jobs: str):
    each_project.write(SLOW[engine_of(each_project)])
    each_project.sql("CREATE TABLE slow AS SELECT 7 AS id")

    # On Spark any model may take so long, and only the slow one has the limit.
    limit = "600" if engine_of(each_project) == "databricks_spark" else "1.5"

    answer = each_project.fft("run", "--timeout", limit, "--jobs", jobs, "--adopt", "slow")

    assert answer.code == 1
    assert 'E127 "slow" took longer than the limit of 1.5 s' in answer.err
    assert "slow.ff.sql" in answer.err
    assert results(each_project) == {"slow": "error", "a": "success", "below": "skipped", "z": "success"}
    assert each_project.sql("SELECT id FROM slow") == [(7,)]


def engine_of(project: ProjectFolder) -> str:
    """Return the engine of a project's profile."""
    text = (project.folder / "profiles.yml").read_text()
    return text.partition("engine: ")[2].split()[0]


SPARK_SLOW = (
    "{{ config(materialized='table', dialect='spark', timeout=1.5) }} "
    "select count(*) as id from range(0, 100000000000L) a where hash(id) = hash(id + 1)"
)
BESIDE = {
    "models/a.ff.sql": TABLE + "select 1 as id",
    "models/below.ff.sql": TABLE + "select * from {{ ref('slow') }}",
    "models/z.ff.sql": TABLE + "select 1 as id",
}
SLOW = {
    "duckdb": {"models/slow.ff.sql": TABLE + ENDLESS, **BESIDE},
    "postgres": {"models/slow.ff.sql": ASLEEP, **BESIDE},
    "databricks_spark": {"models/slow.ff.sql": SPARK_SLOW, **BESIDE},
}


def test_a_model_may_have_a_limit_of_its_own(project: ProjectFolder):
    project.write({"models/slow.ff.sql": "{{ config(materialized='table', timeout='1 second') }} " + ENDLESS})

    assert 'E127 "slow" took longer than the limit of 1 s' in project.fft("run").err
    assert 'E127 "slow"' in project.fft("run", "--timeout", "3600").err


def test_a_function_that_takes_too_long_is_late_when_it_returns(project: ProjectFolder):
    body = "import time\nimport pandas\nfrom fastflowtransform import model\n\n"
    body += "@model(materialized='table', timeout=0.2)\ndef slow() -> pandas.DataFrame:\n    time.sleep(0.6)\n"
    project.write({"models/slow.ff.py": body + "    return pandas.DataFrame({'id': [1]})\n"})

    assert "E127" in project.fft("run").err
    assert project.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'slow'") == [(0,)]


@pytest.mark.parametrize("value", ["0", "-1", "'soon'", "true"])
def test_a_limit_that_is_none_is_wrong_input(project: ProjectFolder, value: str):
    project.write({"models/m.ff.sql": f"{{{{ config(materialized='table', timeout={value}) }}}} select 1 as id"})

    answer = project.fft("run")

    assert (answer.code, answer.err.split()[0]) == (2, "P104")


@pytest.mark.parametrize("value", ["0", "-2", "many", "1.5"])
def test_a_number_of_jobs_that_is_none_is_wrong_input(project: ProjectFolder, value: str):
    project.write({"models/m.ff.sql": "select 1 as id"})

    assert f'"{value}"' in project.fft("run", f"--jobs={value}").err
    project.write({"profiles.yml": profiles_with(project, f"jobs: {value}")})
    answer = project.fft("run")
    assert (answer.code, answer.err.split()[0]) == (2, "P104")


@pytest.mark.parametrize("value", ["auto", "3"])
def test_the_profile_says_how_many_at_once(project: ProjectFolder, value: str):
    project.write({"models/m.ff.sql": "select 1 as id", "profiles.yml": profiles_with(project, f"jobs: {value}")})

    assert project.fft("run").code == 0


def test_seeds_and_checks_go_many_at_once_too(each_project: ProjectFolder):
    for number in range(6):
        each_project.write({f"seeds/s{number}.csv": f"id\n{number}\n"})
    checks = ", ".join(f"{{name: s{number}, tests: [unique: {{column: id}}]}}" for number in range(6))
    each_project.write({"models/s.yml": f"models: [{checks}]\n"})

    seeded, again = each_project.fft("seed", "-j", "4"), each_project.fft("seed", "-j", "4")
    tested = each_project.fft("test", "-j", "4")

    assert (seeded.code, again.code, tested.code) == (0, 0, 0), seeded.err + again.err + tested.err
    assert again.out.count("unchanged") >= 6
    assert "6 ok" in tested.out
    assert each_project.sql("SELECT id FROM s5") == [(5,)]


def test_statements_are_told_in_whole_lines_with_their_model(project: ProjectFolder):
    for number in range(8):
        project.write({f"models/m{number}.ff.sql": TABLE + f"select {number} as id"})

    answer = project.fft("run", "-j", "4", "--json", "-v")

    events = [json.loads(line) for line in answer.out.splitlines()]
    told = {event["name"] for event in events if event["event"] == "statement" and "CREATE OR" in event["sql"]}
    assert told == {f"m{number}" for number in range(8)}
    ends = [event["name"] for event in events if event["event"] == "step_finished"]
    assert sorted(ends) == sorted(told)


def stopped(project: ProjectFolder, *signals: signal.Signals, when: list[str], arguments: tuple[str, ...] = ()) -> Any:
    """Run a project in a process of its own, stop it when all of `when` was said, and return how it ended."""
    command = [sys.executable, "-m", "fastflowtransform", "run", str(project.folder), "-v", *arguments]
    with process(command) as running:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if all(words in said for words in when):
                break
        for number in signals:
            running.send_signal(number)
            time.sleep(0.2)
        out, err = running.communicate(timeout=60)
    return running.returncode, said + out, err


LEFT = {
    "duckdb": "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '\\_\\_fft%' ESCAPE '\\'",
    "postgres": "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_\\_fft%' AND relkind = 'r'",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("ends", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)])
@pytest.mark.never("spark", reason="its catalog is in the memory of this process; test_spark.py stops one", run=False)
def test_a_run_that_is_stopped_tells_what_was_done_and_a_retry_does_the_rest(each_project: ProjectFolder, ends):
    engine = engine_of(each_project)
    slow = SLOW[engine]["models/slow.ff.sql"]
    each_project.write(
        {
            "models/done.ff.sql": TABLE + "select 1 as id",
            "models/slow1.ff.sql": slow,
            "models/slow2.ff.sql": slow,
            "models/then.ff.sql": TABLE + "select count(*) as id from {{ ref('slow1') }}",
        }
    )
    each_project.sql("CREATE TABLE slow1 AS SELECT 7 AS id")
    when = ["slow1 > CREATE", "slow2 > CREATE", "ok    done"]

    code, out, err = stopped(each_project, *ends, when=when, arguments=("--jobs", "3", "--adopt", "slow1"))

    assert (code, err.split()[:2]) == (130, ["C130", "interrupted"]), err
    assert "Traceback" not in err
    assert "cancelled: slow1, slow2" in out and "not started: then" in out
    expected = {"done": "success", "slow1": "cancelled", "slow2": "cancelled", "then": "skipped"}
    assert results(each_project) == expected
    assert each_project.sql("SELECT id FROM slow1") == [(7,)]
    assert each_project.sql(LEFT[engine]) == [(0,)]
    each_project.write({f"models/slow{number}.ff.sql": TABLE + "select 8 as id" for number in (1, 2)})
    assert each_project.fft("retry").code == 0
    assert results(each_project) == {"slow1": "success", "slow2": "success", "then": "success"}


@pytest.mark.timeout(120)
def test_a_run_of_one_at_a_time_that_is_stopped_tells_as_much(project: ProjectFolder):
    project.write(
        {
            "models/done.ff.sql": TABLE + "select 1 as id",
            "models/slow.ff.sql": TABLE + ENDLESS,
            "models/then.ff.sql": TABLE + "select 1 as id",
        }
    )

    code, _, err = stopped(project, signal.SIGINT, when=["hash(a.range"])

    assert code == 130 and "Traceback" not in err, err
    assert results(project) == {"done": "success", "slow": "cancelled", "then": "skipped"}


def test_an_interrupt_that_comes_late_does_not_end_what_is_done_again(project: ProjectFolder, monkeypatch):
    """A signal may meet Python before the statement is sent, and the warehouse is told of it a moment later."""
    project.write({"models/done.ff.sql": TABLE + "select 1 as id", "models/slow.ff.sql": TABLE + "select 2 as id"})
    told, sent = Console.statement, []

    def statement(console: Console, text: str) -> None:
        sent.append(text)
        creations = [each for each in sent if "CREATE" in each and "as id" in each]
        if creations and creations[-1] is text and len(creations) in (2, 3):
            raise KeyboardInterrupt
        told(console, text)

    monkeypatch.setattr(Console, "statement", statement)

    assert project.fft("run", "-v").code == 130
    assert results(project) == {"done": "success", "slow": "cancelled"}
    assert project.sql("select id from done") == [(1,)]


@pytest.mark.timeout(120)
def test_a_function_that_does_not_return_is_left_behind_the_second_time(project: ProjectFolder):
    body = "import time\nimport pandas\nfrom fastflowtransform import model\n\n@model(materialized='table')\n"
    body += "def stuck() -> pandas.DataFrame:\n    print('stuck here', flush=True)\n"
    project.write({"models/stuck.ff.py": body + "    time.sleep(600)\n", "models/m.ff.sql": TABLE + "select 1 as id"})

    began = time.monotonic()
    code, _, err = stopped(project, signal.SIGINT, signal.SIGINT, when=["stuck here", "ok    m"], arguments=("-j", "2"))

    assert code == 130 and "Traceback" not in err, err
    assert time.monotonic() - began < 30
    assert results(project) == {"m": "success", "stuck": "cancelled"}


@pytest.fixture
def server() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the tests' PostgreSQL."""
    with psycopg.connect(postgres_dsn(), autocommit=True) as connection:
        yield connection


@pytest.mark.engine("postgres")
def test_what_is_only_in_passing_is_tried_again_by_each_worker(postgres_project: ProjectFolder, server):
    server.execute(
        "CREATE OR REPLACE FUNCTION demo.tried(name text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval(name::regclass) = 1 THEN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END IF; "
        "RETURN 1; END $$"
    )
    for number in range(4):
        server.execute(f"CREATE SEQUENCE demo.s{number}")
        text = f"select demo.tried('demo.s{number}') as id"
        config = "{{ config(materialized='table', dialect='postgres') }} "
        postgres_project.write({f"models/m{number}.ff.sql": config + text})

    answer = postgres_project.fft("run", "-j", "4")

    assert answer.code == 0, answer.err
    assert answer.out.count("tried again after E120 busy") == 4


@pytest.mark.engine("postgres")
def test_where_the_server_has_fewer_connections_fewer_are_made_at_once(postgres_project: ProjectFolder, server):
    server.execute(
        "DROP OWNED BY few"
        if server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'few'").rowcount
        else "CREATE ROLE few LOGIN PASSWORD 'few'"
    )
    server.execute("ALTER ROLE few CONNECTION LIMIT 3; GRANT ALL ON SCHEMA demo TO few")
    dsn = psycopg.conninfo.conninfo_to_dict(postgres_dsn()) | {"user": "few", "password": "few"}
    written = psycopg.conninfo.make_conninfo(**dsn)
    profile = f'dev:\n  engine: postgres\n  postgres: {{dsn: "{written}", schema: demo}}\n'
    postgres_project.write({"profiles.yml": profile})
    for number in range(8):
        postgres_project.write({f"models/m{number}.ff.sql": TABLE + f"select {number} as id"})

    answer = postgres_project.fft("run", "-j", "8")

    assert answer.code == 0, answer.err
    assert "no more than 2 at once" in answer.out
    assert set(results(postgres_project).values()) == {"success"}
