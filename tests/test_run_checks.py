"""How checks are run: in few queries, each judged by its own terms, and none the end of the others."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import datetime, tzinfo
from pathlib import Path

import duckdb
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflowtransform import project as projects
from fastflowtransform.console import Console, Output
from fastflowtransform.engines.duckdb import DuckDBEngine
from fastflowtransform.errors import Location
from fastflowtransform.model import Check
from fastflowtransform.results import CheckResult
from fastflowtransform.run_checks import LONGEST_NAME, failures_of, run_checks
from tests.conftest import ProjectFolder

QUIET = Console(Output(verbosity=-1))
SEED = {"seeds/orders.csv": "id,amount\n" + "".join(f"{number},{number}\n" for number in range(1, 21))}


class Watched(DuckDBEngine):
    """DuckDB, with the expressions whose rows were fetched."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection, "demo")
        self.fetched: list[str] = []

    def rows(self, table: ir.Table) -> list[dict[str, object]]:
        self.fetched.append(self.compiled(table))
        return super().rows(table)

    def batches(self, table: ir.Table) -> AbstractContextManager[pa.RecordBatchReader]:
        self.fetched.append(self.compiled(table))
        return super().batches(table)


@pytest.fixture
def orders(project: ProjectFolder) -> ProjectFolder:
    """A project with a seed of twenty rows, loaded."""
    project.write(SEED)
    assert project.fft("seed").code == 0
    return project


def declare(project: ProjectFolder, *checks: str) -> None:
    project.write({"project.yml": "name: test\ntests:\n" + "".join(f"  - {check}\n" for check in checks)})


def watched(project: ProjectFolder) -> tuple[list[str], tuple[CheckResult, ...]]:
    """Run all checks of a project; return what was fetched, and the results."""
    loaded = projects.load(project.folder, engine="duckdb", database="demo", variables={})
    engine = Watched(duckdb.connect(str(project.folder / "w.duckdb")))
    results = run_checks(loaded.checks, loaded, engine, QUIET)
    engine.close()
    return engine.fetched, results


def stored(project: ProjectFolder, name: str) -> list[tuple[object, ...]]:
    return project.sql(f'SELECT id FROM demo_failures."{name}" ORDER BY id')


ALL_KINDS = (
    "{type: not_null, model: orders, column: id}",
    "{type: between, model: orders, column: amount, min: 1, max: 20}",
    "{type: greater_equal, model: orders, column: amount, where: id > 5}",
    "{type: unique, model: orders, column: id}",
    "{type: row_count_between, model: orders, min: 20}",
    "{type: relationships, model: orders, column: id, to: orders, field: amount}",
    "{type: expression, model: orders, expression: id = amount}",
    "{type: sequential_values, model: orders, column: id}",
)


def test_a_failing_row_may_hold_a_moment_of_a_time_zone(orders):
    orders.write(
        {"models/m.ff.sql": "select timestamptz '2026-01-01 12:00:00+02:00' as came, date '2026-01-02' as day"}
    )
    orders.fft("run")
    declare(orders, "{type: expression, model: m, expression: 'day < came'}")

    answer = orders.fft("test")

    # DuckDB's own fetchall asks for pytz, which is not always there.
    assert "2026-01-01 10:00:00+00:00  2026-01-02" in answer.out, answer.err


def test_all_checks_of_a_model_are_one_query_where_none_fails(orders):
    declare(orders, *ALL_KINDS)

    queries, results = watched(orders)

    assert len(queries) == 1
    assert [result.failures for result in results] == [0] * len(ALL_KINDS)


def test_claims_about_single_rows_share_one_look_at_the_table(orders):
    declare(orders, *ALL_KINDS[:2], "{type: accepted_values, model: orders, column: id, values: [1]}")

    (query, _), results = watched(orders)

    assert query.count('FROM "demo"."orders"') == 1
    assert [result.failures for result in results] == [0, 0, 19]


def test_rows_are_fetched_only_for_what_fails(orders):
    declare(orders, *ALL_KINDS, "{type: between, model: orders, column: id, max: 12}")

    queries, results = watched(orders)

    assert len(queries) == 2
    assert (results[-1].failures, len(results[-1].sample)) == (8, 5)


def test_the_sql_of_a_failing_check_gives_all_its_rows(orders):
    declare(orders, "{type: between, model: orders, column: id, max: 12, where: amount < 15}")

    _, (result,) = watched(orders)

    assert result.sql is not None
    assert len(orders.sql(result.sql)) == result.failures == 2


def test_one_check_that_cannot_run_leaves_the_others_as_they_are(orders):
    # A text that is no number is found only when rows are read, so the common query fails as a whole.
    bad = "{type: expression, model: orders, expression: \"cast('x' || id as int) > 0\"}"
    declare(orders, ALL_KINDS[0], bad, "{type: between, model: orders, column: id, max: 12}")

    _, results = watched(orders)

    assert [result.status for result in results] == ["success", "error", "error"]
    assert [result.failures for result in results] == [0, None, 8]
    assert results[1].error is not None and results[1].error.code == "E100"


