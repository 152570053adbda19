from __future__ import annotations

import ibis
import pytest

from fastflowtransform.checks.totals import Total, Totals, read_totals, side_by_side
from fastflowtransform.errors import BadValue, MissingColumn, MissingKey
from tests.checks.given import rows, section


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("count()", Total("count")),
        ("count( * )", Total("count")),
        ("count(id)", Total("count", "id")),
        ("Count(distinct id)", Total("count_distinct", "id")),
        ("sum(amount)", Total("sum", "amount")),
        ('max("order date")', Total("max", "order date")),
    ],
)
def test_an_aggregate_is_written_as_in_sql(text, total):
    assert read_totals(section(value=text)) == Totals(total, total)


@pytest.mark.parametrize(
    "text", ["sum()", "amount", "median(amount)", "sum(distinct a)", "sum(a) + 1", "count(distinct)"]
)
def test_what_is_no_aggregate_is_an_error_that_names_them_all(text):
    with pytest.raises(BadValue, match="which is not an aggregate") as caught:
        read_totals(section(value=text))

    assert "write count()" in str(caught.value.hint)


def test_the_other_tables_aggregate_and_the_groups_may_be_given():
    totals = read_totals(section(value="count()", to_value="sum(n)", group_by_columns=["day"]))

    assert totals == Totals(Total("count"), Total("sum", "n"), ("day",))
    with pytest.raises(MissingKey, match='no "value"'):
        read_totals(section(to_value="sum(n)"))


def test_a_group_called_value_keeps_its_name():
    table = ibis.memtable({"value": [1]})
    totals = Totals(Total("count"), Total("count"), ("value",))

    assert side_by_side(table, table, totals).columns == ("value", "value_", "to_value")


def test_null_is_a_group_and_groups_of_two_sizes_of_numbers_are_compared():
    one = ibis.memtable({"a": [1, None]}, schema={"a": "int32"})
    two = ibis.memtable({"a": [1, None, None]}, schema={"a": "int64"})

    assert rows(side_by_side(one, two, Totals(Total("count"), Total("count"), ("a",)))) == [(1, 1, 1), (None, 1, 2)]


def test_a_table_may_be_compared_with_itself():
    table = ibis.memtable({"a": [1, 2]})

    assert rows(side_by_side(table, table, Totals(Total("sum", "a"), Total("max", "a")))) == [(3, 2)]


def test_groups_that_cannot_be_compared_are_an_error():
    one, two = ibis.table({"a": "int64"}), ibis.table({"a": "string"})

    with pytest.raises(BadValue, match='of the types "int64" and "string", which cannot be compared'):
        side_by_side(one, two, Totals(Total("count"), Total("count"), ("a",)))


def test_a_sum_of_texts_is_an_error_and_a_column_that_is_not_there_is_reported():
    table = ibis.table({"a": "string"})

    with pytest.raises(BadValue, match="holds no numbers"):
        side_by_side(table, table, Totals(Total("sum", "a"), Total("count")))
    with pytest.raises(MissingColumn, match='to_value is "b"'):
        side_by_side(table, table, Totals(Total("count"), Total("max", "b")))
