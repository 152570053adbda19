"""What a thread starts in Spark, made known by a tag so that another thread can cancel it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag on what one thread starts: `cancel` may be called by any thread, `end` by that one."""

    cancel: Callable[[], object]
    end: Callable[[], object]


def is_connected(spark: Any) -> bool:
    """Whether a session is one of a Spark Connect server, and not of a Java process of ours."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def tagged(spark: Any, tag: str) -> Tagged:
    """Tag what this thread starts from now on."""
    if is_connected(spark):
        spark.addTag(tag)
        return Tagged(functools.partial(spark.interruptTag, tag), functools.partial(spark.removeTag, tag))
    # Without a server, a session's own interruptTag knows only of tags of the thread that calls it.
    context = spark.sparkContext
    context.addJobTag(tag)
    return Tagged(functools.partial(_cancelled, context, tag), functools.partial(context.removeJobTag, tag))


def _cancelled(context: Any, tag: str) -> None:
    """Cancel what bears a tag; where Java is just being left, there is nothing left to cancel."""
    from py4j.protocol import Py4JError

    with contextlib.suppress(Py4JError):
        context.cancelJobsWithTag(tag)
