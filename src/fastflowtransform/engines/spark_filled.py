"""Columns that a Delta table gives a value itself: by a default, an identity, or an expression."""

from __future__ import annotations

import json
from typing import Any

from fastflowtransform.engines.spark_catalog import printed
from fastflowtransform.engines.spark_session import Session
from fastflowtransform.errors import EngineError
from fastflowtransform.relation import Relation

_DEFAULT = "CURRENT_DEFAULT"
_MARKS = (_DEFAULT, "delta.generationExpression", "delta.identity.start")
"""What the description of such a column holds in Delta's log."""
_FEATURES = {"generatedColumns", "identityColumns"}
_NAME = "substring_index(_metadata.file_path, '/', -1)"


def filled(session: Session, relation: Relation) -> set[str]:
    """Return the columns with a default, an identity or an expression.

    Spark tells of defaults; of the others only Delta's log does, which is read where the table may have any.
    """
    name = printed(relation)
    fields: Any = session.frame(f"SELECT * FROM {name}").schema
    found = {field.name for field in fields if _is_filled(field.metadata)}
    (detail,) = session.rows(f"DESCRIBE DETAIL {name}")
    if not _FEATURES.intersection(detail["tableFeatures"] or ()):
        return found
    described = _described(session, f"{detail['location']}/_delta_log")
    return found | {field["name"] for field in described if _is_filled(field["metadata"])}


def _is_filled(metadata: dict[str, Any]) -> bool:
    return any(str(metadata.get(mark, "NULL")).upper() != "NULL" for mark in _MARKS)


def _described(session: Session, log: str) -> list[dict[str, Any]]:
    """Return the columns as the newest description in a table's log has them."""
    commits = f"SELECT value FROM {_files('text', f'{log}/*.json')} WHERE startswith(value, '{{\"metaData\"')"
    if rows := session.rows(f"{commits} ORDER BY {_NAME} DESC LIMIT 1"):
        schema = json.loads(rows[0]["value"])["metaData"]["schemaString"]
    else:
        # Commits are taken away once they are in a checkpoint.
        kept = f"SELECT metaData.schemaString AS fields FROM {_files('parquet', f'{log}/*.checkpoint*.parquet')}"
        rows = session.rows(f"{kept} WHERE metaData IS NOT NULL ORDER BY {_NAME} DESC LIMIT 1")
        if not rows:
            raise EngineError(f'no file in "{log}" describes the columns of the table')
        schema = rows[0]["fields"]
    fields: list[dict[str, Any]] = json.loads(schema)["fields"]
    return fields


def _files(kind: str, path: str) -> str:
    return f"{kind}.`{path.replace('`', '``')}`"
