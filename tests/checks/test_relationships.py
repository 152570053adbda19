from __future__ import annotations

import ibis
import pyarrow as pa
import pytest

from fastflowtransform.checks.nodes import Other
from fastflowtransform.checks.relationships import failing_rows, read
from fastflowtransform.errors import BadValue, MissingColumn, MissingKey
from tests.checks.given import rows, section


@pytest.mark.parametrize("to", ["customers", "ref('customers')", ' ref( "customers" ) ', "ref('customers.ff')"])
def test_to_is_a_model_by_its_name_or_as_a_ref(to):
    arguments = read(section(column="customer", to=to, field="id"))

    assert arguments == {"to": Other("customers"), "column": "customer", "field": "id"}


@pytest.mark.parametrize("missing", ["to", "column", "field"])
def test_each_argument_must_be_given(missing):
    arguments = {"to": "customers", "column": "customer", "field": "id"}

    with pytest.raises(MissingKey, match=f'no "{missing}"'):
        read(section(**{key: value for key, value in arguments.items() if key != missing}))


def test_a_row_without_its_counterpart_fails_as_a_whole():
    orders = ibis.memtable({"id": [1, 2], "customer": [10, 20]})
    customers = ibis.memtable({"id": [10, 10, 30]})

    assert rows(failing_rows(orders, customers, column="customer", field="id")) == [(2, 20)]


def test_null_refers_to_nothing_and_passes():
    orders = ibis.memtable(pa.table({"customer": [10, None]}))
    customers = ibis.memtable({"id": [10]})

    assert rows(failing_rows(orders, customers, column="customer", field="id")) == []


def test_null_among_the_keys_hides_no_orphan():
    orders = ibis.memtable({"customer": [10, 20]})
    customers = ibis.memtable(pa.table({"id": [10, None]}))

    assert rows(failing_rows(orders, customers, column="customer", field="id")) == [(20,)]


def test_a_table_may_refer_to_itself():
    staff = ibis.memtable(pa.table({"id": [1, 2, 3], "boss": [None, 1, 9]}))

    assert rows(failing_rows(staff, staff, column="boss", field="id")) == [(3, 9)]


def test_types_that_cannot_be_compared_are_an_error():
    orders, customers = ibis.table({"customer": "int64"}), ibis.table({"id": "string"})

    with pytest.raises(BadValue, match='are of the types "int64" and "string", which cannot be compared'):
        failing_rows(orders, customers, column="customer", field="id")


def test_a_column_or_field_that_is_not_there_is_reported():
    orders, customers = ibis.table({"customer": "int64"}), ibis.table({"id": "int64"})

    with pytest.raises(MissingColumn, match='column is "custmer"'):
        failing_rows(orders, customers, column="custmer", field="id")
    with pytest.raises(MissingColumn, match='field is "idd"'):
        failing_rows(orders, customers, column="customer", field="idd")
