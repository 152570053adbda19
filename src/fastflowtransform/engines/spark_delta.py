"""Delta: each write is one commit, and the table with its history stays."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastflowtransform.engines.base import Kind, Noted, Standing
from fastflowtransform.engines.spark_catalog import (
    MERGE,
    Detail,
    clauses,
    comments,
    count,
    detail,
    laid_out,
    literal,
    pairs,
    printed,
    ticked,
)
from fastflowtransform.engines.spark_session import Session
from fastflowtransform.errors import EngineError
from fastflowtransform.incremental import ranges
from fastflowtransform.model import Layout
from fastflowtransform.names import Folding
from fastflowtransform.relation import Relation
from fastflowtransform.results import WriteCounts

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    from ibis.expr.schema import Schema

_EVOLVE = "WITH SCHEMA EVOLUTION "
STAGED = {"spark.databricks.delta.merge.materializeSource": "none"}
"""Delta reads the new rows of a MERGE twice, and keeps a copy of them for that, which staged rows are already."""
WRITE, MARKED, NEWEST = "fft", "fft_seed", "fft_newest"
"""The keys of a commit's own words: whose write it is, the mark of a seed's file, and a column's largest value."""
_COMMITS = 20
"""Commits that are looked through for a note."""
_REFUSED_IN_NAMES = re.compile(r"[ ,;{}()\n\t=]")
"""What a column's name may hold only where Delta keeps names apart from those in the files."""


def made(session: Session, name: str, select: str, columns: Schema, layout: Layout, comment: str | None = None) -> None:
    """Make a Delta table under a name that is free."""
    session.run(f"CREATE TABLE {name} {clauses('delta', _with_defaults(layout, columns), comment)} AS {select}")


def replaced(session: Session, relation: Relation, select: str, columns: Schema, layout: Layout) -> WriteCounts:
    """Replace the rows of a Delta table by a new version of it.

    Where the columns are the same, only rows are written, and all that hangs on the table stays. Else the table is
    described anew, with its properties, its comments, and the layout that it has or is to have.
    """
    name, now = printed(relation), detail(session, relation)
    wanted = laid_out(layout, now, columns)
    lies = (wanted.partition_by, wanted.cluster_by) == (now.partition_by, now.cluster_by)
    if lies and list(session.schema(f"SELECT * FROM {name}").items()) == list(columns.items()):
        arrange(session, relation, layout, now)
        written = _inserted(session, relation, f"INSERT OVERWRITE TABLE {name} BY NAME {select}")
        return WriteCounts(written, 0, "insert overwrite")
    said = comments(session, relation)
    described = clauses("delta", _with_defaults(wanted, columns), now.comment)
    session.run(f"CREATE OR REPLACE TABLE {name} {described} AS {select}")
    counts = WriteCounts(rows_written(session, relation), 0, "create or replace")
    for column, comment in said.items():
        if Folding.UNICODE.spelling(column, columns) is not None:
            session.run(f"ALTER TABLE {name} ALTER COLUMN {ticked(column)} COMMENT {literal(comment)}")
    return counts


def rows_written(session: Session, relation: Relation) -> int:
    """Return how many rows a table was given, as its commit says; it is read only where that is silent."""
    if (said := _metrics(session, relation, "numOutputRows")) is not None:
        return int(said["numOutputRows"])
    return count(session, printed(relation))


def appended(session: Session, relation: Relation, select: str, columns: Iterable[str], *, evolve: bool) -> WriteCounts:
    """Add rows by column name; with `evolve`, with the columns that the table does not have yet, in the same commit."""
    if not evolve:
        written = _inserted(session, relation, f"INSERT INTO {printed(relation)} BY NAME {select}")
        return WriteCounts(written, 0, "insert")
    # An INSERT cannot add columns, and a MERGE of rows that match nothing can.
    statement = (
        f"MERGE {_EVOLVE}INTO {printed(relation)} AS old USING ({select}) AS fresh ON false "
        f"WHEN NOT MATCHED THEN {_insert(list(columns))}"
    )
    inserted, _ = merged(session, relation, statement)
    return WriteCounts(inserted, 0, "insert")


@dataclass(frozen=True, slots=True)
class Merge:
    """How rows are merged.

    Parameters
    ----------
    key
        What they are found by; a delta has each key once.
    null_safe
        Whether NULL equals NULL in it.
    within
        A condition on `old` that all rows of these keys meet, so that files without any are not read; may be empty.
    guard
        The cursor: a row does not take the place of one whose cursor is greater, whoever wrote that in the meantime.
    evolve
        Whether columns are added in the same commit.
    """

    key: tuple[str, ...]
    null_safe: bool
    within: str = ""
    guard: str | None = None
    evolve: bool = False


