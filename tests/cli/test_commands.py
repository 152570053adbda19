"""The commands as a user types them: what they print, what they leave, and their exit codes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastflowtransform import __version__, cli
from tests.conftest import ProjectFolder
from tests.processes import process

MODELS = {
    "sources.yml": "sources: [{name: raw, tables: [{name: orders}]}]",
    "seeds/orders.csv": "id,ts,v\n1,2026-01-01,10\n2,2026-01-02,20\n",
    "models/base.ff.sql": "select * from {{ source('raw', 'orders') }}",
    "models/fct.ff.sql": "{{ config(materialized='incremental', unique_key='id', updated_at='ts', tags=['nightly']) }} "
    "select * from {{ ref('base') }}",
    "models/total.ff.sql": "{{ config(materialized='table') }} select sum(v) as v from {{ ref('fct') }}",
    "models/schema.yml": "models: [{name: fct, columns: [{name: id, tests: [not_null, unique]}]}]",
}

ENDLESS = (
    "{{ config(materialized='table') }} "
    "select count(*) as v from range(100000000) a, range(1000000) b where hash(a.range + b.range) = 0"
)


@pytest.fixture
def orders(project: ProjectFolder) -> ProjectFolder:
    """A project with a seed, a view, an increment, a table and checks; seeded."""
    project.write(MODELS)
    assert project.fft("seed").code == 0
    return project


def results(project: ProjectFolder) -> dict[str, Any]:
    """Return what the last command wrote."""
    written: dict[str, Any] = json.loads((project.folder / "target" / "run_results.json").read_text())
    return written


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_version_is_printed():
    answer = subprocess.run([sys.executable, "-m", "fastflowtransform", "--version"], capture_output=True, text=True)

    assert (answer.returncode, answer.stdout) == (0, f"fft {__version__}\n")


def test_help_names_each_command_and_each_command_has_an_example(capsys: pytest.CaptureFixture[str]):
    assert cli.call(["--help"]) == 0
    out = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"\n  {command} " in out
        assert cli.call([command, "--help"]) == 0
        assert f"\n  fft {command} " in capsys.readouterr().out


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]):
    assert cli.call([]) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["rnu"], 'C100 there is no command "rnu"', 'did you mean "run"?'),
        (["run", "--selct", "x"], 'C100 there is no option "--selct"', 'did you mean "--select"?'),
        (["run", "--vars", "x"], 'C100 --vars "x" is not NAME=VALUE', ""),
        (["run", "--cache", "no"], "C100 ", ""),
        (["run", "a", "b"], "C100 got unexpected extra argument", ""),
        *(
            (["run", "--timeout", given], f'C100 invalid value for "--timeout": "{given}" is no number of seconds', "")
            for given in ("-1", "0", "nan", "inf", "1e400", "soon")
        ),
    ],
)
def test_a_wrong_command_line_is_one_block_and_exit_code_2(capsys, arguments, message, hint):
    assert cli.call(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert hint in err


def test_run_builds_and_prints_counts(orders: ProjectFolder):
    answer = orders.fft("run")

    assert answer.code == 0
    assert "fct  2 inserted" in answer.out
    assert orders.sql("FROM total") == [(30,)]
    assert "3 ok in" in answer.out


def test_run_twice_changes_nothing(orders: ProjectFolder):
    orders.fft("run")

    answer = orders.fft("run")

    assert "0 inserted, 1 unchanged" in answer.out


def test_a_failed_model_skips_what_is_below_it_and_nothing_else(orders: ProjectFolder):
    orders.write({"models/fct.ff.sql": "select 1/0 as v, error('no') as e", "models/other.ff.sql": "select 1"})
    orders.write({"models/fct.ff.sql": "{{ config(materialized='table') }} select error('no') as v"})

    answer = orders.fft("run")

    assert answer.code == 1
    assert 'skipped because "fct" failed: total' in answer.out
    assert "2 ok, 1 failed, 1 skipped in" in answer.out
    assert answer.err.startswith("E100 fct: ")
    assert "models/fct.ff.sql" in answer.err
    assert (orders.folder / "target/failed/fct.sql").read_text().startswith("CREATE OR REPLACE TABLE")


def test_fail_fast_skips_all_that_follows(orders: ProjectFolder):
    orders.write({"models/a.ff.sql": "select * from nowhere"})

    answer = orders.fft("run", "--fail-fast")

    assert "1 failed, 3 skipped in" in answer.out


def test_selection_narrows_and_excludes(orders: ProjectFolder):
    orders.fft("run")

    answer = orders.fft("run", "--select", "tag:nightly+", "--exclude", "total")

    assert "1 model on" in answer.out
    assert "fct" in answer.out


def test_a_selector_that_matches_nothing_says_so(orders: ProjectFolder):
    answer = orders.fft("run", "--select", "tag:nihgtly")

    assert answer.code == 2
    assert answer.err.startswith("S101 ")
    assert "nightly" in answer.err


def test_plan_says_what_and_why_and_touches_nothing(orders: ProjectFolder):
    before = sorted(path.name for path in orders.folder.rglob("*"))

    answer = orders.fft("plan")

    assert "create table  there is none yet" in answer.out
    assert sorted(path.name for path in orders.folder.rglob("*")) == before
    orders.fft("run")
    assert "merge by id" in orders.fft("plan").out
    assert "replace table  full refresh" in orders.fft("plan", "--full-refresh").out


def test_plan_of_a_project_without_a_database_makes_none(project: ProjectFolder):
    project.write({"models/a.ff.sql": "select 1"})

    assert project.fft("plan").code == 0
    assert not (project.folder / "w.duckdb").exists()


def test_test_passes_and_fails_with_rows_and_sql(orders: ProjectFolder):
    orders.fft("run")
    passed = orders.fft("test")
    orders.sql("INSERT INTO fct VALUES (1, '2026-01-01', 11), (NULL, '2026-01-01', 12)")

    failed = orders.fft("test")

    assert (passed.code, failed.code) == (0, 1)
    assert 'error "unique_fct_id": 1 failing row, such as' in failed.out
    assert "to see them all:" in failed.out


def test_a_missing_table_is_one_failed_check_and_the_others_run(orders: ProjectFolder):
    orders.write({"project.yml": "name: test\ntests: [{type: not_null, model: orders, column: id}]\n"})

    answer = orders.fft("test")

    assert answer.code == 1
    assert "E110" in answer.err
    assert "1 ok, 2 failed" in answer.out


def test_a_check_of_severity_warn_warns(orders: ProjectFolder):
    orders.write({"project.yml": "name: test\ntests: [{type: unique, model: orders, column: k, severity: warn}]\n"})
    orders.write({"models/schema.yml": "", "seeds/orders.csv": "id,ts,v,k\n1,2026-01-01,1,x\n2,2026-01-01,1,x\n"})
    orders.fft("seed")

    answer = orders.fft("test")

    assert answer.code == 0
    assert "1 warned in" in answer.out


def test_a_failing_check_is_an_error_that_quiet_does_not_hide(orders: ProjectFolder):
    orders.fft("run")
    orders.sql("INSERT INTO fct VALUES (1, '2026-01-01', 11)")

    answer = orders.fft("test", "-q")

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith('D300 "unique_fct_id" fails on 1 row of "fct"')


def test_a_selection_without_a_model_says_so(orders: ProjectFolder):
    assert orders.fft("run", "--select", "orders").err.startswith('S101 the selection holds no model: "orders"')
    assert orders.fft("seed", "--select", "fct").err.startswith('S101 the selection holds no seed: "fct"')


def test_test_selects_by_model(orders: ProjectFolder):
    orders.fft("run")

    assert "2 checks" in orders.fft("test", "--select", "tag:nightly").out
    assert "0 checks" in orders.fft("test", "--select", "total").out


def test_a_where_narrows_a_check(orders: ProjectFolder):
    check = '{type: between, model: orders, column: v, max: 10, where: "id < 2 -- comment"}'
    orders.write({"project.yml": f"name: test\ntests: [{check}]\n", "models/schema.yml": ""})

    assert orders.fft("test").code == 0


def test_list_shows_kinds_and_inputs(orders: ProjectFolder):
    out = orders.fft("list", "--json").out

    nodes = {str(event["name"]): event for event in events(out)}
    assert nodes["source:raw.orders"]["upstream"] == ["orders"]
    assert nodes["fct"]["materialized"] == "incremental"
    assert list(nodes) == ["orders", "source:raw.orders", "base", "fct", "total"]


def test_show_prints_the_first_rows_and_the_query_of_what_is_not_built(orders: ProjectFolder):
    orders.fft("run", "--select", "base fct")

    built = cli_show(orders, "fct", "--order-by", "id", "--limit", "1")
    unbuilt = cli_show(orders, "total")

    assert built == [{"id": 1, "ts": "2026-01-01", "v": 10}]
    assert unbuilt == [{"v": 30}]


def cli_show(project: ProjectFolder, *arguments: str) -> list[object]:
    return [
        event["values"] for event in events(project.fft("show", *arguments, "--json").out) if event["event"] == "row"
    ]


def test_show_of_an_unknown_model_names_the_nearest(orders: ProjectFolder):
    answer = orders.fft("show", "fctt")

    assert answer.code == 2
    assert 'did you mean "fct"?' in answer.err


def test_compile_writes_the_sql(orders: ProjectFolder):
    assert orders.fft("compile").code == 0
    assert (orders.folder / "target/compiled/base.sql").read_text() == 'select * from "demo"."orders"\n'


def test_compile_writes_for_another_engine(orders: ProjectFolder):
    orders.write({"models/p.ff.py": "from fastflowtransform import model\n@model\ndef p(base): return base.limit(1)\n"})
    orders.write({"models/d.ff.sql": "{{ config(dialect='duckdb') }} select list_value(1, 2) as x"})
    orders.fft("run", "--select", "base")

    answer = orders.fft("compile", "--engine", "postgres", "--select", "base p d")

    assert answer.code == 0, answer.err
    assert (orders.folder / "target/compiled/d.sql").read_text() == 'SELECT ARRAY[1, 2] AS "x"\n'
    assert "LIMIT 1" in (orders.folder / "target/compiled/p.sql").read_text()


def test_compile_for_an_unknown_engine_names_the_nearest(orders: ProjectFolder):
    answer = orders.fft("compile", "--engine", "postgers")

    assert answer.code == 2
    assert 'did you mean "postgres"?' in answer.err


def test_seed_from_another_folder_takes_its_files(orders: ProjectFolder):
    orders.write({"later/orders.csv": "id,ts,v\n7,2026-01-01,70\n"})

    assert orders.fft("seed", "--from", str(orders.folder / "later")).code == 0
    assert orders.sql("SELECT id FROM orders") == [(7,)]


def test_a_bad_seed_fails_alone_and_its_table_stays(orders: ProjectFolder):
    orders.write({"seeds/orders.csv": "id,ts,v\n1,2026-01-01\n", "seeds/good.csv": "a\n1\n"})

    answer = orders.fft("seed")

    assert answer.code == 1
    assert "D100 orders: " in answer.err
    assert "seeds/orders.csv:2" in answer.err
    assert orders.sql("SELECT count(*) FROM orders") == [(2,)]
    assert orders.sql("FROM good") == [(1,)]


def test_seed_types_come_from_the_schema(project: ProjectFolder):
    project.write(
        {
            "seeds/codes.csv": "code,n\n00123,1\n",
            "seeds/schema.yml": "seeds: [{name: codes, schema: other, table: t, "
            "columns: [{name: n, type: 'decimal(10,2)'}]}]",
        }
    )

    assert project.fft("seed").code == 0
    assert project.sql("SELECT code, typeof(n) FROM other.t") == [("00123", "DECIMAL(10,2)")]


def test_json_is_one_event_a_line_and_nothing_else(orders: ProjectFolder):
    answer = orders.fft("run", "--json")

    found = [event["event"] for event in events(answer.out)]
    assert found[0] == "started"
    assert found[1:-1] == ["step_started", "step_finished"] * 3
    assert found[-1] == "finished"
    assert answer.err == ""


def test_json_tells_errors_too(orders: ProjectFolder):
    orders.write({"models/fct.ff.sql": "{{ oops }}"})

    (error,) = events(orders.fft("run", "--json").out)

    assert (error["event"], error["code"], error["at"]) == ("error", "M100", str(orders.folder / "models/fct.ff.sql:1"))


def test_quiet_prints_errors_only_and_verbose_the_statements(orders: ProjectFolder):
    assert orders.fft("run", "-q").out == ""
    assert "> BEGIN TRANSACTION" in orders.fft("run", "-v").out


def test_the_artifacts_hold_what_was_done(orders: ProjectFolder):
    orders.fft("run")

    manifest = json.loads((orders.folder / "target/manifest.json").read_text())
    results = json.loads((orders.folder / "target/run_results.json").read_text())
    assert manifest["version"] == results["version"] == 1
    assert manifest["nodes"]["fct"]["incremental"]["unique_key"] == ["id"]
    assert [step["status"] for step in results["steps"]] == ["success"] * 3
    assert results["exit_code"] == 0


def test_init_makes_a_project_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.delenv("FFT_ACTIVE_ENV", raising=False)
    folder = str(tmp_path / 'my "project"')

    codes = [
        cli.call([*command.split(), folder]) for command in ("init", "seed", "run", "test", "run", "compile", "init")
    ]

    assert codes == [0, 0, 0, 0, 0, 0, 2]
    assert "is not an empty folder" in capsys.readouterr().err


def test_an_empty_project_runs(project: ProjectFolder):
    answers = [project.fft(command).code for command in ("plan", "seed", "run", "test", "list", "compile")]

    assert answers == [0] * 6


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what a command line did, in which `fft` stands for ours; its code is that of the first part that fails."""
    line = f"set -o pipefail; {command}".replace("fft", f'"{sys.executable}" -m fastflowtransform')
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("end", ["| head -1", "| true", ">&-"])
@pytest.mark.parametrize("command", ["fft list", "fft run", "fft --json run", "fft build -j 2"])
def test_a_reader_that_goes_away_stops_nothing(orders: ProjectFolder, command: str, end: str):
    orders.sql("DROP TABLE IF EXISTS total")

    answer = shell(f"{command} {end}", orders.folder)

    assert (answer.returncode, answer.stderr) == (0, "")
    if "list" not in command:
        assert orders.sql("FROM total") == [(30,)]
        assert results(orders)["exit_code"] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("command", ["fft list", "fft run", "fft --json run", "fft --json run 2>&1"])