@pytest.mark.parametrize(
    ("check", "error"),
    [
        ("{type: not_null, model: orders, column: idd}", "M210 not_null_orders_idd: column is"),
        ("{type: not_null, model: orders, column: id, where: idd > 1}", "E100 not_null_orders_id_2: "),
        (
            "{type: expression, model: orders, expression: id + 1}",
            'P104 expression_orders: expression is "id + 1", of the type "int64"',
        ),
        ("{type: expression, model: orders, expression: '> 1', column: idd}", "M210 expression_orders_idd: column is"),
        (
            "{type: column_type, model: orders, column: id, data_type: bigint}",
            'P104 column_type_orders_id: data_type is "bigint", which is none',
        ),
    ],
)
def test_a_check_that_cannot_be_asked_is_one_failed_check_with_its_place(orders, check, error):
    declare(orders, ALL_KINDS[0], check)

    answer = orders.fft("test")

    assert answer.code == 1
    assert error in answer.err
    assert "project.yml:4" in answer.err
    assert "\n1 ok, 1 failed in" in answer.out


def test_a_missing_table_is_one_failed_check_and_with_severity_warn_a_warning(orders):
    orders.write({"models/m.ff.sql": "select 1 as id"})
    declare(orders, ALL_KINDS[0], "{type: not_null, model: m, column: id, severity: warn}")

    answer = orders.fft("test")

    assert answer.code == 0
    assert "E110" in answer.err
    assert "\n1 ok, 1 warned in" in answer.out


def test_results_come_in_the_order_of_the_files_whatever_their_models(orders):
    orders.write({"models/m.ff.sql": "select 1 as id"})
    orders.fft("run")
    declare(orders, ALL_KINDS[0], "{type: not_null, model: m, column: id}", ALL_KINDS[1])

    _, results = watched(orders)

    assert [result.node for result in results] == ["orders", "m", "orders"]


@pytest.mark.parametrize(
    ("terms", "code", "word"),
    [
        ("error_if: '>8'", 0, "warned"),
        ("error_if: '>7'", 1, "failed"),
        ("error_if: '>8', warn_if: '>8'", 0, "ok"),
        ("severity: warn", 0, "warned"),
        ("severity: warn, warn_if: '>8'", 0, "ok"),
        ("where: id < 13", 0, "ok"),
    ],
)
def test_a_check_fails_on_its_own_terms(orders, terms, code, word):
    declare(orders, f"{{type: between, model: orders, column: id, max: 12, {terms}}}")

    answer = orders.fft("test")

    assert answer.code == code
    assert f"\n1 {word} in" in answer.out


def test_the_threshold_that_was_met_is_named(orders):
    declare(orders, "{type: between, model: orders, column: id, max: 12, error_if: '>=8'}")

    assert '"between_orders_id" fails on 8 rows of "orders", and error_if is >= 8' in orders.fft("test").err


@pytest.mark.parametrize(("limit", "shown"), [(0, 0), (3, 3), (100, 5)])
def test_a_limit_is_for_what_is_shown_and_all_are_counted(orders, limit, shown):
    declare(orders, f"{{type: between, model: orders, column: id, max: 12, limit: {limit}}}")

    _, (result,) = watched(orders)

    assert (result.failures, len(result.sample)) == (8, shown)


def test_failures_are_stored_and_the_table_is_emptied_when_the_check_passes(orders):
    declare(orders, "{type: between, model: orders, column: id, max: 12, store_failures: true, name: small}")
    answer = orders.fft("test")
    assert "they are kept in demo_failures.small" in answer.out
    assert stored(orders, "small") == [(number,) for number in range(13, 21)]

    orders.sql("DELETE FROM orders WHERE id > 12")
    orders.fft("test")
    assert stored(orders, "small") == []


def test_a_limit_is_for_what_is_stored(orders):
    declare(orders, "{type: between, model: orders, column: id, max: 12, store_failures: true, limit: 2, name: small}")
    orders.fft("test")

    assert len(stored(orders, "small")) == 2


def test_the_option_stores_the_failures_of_all_checks(orders):
    declare(orders, *ALL_KINDS[:2], "{type: between, model: orders, column: id, max: 19}")
    orders.fft("test", "--store-failures")

    tables = orders.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'demo_failures'")
    assert tables == [("between_orders_id",)]


def test_nothing_is_written_where_nothing_is_to_be_stored(orders):
    declare(orders, "{type: between, model: orders, column: id, max: 12}")
    before = (orders.folder / "w.duckdb").read_bytes()
    orders.fft("test")

    assert (orders.folder / "w.duckdb").read_bytes() == before


@given(st.text(min_size=1, max_size=100), st.text(min_size=1, max_size=100))
@settings(max_examples=200)
def test_a_table_of_failures_has_a_name_that_every_engine_keeps(one, other):
    first, second = (failures_of("demo", Check(name, "unique", "a", {}, Location(Path("x")))) for name in (one, other))

    assert len(first.name.encode()) <= LONGEST_NAME
    assert (first == second) == (one == other)