def merge_statement(relation: Relation, select: str, columns: Iterable[str], merge: Merge) -> str:
    """Return the MERGE of a delta into a table.

    Examples
    --------
    >>> merge = Merge(("id",), null_safe=False, within="old.`id` BETWEEN 1 AND 9", guard="at")
    >>> print(merge_statement(Relation("demo", "t"), "SELECT 1 AS id, 2 AS at", ["id", "at"], merge))
    MERGE INTO `demo`.`t` AS old USING (SELECT 1 AS id, 2 AS at) AS fresh
    ON old.`id` = fresh.`id` AND old.`id` BETWEEN 1 AND 9
    WHEN MATCHED AND (old.`at` IS NULL OR fresh.`at` >= old.`at`) THEN UPDATE SET old.`at` = fresh.`at`
    WHEN NOT MATCHED THEN INSERT (`id`, `at`) VALUES (fresh.`id`, fresh.`at`)
    """
    names = list(columns)
    equal = "<=>" if merge.null_safe else "="
    on = [f"old.{ticked(column)} {equal} fresh.{ticked(column)}" for column in merge.key]
    # A column that is only about to be there cannot be named with its table.
    side = "" if merge.evolve else "old."
    values = ", ".join(f"{side}{ticked(c)} = fresh.{ticked(c)}" for c in names if c not in merge.key)
    newer = ""
    if merge.guard is not None:
        cursor = ticked(merge.guard)
        newer = f" AND (old.{cursor} IS NULL OR fresh.{cursor} >= old.{cursor})"
    lines = [
        f"MERGE {_EVOLVE if merge.evolve else ''}INTO {printed(relation)} AS old USING ({select}) AS fresh",
        f"ON {' AND '.join([*on, merge.within] if merge.within else on)}",
        f"WHEN MATCHED{newer} THEN UPDATE SET {values}" if values else "",
        f"WHEN NOT MATCHED THEN {_insert(names)}",
    ]
    return "\n".join(line for line in lines if line)


def merged(session: Session, relation: Relation, statement: str) -> tuple[int, int]:
    """Run a MERGE, and return how many rows were inserted, and how many updated."""
    answer = session.run(statement)
    if answer:
        return int(answer[0]["num_inserted_rows"]), int(answer[0]["num_updated_rows"])
    # Delta has this very write already: its answer was lost on the way, and the attempt was repeated.
    if (said := _metrics(session, relation, "numTargetRowsInserted")) is None:
        raise EngineError(f'the commit to "{relation}" is not in its history', hint="was the table replaced meanwhile?")
    return int(said["numTargetRowsInserted"]), int(said.get("numTargetRowsUpdated", 0))


def bounds(columns: Schema, key: tuple[str, ...], ends: Mapping[str, object]) -> str:
    """Return the range of a delta's keys as a condition on `old`; Delta knows these values of each file.

    Parameters
    ----------
    columns, key
        The delta's columns, and those of the key.
    ends
        The range of the keys, as `incremental.key_range` has it.
    """
    return " AND ".join(
        f"old.{ticked(name)} BETWEEN {_constant(low, columns[name])} AND {_constant(high, columns[name])}"
        for name, (low, high) in ranges(columns, key, ends).items()
    )


def arrange(session: Session, relation: Relation, layout: Layout, now: Detail) -> None:
    """Give a Delta table the properties and the clustering of a layout; partitions change with a full refresh only."""
    wanted = _defaults(layout)
    missing = {name: value for name, value in wanted.items() if now.properties.get(name) != value}
    if missing:
        session.run(f"ALTER TABLE {printed(relation)} SET TBLPROPERTIES ({pairs(missing)})")
    if layout.cluster_by and layout.cluster_by != now.cluster_by:
        session.run(f"ALTER TABLE {printed(relation)} CLUSTER BY ({', '.join(map(ticked, layout.cluster_by))})")


def _defaults(layout: Layout) -> dict[str, str]:
    """Return the properties that a table is to have; one with a key marks old rows, and does not copy the others."""
    keyed = {"delta.enableDeletionVectors": "true"} if layout.key else {}
    return {**keyed, **layout.table_properties}


