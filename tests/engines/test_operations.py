"""Operations of Ibis mean the same on every engine: each expression below has its one right value.

Ibis' compilers differ in most of them; `docs/reference/semantics.md` says what they mean.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from fastflowtransform.engines.time_formats import UnknownCode, java_patterns, to_char_pattern
from tests.conftest import ProjectFolder

ROWS = """\
id,grp,n,x,amount,word,at,raw,list
1,a,7,0.5,1.00,Ärger,2024-02-29 23:59:58,12,"p,q,r"
2,a,-7,2.5,2.50,banana,2024-03-01 00:30:00,1.5,p
3,b,3,-1.5,-2.50,x_y,2023-12-31 12:00:00,0x1A,
4,b,,1.005,0.10,,2024-12-30 06:07:08,abc,"q,,r"
"""

NUMBERS = {
    "t.x.round()": [1, 3, -2, 1],
    "t.x.round(2)": [0.5, 2.5, -1.5, 1.0],
    "(t.x * 10).round(-1)": [10.0, 30.0, -20.0, 10.0],
    "t.x.cast('int64')": [0, 2, -2, 1],
    "t.amount.cast('decimal(10, 2)').cast('int64')": [1, 3, -3, 0],
    "t.n / 2": [3.5, -3.5, 1.5, None],
    "t.n // 2": [3, -4, 1, None],
    "t.n % 3": [1, -1, 0, None],
    "t.amount.cast('decimal(10, 2)') / 3": [1 / 3, 2.5 / 3, -2.5 / 3, 0.1 / 3],
    "t.n.cast('float64').isnan()": [False, False, False, None],
    "t.raw.try_cast('int32')": [12, 2, 26, None],
    "t.raw.try_cast('float64')": [12.0, 1.5, None, None],
    "t.raw.try_cast('decimal(10, 2)')": [Decimal("12.00"), Decimal("1.50"), None, None],
    "t.x.try_cast('int32')": [0, 2, -2, 1],
}
TIMES = {
    "t.at.truncate('M')": ["2024-02-01 00:00", "2024-03-01 00:00", "2023-12-01 00:00", "2024-12-01 00:00"],
    "t.at.date().truncate('W')": ["2024-02-26 00:00", "2024-02-26 00:00", "2023-12-25 00:00", "2024-12-30 00:00"],
    "t.at.date() + ibis.interval(months=1)": [
        "2024-03-29 00:00",
        "2024-04-01 00:00",
        "2024-01-31 00:00",
        "2025-01-30 00:00",
    ],
    "t.at.delta(ibis.timestamp('2024-03-01 00:00:00'), unit='year')": [0, 0, -1, 0],
    "t.at.delta(ibis.timestamp('2024-03-01 00:00:00'), unit='quarter')": [0, 0, -1, 3],
    "t.at.delta(ibis.timestamp('2024-03-01 00:00:00'), unit='month')": [-1, 0, -3, 9],
    "t.at.delta(ibis.timestamp('2024-03-01 00:00:00'), unit='week')": [0, 0, -8, 43],
    "t.at.delta(ibis.timestamp('2024-03-01 00:00:00'), unit='day')": [-1, 0, -61, 304],
    "t.at.delta(ibis.timestamp('2024-03-01 00:00:00'), unit='hour')": [-1, 0, -1452, 7302],
    "t.at.delta(ibis.timestamp('2024-03-01 00:00:00'), unit='minute')": [-1, 30, -87120, 438127],
    "t.at.epoch_seconds()": [1709251198, 1709253000, 1704024000, 1735538828],
    "t.at.second()": [58, 0, 0, 8],
    "t.at.strftime('%d.%m.%y %I %p')": ["29.02.24 11 PM", "01.03.24 12 AM", "31.12.23 12 PM", "30.12.24 06 AM"],
    "t.at.strftime('%-d/%-m DD %j%%')": ["29/2 DD 060%", "1/3 DD 061%", "31/12 DD 365%", "30/12 DD 365%"],
    "t.at.strftime('%Y-%m-%d').as_timestamp('%Y-%m-%d')": [
        "2024-02-29 00:00",
        "2024-03-01 00:00",
        "2023-12-31 00:00",
        "2024-12-30 00:00",
    ],
}
TEXTS = {
    r"t.word.re_extract('(\\w)(\\w*)', 2)": ["ger", "anana", "_y", None],
    "t.word.re_extract('[0-9]+', 0)": ["", "", "", None],
    r"t.word.re_replace('(.)(.)', r'\2\1')": ["rÄegr", "abanan", "_xy", None],
    "t.word.re_replace('[a-n]', '$1')": ["Är$1$1r", "$1$1$1$1$1$1", "x_y", None],
    "t.word.rpad(8, 'ab')": ["Ärgeraba", "bananaab", "x_yababa", None],
    "t.list.fill_null('').split(',')": [["p", "q", "r"], ["p"], [""], ["q", "", "r"]],
    "t.list.split(',')[0]": ["p", "p", None, "q"],
    "t.list.split(',')[7]": [None, None, None, None],
    "t.list.split(',')[-1]": ["r", "p", None, "r"],
    "t.list.split(',').sort()": [["p", "q", "r"], ["p"], None, ["", "q", "r"]],
    "t.list.split(',').map(lambda each: each.upper())": [["P", "Q", "R"], ["P"], None, ["Q", "", "R"]],
    "ibis.array([3, t.n, 1]).sort()": [[1, 3, 7], [-7, 1, 3], [1, 3, 3], [1, 3, None]],
}
WINDOWS = {
    "t.n.last().over(order_by='id')": [None, None, None, None],
    "t.n.first().over(group_by='grp', order_by=ibis.desc('id'))": [-7, -7, None, None],
    "t.n.nth(1).over(group_by='grp', order_by='id')": [-7, -7, None, None],
    "t.n.lag().over(order_by='id')": [None, 7, -7, 3],
}
AGGREGATES = {
    "t.amount.cast('decimal(10, 2)').mean()": [1.75, -1.2],
    "t.n.mean()": [0.0, 3.0],
    "t.n.collect(order_by=ibis.desc('id'))": [[-7, 7], [3]],
    "t.n.collect(order_by=ibis.desc('id'), include_null=True)": [[-7, 7], [None, 3]],
    "t.n.collect(where=t.n > 100)": [None, None],
    "t.word.group_concat('|', order_by=ibis.desc('word'))": ["Ärger|banana", "x_y"],
    "t.word.first(order_by=ibis.desc('id'))": ["banana", "x_y"],
    "t.n.last(order_by='id')": [-7, 3],
    "t.n.last(order_by='id', include_null=True)": [-7, None],
    "t.n.first(order_by='id', where=t.n < 5)": [-7, 3],
    "t.nunique()": [2, 2],
}


def results(project: ProjectFolder, expressions: dict[str, Any], select: str, order: str) -> dict[str, list[Any]]:
    """Return the values of expressions over `ROWS`, in order."""
    names = {f"c{number}": text for number, text in enumerate(expressions)}
    columns = ", ".join(f"{name}={text}" for name, text in names.items())
    body = "import ibis\nfrom fastflowtransform import model\n\n\n@model(materialized='table', deps=['rows'])\n"
    project.write({"seeds/rows.csv": ROWS, "models/m.ff.py": body + f"def m(t):\n    return t.{select}({columns})\n"})
    assert project.fft("seed").code == 0
    answer = project.fft("run")
    assert answer.code == 0, answer.err

    rows = project.sql(f"SELECT {', '.join(names)} FROM m ORDER BY {order}")
    return {text: [plain(row[place]) for row in rows] for place, text in enumerate(names.values())}


def plain(value: Any) -> Any:
    """Return a value as it is written above."""
    if isinstance(value, datetime.datetime):
        assert value.tzinfo is None
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-9)
    return list(value) if isinstance(value, list | tuple) or hasattr(value, "tolist") else value


@pytest.mark.parametrize("expressions", [NUMBERS, TIMES, TEXTS, WINDOWS], ids=["numbers", "times", "texts", "windows"])
def test_an_operation_gives_the_same_value_on_every_engine(each_project: ProjectFolder, expressions: dict[str, Any]):
    assert results(each_project, {"t.id": [1, 2, 3, 4], **expressions}, "select", "c0") == {
        "t.id": [1, 2, 3, 4],
        **expressions,
    }


def test_an_aggregate_gives_the_same_value_on_every_engine(each_project: ProjectFolder):
    found = results(each_project, {"t.grp.min()": ["a", "b"], **AGGREGATES}, "group_by('grp').agg", "c0")

    assert found == {"t.grp.min()": ["a", "b"], **AGGREGATES}


def test_an_offset_leaves_no_column_behind(each_project: ProjectFolder):
    body = "from fastflowtransform import model\n\n\n@model(materialized='table', deps=['rows'])\n"
    text = body + "def m(t):\n    return t.order_by('id').select('id').limit(2, offset=1)\n"
    each_project.write({"seeds/rows.csv": ROWS, "models/m.ff.py": text})
    each_project.fft("seed")

    assert each_project.fft("run").err == ""
    assert sorted(each_project.sql("SELECT * FROM m")) == [(2,), (3,)]


@pytest.mark.never("duckdb", reason="its own functions know these")
@pytest.mark.parametrize("expression", ["t.word.hash()", "t.at.strftime('%U')"])
def test_an_operation_without_an_equal_is_refused(each_project: ProjectFolder, expression: str):
    body = "from fastflowtransform import model\n\n\n@model(materialized='table', deps=['rows'])\n"
    each_project.write(
        {"seeds/rows.csv": ROWS, "models/m.ff.py": body + f"def m(t):\n    return t.select(a={expression})\n"}
    )
    each_project.fft("seed")

    answer = each_project.fft("run")

    assert (answer.code, answer.err.split()[0]) == (1, "M105"), answer.err


def test_a_format_with_an_unknown_code_is_not_written_as_it_is():
    for write in (to_char_pattern, java_patterns):
        with pytest.raises(UnknownCode, match="%Q"):
            write("%Y %Q")
    with pytest.raises(UnknownCode, match="%y"):
        to_char_pattern("%y", parse=True)
