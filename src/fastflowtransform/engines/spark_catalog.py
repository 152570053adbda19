"""What stands in Spark's catalog, and the names that statements give it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastflowtransform.engines.base import Kind, Standing
from fastflowtransform.engines.spark_session import Session
from fastflowtransform.model import Layout
from fastflowtransform.names import Folding
from fastflowtransform.relation import Relation

MERGE = "MERGE"
NEW, OLD = "__fft_new", "__fft_old"
"""What the names of a table end in while it takes another's place."""
_OF_DELTA = re.compile(
    r"delta\.(feature\.|min(Reader|Writer)Version$|columnMapping\.maxColumnId$|rowTracking\.materialized"
    r"|inCommitTimestampEnablement)"
)
"""Properties that Delta gives a table itself, and takes from nobody."""
_MANY = 100
"""Names that are too many to be asked for one by one."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How a table lies, as the catalog says without a look at its files."""

    partition_by: tuple[str, ...]
    cluster_by: tuple[str, ...]
    properties: Mapping[str, str]
    comment: str | None


def ticked(name: str) -> str:
    """Return a name in backticks.

    Examples
    --------
    >>> ticked("a`b")
    '`a``b`'
    """
    return "`" + name.replace("`", "``") + "`"


def printed(relation: Relation, ending: str = "") -> str:
    """Return a relation's name as statements take it, or that of the table that is to take its place."""
    return f"{ticked(relation.database)}.{ticked(relation.name + ending)}"


def literal(text: str) -> str:
    """Return a text as Spark reads it.

    Examples
    --------
    >>> print(literal("O'Hara \\\\ x"))
    'O\\'Hara \\\\ x'
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def databases(session: Session) -> set[str]:
    """Return the databases of the catalog."""
    return {next(iter(row.values())).casefold() for row in session.rows("SHOW DATABASES")}


def existing(session: Session, relations: Iterable[Relation], known: set[str]) -> dict[Relation, Standing]:
    """Return what stands under the relations' names, with one query a database."""
    wanted: dict[str, dict[str, Relation]] = {}
    for relation in relations:
        database, name = relation.folded
        wanted.setdefault(database, {})[name] = relation
    found: dict[Relation, Standing] = {}
    for database, names in wanted.items():
        if database not in known:
            continue
        for name, provider in _listed(session, database, names).items():
            if name in names:
                found[names[name]] = standing(provider)
    return found


def standing(provider: str | None) -> Standing:
    """Return what a table of a format is, or a view where there is none."""
    return Standing(Kind.VIEW) if provider is None else Standing(Kind.TABLE, merged_how(provider))


def merged_how(provider: str) -> str:
    """Return how rows are merged into a table of a format, in words."""
    return MERGE if provider == "delta" else f"rewrite ({provider} cannot MERGE)"


def provider_of(session: Session, relation: Relation) -> str | None:
    """Return the format of a table, such as `delta`; None for a view, and where there is nothing."""
    database, name = relation.folded
    return _listed(session, database, [name]).get(name)


def _listed(session: Session, database: str, names: Iterable[str]) -> dict[str, str | None]:
    """Return the tables of a database with their formats, and its views with None."""
    plain = [name for name in names if re.fullmatch(r"\w+", name)]
    if not plain:
        return {}
    pattern = "|".join(plain) if len(plain) <= _MANY else "*"
    rows = session.rows(f"SHOW TABLE EXTENDED IN {ticked(database)} LIKE {literal(pattern)}")
    return {row["tableName"].casefold(): _provider(row["information"]) for row in rows if not row["isTemporary"]}


def _provider(information: str) -> str | None:
    said = dict(re.findall(r"^(Type|Provider): (.*)$", information, re.MULTILINE))
    return None if said.get("Type") == "VIEW" else said.get("Provider", "hive").strip().lower()


def count(session: Session, of: str) -> int:
    """Return how many rows a table has, or a query in brackets; it is read for that."""
    return int(session.values(f"SELECT count(*) AS n FROM {of}")[0]["n"])


def detail(session: Session, relation: Relation) -> Detail:
    """Return how a table lies."""
    parts: dict[str, list[tuple[str, str]]] = {}
    part = ""
    for row in session.rows(f"DESCRIBE TABLE EXTENDED {printed(relation)}"):
        if row["col_name"].startswith("# ") and row["col_name"] != "# col_name":
            part = row["col_name"]
        elif row["col_name"] and row["col_name"] != "# col_name":
            parts.setdefault(part, []).append((row["col_name"], row["data_type"]))
    said = dict(parts.get("# Detailed Table Information", ()))
    properties = {row["key"]: row["value"] for row in session.rows(f"SHOW TBLPROPERTIES {printed(relation)}")}
    clustered = json.loads(properties.pop("clusteringColumns", "[]"))
    return Detail(
        tuple(name for name, _ in parts.get("# Partition Information", ())),
        tuple(".".join(path) for path in clustered),
        properties,
        said.get("Comment") or None,
    )


def laid_out(layout: Layout, now: Detail, columns: Iterable[str]) -> Layout:
    """Return the layout of a table that takes the place of another: what is not set stays as it is."""
    partition_by, cluster_by = layout.partition_by, layout.cluster_by
    if not partition_by and not cluster_by:
        names = {Folding.UNICODE.fold(name): name for name in columns}
        partition_by = tuple(found for name in now.partition_by if (found := names.get(Folding.UNICODE.fold(name))))
        cluster_by = tuple(found for name in now.cluster_by if (found := names.get(Folding.UNICODE.fold(name))))
    kept = {name: value for name, value in now.properties.items() if not _OF_DELTA.match(name)}
    properties = {**kept, **layout.table_properties}
    return replace(layout, partition_by=partition_by, cluster_by=cluster_by, table_properties=properties)


def clauses(table_format: str, layout: Layout, comment: str | None) -> str:
    """Return what a CREATE TABLE says of the table, but for its rows."""
    found = [f"USING {table_format}"]
    if layout.partition_by:
        found.append(f"PARTITIONED BY ({', '.join(map(ticked, layout.partition_by))})")
    if layout.cluster_by and table_format == "delta":
        found.append(f"CLUSTER BY ({', '.join(map(ticked, layout.cluster_by))})")
    if comment:
        found.append(f"COMMENT {literal(comment)}")
    properties = layout.table_properties
    if table_format != "delta":
        properties = {name: value for name, value in properties.items() if not name.startswith("delta.")}
    if properties:
        found.append(f"TBLPROPERTIES ({pairs(properties)})")
    return " ".join(found)


def pairs(properties: Mapping[str, str]) -> str:
    """Return properties as statements take them."""
    return ", ".join(f"{literal(name)} = {literal(value)}" for name, value in properties.items())


def comments(session: Session, relation: Relation) -> dict[str, str]:
    """Return the comments on a table's columns."""
    fields: Any = session.frame(f"SELECT * FROM {printed(relation)}").schema
    return {field.name: field.metadata["comment"] for field in fields if field.metadata.get("comment")}


def left_behind(session: Session, database: str) -> dict[str, set[str]]:
    """Return the names whose change of place a run did not end: what is there of each, as endings and ''."""
    rows = session.rows(f"SHOW TABLES IN {ticked(database)} LIKE '*__fft_*'")
    found: dict[str, set[str]] = {}
    for row in rows:
        for ending in (NEW, OLD):
            if row["tableName"].endswith(ending) and not row["isTemporary"]:
                found.setdefault(row["tableName"].removesuffix(ending), set()).add(ending)
    return found
