"""Increments and rows on Spark with Delta, by fft and by hand.

    python child_spark.py FOLDER ROWS CHANGED MOVED ROUNDS

All in one session. Prints a JSON object with a list of costs for each way: seconds on the clock and of Java's CPU.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from fastflowtransform import cli
from fastflowtransform.engines.base import Kind
from fastflowtransform.engines.spark import SparkEngine
from fastflowtransform.engines.spark_session import Session, Settings, opened
from fastflowtransform.relation import Relation

COLUMNS = ("id", "updated_at", "name", "a", "b", "c", "d", "e")
MODEL = (
    "{{{{ config(materialized='incremental', unique_key='id', updated_at='updated_at') }}}}\nselect {0} * from {1}\n"
)
NEWEST = 1_900_000_000


def main(folder: Path, rows: int, changed: int, moved: int, rounds: int) -> None:
    """Measure each way `rounds` times, in turns, after once for warming up."""
    conf = {"spark.sql.catalogImplementation": "in-memory", "spark.driver.memory": "6g"}
    session = opened(Settings("local[*]", "fft-bench", folder / "warehouse", conf=conf))
    session.rows("CREATE DATABASE demo")
    made(session, rows, changed)
    project = written(folder / "project")
    # By fft, for the table to have its notes; each way starts from a copy of it, history and all.
    by_fft(project, "made")
    shutil.copytree(folder / "warehouse" / "demo.db" / "facts", folder / "facts")
    ways: dict[str, Callable[[], Any]] = {}
    for kind in ("scattered", "recent"):
        ways[f"raw MERGE, {kind}"] = lambda kind=kind: by_hand(session, kind)
        ways[f"fft, {kind}"] = lambda kind=kind: by_fft(project, kind)
    engine = SparkEngine(session, "demo")
    arrow = pa.table({"id": range(moved), "v": [f"value {n % 1000}" for n in range(moved)], "x": [0.5] * moved})
    schema = "id BIGINT, v STRING, x DOUBLE"
    into = Relation("demo", "moved")
    ways["Spark's own, rows in"] = lambda: (
        session.spark.createDataFrame(arrow, schema).write.format("delta").mode("overwrite").saveAsTable("demo.moved")
    )
    ways["fft, rows in"] = lambda: seeded(engine, into, arrow)
    ways["Spark's own, rows out"] = lambda: session.spark.table("demo.moved").toArrow().num_rows
    ways["fft, rows out"] = lambda: read(engine, into)
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, work in ways.items():
            if "rows" not in name:
                session.rows("DROP TABLE demo.facts")
                copy = shutil.copytree(folder / "facts", folder / f"facts_{number}_{name}".replace(", ", "_"))
                session.rows(f"CREATE TABLE demo.facts USING delta LOCATION '{copy}'")
            cost = timed(work)
            if number:
                costs[name].append(cost)
    session.close()
    print(json.dumps(costs))


def made(session: Session, rows: int, changed: int) -> None:
    """Make the table, and two sets of changes: four updates to one insert."""
    values = (
        "'name ' || id % 1000 AS name, id % 7 AS a, id * 0.5 AS b, id % 2 = 0 AS c, id % 97 AS d, 'e' || id % 31 AS e"
    )
    session.rows(
        f"CREATE TABLE demo.changes_made USING delta AS "
        f"SELECT id, timestamp_seconds(1700000000 + id % 1000000) AS updated_at, {values} FROM range({rows})"
    )
    updates = changed * 4 // 5
    ids = {
        "scattered": f"(id * {rows // updates}) AS id",
        "recent": f"({rows - rows // 50} + id * {max(1, rows // 50 // updates)}) AS id",
    }
    new = f"SELECT {rows} + id FROM range({changed - updates})"
    for kind, expression in ids.items():
        session.rows(
            f"CREATE TABLE demo.changes_{kind} USING delta AS "
            f"SELECT id, timestamp_seconds({NEWEST}) AS updated_at, {values} "
            f"FROM (SELECT {expression} FROM range({updates}) UNION ALL {new})"
        )


def written(folder: Path) -> Path:
    """Write a project for the first rows, and one for each set of changes; all build the table `facts`."""
    for kind in ("made", "scattered", "recent"):
        hint = "/*+ REPARTITION_BY_RANGE(16, id) */" if kind == "made" else ""
        models = folder / kind / "models"
        models.mkdir(parents=True)
        (models / "facts.ff.sql").write_text(MODEL.format(hint, f"demo.changes_{kind}"))
        (folder / kind / "project.yml").write_text("name: bench\n")
        (folder / kind / "profiles.yml").write_text("dev:\n  engine: spark\n  spark: {database: demo}\n")
    return folder


def by_fft(project: Path, kind: str) -> None:
    """Run the model, from the reading of the project on."""
    assert cli.call(["run", "--quiet", str(project / kind)]) == 0


def by_hand(session: Session, kind: str) -> None:
    """Merge by one statement, whose bound is known beforehand where it is of use."""
    bound = ""
    if kind == "recent":
        ((low,),) = [tuple(row.values()) for row in session.rows(f"SELECT min(id) FROM demo.changes_{kind}")]
        bound = f" AND old.id >= {low}"
    values = ", ".join(f"old.{name} = fresh.{name}" for name in COLUMNS if name != "id")
    session.rows(
        f"MERGE INTO demo.facts AS old USING demo.changes_{kind} AS fresh ON old.id = fresh.id{bound} "
        f"WHEN MATCHED AND fresh.updated_at >= old.updated_at THEN UPDATE SET {values} "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(COLUMNS)}) VALUES ({', '.join(f'fresh.{c}' for c in COLUMNS)})"
    )


def seeded(engine: SparkEngine, relation: Relation, rows: pa.Table) -> None:
    """Load rows as `fft seed` does."""
    with engine.writing(relation, print):
        engine.replace(relation, rows.to_reader(), over=Kind.TABLE)


def read(engine: SparkEngine, relation: Relation) -> int:
    """Read all rows as a DataFrame model gets them."""
    with engine.batches(engine.table(relation)) as found:
        return int(found.read_all().num_rows)


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Return what a piece of work took."""
    cpu, wall = java_seconds(), time.perf_counter()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": java_seconds() - cpu}


def java_seconds() -> float:
    """Return the CPU seconds of our Java process until now."""
    from pyspark import SparkContext

    fields = Path(f"/proc/{SparkContext._gateway.proc.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
