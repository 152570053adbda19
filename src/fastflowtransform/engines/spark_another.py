"""Another session beside one that is open, so that two threads can work at once.

A session's settings, its current database and its temporary views are its own: threads that shared one would read each
other's tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastflowtransform.engines.spark_session import Session
from fastflowtransform.engines.spark_tags import is_connected


def another(session: Session, on_statement: Callable[[str], None] | None) -> Session:
    """Return a session with the settings and the catalog of one that is open; ending it leaves that one open.

    Called in the thread that will use it: Spark knows what to interrupt by the thread that began it.
    """
    with session.translated(None):
        spark: Any = session.spark
        if is_connected(spark):
            from pyspark.sql.connect.session import SparkSession as Connected

            found: Any = Connected(connection=spark.client._builder)
            end = _released(found)
            # PySpark calls it where a session is garbage, and would wait there for threads that all sessions share.
            found.client.close = _left
        else:
            found, end = spark.newSession(), _left
        _repeat(spark, found)
        return Session(found, on_statement, end)


def _repeat(spark: Any, found: Any) -> None:
    """Give a session what was set in another one since that was started."""
    has = found.conf.getAll
    for name, value in spark.conf.getAll.items():
        if has.get(name) != value and found.conf.isModifiable(name):
            found.conf.set(name, value)
    if (catalog := spark.catalog.currentCatalog()) != found.catalog.currentCatalog():
        found.catalog.setCurrentCatalog(catalog)


def _released(found: Any) -> Callable[[], None]:
    def end() -> None:
        # Not stop(), nor the client's close(): they end things of all sessions of this process.
        found.client.release_session()
        found.client._channel.close()

    return end


def _left() -> None:
    """Leave a session to Java's garbage collector: there is no other way to end one and not all."""
