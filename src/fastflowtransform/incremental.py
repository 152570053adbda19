"""The rule of an incremental run, written once in Ibis.

    delta  = the rows of this run that are candidates for the target
    fresh  = the newest row of each key in delta, less what is older than the target's row of that key
    target = the target's rows whose key is not in fresh, and fresh

Pure: builds expressions and never runs one. `docs/reference/semantics.md` says it in words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastflowtransform.errors import BadCursor, MissingColumn, SchemaChanged, hint_from, nearest
from fastflowtransform.model import Incremental

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir
    from ibis.expr.schema import Schema

OURS = "__fft_"
"""What the names of the columns begin with that the rule gives rows for its own use."""
STALE = "__fft_stale"
_OLD = "__fft_old_"
_SAME = "__fft_same"
_RANK = "__fft_rank"
_MATCHES = "__fft_matches"
_CONSTANTS: tuple[tuple[Callable[[dt.DataType], bool], str], ...] = (
    (lambda dtype: dtype.is_numeric(), "0"),
    (lambda dtype: dtype.is_boolean(), "false"),
    (lambda dtype: dtype.is_string(), ""),
    (lambda dtype: dtype.is_date() or dtype.is_timestamp(), "2000-01-01"),
    (lambda dtype: dtype.is_uuid(), "00000000-0000-0000-0000-000000000000"),
)


@dataclass(frozen=True, slots=True)
class Watermark:
    """The target's largest cursor, as the engine prints it, and its type: exact, whatever its precision."""

    text: str
    dtype: dt.DataType | str

    def literal(self) -> ir.Value:
        """Return it as a constant, which engines can prune files and blocks with."""
        import ibis

        return ibis.literal(self.text).cast(ibis.dtype(self.dtype)(nullable=True))


@dataclass(frozen=True, slots=True)
class Comparing:
    """How an engine compares what the rule compares.

    Parameters
    ----------
    text_bytes, encoding
        Its function from a text to its bytes, and what that function calls UTF-8 where it takes an encoding. The
        order of the bytes is that of code points, whatever the text's collation.
    hashes_null_safe
        Whether it finds equal keys by hashing where NULL is to equal NULL.
    """

    text_bytes: str = "encode"
    encoding: str | None = None
    hashes_null_safe: bool = True


def highest(target: ir.Table, updated_at: str, by: Comparing) -> ir.Table:
    """Return the target's largest cursor as a text, in at most one row; NULL where no row has one."""
    import ibis

    cursor = target[updated_at]
    if has_maximum(cursor.type()):
        return target.agg(watermark=cursor.max().cast("string"))
    # Not every engine has a maximum of bytes, or of UUIDs.
    order = ibis.desc(_by_code_point(cursor, by), nulls_first=False)
    return target.order_by(order).limit(1).select(watermark=cursor.cast("string"))


def has_maximum(dtype: dt.DataType) -> bool:
    """Whether every engine has a maximum of cursors of this type, so that it can be asked beside other things."""
    return bool(dtype.is_numeric() or dtype.is_temporal())


def highest_of(rows: list[dict[str, object]]) -> str | None:
    """Return the answer to `highest`."""
    found = rows[0]["watermark"] if rows else None
    return None if found is None else str(found)


def from_on(target: ir.Table, updated_at: str, watermark: Watermark) -> ir.Table:
    """Keep the target's rows from a cursor on, to find the largest one among few; engines can prune by that."""
    return target.filter(target[updated_at] >= watermark.literal())


def key_range(rows: ir.Table, key: tuple[str, ...]) -> ir.Table:
    """Return one row: of each part of a key that has a range, its ends as texts, and the number of its NULLs."""
    return rows.agg(**key_ends(rows, key), rows=rows.count())


def key_ends(rows: ir.Table, key: tuple[str, ...]) -> dict[str, ir.Value]:
    """Return what `key_range` asks for, to be asked beside other things; it may be asked of each key once."""
    ends: dict[str, ir.Value] = {}
    for number, name in enumerate(_ranged(rows.schema(), key)):
        value = rows[name]
        ends[f"low{number}"], ends[f"high{number}"] = value.min().cast("string"), value.max().cast("string")
        ends[f"nulls{number}"] = value.isnull().sum()
    return ends


