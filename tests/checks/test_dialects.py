"""Every check is an expression that the compilers of all engines take, those of engines to come among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import ibis
import pytest
import sqlglot
from ibis.config import Config

from fastflowtransform.checks import BY_NAME, check
from fastflowtransform.checks.expression import HOLDS
from fastflowtransform.checks.mutually_exclusive_ranges import Gaps
from fastflowtransform.checks.sequential_values import DatePart
from fastflowtransform.checks.totals import Total, Totals

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

TABLE = ibis.table(
    {
        "id": "int64",
        "name": "string",
        "amount": "decimal(10, 2)",
        "share": "float64",
        "day": "date",
        "at": "timestamp",
        "zoned": "timestamp('UTC')",
        HOLDS: "boolean",
    },
    name="mine",
)
OTHER = TABLE.op().copy(name="theirs").to_expr()
GROUPED = Totals(Total("sum", "amount"), Total("avg", "share"), ("name", "day"))
WHOLE = Totals(Total("count"), Total("count_distinct", "id"))

CASES = {
    "accepted_values": [{"column": "name", "values": ("a", 1)}, {"column": "day", "values": ("2026-01-01",)}],
    "between": [{"column": "amount", "low": 0, "high": 1.5}, {"column": "at", "low": "2026-01-01"}],
    "column_type": [{"column": "id", "types": ("string",)}, {"column": "id", "types": ("int64",)}],
    "expression": [{}],
    "freshness": [{"column": column, "max_age": timedelta(hours=1), "now": NOON} for column in ("day", "at", "zoned")],
    "greater_equal": [{"column": "share", "threshold": 0}],
    "mutually_exclusive_ranges": [
        {"lower": "day", "upper": "at", "partition": ("name",), "gaps": gaps, "empty": True} for gaps in Gaps
    ],
    "non_negative_sum": [{"column": "amount"}, {"column": "amount", "groups": ("name",)}],
    "not_accepted_values": [{"column": "id", "values": (1, 2)}],
    "not_empty_string": [{"column": "name"}, {"column": "name", "trim": False}],
    "not_null": [{"columns": ("id", "name")}],
    "reconcile_coverage": [
        {"columns": ("id", "name"), "to_columns": ("id", "name"), "share": share} for share in (1, 0.9)
    ],
    "reconcile_diff_within": [{"totals": totals, "low": -1, "high": 1} for totals in (GROUPED, WHOLE)],
    "reconcile_equal": [{"totals": totals, "tolerance": size} for totals in (GROUPED, WHOLE) for size in (0, 0.1)],
    "reconcile_ratio_within": [{"totals": totals, "low": 0.9, "high": 1.1} for totals in (GROUPED, WHOLE)],
    "regex_match": [{"column": "name", "pattern": r"^\d+'$"}],
    "relationships": [{"column": "id", "field": "id"}],
    "row_count_between": [{"low": 1, "high": 10}],
    "sequential_values": [
        {"column": "id", "interval": 2, "groups": ("name",)},
        *({"column": "at", "part": part} for part in DatePart if part is not DatePart.NONE),
    ],
    "unique": [{"columns": ("id", "name")}],
}
OF_TWO = {name for name in BY_NAME if name.startswith("reconcile_")} | {"relationships"}


class PySparkOptions(Config):
    treat_nan_as_null: bool = False


@pytest.fixture(autouse=True)
def spark_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Ibis the options that its Spark compiler reads; the backend brings them, which needs pyspark to load."""
    if ibis.options.pyspark is None:
        monkeypatch.setattr(ibis.options, "pyspark", PySparkOptions())


def test_every_check_has_a_case():
    assert set(CASES) == set(BY_NAME)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "pyspark"])
@pytest.mark.parametrize(("name", "arguments"), [(name, case) for name, cases in CASES.items() for case in cases])
def test_a_check_compiles_for_every_dialect(name, arguments, dialect):
    tables = (TABLE, OTHER) if name in OF_TWO else (TABLE,)

    sql = str(ibis.to_sql(check(name).failing_rows(*tables, **arguments), dialect=dialect))

    assert sqlglot.parse_one(sql, read={"pyspark": "spark"}.get(dialect, dialect))


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - {"relationships"} - {n for n in BY_NAME if "sequential" in n}))
def test_a_check_reads_its_table_once(name):
    tables = (TABLE, OTHER) if name in OF_TWO else (TABLE,)

    sql = str(ibis.to_sql(check(name).failing_rows(*tables, **CASES[name][0]), dialect="duckdb"))

    # A subquery that Ibis makes of a filter on an aggregate would read the table a second time.
    assert sql.count('FROM "mine"') <= 1