def test_an_output_without_room_is_told_on_the_error_stream(orders: ProjectFolder, command: str):
    answer = shell(command.replace("run", "run > /dev/full").replace("list", "list > /dev/full"), orders.folder)

    assert answer.returncode == 2
    if "2>&1" not in command:
        assert "what there is to say cannot be written" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_run_that_was_killed_is_not_taken_for_the_one_before(orders: ProjectFolder):
    orders.fft("run")
    code = "import os\n\nfrom fastflowtransform import model\n\n\n@model\ndef ended():\n    os._exit(9)\n"
    orders.write({"models/ended.ff.py": code})
    assert shell("fft run", orders.folder).returncode == 9

    answer = orders.fft("retry")

    assert answer.code == 2
    assert 'S102 there is no "run_results.json"' in answer.err
    assert "one that was killed leaves none" in answer.err


def test_what_cannot_begin_leaves_the_results_of_the_last_command(orders: ProjectFolder):
    orders.write({"models/fct.ff.sql": "select v / 0 / * from"})
    assert orders.fft("run").code == 1
    orders.write({"profiles.yml": "dev: {engine: duckdb, duckdb: {path: ., schema: demo}}"})
    assert orders.fft("run").code == 2

    listed = orders.fft("list", "--select", "result:error")
    assert (listed.code, "fct" in listed.out, "base" in listed.out) == (0, True, False)