def admit(session: Session, relation: Relation, added: Iterable[dt.DataType]) -> None:
    """Let a Delta table have columns of these types, before they come with the rows."""
    if any(map(_is_local, added)):
        name = printed(relation)
        session.run(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.feature.timestampNtz' = 'supported')")


def _is_local(dtype: dt.DataType) -> bool:
    """Whether a type is, or holds, a timestamp without a zone."""
    if dtype.is_array():
        return _is_local(dtype.value_type)
    if dtype.is_map():
        return _is_local(dtype.key_type) or _is_local(dtype.value_type)
    if dtype.is_struct():
        return any(map(_is_local, dtype.types))
    return bool(dtype.is_timestamp() and dtype.timezone is None)


def _with_defaults(layout: Layout, columns: Schema) -> Layout:
    properties = _defaults(layout)
    if any(_REFUSED_IN_NAMES.search(name) for name in columns):
        properties.setdefault("delta.columnMapping.mode", "name")
    if any(map(_is_local, columns.types)):
        # A new table gets it by itself, and one that stands is asked for it.
        properties["delta.feature.timestampNtz"] = "supported"
    return replace(layout, table_properties=properties)


def _insert(columns: list[str]) -> str:
    return f"INSERT ({', '.join(map(ticked, columns))}) VALUES ({', '.join(f'fresh.{ticked(c)}' for c in columns)})"


def state(session: Session, relation: Relation, standing: Standing | None, *, written: bool) -> str | None:
    """Return what tells the rows of a Delta table, or the text of a view, from any others.

    A commit is told by its number, its moment and its own words: a table that is made anew begins at 0 again. None
    where `written` asks for this session's commit, and another one is the newest.
    """
    if standing is None:
        return None
    if standing.kind is Kind.VIEW:
        ((text,),) = (row.values() for row in session.rows(f"SHOW CREATE TABLE {printed(relation)}"))
        return f"view {hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"
    if standing.merge != MERGE:
        return None
    newest = next(commits(session, relation))
    said = newest["userMetadata"]
    if written and note_of(said, WRITE) != note_of(session.mark, WRITE):
        return None
    return f"version {newest['version']} of {newest['timestamp']:%Y-%m-%d %H:%M:%S.%f} by {note_of(said, WRITE)}"


def _inserted(session: Session, relation: Relation, statement: str) -> int:
    """Run an INSERT, and return how many rows it wrote: none, where Delta makes no commit because there are none."""
    latest = -1 if session.mark else next(commits(session, relation))["version"]
    session.run(statement)
    return int((_metrics(session, relation, "numOutputRows", after=latest) or {}).get("numOutputRows", 0))


def note_of(said: str | None, key: str) -> Any:
    """Return a note in a commit's own words, which may be anybody's; None where there is none.

    Examples
    --------
    >>> note_of('{"fft_seed": "1f"}', "fft_seed"), note_of("by hand", "fft_seed")
    ('1f', None)
    """
    try:
        words = json.loads(said or "{}")
    except ValueError:
        return None
    return words.get(key) if isinstance(words, dict) else None


def newest_noted(session: Session, relation: Relation, column: str, dtype: str) -> Noted:
    """Return what the last note of a table says of a column.

    It is exact where it stands in the table's newest commit, by fft, and that follows the version that it was found
    over, or has all of the rows itself.
    """
    version = -1
    for commit in commits(session, relation):
        version = max(version, int(commit["version"]))
        match note_of(commit["userMetadata"], NEWEST):
            case [str(named), str(spelt), str(newest), *over]:
                if (named, spelt) != (column, dtype):
                    break
                follows = over == [None] or over == [version - 1]
                writer = note_of(commit["userMetadata"], WRITE)
                ours = isinstance(writer, dict) and writer.get("relation") == str(relation)
                return Noted(newest, follows and ours and commit["version"] == version, version)
    return Noted(version=version)


def commits(session: Session, relation: Relation) -> Iterator[dict[str, Any]]:
    """Give the last commits of a table, the newest first; mostly it is enough, and Delta reads a file for each."""
    name = printed(relation)
    (newest,) = session.rows(f"DESCRIBE HISTORY {name} LIMIT 1")
    yield newest
    older = session.rows(f"DESCRIBE HISTORY {name} LIMIT {_COMMITS}")
    yield from (row for row in older if row["version"] < newest["version"])


def is_ours(session: Session, relation: Relation) -> bool:
    """Whether any commit to a table is of a run of fft, as far as its history goes back."""
    rows = session.rows(f"DESCRIBE HISTORY {printed(relation)}")
    return any(note_of(row["userMetadata"], WRITE) is not None for row in rows)


def _metrics(session: Session, relation: Relation, metric: str, after: int = -1) -> dict[str, Any] | None:
    """Return what the newest commit says that has a metric and is of this write, or anybody's where nothing marks it.

    Delta may add a commit that has none: an OPTIMIZE, where the table or the session asks for it.
    """
    writer = note_of(session.mark, WRITE)
    for commit in commits(session, relation):
        said = dict(commit["operationMetrics"] or {})
        if metric in said and writer in (None, note_of(commit["userMetadata"], WRITE)) and commit["version"] > after:
            return said
    return None


def _constant(text: str, dtype: dt.DataType) -> str:
    import ibis.expr.datatypes as dt
    from ibis.backends.sql.datatypes import PySparkType

    if dtype.is_timestamp():
        kind = "TIMESTAMP" if isinstance(dtype, dt.Timestamp) and dtype.timezone else "TIMESTAMP_NTZ"
        return f"CAST({literal(text)} AS {kind})"
    return f"CAST({literal(text)} AS {PySparkType.to_string(dtype)})"
