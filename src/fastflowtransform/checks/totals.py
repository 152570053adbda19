"""Aggregates of a table, in one row or in one row a group, and the same of two tables side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastflowtransform.checks.columns import free_name, number_column, present, read_groups
from fastflowtransform.checks.keys import incomparable
from fastflowtransform.checks.values import outside
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue

if TYPE_CHECKING:
    import ibis.expr.types as ir

_CALL = re.compile(
    r"\s*(?P<function>\w+)\s*\(\s*(?P<distinct>distinct\b\s*)?(?P<column>[^()]*?)\s*\)\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Total:
    """An aggregate of a table, such as `sum(amount)`; `column` is None for a count of rows."""

    function: str
    column: str | None = None

    def __str__(self) -> str:
        return f"{self.function.replace('_', ' ')}({self.column or ''})"

    def of(self, table: ir.Table, what: str) -> ir.Scalar:
        """Return the aggregate as an expression; `what` is the argument that asks for it.

        Raises
        ------
        MissingColumn
            The table lacks its column.
        BadValue
            The column holds no numbers, and a sum or an average is asked for.
        """
        if self.column is None:
            return table.count()
        if self.function in ("avg", "sum"):
            return _FUNCTIONS[self.function](number_column(table, self.column))
        present(table, [self.column], what)
        return _FUNCTIONS[self.function](table[self.column])


@dataclass(frozen=True, slots=True)
class Totals:
    """The aggregates of two tables that are to be compared, for each of the groups that columns of both make up."""

    value: Total
    to_value: Total
    groups: tuple[str, ...] = ()


_FUNCTIONS: Mapping[str, Callable[[ir.Column], ir.Scalar]] = MappingProxyType(
    {
        "avg": lambda column: column.mean(),
        "count": lambda column: column.count(),
        "count_distinct": lambda column: column.nunique(),
        "max": lambda column: column.max(),
        "min": lambda column: column.min(),
        "sum": lambda column: column.sum(),
    }
)


def parse_total(text: str) -> Total | None:
    """Read an aggregate; None where the text is none.

    Examples
    --------
    >>> parse_total("sum(amount)")
    Total(function='sum', column='amount')
    >>> parse_total("count(*)"), parse_total("COUNT(DISTINCT id)")
    (Total(function='count', column=None), Total(function='count_distinct', column='id'))
    >>> parse_total("amount") is None
    True
    """
    found = _CALL.fullmatch(text)
    if found is None:
        return None
    function = found["function"].lower()
    column = found["column"].strip('"`') or None
    if found["distinct"]:
        function = f"{function}_distinct"
    if column in (None, "*"):
        return Total(function) if function == "count" else None
    return Total(function, column) if function in _FUNCTIONS else None


def read_total(section: Section, key: str) -> Total | None:
    """Return the aggregate under `key`; None where there is none.

    Raises
    ------
    BadValue
        It is no aggregate.
    """
    text = section.text(key)
    if text is None:
        return None
    total = parse_total(text)
    if total is None:
        error = section.bad(key, "an aggregate")
        error.hint = "write count(), or count, count(distinct …), sum, avg, min or max of a column: sum(amount)"
        raise error
    return total


def read_totals(section: Section) -> Totals:
    """Read `value`, `to_value`, which is `value` where it is not given, and `group_by_columns`."""
    section.required_text("value")
    value = read_total(section, "value")
    assert value is not None
    return Totals(value, read_total(section, "to_value") or value, read_groups(section))


def one_row(table: ir.Table, **totals: ir.Scalar) -> ir.Table:
    """Return aggregates of a table as one row, which can be filtered without computing them again."""
    # Ibis turns a filter on an aggregate's own columns into a subquery that reads the whole table once more.
    return table.aggregate(**totals).select(*totals)


def side_by_side(table: ir.Table, other: ir.Table, totals: Totals) -> ir.Table:
    """Return an aggregate of each of two tables, for each group.

    A group may be missing in one of the tables, and NULL is a group like any other.

    Returns
    -------
    ir.Table
        The columns of the groups, and as the last two columns the aggregates, `value` and `to_value`, which are NULL
        where there is none.

    Raises
    ------
    MissingColumn
        A table lacks a column.
    BadValue
        The groups of the two cannot be compared.

    Examples
    --------
    >>> import ibis
    >>> orders = ibis.memtable({"day": [1, 1, 2], "amount": [5, 6, 7]})
    >>> daily = ibis.memtable({"day": [1, 3], "total": [11, 9]})
    >>> both = side_by_side(orders, daily, Totals(Total("sum", "amount"), Total("sum", "total"), ("day",)))
    >>> both.order_by("day").to_pyarrow().to_pydict()
    {'day': [1, 2, 3], 'value': [11, 7, None], 'to_value': [11, None, 9]}
    """
    groups = totals.groups
    present(table, groups, "group_by_columns")
    present(other, groups, "group_by_columns")
    names = [free_name(name, groups) for name in ("value", "to_value")]
    mine = totals.value.of(table, "value").name(names[0])
    theirs = totals.to_value.of(other, "to_value").name(names[1])
    if not groups:
        return table.aggregate(mine).cross_join(other.aggregate(theirs).view())
    return _grouped((table, other), (mine, theirs), groups)


def compared_numbers(
    both: ir.Table,
    name: str,
    compare: Callable[[ir.NumericColumn, ir.NumericColumn], ir.NumericColumn],
    bounds: tuple[float | None, float | None],
) -> ir.Table:
    """Return the groups in which a number made of two aggregates is out of bounds, or is NULL.

    Parameters
    ----------
    both
        What `side_by_side` gives.
    name
        What the number is called; a column of the result.
    compare
        Makes the number of the two aggregates; NULL where there is none.
    bounds
        The smallest and the largest number that are allowed, of which one may be None.

    Returns
    -------
    ir.Table
        The columns of `both`, and the number. Where both aggregates are NULL, there is nothing to compare, and the
        group is not among them.

    Raises
    ------
    BadValue
        The aggregates are no numbers.
    """
    for column in both.columns[-2:]:
        if not both[column].type().is_numeric():
            raise BadValue(
                f'"{column}" is of the type "{both[column].type()}", and no number', hint="compare two numbers"
            )
    mine, theirs = both.columns[-2:]
    name = free_name(name, both.columns)
    found = both.mutate(**{name: compare(both[mine], both[theirs])})
    nothing = found[mine].isnull() & found[theirs].isnull()
    return found.filter(~nothing & (found[name].isnull() | outside(found[name], *bounds)))


def _grouped(
    tables: tuple[ir.Table, ir.Table], totals: tuple[ir.Scalar, ir.Scalar], groups: tuple[str, ...]
) -> ir.Table:
    """Unite the groups of both tables, each with one side's total, and then bring them together: so NULL is one too."""
    import ibis
    import ibis.expr.datatypes as dt
    from ibis.common.exceptions import IbisTypeError

    table, other = tables
    try:
        types = {name: dt.highest_precedence([table[name].type(), other[name].type()]) for name in groups}
    except IbisTypeError as error:
        raise incomparable(table, other, {name: name for name in groups}) from error
    none = [ibis.null(total.type()).name(total.get_name()) for total in totals]
    sides = [
        side.group_by([side[name].cast(kind).name(name) for name, kind in types.items()]).aggregate(*own)
        for side, own in ((table, (totals[0], none[1])), (other, (none[0], totals[1])))
    ]
    united = sides[0].union(sides[1])
    return united.group_by(list(groups)).aggregate(
        **{total.get_name(): united[total.get_name()].max() for total in totals}
    )