@pytest.mark.timeout(120)
def test_a_terminal_that_closes_stops_a_run_that_is_noted_all_the_same(orders: ProjectFolder):
    orders.write({"models/total.ff.sql": ENDLESS})
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "fastflowtransform", "run", str(orders.folder), "-v"]
    with process(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as running:
        os.close(theirs)
        shown = b""
        while b"CREATE OR REPLACE TABLE" not in shown or b"total" not in shown:
            shown += os.read(ours, 4096)
        os.close(ours)
        running.send_signal(signal.SIGHUP)
        assert running.wait(timeout=60) == 130

    statuses = {step["name"]: step["status"] for step in results(orders)["steps"]}
    assert statuses["total"] == "cancelled"
    assert orders.sql("SELECT status FROM fft_run ORDER BY started_at DESC LIMIT 1") == [("cancelled",)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_interrupted_rolls_back_and_says_so(orders: ProjectFolder, number: signal.Signals):
    orders.fft("run")
    orders.write({"models/total.ff.sql": ENDLESS})
    command = [sys.executable, "-m", "fastflowtransform", "run", str(orders.folder), "-v"]
    with process(command) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "CREATE OR REPLACE TABLE" in line and "total" in line:
                break
        running.send_signal(number)
        _, err = running.communicate(timeout=60)

    assert running.returncode == 130, err
    assert err.lstrip().startswith("C130 interrupted")
    assert orders.sql("FROM total") == [(30,)]
