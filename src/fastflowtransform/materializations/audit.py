"""One look at a delta, staged or landed: what the rule has to do, and what the model's settings refuse."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import Engine, Noting
from fastflowtransform.engines.landing import Landed
from fastflowtransform.errors import DuplicateKey, EngineError, NullCursor, NullKey
from fastflowtransform.incremental import Comparing, Watermark
from fastflowtransform.model import Incremental, OnDuplicateKey, OnNullKey
from fastflowtransform.rows import Newest, Rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

_COUNTED = ("rows", "keys", "null_keys", "null_cursors", "late")
_NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts over a delta.

    Parameters
    ----------
    rows
        Rows that may be written: all but those that `on_null_key: drop` leaves out.
    keys
        Different keys among them.
    null_keys
        Rows with a NULL in the key, dropped or not.
    dropped
        Those that `on_null_key: drop` leaves out.
    null_cursors
        Rows without a cursor.
    late
        Rows not after the watermark, and those without a cursor; all, where there is no watermark.
    newest
        The largest cursor, as the engine prints it.
    ends
        The range of the keys, as `incremental.key_range` has it; None where the engine makes nothing of that.
    """

    rows: int = 0
    keys: int = 0
    null_keys: int = 0
    dropped: int = 0
    null_cursors: int = 0
    late: int = 0
    newest: str | None = None
    ends: Mapping[str, object] | None = None

    @property
    def duplicates(self) -> int:
        """Rows that share their key with another."""
        return self.rows - self.keys


@contextlib.contextmanager
def audited(
    engine: Engine, rows: Rows, incremental: Incremental, watermark: Newest | None, landed: Landed | None = None
) -> Iterator[tuple[Rows, Audit]]:
    """Stage a delta, if it has not landed, and refuse what the settings refuse before anything else is written.

    Raises
    ------
    NullKey
        A key has a NULL part, and `on_null_key` is `error`.
    DuplicateKey
        Two rows have one key, and `on_duplicate_key` is `error` or there is no cursor to decide by.
    NullCursor
        A row to be appended has no cursor.
    """
    with engine.stage(rows) if landed is None else contextlib.nullcontext(landed.rows) as staged:
        by = engine.capabilities.comparing
        ranged = isinstance(engine, Noting)
        (found,) = engine.rows(staged.into(_counts, incremental, watermark, by, ranged=ranged))
        counts = {name: int(str(found.get(name) or 0)) for name in _COUNTED}
        dropped = counts["null_keys"] if incremental.on_null_key is OnNullKey.DROP else 0
        if landed is not None and counts["rows"] + dropped != landed.number:
            # What the engine tells them from the others by is not what it was taken for.
            raise EngineError(f"{landed.number} rows were added to the table, and {counts['rows'] + dropped} are found")
        kept = _kept(staged, incremental) if counts["null_keys"] else staged
        newest = found.get(_NEWEST)
        if incremental.updated_at is not None and _NEWEST not in found:
            (highest,) = engine.rows(kept.into(rule.highest, incremental.updated_at, by)) or [{"watermark": None}]
            newest = highest["watermark"]
        # As many rows as there are keys are merged.
        ends = {**found, "rows": counts["keys"]} if ranged else None
        audit = Audit(**counts, dropped=dropped, newest=None if newest is None else str(newest), ends=ends)
        refusal = _refusal(engine, staged, audit, incremental)
        if refusal is not None:
            raise refusal
        yield kept, audit


def _kept(rows: Rows, incremental: Incremental) -> Rows:
    """Leave out the rows that `on_null_key: drop` leaves out."""
    return rows.then(_with_key, incremental.unique_key) if incremental.on_null_key is OnNullKey.DROP else rows


def _with_key(rows: ir.Table, key: tuple[str, ...]) -> ir.Table:
    return rows.filter([rows[name].notnull() for name in key])


def _counts(
    rows: ir.Table, incremental: Incremental, watermark: Watermark | None, by: Comparing, *, ranged: bool
) -> ir.Table:
    """Return the audit as one row: what is counted over all rows, and beside it how many different keys they have.

    The keys are counted on their own, for a table of them with nothing else in it takes engines a quarter of the time.
    """
    import ibis

    key = incremental.unique_key
    null = ibis.or_(*(rows[name].isnull() for name in key)) if key else ibis.literal(False)
    kept = ~null if key and incremental.on_null_key is OnNullKey.DROP else None
    found: dict[str, ir.Value] = {"rows": rows.count(where=kept), "late": rows.count(where=kept)}
    if incremental.updated_at is not None:
        cursor = rows[incremental.updated_at]
        found["null_cursors"] = cursor.isnull().sum(where=kept)
        if watermark is not None:
            found["late"] = (cursor.isnull() | ~rule.after(cursor, watermark, by)).sum(where=kept)
        if rule.has_maximum(cursor.type()):
            found[_NEWEST] = cursor.max(where=kept).cast("string")
    if not key:
        return rows.agg(**found, keys=rows.count(), null_keys=ibis.literal(0))
    found |= {"null_keys": null.sum(), **(rule.key_ends(rows, key) if ranged else {})}
    different = (rows if kept is None else rows.filter(kept)).select(*key).distinct()
    return rows.agg(**found).cross_join(different.agg(keys=different.count()))


def _refusal(engine: Engine, staged: Rows, audit: Audit, incremental: Incremental) -> Any:
    key = ", ".join(incremental.unique_key)
    if incremental.unique_key and audit.null_keys and incremental.on_null_key is OnNullKey.ERROR:
        return NullKey(
            f'{audit.null_keys} of {audit.rows} rows have no value in the key "{key}"',
            hint="filter them out, or set on_null_key to match or drop",
        )
    if not incremental.unique_key:
        if incremental.updated_at is None or not audit.null_cursors:
            return None
        return NullCursor(
            f'{audit.null_cursors} of {audit.rows} rows have no "{incremental.updated_at}", and there is no unique_key',
            hint="filter them out, or set unique_key: the next run could not recognise them",
        )
    if not audit.duplicates or (incremental.updated_at and incremental.on_duplicate_key is not OnDuplicateKey.ERROR):
        return None
    rows = staged.table()
    counted = rows.group_by(list(incremental.unique_key)).agg(__fft_rows=rows.count())
    (example,) = engine.rows(counted.order_by(counted["__fft_rows"].desc()).limit(1))
    number = example.pop("__fft_rows")
    shown = ", ".join(f"{name} = {value}" for name, value in example.items())
    without = "" if incremental.updated_at else ", and there is no updated_at to tell which is the newest"
    return DuplicateKey(
        f'{audit.duplicates} of {audit.rows} rows repeat a key: "{shown}" stands {number} times{without}',
        hint="remove the duplicates in the model" if incremental.updated_at else "set updated_at, or remove them",
    )