def test_the_artifact_holds_what_failed(orders):
    declare(orders, "{type: between, model: orders, column: id, max: 19, severity: warn, store_failures: true}")
    orders.fft("test")

    written = json.loads((orders.folder / "target/run_results.json").read_text())

    (check,) = written["checks"]
    assert written["exit_code"] == 0
    assert (check["status"], check["failures"], check["sample"]) == ("warn", 1, [{"id": 20, "amount": 20}])
    assert check["stored"] == "demo_failures.between_orders_id"


SELECTED = (
    "{type: not_null, model: orders, column: id, tags: [fast]}",
    "{type: unique, model: orders, column: id, name: key}",
    "{type: not_null, model: m, column: id}",
    "{type: reconcile_equal, model: m, value: count(), to: orders, tags: [slow]}",
)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--select", "m"], ["not_null_m_id", "reconcile_equal_m_orders"]),
        (["--select", "type:not_null"], ["not_null_orders_id", "not_null_m_id"]),
        (["--select", "m", "--select", "type:not_null"], ["not_null_m_id"]),
        (["--select", "m,type:not_null"], ["not_null_m_id"]),
        (["--select", "key tag:slow"], ["key", "reconcile_equal_m_orders"]),
        (["--select", "check:not_null_*"], ["not_null_orders_id", "not_null_m_id"]),
        (["--select", "tag:nightly"], ["not_null_m_id", "reconcile_equal_m_orders"]),
        (["--exclude", "type:not_null"], ["key", "reconcile_equal_m_orders"]),
        (["--select", "orders+"], ["not_null_orders_id", "key", "not_null_m_id", "reconcile_equal_m_orders"]),
        (["--select", "path:seeds"], ["not_null_orders_id", "key"]),
    ],
)
def test_checks_are_selected_by_themselves_and_by_their_models(orders, options, names):
    orders.write({"models/m.ff.sql": "{{ config(tags=['nightly']) }} select * from {{ ref('orders') }}"})
    orders.fft("run")
    declare(orders, *SELECTED)

    assert orders.fft("test", *options).code == 0
    written = json.loads((orders.folder / "target/run_results.json").read_text())
    assert [check["name"] for check in written["checks"]] == names


def test_the_rows_of_the_other_table_have_a_condition_of_their_own(orders):
    keys = "type: reconcile_equal, model: orders, value: count(), to: orders"
    declare(orders, f"{{{keys}, where: id > 15, to_where: id <= 5}}", f"{{{keys}, to_where: id < 5}}")

    _, results = watched(orders)

    assert [result.failures for result in results] == [0, 1]


def test_a_selection_that_finds_no_check_says_what_is_near(orders):
    declare(orders, *SELECTED[:2])

    answer = orders.fft("test", "--select", "type:uniqe")

    assert answer.code == 2
    assert 'did you mean "unique"?' in answer.err


def test_an_ephemeral_model_is_checked_too(orders):
    orders.write({"models/e.ff.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('orders') }}"})
    declare(orders, "{type: between, model: e, column: id, max: 12, where: id < 20}")

    assert 'fails on 7 rows of "e"' in orders.fft("test").err


def test_a_column_that_is_not_there_leaves_the_other_checks_their_one_query(orders: ProjectFolder):
    good = [f"{{type: between, model: orders, column: id, max: {number}}}" for number in range(20, 25)]
    declare(orders, *good[:2], "{type: unique, model: orders, column: missing}", *good[2:])

    for _ in range(2):
        fetched, results = watched(orders)

        assert len(fetched) == 1
        assert [result.error.code if result.error else None for result in results].count("M210") == 1


def test_the_age_of_rows_is_counted_from_now_in_each_run(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    class Later(datetime):
        hours = 0

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2026, 1, 1, 12 + cls.hours, tzinfo=tz)

    monkeypatch.setattr("fastflowtransform.failing.datetime", Later)
    model = "{{ config(materialized='table') }} select timestamp '2026-01-01 11:30:00' as ts"
    project.write({"models/m.ff.sql": model, "models/n.ff.sql": model})
    declare(project, *(f"{{type: freshness, model: {name}, column: ts, max_age: 1 hour}}" for name in "mn"))
    assert project.fft("build").code == 0

    codes = []
    for Later.hours in (0, 1, 0):
        codes.append((project.fft("test").code, project.fft("build").code))

    assert codes == [(0, 0), (1, 1), (0, 0)]


@pytest.mark.parametrize("value", ["__fft_at_0", "'__fft_at_0'", '"__fft_from_0"', "__fft_from_1"])
def test_a_value_may_look_like_what_stands_for_names(project: ProjectFolder, value: str):
    project.write(
        {"models/m.ff.sql": "{{ config(materialized='table') }} select '" + value.replace("'", "''") + "' as word"}
    )
    declare(project, json.dumps({"type": "accepted_values", "model": "m", "column": "word", "values": [value]}))

    for _ in range(2):
        assert project.fft("build").code == 0
    assert project.fft("history", value).code in (0, 2)