def within(target: ir.Table, rows: ir.Table, key: tuple[str, ...], found: dict[str, object]) -> ir.Table:
    """Keep the rows of `target` that can have the key of one of `rows`, whose `key_range` was found.

    It leaves out nothing that a join by key would find: it is for engines that need not read what it leaves out.
    """
    kept = [
        target[name].between(Watermark(low, rows[name].type()).literal(), Watermark(high, rows[name].type()).literal())
        for name, (low, high) in ranges(rows.schema(), key, found).items()
    ]
    return target.filter(kept) if kept else target


def ranges(types: Schema, key: tuple[str, ...], found: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return the range of each part of a key that has one and no NULL, as a `key_range` that was found has it."""
    return {
        name: (str(found[f"low{number}"]), str(found[f"high{number}"]))
        for number, name in enumerate(_ranged(types, key))
        if found[f"low{number}"] is not None and not found[f"nulls{number}"]
    }


def _ranged(types: Schema, key: tuple[str, ...]) -> list[str]:
    """Return the parts of a key whose order is the same everywhere, and whose values a text gives back exactly."""
    return [
        name
        for name, dtype in ((name, types[name]) for name in key)
        if dtype.is_integer() or dtype.is_decimal() or dtype.is_date() or dtype.is_timestamp()
    ]


def require_columns(table: ir.Table, incremental: Incremental) -> bool:
    """Say yes, or raise `MissingColumn` for a key or cursor that is not there, `BadCursor` for one without an order."""
    named = [("unique_key", name) for name in incremental.unique_key]
    if incremental.updated_at is not None:
        named.append(("updated_at", incremental.updated_at))
    for setting, name in named:
        if name not in table.columns:
            raise MissingColumn(
                f'{setting} names "{name}", which is not a column of the query',
                hint=hint_from(name, table.columns, "columns"),
            )
    if incremental.updated_at is None:
        return True
    dtype = table[incremental.updated_at].type()
    if not ordered(dtype) or dtype.is_boolean():
        raise BadCursor(
            f'updated_at names "{incremental.updated_at}", which is of type "{dtype}"',
            hint="name a timestamp, a date or a number that grows",
        )
    if incremental.lookback is not None and not (dtype.is_timestamp() or dtype.is_date()):
        raise BadCursor(
            f'lookback needs a timestamp or a date, and "{incremental.updated_at}" is of type "{dtype}"',
            hint="take lookback away",
        )
    return True


def require_target_columns(columns: Collection[str], name: str, incremental: Incremental) -> None:
    """Raise `SchemaChanged` where the table lacks the key or the cursor, so that nothing can be merged into it."""
    for column in (*incremental.unique_key, incremental.updated_at):
        if column is not None and column not in columns:
            meant, anew = nearest(column, columns), "run it once with --full-refresh"
            raise SchemaChanged(
                f'the table of "{name}" has no column "{column}"', hint=f"{meant} if not, {anew}" if meant else anew
            )


def delta(query: ir.Table, incremental: Incremental, watermark: Watermark | None, by: Comparing) -> ir.Table:
    """Keep the rows of `query` that the target may not hold yet.

    Parameters
    ----------
    query
        The model's full result.
    incremental
        Its settings.
    watermark
        The target's; None where the target is absent, empty, or has no cursor in any row.
    by
        How the engine compares.

    Returns
    -------
    ir.Table
        With a key: the rows from `watermark - lookback` on, and those without a cursor. Without a key: those
        after the watermark, and those without a cursor, for the caller to refuse. All, where there is no
        watermark or no cursor.

    Raises
    ------
    SchemaChanged
        The cursor's type cannot be compared with the target's.

    Examples
    --------
    >>> import ibis
    >>> query = ibis.memtable({"id": [1, 2, 3], "at": [10, 25, None]})
    >>> settings = Incremental(unique_key=("id",), updated_at="at")
    >>> delta(query, settings, Watermark("20", "int64"), Comparing()).order_by("id").to_pandas()["id"].tolist()
    [2, 3]
    """
    if watermark is None or incremental.updated_at is None:
        return query
    cursor = query[incremental.updated_at]
    before, now = watermark.literal().type(), cursor.type()
    if not (now.castable(before) or before.castable(now)):
        raise SchemaChanged(
            f'"{incremental.updated_at}" is {before} in the table and {now} in the query',
            hint="run it once with --full-refresh: a cursor cannot change its type on the way",
        )
    start = _by_code_point(_start(watermark, incremental.lookback), by)
    ordered = _by_code_point(cursor, by)
    after = (ordered >= start) if incremental.unique_key else (ordered > start)
    return query.filter(after | cursor.isnull())


def windowed(query: ir.Table, incremental: Incremental) -> ir.Table:
    """Keep the rows of a query whose cursor is in the window of this run; all, where there is none.

    Examples
    --------
    >>> import ibis
    >>> from fastflowtransform.windows import Window
    >>> query = ibis.memtable({"id": [1, 2, 3, 4], "at": [9, 10, 19, 20]})
    >>> settings = Incremental(unique_key=("id",), updated_at="at", window=Window("10", "20"))
    >>> windowed(query, settings).order_by("id").to_pandas()["id"].tolist()
    [2, 3]
    """
    window, name = incremental.window, incremental.updated_at
    if window is None or name is None:
        return query
    cursor = query[name]
    start, end = (Watermark(text, cursor.type()).literal() for text in (window.start, window.end))
    inside = (cursor >= start) & (cursor < end)
    return query.filter(inside | cursor.isnull() if window.with_null else inside)


def newest(rows: ir.Table, incremental: Incremental, by: Comparing) -> ir.Table:
    """Keep one row of each key: the newest by cursor, then by the other columns.

    Equal cursors are decided by the remaining columns in their order, largest first and NULL last, so that
    every engine picks the same row. A type without an order common to all engines does not take part.

    Examples
    --------
    >>> import ibis
    >>> rows = ibis.memtable({"id": [1, 1, 2], "at": [10, 10, 7], "v": ["a", "b", "c"]})
    >>> kept = newest(rows, Incremental(unique_key=("id",), updated_at="at"), Comparing())
    >>> kept.order_by("id").to_pandas().to_dict("list")
    {'id': [1, 2], 'at': [10, 7], 'v': ['b', 'c']}
    """
    import ibis

    key, cursor = incremental.unique_key, incremental.updated_at
    first = [] if cursor is None else [cursor]
    others = [name for name in rows.columns if name not in (*key, cursor) and ordered(rows[name].type())]
    order = [ibis.desc(_by_code_point(rows[name], by), nulls_first=False) for name in (*first, *others)]
    window = ibis.window(group_by=[rows[name] for name in key], order_by=order or [rows[key[0]]])
    return rows.mutate(**{_RANK: ibis.row_number().over(window)}).filter(lambda t: t[_RANK] == 0).drop(_RANK)


def certain(rows: ir.Table, incremental: Incremental, watermark: Watermark | None, by: Comparing) -> ir.Table:
    """Keep the rows after the watermark: newer than all of the target, they need not be compared with it.

    Examples
    --------
    >>> import ibis
    >>> rows = ibis.memtable({"id": [1, 2, 3], "at": [20, 25, None]})
    >>> settings = Incremental(unique_key=("id",), updated_at="at")
    >>> certain(rows, settings, Watermark("20", "int64"), Comparing()).to_pandas()["id"].tolist()
    [2]
    >>> doubtful(rows, settings, Watermark("20", "int64"), Comparing()).order_by("id").to_pandas()["id"].tolist()
    [1, 3]
    """
    if watermark is None or incremental.updated_at is None:
        return rows.limit(0)
    return rows.filter(after(rows[incremental.updated_at], watermark, by))


def doubtful(rows: ir.Table, incremental: Incremental, watermark: Watermark | None, by: Comparing) -> ir.Table:
    """Keep the rows that are not `certain`: those not after the watermark, and those without a cursor."""
    if watermark is None or incremental.updated_at is None:
        return rows
    cursor = rows[incremental.updated_at]
    return rows.filter(cursor.isnull() | ~after(cursor, watermark, by))


def after(cursor: ir.Value, watermark: Watermark, by: Comparing) -> ir.BooleanValue:
    """Say whether a cursor is after the watermark; NULL where there is none."""
    return _by_code_point(cursor, by) > _by_code_point(watermark.literal(), by)


def settled(
    rows: ir.Table, target: ir.Table, incremental: Incremental, by: Comparing, *, null_safe: bool = True
) -> ir.Table:
    """Return the keys of the rows that need not be written: older than the target's row of that key, or equal to it.

    Parameters
    ----------
    rows
        One row a key, with the target's columns; as a rule a few, the `doubtful` ones.
    target
        The target as it stands.
    incremental
        The model's settings; it has a key.
    by
        How the engine compares.
    null_safe
        Whether a key may have a NULL part, which no engine joins as fast.

    Returns
    -------
    ir.Table
        The key's columns, and `STALE`: whether the row is older, and not equal.

    Examples
    --------
    >>> import ibis
    >>> target = ibis.memtable({"id": [1, 2, 3], "at": [20, 20, 20], "v": ["a", "b", "c"]})
    >>> rows = ibis.memtable({"id": [1, 2, 3, 4], "at": [20, 19, 20, 20], "v": ["a", "b", "other", "d"]})
    >>> found = settled(rows, target, Incremental(unique_key=("id",), updated_at="at"), Comparing())
    >>> found.order_by("id").to_pandas().to_dict("list")
    {'id': [1, 2], '__fft_stale': [False, True]}
    """
    import ibis

    key, cursor = incremental.unique_key, incremental.updated_at
    stale, same = ibis.literal(False), ibis.literal(False)
    equal = same_key(rows, target, [(name, name) for name in key], by, null_safe=null_safe)
    both = rows.inner_join(target, list(equal), rname=_OLD + "{name}")
    if cursor is not None:
        old = both[_OLD + cursor] if cursor not in key else both[cursor]
        # A row without a cursor counts as oldest; one that has a cursor never loses against it.
        older = _by_code_point(old, by) > _by_code_point(both[cursor], by)
        stale = old.notnull() & (both[cursor].isnull() | older)
    if set(rows.columns) <= set(target.columns) and all(_comparable(dtype) for dtype in rows.schema().types):
        others = [name for name in rows.columns if name not in key]
        same = ibis.and_(*(_identical(_plain(both[name]), _plain(both[_OLD + name])) for name in others))
    pairs = both.select(*key, **{STALE: stale, _SAME: same})
    # A table that something else filled may hold a key twice: its newest row decides, and the row is written.
    found = pairs.group_by(list(key)).agg(
        **{STALE: pairs[STALE].any(), _SAME: pairs[_SAME].any(), _MATCHES: pairs.count()}
    )
    left_out = found[STALE] | (found[_SAME] & (found[_MATCHES] == 1))
    return found.filter(left_out).select(*key, STALE)


def unsettled(
    rows: ir.Table, left_out: ir.Table, incremental: Incremental, by: Comparing, *, null_safe: bool = True
) -> ir.Table:
    """Keep the rows whose key is not among those that are `settled`."""
    same = same_key(rows, left_out, [(name, name) for name in incremental.unique_key], by, null_safe=null_safe)
    return rows.anti_join(left_out, list(same))


def fresh(rows: ir.Table, target: ir.Table, incremental: Incremental, by: Comparing) -> ir.Table:
    """Return what a delta changes in the target, by the whole rule."""
    candidates = newest(rows, incremental, by)
    found = settled(candidates, target, incremental, by)
    return unsettled(candidates, found.filter(found[STALE]), incremental, by)


def merged(
    target: ir.Table,
    fresh_rows: ir.Table,
    key: tuple[str, ...],
    by: Comparing = Comparing(),
    *,
    null_safe: bool = True,
) -> ir.Table:
    """Return the target after the run: its rows of other keys, and the fresh ones.

    `null_safe` says that a key may have a NULL part, which no engine joins as fast.

    Examples
    --------
    >>> import ibis
    >>> target = ibis.memtable({"id": [1, 2], "v": ["a", "b"]})
    >>> after = merged(target, ibis.memtable({"id": [2, 3], "v": ["B", "C"]}), ("id",))
    >>> after.order_by("id").to_pandas().to_dict("list")
    {'id': [1, 2, 3], 'v': ['a', 'B', 'C']}
    """
    same = same_key(target, fresh_rows, [(name, name) for name in key], by, null_safe=null_safe)
    others = target.anti_join(fresh_rows, list(same))
    return others.union(fresh_rows.select(*target.columns), distinct=False)


def ordered(dtype: dt.DataType) -> bool:
    """Whether all engines put values of this type into the same order."""
    scalar = dtype.is_numeric() or dtype.is_boolean() or dtype.is_string() or dtype.is_binary()
    return bool(scalar or dtype.is_temporal() or dtype.is_uuid())


def _identical(one: ir.Value, other: ir.Value) -> ir.BooleanValue:
    """Whether two values are the same, NULL among them; never, where Ibis has no comparison of their types.

    It returns NotImplemented for these, which counts as true wherever conditions are put together.
    """
    import ibis

    found = one.identical_to(other)
    return ibis.literal(False) if found is NotImplemented else found


def _comparable(dtype: dt.DataType) -> bool:
    """Whether all engines can tell equal values of this type from others."""
    if dtype.is_array():
        return _comparable(dtype.value_type)
    if dtype.is_struct():
        return all(map(_comparable, dtype.types))
    return ordered(dtype) or bool(dtype.is_json())


def _by_code_point(value: ir.Value, by: Comparing) -> ir.Value:
    """Return a text as its UTF-8 bytes, whose order is that of code points, whatever the column's collation."""
    if not value.type().is_string():
        return value
    to_bytes = _to_bytes(by.text_bytes, by.encoding is not None)
    encoded: ir.Value = to_bytes(value) if by.encoding is None else to_bytes(value, by.encoding)
    return encoded


@functools.cache
def _to_bytes(function: str, with_encoding: bool) -> Any:
    """Return an engine's function from a text to its bytes; Ibis has none of its own."""
    import ibis

    def to_bytes(text: str) -> bytes: ...  # type: ignore[empty-body]

    def to_bytes_as(text: str, encoding: str) -> bytes: ...  # type: ignore[empty-body]

    if with_encoding:
        return ibis.udf.scalar.builtin(to_bytes_as, name=function, signature=(("string", "string"), "binary"))
    return ibis.udf.scalar.builtin(to_bytes, name=function, signature=(("string",), "binary"))


def same_key(
    left: ir.Table, right: ir.Table, columns: Iterable[tuple[str, str]], by: Comparing, *, null_safe: bool
) -> Iterator[ir.BooleanValue]:
    """Yield what two rows of one key have in common, column by column.

    Where NULL equals NULL and the engine cannot hash that, a constant stands for NULL, and whether there is one is
    compared besides: both can be hashed.
    """
    import ibis

    for ours, theirs in columns:
        one, other = left[ours], right[theirs]
        if not null_safe:
            yield one == other
            continue
        text = None if by.hashes_null_safe else constant_of(one.type())
        if text is None:
            yield _identical(one, other)
        else:
            constant = ibis.literal(text).cast(one.type())
            yield one.isnull() == other.isnull()
            yield one.fill_null(constant) == other.fill_null(constant)


def constant_of(dtype: dt.DataType) -> str | None:
    """Return any value of a type, as a text; None for a type that has none common to all engines."""
    return next((text for holds, text in _CONSTANTS if holds(dtype)), None)


def _plain(value: ir.Value) -> ir.Value:
    """Return JSON as its text, which every engine can compare."""
    return value.cast("string") if value.type().is_json() else value


def _start(watermark: Watermark, lookback: timedelta | None) -> ir.Value:
    import ibis

    literal = watermark.literal()
    if lookback is None:
        return literal
    if literal.type().is_date():
        # A date holds all of its day, so a part of a day looked back takes that day as well.
        return literal.cast("timestamp") - ibis.interval(days=-(-lookback // timedelta(days=1)))
    return literal - ibis.interval(microseconds=lookback // timedelta(microseconds=1))
