"""Rows in and out of Spark, as Arrow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastflowtransform.engines.spark_session import Session
from fastflowtransform.engines.spark_tags import is_connected
from fastflowtransform.engines.spark_types import Columns, sent
from fastflowtransform.errors import EngineError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

_CHUNK = 256 << 20
"""Bytes of Arrow rows that go to Spark at once: it keeps what it is given in memory."""


def frame_of(session: Session, rows: pa.RecordBatchReader) -> DataFrame:
    """Return Arrow rows as Spark's table; of more than a few, Spark holds all but the last on its disks."""
    import pyarrow as pa

    frames: list[DataFrame] = []
    waiting: list[pa.RecordBatch] = []
    size = 0
    try:
        # What fails in whoever makes the rows is an error of Arrow here, as on the way to any other engine.
        for batch in pa.RecordBatchReader.from_stream(rows):
            waiting.append(batch)
            size += batch.nbytes
            if size > _CHUNK:
                frames.append(kept(session, _frame(session, pa.Table.from_batches(waiting, rows.schema))))
                waiting, size = [], 0
    except (pa.ArrowException, OSError) as error:
        raise EngineError(str(error).strip().splitlines()[0]) from error
    if waiting or not frames:
        frames.append(_frame(session, pa.Table.from_batches(waiting, rows.schema)))
    found = frames[0]
    for frame in frames[1:]:
        found = found.unionAll(frame)
    return found


def kept(session: Session, frame: DataFrame) -> DataFrame:
    """Run a lazy table, and keep its rows where Spark computes: what it read may change without it."""
    with session.translated(None):
        found: Any = frame.localCheckpoint(eager=True)
        if is_connected(session.spark):
            # PySpark 4.0 takes them for rows of the process's first session, whichever the server keeps them in.
            plan = found._plan
            plan._spark_session = session.spark
            found = type(found)(plan, session.spark)
        rows: DataFrame = found
        return rows


def let_go(frame: DataFrame) -> None:
    """Let Spark forget rows that were kept, at once and not when Java next tidies up."""
    # A server does so by itself, when the client forgets the table.
    plan: Any = getattr(frame, "_jdf", None)
    if plan is not None:
        plan.queryExecution().analyzed().rdd().unpersist(False)


@contextlib.contextmanager
def batches(session: Session, select: str) -> Iterator[pa.RecordBatchReader]:
    """Run a query, and give its rows."""
    with session.translated(select):
        frame = session.spark.sql(select)
        found, schema = frame.toArrow(), Columns(frame.schema).schema()
    yield found.cast(schema.to_pyarrow()).to_reader()


def _frame(session: Session, rows: pa.Table) -> DataFrame:
    given, schema = sent(rows)
    with session.translated(None):
        return session.spark.createDataFrame(given, schema=schema)
